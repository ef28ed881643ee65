"""How much photos differ within and between businesses and users: 1 − cosine of CLIP features (paper, section 3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from showcase_utils.encoding.features import FeatureStore
from showcase_utils.statistics.resampling import group_weights, percentile_bounds

GROUPS = {"business": "business_id", "user": "user_id"}
PAIRS = 4000  # of each kind, of which claim 2 is measured
RESAMPLES = 1000
CONFIDENCE = 0.95  # of the stage's tables; ``frames.load_diversity`` draws those of another anew
PAIR_COLUMNS = ["kind", "group_a", "group_b", "image_a", "image_b", "same_review", "distance"]


def write_diversity(out: Path, s1: pd.DataFrame, photos: FeatureStore, seed: int) -> None:
    """Claim 2, measured once: the three tables that ``frames.load_diversity`` reads."""
    pairs = diversity_pairs(s1, photos, PAIRS, seed)
    pairs.to_parquet(out / "diversity_pairs.parquet", index=False)
    diversity_means(pairs, seed).to_csv(out / "diversity_means.csv", index=False)
    diversity_differences(pairs, seed).to_csv(out / "diversity_differences.csv", index=False)


def diversity_pairs(reviews: pd.DataFrame, photos: FeatureStore, pairs: int, seed: int) -> pd.DataFrame:
    """Random pairs of photos within one business, between two, within one user's photos, and between two users'.

    Returns ``pairs`` rows each of kind (intra business, inter business, intra user, inter user), group_a and group_b
    (the businesses or users of the two photos), image_a, image_b, same_review, distance = 1 − cosine. A group counts
    once, however many photos it has: first the group is drawn, then two of its photos; between groups, two groups,
    then a photo of each. Groupings for which there are no such pairs, as where all photos are of one business, have no
    rows.
    """
    rng = np.random.default_rng(seed)
    frame = reviews[["review_id", "user_id", "business_id", "image_ids"]].explode("image_ids")
    frame = frame.rename(columns={"image_ids": "image_id"}).dropna(subset="image_id").drop_duplicates("image_id")
    frame = frame[frame["image_id"].isin(set(photos.ids))].reset_index(drop=True)
    frames = [pd.DataFrame(columns=PAIR_COLUMNS[:-1])]
    for name, column in GROUPS.items():
        rows = frame.groupby(column).indices
        members = [rows[key] for key in sorted(rows)]
        several = [number for number, rows in enumerate(members) if len(rows) > 1]
        if not several or len(members) < 2:
            continue
        drawn = rng.choice(several, size=pairs)
        within = np.array([rng.choice(members[number], size=2, replace=False) for number in drawn])
        first = rng.integers(len(members), size=pairs)
        second = (first + rng.integers(1, len(members), size=pairs)) % len(members)  # any group but the first
        between = np.array(
            [[rng.choice(members[a]), rng.choice(members[b])] for a, b in zip(first, second, strict=True)]
        )
        frames += [_pairs(frame, within, f"intra {name}", column), _pairs(frame, between, f"inter {name}", column)]
    table = pd.concat(frames[1:] or frames, ignore_index=True)
    distance = 1 - np.einsum("nd,nd->n", photos[table["image_a"]], photos[table["image_b"]])
    return table.assign(distance=distance.astype(np.float64))


def diversity_means(
    pairs: pd.DataFrame, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Mean distance per kind with its bootstrap interval, resampled by business or user.

    Columns: kind, pairs, mean, low, high.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for name in GROUPS:
        for kind, means in _means(pairs, name, rng, resamples).items():
            distance = pairs.loc[pairs["kind"] == kind, "distance"]
            rows.append((kind, len(distance), distance.mean(), *percentile_bounds(means, confidence)))
    return pd.DataFrame(rows, columns=["kind", "pairs", "mean", "low", "high"])


def diversity_differences(
    pairs: pd.DataFrame, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Claim 2: photos differ more between than within, for businesses and for users.

    Per grouping the difference of the means inter − intra with its bootstrap interval, the chance that an inter
    pair is farther apart than an intra pair, and whether the claim is reproduced: the interval lies above 0. All of it
    over pairs of ``any`` reviews, and over pairs of ``different`` reviews only: two photos of one visit share a table.

    Columns: groups, reviews, inter, intra, difference, low, high, standard_error, inter_is_farther, reproduced.
    """
    from scipy.stats import mannwhitneyu  # a second, which reading the tables need not take

    rows = []
    for reviews, kept in (("any", pairs), ("different", pairs[~pairs["same_review"].astype(bool)])):
        rng = np.random.default_rng(seed)
        for name in GROUPS:
            inter, intra = (kept.loc[kept["kind"] == f"{side} {name}", "distance"] for side in ("inter", "intra"))
            if inter.empty or intra.empty:
                continue
            means = _means(kept, name, rng, resamples)
            differences = means[f"inter {name}"] - means[f"intra {name}"]
            low, high = percentile_bounds(differences, confidence)
            farther = mannwhitneyu(inter, intra).statistic / (len(inter) * len(intra))
            rows.append(
                (name, reviews, inter.mean(), intra.mean(), inter.mean() - intra.mean(), low, high)
                + (np.nanstd(differences, ddof=1), farther, bool(low > 0))
            )
    columns = ["groups", "reviews", "inter", "intra", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "standard_error", "inter_is_farther", "reproduced"])


def _pairs(frame: pd.DataFrame, rows: np.ndarray, kind: str, column: str) -> pd.DataFrame:
    a, b = frame.iloc[rows[:, 0]], frame.iloc[rows[:, 1]]
    return pd.DataFrame(
        {
            "kind": kind,
            "group_a": a[column].to_numpy(),
            "group_b": b[column].to_numpy(),
            "image_a": a["image_id"].to_numpy(),
            "image_b": b["image_id"].to_numpy(),
            "same_review": a["review_id"].to_numpy() == b["review_id"].to_numpy(),
        }
    )


def _means(pairs: pd.DataFrame, name: str, rng: np.random.Generator, resamples: int) -> dict[str, np.ndarray]:
    """Per kind of one grouping its means over bootstrap resamples ``(resamples,)``, all kinds from the same draws.

    A pair within a group comes as often as the group is drawn, a pair between two as often as both are: the product.
    Otherwise one group's peculiar photos, which are in many pairs, would count as that many independent findings.
    """
    pairs = pairs[pairs["kind"].isin([f"intra {name}", f"inter {name}"])]
    if pairs.empty:
        return {}
    ends, groups = pd.factorize(pd.concat([pairs["group_a"], pairs["group_b"]]))
    first, second = ends[: len(pairs)], ends[len(pairs) :]
    distance, rows = pairs["distance"].to_numpy(), pairs.groupby("kind", sort=False).indices
    means: dict[str, list[np.ndarray]] = {kind: [] for kind in rows}
    for drawn in group_weights(len(groups), resamples, rng):  # (rounds, groups)
        for kind, of_kind in rows.items():
            weights = drawn[:, first[of_kind]]  # (rounds, pairs)
            if kind.startswith("inter"):
                weights = weights * drawn[:, second[of_kind]]
            with np.errstate(invalid="ignore"):  # a round without any pair of the kind has no mean: nan
                means[kind].append(weights @ distance[of_kind] / weights.sum(axis=1))
    return {kind: np.concatenate(parts) for kind, parts in means.items()}
