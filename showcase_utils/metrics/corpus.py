"""Metrics that can be taken again on a resample: what bootstrap and randomisation tests need beyond a value.

A metric of a corpus is not always a mean over its samples (BLEU sums n-gram counts, Distinct counts types), so
each kind says here how it comes out when samples are drawn again, left out, or swapped with another system's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from showcase_utils.metrics.metric import Floats, Metric

Ints = NDArray[np.int64]


@dataclass(frozen=True, repr=False)
class SumMetric(Metric):
    """A metric that depends on its samples only through sums: a mean, BLEU, NIST.

    ``statistics`` is ``(n, p)``, one row per sample; ``aggregate`` maps sums ``(R, p)`` to values ``(R,)``.
    """

    statistics: Floats = field(default=None, compare=False)  # type: ignore[arg-type]
    aggregate: Callable[[Floats], Floats] = field(default=None, compare=False)  # type: ignore[assignment]

    def under(self, weights: Floats) -> Floats:
        """Values when sample ``i`` counts ``weights[r, i]`` times; ``(R, n)`` -> ``(R,)``."""
        return self.aggregate(weights @ self.statistics)

    def mixed(self, other: SumMetric) -> Callable[[NDArray[np.bool_]], Floats]:
        """Gives values for masks ``own (R, n)``: sample ``i`` of round ``r`` is this system's where ``own[r, i]``."""
        return lambda own: self.aggregate(own @ self.statistics + ~own @ other.statistics)


@dataclass(frozen=True, repr=False)
class TypeMetric(Metric):
    """Different items of a corpus over all its items, as Distinct has it (Li et al. 2016), or over a given number.

    ``items`` holds each sample's own: n-grams, features, whole texts. ``universe`` is how many different ones there
    could be; 0 takes all items of the samples.
    """

    items: Sequence[Sequence[Hashable]] = field(default=None, compare=False)  # type: ignore[arg-type]
    universe: int = field(default=0, compare=False)
    most: ClassVar[float] = 1.0  # that its value can be

    def without(self, groups: Ints) -> Floats:
        """Values when group ``g`` of the samples is left out; ``groups (n,)`` counts from 0, result ``(groups,)``.

        A type is lost with a group exactly when no other group has it, so one pass over the items is enough.
        """
        n_groups = int(groups.max()) + 1
        owner: dict[Hashable, int] = {}
        for group, sample in zip(groups.tolist(), self.items, strict=True):
            for item in sample:
                if owner.setdefault(item, group) != group:
                    owner[item] = -1
        owners = np.fromiter(owner.values(), np.int64, len(owner))
        lost = np.bincount(owners[owners >= 0], minlength=n_groups)
        tokens = np.bincount(groups, [len(sample) for sample in self.items], n_groups)
        return ratio(len(owner) - lost, np.full(n_groups, self.universe) if self.universe else tokens.sum() - tokens)

    def mixed(self, other: TypeMetric) -> Callable[[NDArray[np.bool_]], Floats]:
        """Gives values for masks ``own (R, n)``: sample ``i`` of round ``r`` is this system's where ``own[r, i]``."""
        ids: dict[Hashable, int] = {}
        flat = [
            np.array([ids.setdefault(item, len(ids)) for sample in side.items for item in sample], np.int64)
            for side in (self, other)
        ]
        sizes = [np.array([len(sample) for sample in side.items]) for side in (self, other)]
        samples = [np.repeat(np.arange(len(size)), size) for size in sizes]

        def values(own: NDArray[np.bool_]) -> Floats:
            counts = (
                np.bincount(flat[0][mask[samples[0]]], minlength=len(ids))
                + np.bincount(flat[1][~mask[samples[1]]], minlength=len(ids))
                for mask in own
            )
            return np.array([self._of_counts(count, len(mask)) for count, mask in zip(counts, own, strict=True)])

        return values

    def _of_counts(self, counts: Ints, samples: int) -> float:
        return float(np.count_nonzero(counts) / (self.universe or counts.sum() or math.nan))


@dataclass(frozen=True, repr=False)
class OverlapMetric(TypeMetric):
    """How many items two samples of a corpus share, mean over all pairs; ``items`` holds each sample's set, once each.

    As Σ_f c_f (c_f − 1) over n (n − 1), where c_f of the n samples have item f.
    """

    most: ClassVar[float] = math.inf

    def without(self, groups: Ints) -> Floats:
        """Values when group ``g`` of the samples is left out; ``groups (n,)`` counts from 0, result ``(groups,)``."""
        total = Counter(item for sample in self.items for item in sample)
        shared = sum(count * (count - 1) for count in total.values())
        own: list[Counter[Hashable]] = [Counter() for _ in range(int(groups.max()) + 1)]
        for group, sample in zip(groups.tolist(), self.items, strict=True):
            own[group].update(sample)
        # (c − g)(c − g − 1) = c(c − 1) − g(2c − g − 1)
        lost = [sum(g * (2 * total[item] - g - 1) for item, g in counts.items()) for counts in own]
        left = len(self.items) - np.bincount(groups, minlength=len(own))
        return ratio(shared - np.array(lost), left * (left - 1))

    def _of_counts(self, counts: Ints, samples: int) -> float:
        return float((counts * (counts - 1)).sum() / (samples * (samples - 1) or math.nan))


def mean_metric(per_sample: Floats, variant: str) -> SumMetric:
    """The mean over the samples for which the metric is defined; ``nan`` where there is none.

    Raises ``ValueError`` for an empty input.
    """
    per_sample = np.asarray(per_sample, np.float64)
    if not len(per_sample):
        raise ValueError("no samples: a metric needs at least one hypothesis")
    defined = ~np.isnan(per_sample)
    statistics = np.column_stack([np.where(defined, per_sample, 0.0), defined])
    value = float(_mean(statistics.sum(axis=0, keepdims=True))[0])
    return SumMetric(value, variant, per_sample, statistics, _mean)


def _mean(sums: Floats) -> Floats:
    return ratio(sums[:, 0], sums[:, 1])


def ratio(top: Floats | Ints, bottom: Floats | Ints) -> Floats:
    """``top / bottom``, and ``nan`` where there is nothing to divide by."""
    bottom = np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom > 0)
