"""Drawing again, for intervals: whole groups (users, reviews, businesses), since what is in one hangs together.

A group is given as a number from 0 per sample. Every function takes a generator, and draws from it in the order in
which its results come.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showcase_utils.config import Settings
from showcase_utils.metrics.metric import Floats

Ints = NDArray[np.int64]
CHUNK = 100  # rounds whose weights are in memory at once


def interval_options(settings: Settings) -> dict[str, Any]:
    """How a run's settings want intervals to be drawn: ``rounds``, ``confidence``, ``seed``."""
    evaluation = settings.evaluation
    return {"rounds": evaluation.bootstrap, "confidence": evaluation.confidence, "seed": settings.seed}


def group_weights(n_groups: int, rounds: int, generator: np.random.Generator) -> Iterator[Ints]:
    """How often each group is drawn in each round of a bootstrap, (up to CHUNK, n_groups) at a time."""
    for start in range(0, rounds, CHUNK):
        chunk = min(CHUNK, rounds - start)
        yield generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=chunk)


def resampled_rows(groups: Ints, rounds: int, generator: np.random.Generator) -> Iterator[Ints]:
    """The samples of each round, group by drawn group, for statistics that no sums give (ranks, AUC)."""
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.searchsorted(groups[order], np.arange(1, groups.max() + 1)))
    for _ in range(rounds):
        yield np.concatenate([members[group] for group in generator.integers(len(members), size=len(members))])


def resampled_means(values: Floats, groups: Ints, rounds: int, generator: np.random.Generator) -> Floats:
    """The mean of ``values`` over the samples of each round, without those that are nan: (n, …) -> (rounds, …)."""
    sums = np.zeros((groups.max() + 1, *values.shape[1:]))
    counts, known = np.zeros_like(sums), ~np.isnan(values)
    np.add.at(sums, groups, np.where(known, values, 0.0))
    np.add.at(counts, groups, known)
    with np.errstate(invalid="ignore"):  # a round without a value has no mean: nan
        return np.concatenate([(d @ sums) / (d @ counts) for d in group_weights(len(sums), rounds, generator)])


def seed_means(runs: Floats, generator: np.random.Generator) -> Floats:
    """The mean over drawn seeds in each round, (rounds, S) -> (rounds,); of one seed, its own values.

    S − 1 of the S seeds are drawn, with replacement: then the spread over rounds is that of a mean of S trainings also
    where S is small, which drawing S of them would make too small by (S − 1) / S (Rao and Wu 1988).
    """
    n_seeds = runs.shape[1]
    if n_seeds == 1:
        return runs[:, 0]
    drawn = generator.multinomial(n_seeds - 1, np.full(n_seeds, 1 / n_seeds), size=len(runs))
    return np.where(drawn > 0, runs * drawn, 0.0).sum(axis=1) / (n_seeds - 1)


def percentile_bounds(values: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """The middle share ``confidence`` of the values that are known; ``nan`` where there is none."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)
