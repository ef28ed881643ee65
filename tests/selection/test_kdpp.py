"""The k-DPP's likelihood against enumeration, its sampler's frequencies against exact probabilities."""

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from showcase_utils.selection import dpp
from showcase_utils.selection.kdpp import log_likelihood_given_size, sample_kdpp, symmetric_polynomials
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


def test_the_likelihood_given_the_size_is_that_of_enumeration():
    L = torch.stack([_kernel(0.9), 1e6 * _kernel(0.7), _kernel(0.9)])
    present = torch.ones(3, 6, dtype=torch.bool)
    present[2, 4:] = False
    chosen = torch.zeros(3, 6, dtype=torch.bool)
    chosen[0, [1, 4]] = chosen[1, [0, 2, 5]] = chosen[2, [3]] = True
    found = log_likelihood_given_size(L, chosen, present).numpy()
    for b, (k, n) in enumerate([(2, 6), (3, 6), (1, 4)]):
        items = list(combinations(range(n), k))
        probability = _probabilities(L[b, :n, :n], k)[items.index(tuple(chosen[b].nonzero().flatten().tolist()))]
        assert found[b] == pytest.approx(np.log(probability), abs=1e-9)


def test_symmetric_polynomials_are_those_of_the_eigenvalues():
    L = _kernel(0.9) / 6
    values = torch.linalg.eigvalsh(L).tolist()
    expected = [sum(np.prod(items) for items in combinations(values, k)) for k in range(5)]
    np.testing.assert_allclose(symmetric_polynomials(L, 4), expected, rtol=1e-9)


def test_size_plays_no_part_in_the_likelihood_given_it():
    L, chosen = _kernel(0.9).requires_grad_(), torch.arange(6) < 2
    log_likelihood_given_size(L, chosen, torch.ones(6, dtype=torch.bool)).backward()
    assert (L * L.grad).sum().abs() < 1e-9  # a larger L makes larger sets likelier, but not this set among its equals
