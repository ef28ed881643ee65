"""Fleiss' κ by looking at every two votes, and every pair of a review by loops."""

from __future__ import annotations

from itertools import permutations


def fleiss_kappa(votes: list[list[int]]) -> float:
    """κ of lists of 0/1 votes per item; items with one vote do not count."""
    votes = [item for item in votes if len(item) > 1]
    agreements = [[a == b for a, b in permutations(item, 2)] for item in votes]
    observed = sum(sum(item) / len(item) for item in agreements) / len(agreements)
    everything = [vote for item in votes for vote in item]
    expected = sum((everything.count(label) / len(everything)) ** 2 for label in (0, 1))
    return (observed - expected) / (1 - expected)
