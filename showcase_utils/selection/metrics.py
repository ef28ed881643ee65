"""Metrics of image selection: Precision@K, Recall@K, F1@K against the user's own photos, and Div@K."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain, combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from showcase_utils.metrics.metric import Metric

NO_PICK = -1


class PrecisionRecallF1(NamedTuple):
    """The three metrics, each with ``value``, ``variant`` and ``per_sample``."""

    precision: Metric
    recall: Metric
    f1: Metric

    @property
    def value(self) -> tuple[float, float, float]:
        return self.precision.value, self.recall.value, self.f1.value

    @property
    def variant(self) -> str:
        return "; ".join(metric.variant for metric in self)


def precision_recall_f1(
    chosen: Sequence[Any] | np.ndarray,
    relevant: Iterable[Any],
    k: int,
) -> PrecisionRecallF1:
    """How many of the first k chosen photos are ones the user really posted (paper, section 5).

    Precision@k = hits / k, also where fewer than k were chosen; Recall@k = hits / |relevant|; F1@k their harmonic
    mean, 0 without a hit. Each is taken per sample, then averaged over samples. ``chosen`` in pick order and
    ``relevant`` hold ids, of one sample or of many; an index of −1 means no pick. Raises ``ValueError`` for k < 1,
    lengths that differ, a photo chosen twice, or a sample without relevant photos.
    """
    if k < 1:
        raise ValueError(f"k = {k}: must be at least 1")
    relevant = relevant if hasattr(relevant, "__len__") else list(relevant)
    one = _is_id(next(chain(chosen[:1], relevant), ()))
    chosen_lists = [chosen] if one else list(chosen)
    relevant_sets = [_ids(relevant)] if one else [_ids(ids) for ids in relevant]
    if len(chosen_lists) != len(relevant_sets):
        raise ValueError(f"{len(chosen_lists)} samples chosen, but {len(relevant_sets)} with relevant photos")
    hits = np.zeros(len(chosen_lists))
    sizes = np.array([len(ids) for ids in relevant_sets], dtype=float)
    for sample, picks in enumerate(chosen_lists):
        ids = [item for item in _plain(picks) if item != NO_PICK][:k]
        if len(set(ids)) < len(ids):
            raise ValueError(f"sample {sample}: a photo is chosen twice: {ids}")
        if not relevant_sets[sample]:
            raise ValueError(f"sample {sample}: no relevant photos, so recall is not defined; leave the sample out")
        hits[sample] = len(relevant_sets[sample].intersection(ids))
    precision, recall = hits / k, hits / sizes
    f1 = 2 * hits / (k + sizes)  # the harmonic mean of the two, written so that no hit gives 0
    return PrecisionRecallF1(
        _mean(precision, f"Precision@{k}, hits / k, mean over samples"),
        _mean(recall, f"Recall@{k}, hits / relevant, mean over samples"),
        _mean(f1, f"F1@{k}, per sample, mean over samples"),
    )


def expected_f1(candidates: ArrayLike, relevant: ArrayLike, k: int) -> np.ndarray:
    """F1@k that random sets of k have on average: k m / n hits among n candidates of which m are relevant."""
    n, m = np.asarray(candidates, dtype=float), np.asarray(relevant, dtype=float)
    return 2 * np.minimum(k, n) * m / n / (k + m)


def auc(relevance: Sequence[ArrayLike], relevant: Sequence[ArrayLike]) -> Metric:
    """How probably one of the user's own photos is held more relevant than another of the pool; ties count half.

    ``relevance`` [n] of all candidates, ``relevant`` the places of the user's own among them, per sample. It looks at
    the whole ranking where the others look at k picks, so it sees a small effect sooner. A sample without own or
    without other photos has no pair: its ``per_sample`` is nan and the mean leaves it out.
    """
    values = np.full(len(relevance), np.nan)
    for sample, (scores, own) in enumerate(zip(relevance, relevant, strict=True)):
        scores, own = np.asarray(scores, dtype=np.float64), np.asarray(own, dtype=np.int64)
        pairs = len(own) * (len(scores) - len(own))
        if pairs:
            won_less_lost = np.sign(np.subtract.outer(scores[own], scores)).sum()  # own against own come to zero
            values[sample] = (pairs + won_less_lost) / 2 / pairs
    return _mean(values, "AUC of own against other photos within the pool, mean over samples")


def diversity(features: ArrayLike | Sequence[ArrayLike], k: int) -> Metric:
    """Div@k: the mean of 1 − cosine over the pairs among the first k chosen photos (paper, section 5).

    ``features`` in pick order: [m, d] of one set, [s, m, d] of many, or a list of [m, d] of any lengths. A set of
    fewer than two photos has no pair: its ``per_sample`` is nan and the mean leaves it out.
    Raises ``ValueError`` for k < 2 or a zero row.
    """
    if k < 2:
        raise ValueError(f"k = {k}: diversity needs pairs, so k must be at least 2")
    many: Any = features
    if getattr(many, "ndim", None) == 2 or (len(many) and np.ndim(many[0]) == 1):
        many = [many]
    size = np.array([len(rows[:k]) for rows in many])
    total = np.zeros(len(size))
    for m in np.unique(size[size > 0]):  # sets of one size at once
        where = np.flatnonzero(size == m)
        rows = np.array([many[sample][:k] for sample in where], dtype=np.float64)  # (s, m, d)
        norms = np.sqrt(np.einsum("sij,sij->si", rows, rows))
        if not norms.all():
            zero = where[np.flatnonzero(~norms.all(-1))[0]]
            raise ValueError(f"set {zero}: a feature row is zero, so its cosine is not defined")
        centre = (1 / norms)[:, None] @ rows  # (s, 1, d); Σ cos over pairs = (|Σ x|² − m) / 2 for unit x
        total[where] = ((centre @ centre.swapaxes(1, 2)).ravel() - m) / 2
    pairs = size * (size - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(pairs > 0, 1 - total / pairs, np.nan)
    return _mean(values, f"Div@{k}, mean of 1 - cosine over chosen pairs, mean over sets of at least two")


def sameness(sets: Sequence[frozenset[Hashable] | set[Hashable]]) -> tuple[float, float]:
    """How much alike the sets of several users are: the share who get the most frequent one, and the mean overlap.

    Overlap is Jaccard's, |A ∩ B| / |A ∪ B|, over all pairs of users; ``nan`` for a single user.
    """
    sets = [frozenset(items) for items in sets]
    frequent = max(Counter(sets).values()) / len(sets)
    pairs = [len(a & b) / len(a | b) for a, b in combinations(sets, 2)]
    return frequent, float(np.mean(pairs)) if pairs else float("nan")


def _mean(values: np.ndarray, variant: str) -> Metric:
    defined = values[~np.isnan(values)]
    return Metric(float(defined.mean()) if len(defined) else float("nan"), variant, values)


def _is_id(item: object) -> bool:
    """Whether it is one id, and not the ids of a sample."""
    return isinstance(item, (str, int, np.integer)) or getattr(item, "ndim", 1) == 0


def _ids(ids: Iterable[Hashable]) -> set[Hashable]:
    return {item for item in _plain(ids) if item != NO_PICK}


def _plain(ids: Iterable[Hashable]) -> list[Hashable]:
    """Ids as plain Python values, so that array and tensor elements compare and hash as they should."""
    return ids.tolist() if hasattr(ids, "tolist") else list(ids)
