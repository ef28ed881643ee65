"""Tables over samples: means with intervals, strata, and paired differences between methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from showcase_utils.statistics.resampling import percentile_bounds, resampled_means

METRICS = ("precision", "recall", "f1", "diversity", "auc")
INTERVALS = ("f1", "diversity", "auc")
POOL_EDGES = (0, 10, 20, 40, 80, np.inf)
Name = tuple[str, str]  # method, profile
RANDOM = ("random", "none")
DOSE_RESPONSE = Path(__file__).with_name("dose_response.csv")
LEARNED = ("dpp", "metric_dpp")
RULES = ("random", "k_medoids", "top_k_cosine", "mmr_cosine", "dpp_cosine")  # what learns nothing


def evaluable(scores: pd.DataFrame, split: str = "test") -> pd.DataFrame:
    """The rows that tables are made of: one split, pools with more candidates than picks."""
    return scores[(scores["split"] == split) & scores["evaluable"]]


def labels(k: int) -> dict[str, str]:
    """What columns are called where people read them, ``table.rename(columns=labels(k))``: F1@k for f1, and so on."""
    at_k = {"precision": f"P@{k}", "recall": f"R@{k}", "f1": f"F1@{k}", "diversity": f"Div@{k}"}
    names = at_k | {"auc": "AUC", "top_set": "top set"}
    bounds = {f"{name}_{side}": f"{label} {side}" for name, label in names.items() for side in ("low", "high")}
    return names | bounds


def method_table(
    scores: pd.DataFrame,
    by: Sequence[str] = (),
    sameness: pd.DataFrame | None = None,
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean of each metric per method and profile (and the columns ``by``), with intervals of F1, Div and AUC.

    Seeds are averaged within each sample first; intervals resample users, since a user's samples hang together.
    ``sameness`` (sameness.csv) adds how much alike the users of a place are served, mean over places and seeds:
    ``top_set``, the share who get the most frequent set, and ``overlap``, Jaccard's between two users' sets.
    Indexed by method and profile, sorted by F1 unless ``by`` is given.
    """
    keys = ["method", "profile", *by]
    samples = _per_sample(scores, keys)
    table = samples.groupby(keys, observed=True)[list(METRICS)].mean()
    table.insert(0, "samples", samples.groupby(keys, observed=True).size())
    wide = samples.pivot(index=["user_id", "review_id"], columns=keys, values=list(INTERVALS))
    drawn = resampled_means(wide.to_numpy(), wide.index.codes[0], rounds, np.random.default_rng(seed))
    bounds = pd.DataFrame([percentile_bounds(means, confidence) for means in drawn.T], index=wide.columns)
    for metric in INTERVALS:
        table[[f"{metric}_low", f"{metric}_high"]] = bounds.loc[metric].reindex(table.index).to_numpy()
    if sameness is not None:
        table = table.join(sameness.groupby(["method", "profile"])[["top_set", "overlap"]].mean())
    return table if by else table.sort_values("f1", ascending=False)


