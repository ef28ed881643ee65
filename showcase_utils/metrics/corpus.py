"""Metrics that can be taken again on a resample: what bootstrap and randomisation tests need beyond a value.

A metric of a corpus is not always a mean over its samples (BLEU sums n-gram counts, Distinct counts types), so
each kind says here how it comes out when samples are drawn again, left out, or swapped with another system's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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

    def mixed(self, other: SumMetric, own: NDArray[np.bool_]) -> Floats:
        """Values when sample ``i`` of round ``r`` is this system's where ``own[r, i]``, else the other's."""
        return self.aggregate(own @ self.statistics + ~own @ other.statistics)


@dataclass(frozen=True, repr=False)
class TypeMetric(Metric):
    """Distinct n-grams over all n-grams of a corpus (Li et al. 2016); ``ngrams`` holds each sample's own."""

    ngrams: list[list[tuple[str, ...]]] = field(default=None, compare=False)  # type: ignore[arg-type]

    def without(self, groups: Ints) -> Floats:
        """Values when group ``g`` of the samples is left out; ``groups (n,)`` counts from 0, result ``(groups,)``.

        A type is lost with a group exactly when no other group has it, so one pass over the n-grams is enough.
        """
        n_groups = int(groups.max()) + 1
        tokens = np.bincount(groups, [len(sample) for sample in self.ngrams], n_groups)
        owner: dict[tuple[str, ...], int] = {}
        for group, sample in zip(groups.tolist(), self.ngrams, strict=True):
            for ngram in sample:
                if owner.setdefault(ngram, group) != group:
                    owner[ngram] = -1
        owners = np.fromiter(owner.values(), np.int64, len(owner))
        lost = np.bincount(owners[owners >= 0], minlength=n_groups)
        return ratio(len(owner) - lost, tokens.sum() - tokens)

    def mixed(self, other: TypeMetric, own: NDArray[np.bool_]) -> Floats:
        """Values when sample ``i`` of round ``r`` is this system's where ``own[r, i]``, else the other's."""
        ids: dict[tuple[str, ...], int] = {}
        flat = [
            np.array([ids.setdefault(ngram, len(ids)) for sample in side.ngrams for ngram in sample], np.int64)
            for side in (self, other)
        ]
        counts = [np.array([len(sample) for sample in side.ngrams]) for side in (self, other)]
        samples = [np.repeat(np.arange(len(count)), count) for count in counts]
        values = np.empty(len(own))
        for row, mask in enumerate(own):
            seen = np.zeros(len(ids), bool)
            seen[flat[0][mask[samples[0]]]] = True
            seen[flat[1][~mask[samples[1]]]] = True
            values[row] = ratio(seen.sum(), counts[0][mask].sum() + counts[1][~mask].sum())
        return values


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
