"""Rank correlations of several scores with one truth, with intervals, and the differences between them (claim 5)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from showcase_utils.metrics.corpus import ratio
from showcase_utils.metrics.metric import Floats
from showcase_utils.statistics.resampling import percentile_bounds, resampled_rows, seed_means
from showcase_utils.statistics.significance import Interval


def rank_correlations(
    scores: Mapping[str, Floats],
    truth: Floats,
    users: Sequence[Hashable],
    seeds: Sequence[Hashable] | None = None,
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[dict[str, Interval], dict[tuple[str, str], Interval]]:
    """Spearman's ρ of each score with the truth, (n,) each, and the differences between scores.

    Users are drawn again with all their samples, the same draw for every score. With ``seeds``, the training that each
    sample comes from, ρ is the mean of that within each seed, and seeds are drawn again too. Samples where any value is
    ``nan`` are left out. Raises ``ValueError`` for lengths that differ.
    """
    table = np.column_stack([*scores.values(), truth])
    if len(table) != len(users):
        raise ValueError(f"{len(table)} samples but {len(users)} users given")
    known = ~np.isnan(table).any(axis=1)
    table, training = table[known], np.zeros(known.sum()) if seeds is None else np.asarray(seeds)[known]
    names, groups = np.unique(np.asarray(users)[known], return_inverse=True)
    values, draws = [], []  # per seed: (scores,), (rounds, scores)
    for one in np.unique(training):
        mine = np.flatnonzero(training == one)
        drawn = resampled_rows(groups[mine], rounds, np.random.default_rng(seed))
        values.append(_spearman(table[mine]))
        draws.append([_spearman(table[mine[rows]]) for rows in drawn])
    each_seed = np.array(draws).transpose(2, 1, 0)  # (scores, rounds, seeds)
    means = np.mean(values, axis=0)
    what = f"{len(names)} users" + (f" and {len(values)} seeds" if len(values) > 1 else "")

    def around(value: float, drawn: Floats) -> Interval:
        drawn = seed_means(drawn, np.random.default_rng([seed, 2]))
        drawn = drawn[~np.isnan(drawn)]
        if np.isnan(value) or len(drawn) < 2:
            return Interval(np.nan, np.nan, np.nan, np.nan, "none: a score or the truth does not vary")
        bounds, error = percentile_bounds(drawn, confidence), float(np.std(drawn, ddof=1))
        return Interval(float(value), *bounds, error, f"bootstrap over {what}, {rounds} rounds")

    each = {name: around(means[i], each_seed[i]) for i, name in enumerate(scores)}
    differences = {
        (a, b): around(means[i] - means[j], each_seed[i] - each_seed[j])
        for (i, a), (j, b) in combinations(enumerate(scores), 2)
    }
    return each, differences


def _spearman(table: Floats) -> Floats:
    """ρ of every column but the last with the last; ``nan`` where one of the two does not vary."""
    ranks = rankdata(table, axis=0)
    centred = ranks - ranks.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    products = centred[:, :-1].T @ centred[:, -1]
    return ratio(products, norms[:-1] * norms[-1])
