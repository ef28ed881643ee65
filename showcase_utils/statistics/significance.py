"""How sure a number is: intervals over users, tests between systems, and the correction for having made many.

A user's reviews are not independent of one another, so users are drawn again, never rows. Where a system was trained
with several seeds, these are drawn again too, so an interval speaks of the system and not of one training run.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from showcase_utils.metrics.corpus import Ints, SumMetric, TypeMetric, mean_metric
from showcase_utils.metrics.metric import Floats, Metric
from showcase_utils.statistics.resampling import CHUNK, group_weights, percentile_bounds, seed_means

SWAPS = 1000  # at least so many: the smallest p must survive the correction for a ledger of claims


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval; ``method`` says how the bounds came about."""

    value: float
    low: float
    high: float
    standard_error: float
    method: str

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Comparison(Interval):
    """The difference of two systems, first minus second, with a two-sided p-value; ``users`` were resampled."""

    p_value: float
    users: int


def interval(
    metric: Metric | Sequence[Metric],
    users: Sequence[Hashable],
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of one system's metric, given once or once per seed; ``users`` names the user of each sample.

    Sums and means: percentile bootstrap over users and seeds. Corpus Distinct: delete-one-user jackknife, since a
    bootstrap sample repeats users and so has fewer types by construction, with the variance of the mean over seeds
    added, and cut off where the metric ends (a share at 1). ``nan`` bounds when there is a single user.
    Raises ``ValueError`` when metrics and users do not fit.
    """
    runs = _runs(metric, users)
    groups, n_users = _groups(users)
    value = float(np.mean([run.value for run in runs]))
    low, high, error, method = _bounds([runs], groups, n_users, value, rounds, confidence, seed)
    if isinstance(runs[0], TypeMetric):
        low, high = max(low, 0.0), min(high, runs[0].most)
    return Interval(value, low, high, error, method)


def compare(
    first: Metric | Sequence[Metric],
    second: Metric | Sequence[Metric],
    users: Sequence[Hashable],
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Difference of two systems on the same samples: interval over users and seeds, and a randomisation test.

    Seeds are paired: the first of one system with the first of the other. The test swaps the two systems' outputs of
    whole users at random (approximate randomisation, Noreen 1989) and counts how often the swapped difference is as
    large, (1 + hits) / (1 + swaps); it takes the trainings as they are, so only the interval knows of seeds. Raises
    ``ValueError`` when the two were not scored on the same number of samples and seeds, or by different variants.
    """
    pair = [_runs(first, users), _runs(second, users)]
    most = max(map(len, pair))
    pair = [runs * most if len(runs) == 1 else runs for runs in pair]  # a system without seeds meets each of them
    if len(pair[0]) != len(pair[1]):
        raise ValueError(f"{len(pair[0])} seeds against {len(pair[1])}: compare systems on the same seeds")
    variants = {run.variant for runs in pair for run in runs}
    if len(variants) > 1:
        raise ValueError("different variants cannot be compared: " + " | ".join(sorted(variants)))
    groups, n_users = _groups(users)
    difference = float(np.mean([a.value - b.value for a, b in zip(*pair, strict=True)]))
    bounds = _bounds(pair, groups, n_users, difference, rounds, confidence, seed)
    generator = np.random.default_rng([seed, 1])
    hits, swaps = 0, max(rounds, SWAPS)
    mixed = [a.mixed(b) for a, b in zip(*pair, strict=True)]
    for start in range(0, swaps, CHUNK):
        own = generator.random((min(CHUNK, swaps - start), n_users)) < 0.5
        own = own[:, groups]  # (rounds, samples): all of a user's samples swap together
        swapped = np.mean([mix(own) - mix(~own) for mix in mixed], axis=0)
        hits += int(np.count_nonzero(np.abs(swapped) >= abs(difference) - 1e-12))
    p_value = math.nan if math.isnan(difference) else (1 + hits) / (1 + swaps)
    return Comparison(difference, *bounds, p_value=p_value, users=n_users)


def holm(p_values: Sequence[float]) -> Floats:
    """p-values corrected for their number (Holm 1979), in the order given; ``nan`` stays and is not counted."""
    p = np.asarray(p_values, np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted


def detectable(comparison: Comparison, confidence: float = 0.95, power: float = 0.8) -> float:
    """The smallest true difference that this many users would show, with that power, at that confidence."""
    return float((norm.ppf(0.5 + confidence / 2) + norm.ppf(power)) * comparison.standard_error)


@lru_cache(maxsize=1)  # a table asks for the same draw some hundred times
def user_weights(n_users: int, rounds: int, seed: int) -> list[NDArray[np.uint16]]:
    """The draws of ``group_weights`` by which every interval over users is made, so that they can be compared."""
    drawn = group_weights(n_users, rounds, np.random.default_rng([seed, 0]))
    return [weights.astype(np.uint16) for weights in drawn]


def _runs(metric: Metric | Sequence[Metric], users: Sequence[Hashable]) -> list[Any]:
    runs = []
    for run in [metric] if isinstance(metric, Metric) else metric:
        if not isinstance(run, SumMetric | TypeMetric):
            if run.per_sample is None:
                raise ValueError(f"'{run.variant}' has no values per sample, so nothing can be resampled")
            run = mean_metric(run.per_sample, run.variant)
        n_samples = len(run.items) if isinstance(run, TypeMetric) else len(run.statistics)
        if n_samples != len(users):
            raise ValueError(f"'{run.variant}' has {n_samples} samples but there are {len(users)} users given")
        runs.append(run)
    if not runs:
        raise ValueError("no metric given")
    if len({type(run) for run in runs}) > 1:
        raise ValueError("metrics of different kinds cannot be averaged over seeds")
    return runs


def _groups(users: Sequence[Hashable]) -> tuple[Ints, int]:
    numbers: dict[Hashable, int] = {}
    groups = np.array([numbers.setdefault(user, len(numbers)) for user in users], np.int64)
    return groups, len(numbers)


def _bounds(
    sides: list[list[Any]],  # of SumMetric, or of TypeMetric
    groups: Ints,
    n_users: int,
    value: float,
    rounds: int,
    confidence: float,
    seed: int,
) -> tuple[float, float, float, str]:
    """Low, high, standard error and method of the first side, or of the first minus the second."""
    if n_users < 2 or math.isnan(value):
        return math.nan, math.nan, math.nan, "none: fewer than two users"
    n_seeds = len(sides[0])
    what = f"{n_users} users" + (f" and {n_seeds} seeds" if n_seeds > 1 else "")
    if isinstance(sides[0][0], TypeMetric):
        left_out = _difference([np.mean([run.without(groups) for run in runs], axis=0) for runs in sides])
        left_out = left_out[~np.isnan(left_out)]
        variance = (len(left_out) - 1) * left_out.var()
        if n_seeds > 1:
            each = _difference([np.array([run.value for run in runs]) for runs in sides])
            variance += each.var(ddof=1) / n_seeds
        error = math.sqrt(variance)
        reach = float(norm.ppf(0.5 + confidence / 2)) * error
        return value - reach, value + reach, error, f"jackknife over {what}"
    draws, seeds = [], np.random.default_rng([seed, 2])
    for drawn in user_weights(n_users, rounds, seed):
        weights = drawn[:, groups]  # (rounds, samples)
        by_seed = [np.stack([run.under(weights) for run in runs], axis=1) for runs in sides]  # (rounds, seeds) each
        draws.append(seed_means(_difference(by_seed), seeds))
    values = np.concatenate(draws)
    error = float(values[~np.isnan(values)].std(ddof=1))
    return *percentile_bounds(values, confidence), error, f"bootstrap over {what}, {rounds} rounds"


def _difference(sides: list[Floats]) -> Floats:
    return sides[0] - sides[1] if len(sides) == 2 else sides[0]
