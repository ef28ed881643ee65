"""Case studies as in the paper: the photos, the user's own words, and what each system wrote; best and worst alike."""

from __future__ import annotations

import pandas as pd

from showcase_utils.metrics.generated import runs_of


def pick_cases(
    texts: pd.DataFrame, per_sample: pd.DataFrame, system: str, metric: str, best: int = 2, worst: int = 2
) -> pd.DataFrame:
    """The reviews on which ``system`` (its first seed) does best and worst by ``metric``, and the median one.

    One row per review: place (best, median, worst), value, review_id, user_id, business_id, image_ids, reference, and a
    column with the text of every system. Ties go to the smaller review id. Raises ``ValueError`` for a system or
    metric that is not there.
    """
    runs: dict[str, pd.DataFrame] = {}
    for (name, _), frame in runs_of(texts).items():
        runs.setdefault(name, frame.set_index("review_id"))
    if system not in runs:
        raise ValueError(f"no texts of system '{system}': there are {', '.join(runs)}")
    if metric not in per_sample.columns:
        raise ValueError(f"no metric '{metric}' per sample")
    seed = runs[system]["seed"].iloc[0]
    scored = per_sample[(per_sample["system"] == system) & (per_sample["seed"] == seed)].dropna(subset=metric)
    order = scored.sort_values([metric, "review_id"], ascending=[False, True])[["review_id", metric]]
    last = max(best, len(order) - worst)
    chosen = pd.concat([
        order.iloc[:best].assign(place="best"),
        order.iloc[[(len(order) - 1) // 2]].assign(place="median"),
        order.iloc[last:].assign(place="worst"),
    ])  # fmt: skip
    facts = runs[system].loc[chosen["review_id"], ["user_id", "business_id", "image_ids", "reference"]].reset_index()
    written = {name: frame.loc[chosen["review_id"], "text"].tolist() for name, frame in runs.items()}
    return facts.assign(place=chosen["place"].tolist(), value=chosen[metric].tolist(), **written)