def with_strata(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores with two columns more: ``pool`` (bands of candidate counts) and ``user`` (none, cold, warm).

    A cold user has one history review, a warm one has more; *none* has none at another business.
    """
    labels = [f"{int(low) + 1}–{int(high)}" for low, high in zip(POOL_EDGES, POOL_EDGES[1:-1], strict=False)]
    labels.append(f"over {int(POOL_EDGES[-2])}")
    user = np.select([scores["history"] == 0, scores["history"] == 1], ["none", "cold"], default="warm")
    return scores.assign(
        pool=pd.cut(scores["candidates"], POOL_EDGES, labels=labels),
        user=pd.Categorical(user, ["none", "cold", "warm"]),
    )


def paired_difference(
    scores: pd.DataFrame,
    one: Name,
    other: Name,
    metric: str,
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.Series:
    """Mean of ``one`` minus ``other`` over the same samples, with its interval.

    Gives difference, low, high, mean_one, mean_other, samples, users. ``one`` and ``other`` are (method, profile).
    The bootstrap is paired and resamples users. Samples where the metric is undefined for either are left out.
    Raises ``ValueError`` if a method is not in ``scores`` or the two share no sample.
    """
    sides = []
    for method, profile in (one, other):
        part = scores[(scores["method"] == method) & (scores["profile"] == profile)]
        if part.empty:
            raise ValueError(f"no scores of method '{method}' with profile '{profile}'")
        sides.append(_per_sample(part, ["method", "profile"]).set_index("review_id"))
    left, right = sides
    difference = (left[metric] - right[metric]).dropna()
    if difference.empty:
        raise ValueError(f"{one} and {other} share no sample on which {metric} is defined")
    users = pd.factorize(left["user_id"].reindex(difference.index), sort=True)[0]
    drawn = resampled_means(difference.to_numpy(), users, rounds, np.random.default_rng(seed))
    low, high = percentile_bounds(drawn, confidence)
    return pd.Series(
        {
            "difference": difference.mean(),
            "low": low,
            "high": high,
            "mean_one": left[metric].reindex(difference.index).mean(),
            "mean_other": right[metric].reindex(difference.index).mean(),
            "samples": len(difference),
            "users": users.max() + 1,
        },
        dtype=object,  # counts stay whole numbers
    )


def over_chance(scores: pd.DataFrame, rounds: int = 1000, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """How many times chance's F1 each method has on the test split, the best first: mean, ``over chance``, low, high.

    Chance is exact, so the interval is that of the method alone: users are drawn again for both means of the ratio.
    """
    rows = {}
    for name, part in evaluable(scores).groupby(["method", "profile"]):
        mine = part.groupby(["user_id", "review_id"])[["f1", "chance"]].mean().reset_index()
        users = np.unique(mine["user_id"].to_numpy(str), return_inverse=True)[1]
        drawn = resampled_means(mine[["f1", "chance"]].to_numpy(), users, rounds, np.random.default_rng(seed))
        low, high = percentile_bounds(drawn[:, 0] / drawn[:, 1], confidence)
        ratio = mine["f1"].mean() / mine["chance"].mean()
        rows[name] = {"f1": mine["f1"].mean(), "over chance": ratio, "low": low, "high": high}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["method", "profile"])
    return table.sort_values("over chance", ascending=False)


def dose_rows(scores: pd.DataFrame, strength: float, **options: Any) -> pd.DataFrame:
    """What the methods find in a world of some strength of signatures: strength, method, metric, value, low, high.

    The metrics are ``AUC``, of methods that rank, and ``F1, times chance``.
    """
    auc = method_table(evaluable(scores), **options)[["auc", "auc_low", "auc_high"]].dropna()
    times = over_chance(scores, **options)[["over chance", "low", "high"]]
    parts = {"AUC": auc, "F1, times chance": times}
    rows = [
        table.droplevel("profile").set_axis(["value", "low", "high"], axis=1).reset_index().assign(metric=metric)
        for metric, table in parts.items()
    ]
    table = pd.concat(rows, ignore_index=True).assign(strength=strength)
    return table[["strength", "method", "metric", "value", "low", "high"]]


def load_dose_response() -> pd.DataFrame:
    """The rows of `dose_rows` for several strengths, stored by ``benchmarks/dose_response.py``; none before it ran."""
    if not DOSE_RESPONSE.is_file():
        return pd.DataFrame(columns=["strength", "method", "metric", "value", "low", "high"])
    return pd.read_csv(DOSE_RESPONSE)


def against_best_baselines(scores: pd.DataFrame, metric: str = "f1", **options: Any) -> pd.DataFrame:
    """The learned DPPs, of each profile, against the best rule that learns nothing and the best other method at all.

    One row per method, profile and opponent: the opponent, and ``metric``'s difference with its interval. Opponents are
    picked by their mean on the validation split, so that the test split does not pick them; the oracle is none.
    """
    means = evaluable(scores, "val").groupby(["method", "profile"])[metric].mean()
    method = means.index.get_level_values("method")
    rows = []
    for mine in means[method.isin(LEARNED)].index:
        best = {"learns nothing": means[method.isin(RULES)], "any other": means[~method.isin([mine[0], "oracle"])]}
        for kind, found in best.items():
            facts = {"method": mine[0], "profile": mine[1], "best that": kind, "opponent": " ".join(found.idxmax())}
            rows.append(facts | dict(paired_difference(evaluable(scores), mine, found.idxmax(), metric, **options)))
    return pd.DataFrame(rows).set_index(["method", "profile", "best that"])


def strata_table(scores: pd.DataFrame, by: str, names: Sequence[Name], **options: Any) -> pd.DataFrame:
    """Means of some methods by ``pool`` or ``user`` (see `with_strata`), and F1's paired difference to random.

    Test split. A band in which a method has no sample is left out. ``samples`` says how much a row can say.
    """
    rows = []
    for band, part in evaluable(with_strata(scores)).groupby(by, observed=True):
        for name in names:
            mine = part[(part["method"] == name[0]) & (part["profile"] == name[1])]
            gap = paired_difference(part, name, RANDOM, "f1", **options)
            means = _per_sample(mine, ["method"])[list(METRICS)].mean()
            rows.append(
                {by: band, "method": " ".join(name).removesuffix(" none"), "samples": gap["samples"], **means}
                | {"f1 − random": gap["difference"], "low": gap["low"], "high": gap["high"]}
            )
    return pd.DataFrame(rows).set_index([by, "method"])


def _per_sample(scores: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    group = [*keys, "review_id", "user_id"]
    return scores.groupby(group, observed=True, sort=True)[list(METRICS)].mean().reset_index()
