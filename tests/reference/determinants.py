"""Slow, obvious oracles for determinantal point processes: everything by enumeration and plain determinants."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np


def subsets(n: int) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(range(n), size) for size in range(n + 1)))


def determinant(L: np.ndarray, items: tuple[int, ...] | list[int]) -> float:
    return float(np.linalg.det(L[np.ix_(items, items)])) if len(items) else 1.0


def probabilities(L: np.ndarray) -> dict[tuple[int, ...], float]:
    """P(Y) of every subset, normalised by the sum of all determinants rather than by det(L + I)."""
    values = {items: determinant(L, items) for items in subsets(len(L))}
    total = sum(values.values())
    return {items: value / total for items, value in values.items()}


def map_by_enumeration(L: np.ndarray, k: int) -> tuple[int, ...]:
    return max(combinations(range(len(L)), k), key=lambda items: determinant(L, items))


def naive_greedy(L: np.ndarray, k: int, present: np.ndarray | None = None, exhausted: float = 1e-9) -> list[int]:
    """Greedy MAP by determinants of whole submatrices; with nothing left to gain, by relevance; ties to the lower."""
    items = list(range(len(L)) if present is None else np.flatnonzero(present))
    chosen: list[int] = []
    while len(chosen) < min(k, len(items)):
        free = [i for i in items if i not in chosen]
        basis = _independent(L, chosen, exhausted)
        gains = {i: determinant(L, [*basis, i]) / determinant(L, basis) for i in free}
        alive = {i: gain for i, gain in gains.items() if gain > exhausted * L[i, i]}
        best = alive or {i: L[i, i] for i in free}
        top = max(best.values())
        chosen.append(min(i for i, value in best.items() if value >= top * (1 - 1e-9)))
    return chosen


def _independent(L: np.ndarray, chosen: list[int], exhausted: float) -> list[int]:
    """The chosen items that added volume: with a back-filled one in the set every determinant would be zero."""
    basis: list[int] = []
    for item in chosen:
        if determinant(L, [*basis, item]) > exhausted * L[item, item] * determinant(L, basis):
            basis.append(item)
    return basis
