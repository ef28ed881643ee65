"""The k-DPP sampler's frequencies against exact probabilities, with a test that a near miss fails."""

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from showcase_utils.selection import dpp
from showcase_utils.selection.sampling import sample_kdpp
from tests.reference import determinants as reference

DRAWS = 4000


def _kernel(alpha: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return dpp.kernel(torch.linspace(0.7, 1.3, 6), torch.randn(6, 3, generator=generator), alpha, sigma=0.7)


def _probabilities(L: torch.Tensor, k: int) -> np.ndarray:
    values = np.array([reference.determinant(L.numpy(), items) for items in combinations(range(len(L)), k)])
    return values / values.sum()


def _counts(L: torch.Tensor, k: int, seed: int) -> np.ndarray:
    place = {items: row for row, items in enumerate(combinations(range(len(L)), k))}
    counts = np.zeros(len(place))
    for items in sample_kdpp(L, k, DRAWS, torch.Generator().manual_seed(seed)).tolist():
        counts[place[tuple(items)]] += 1
    return counts


@pytest.mark.parametrize("k", [1, 2, 3])
def test_frequencies_are_the_exact_probabilities(k):
    L = _kernel(alpha=0.9)
    assert chisquare(_counts(L, k, seed=k), DRAWS * _probabilities(L, k)).pvalue > 1e-3


def test_the_test_would_notice_a_slightly_different_kernel():
    counts = _counts(_kernel(alpha=0.75), 3, seed=0)
    assert chisquare(counts, DRAWS * _probabilities(_kernel(alpha=0.9), 3)).pvalue < 1e-6


def test_the_generator_decides():
    L = _kernel(alpha=0.9)
    first, again, other = (sample_kdpp(L, 3, 20, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_duplicates_never_come_together_and_rank_is_a_bound():
    L = dpp.kernel(torch.ones(4), torch.eye(3)[[0, 0, 1, 2]], alpha=1.0, sigma=0.5)
    sets = sample_kdpp(L, 3, 50, torch.Generator().manual_seed(0))
    assert ((sets < 2).sum(-1) == 1).all()
    with pytest.raises(ValueError, match="rank 3"):
        sample_kdpp(L, 4, 1, torch.Generator())
