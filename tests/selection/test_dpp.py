"""Kernel, likelihood and greedy MAP against determinants, enumeration and finite differences."""

import math

import numpy as np
import pytest
import torch

from showcase_utils.selection import dpp, greedy
from tests.reference import determinants as reference


def _random(n: int, d: int = 8, seed: int = 0, shape: tuple[int, ...] = ()) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    quality = torch.rand(*shape, n, generator=generator, dtype=torch.float64) + 0.3
    features = torch.randn(*shape, n, d, generator=generator, dtype=torch.float64)
    return quality, torch.nn.functional.normalize(features, dim=-1)


def _duplicates(seed: int = 3) -> torch.Tensor:
    """A kernel of 3 distinct photos, two of them twice, with α = 1: rank 3 of 5."""
    quality, features = _random(3, seed=seed)
    copies = [0, 1, 0, 2, 1]
    return dpp.kernel(quality[copies], features[copies], alpha=1.0, sigma=0.5)


def test_kernel_is_the_formula():
    quality, features = _random(5, shape=(2,))
    L = dpp.kernel(quality, 3 * features, alpha=0.7, sigma=0.4)
    for b in range(2):
        for i in range(5):
            for j in range(5):
                distance = 1 - float(features[b, i] @ features[b, j])
                expected = float(quality[b, i] * quality[b, j])
                if i != j:
                    expected *= 0.7 * math.exp(-distance / (2 * 0.4**2))
                assert L[b, i, j].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("alpha", [0.9, 1.0])
def test_float32_duplicates_keep_the_kernel_definite(alpha, sigma):
    quality, features = _random(500, d=32, seed=1)
    features[100:200] = features[:100]
    features[200:300] = features[:100] + 1e-4 * features[300:400]
    L = dpp.kernel(quality.float(), torch.nn.functional.normalize(features, dim=-1).float(), alpha, sigma)
    dpp.validate(L)
    least = torch.linalg.eigvalsh(L)[0].item()
    assert least >= (1 - alpha) * quality.min().item() ** 2 * (1 - 1e-6) - 1e-10
    picks = dpp.greedy_map(L, 450)
    assert len(set(picks.tolist())) == 450 and picks.min() >= 0
    chosen = torch.zeros(500, dtype=torch.bool)
    chosen[:50] = True
    assert torch.isfinite(dpp.log_likelihood(L, chosen))


@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("alpha", [0.9, 0.999])
def test_kernels_stored_in_float32_give_the_same_likelihoods_and_picks(alpha, sigma):
    quality, features = _random(500, d=32, seed=2)
    features[100:200] = features[:100]
    features[200:300] = torch.nn.functional.normalize(features[:100] + 1e-3 * features[300:400], dim=-1)
    L = dpp.kernel(quality, features, alpha, sigma)
    chosen = torch.zeros(500, dtype=torch.bool)
    chosen[[3, 103, 203, 307, 411]] = True  # a photo, its copy, nearly the same once more, and two others
    exact = math.log(reference.determinant(L.numpy(), chosen.nonzero().flatten().tolist()))
    exact -= np.linalg.slogdet(L.numpy() + np.eye(500))[1]
    assert dpp.log_likelihood(L, chosen).item() == pytest.approx(exact, rel=1e-8)
    assert dpp.log_likelihood(L.float(), chosen).item() == pytest.approx(exact, rel=1e-3)
    assert dpp.greedy_map(L.float(), 10).tolist() == dpp.greedy_map(L, 10).tolist()
    assert dpp.greedy_map(L, 10).tolist() == reference.naive_greedy(L.numpy(), 10)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_devices_agree(device):
    if not getattr(torch, device).is_available():
        pytest.skip(f"no {device} here")
    quality, features = _random(40, d=16, seed=9, shape=(8,))
    features[:, 7], quality[:, 7] = features[:, 3], quality[:, 3]  # a tie in every pool
    here = dpp.greedy_path(dpp.kernel(quality.float(), features.float(), 0.9, 0.5), 6)
    there = dpp.greedy_path(dpp.kernel(quality.float().to(device), features.float().to(device), 0.9, 0.5), 6)
    assert here.indices.tolist() == there.indices.tolist()
    torch.testing.assert_close(here.gains, there.gains.cpu(), rtol=1e-5, atol=1e-5)


def test_likelihoods_sum_to_one_and_match_determinants():
    quality, features = _random(6, seed=2)
    L = dpp.kernel(quality * 1.5, features, alpha=0.9, sigma=0.5)
    masks = torch.tensor([[i in items for i in range(6)] for items in reference.subsets(6)])
    values = dpp.log_likelihood(L.expand(64, 6, 6), masks)
    assert values.exp().sum().item() == pytest.approx(1, abs=1e-12)
    expected = np.log(list(reference.probabilities(L.numpy()).values()))
    np.testing.assert_allclose(values.numpy(), expected, rtol=0, atol=1e-10)


def test_likelihood_ignores_padding():
    quality, features = _random(4, seed=5)
    L = dpp.kernel(quality, features, 0.9, 0.5)
    padded = torch.full((7, 7), 1e6, dtype=torch.float64)
    padded[:4, :4] = L
    chosen, present = torch.zeros(2, 7, dtype=torch.bool)
    chosen[[1, 3]], present[:4] = True, True
    torch.testing.assert_close(dpp.log_likelihood(padded, chosen, present), dpp.log_likelihood(L, chosen[:4]))
    assert dpp.greedy_map(padded, 3, present).tolist() == dpp.greedy_map(L, 3).tolist()


def test_a_set_with_duplicates_is_impossible_and_has_no_gradient():
    L = _duplicates().requires_grad_()
    chosen = torch.tensor([[True, False, True, False, False], [True, True, False, False, False]])
    values = dpp.log_likelihood(L.expand(2, 5, 5), chosen)
    assert values[0] == -torch.inf and torch.isfinite(values[1])
    values[1].backward()
    assert torch.isfinite(L.grad).all()


def test_gradients_match_finite_differences():
    quality, features = _random(5, d=4, seed=4, shape=(2,))
    chosen = torch.tensor([[True, False, True, False, False], [False, False, True, True, True]])
    present = torch.tensor([[True, True, True, True, False], [True, True, True, True, True]])
    inputs = [quality, features, torch.tensor(0.8, dtype=torch.float64), torch.tensor(0.6, dtype=torch.float64)]

    def likelihood(*args):
        return dpp.log_likelihood(dpp.kernel(*args), chosen, present, check=False)

    assert torch.autograd.gradcheck(likelihood, [x.requires_grad_() for x in inputs], eps=1e-6, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("alpha", [0.9, 1.0])
def test_greedy_picks_are_those_of_the_naive_search(seed, alpha):
    generator = torch.Generator().manual_seed(seed)
    quality, features = _random(12, d=6, seed=seed, shape=(20,))
    features[::2, 7], quality[::2, 7] = features[::2, 2], quality[::2, 2]  # duplicates, equally relevant: ties
    features[::3, 5] = features[::3, 1]  # duplicates of unlike relevance
    present = torch.rand(20, 12, generator=generator) < 0.7
    L = dpp.kernel(quality, features, alpha, 0.5)
    picks = dpp.greedy_map(L, 6, present)
    for b in range(20):
        expected = reference.naive_greedy(L[b].numpy(), 6, present[b].numpy())
        assert picks[b].tolist() == expected + [-1] * (6 - len(expected))


def test_exhausted_pools_are_back_filled_by_relevance_with_the_lower_index_first():
    L = _duplicates()
    path = dpp.greedy_path(L, 5)
    assert path.indices.tolist() == reference.naive_greedy(L.numpy(), 5)
    assert sorted(path.indices.tolist()) == list(range(5))
    assert torch.isfinite(path.gains[:3]).all() and (path.gains[3:] == -torch.inf).all()
    same = dpp.kernel(torch.ones(4), torch.ones(4, 3), alpha=1.0, sigma=1.0)
    assert dpp.greedy_map(same, 3).tolist() == [0, 1, 2]


def test_gains_are_the_increments_of_the_log_determinant():
    quality, features = _random(9, seed=6)
    L = dpp.kernel(quality, features, 0.9, 0.3)
    path = dpp.greedy_path(L, 4)
    values = [0.0]
    for step in range(1, 5):
        chosen = path.indices[:step].tolist()
        values.append(math.log(reference.determinant(L.numpy(), chosen)))
        before = reference.determinant(L.numpy(), chosen[:-1])
        for i in set(range(9)) - set(chosen):
            gain = math.log(reference.determinant(L.numpy(), [*chosen[:-1], i]) / before)
            assert path.residuals[step - 1, i].item() == pytest.approx(gain, abs=1e-9)
        assert all(path.residuals[step - 1, i].isnan() for i in chosen[:-1])
    np.testing.assert_allclose(path.gains.numpy(), np.diff(values), atol=1e-10)


def test_short_pools_are_padded_with_minus_one():
    L = dpp.kernel(*_random(3), 0.9, 0.5)
    picks = dpp.greedy_path(L, 5)
    assert sorted(picks.indices[:3].tolist()) == [0, 1, 2] and picks.indices[3:].tolist() == [-1, -1]
    assert picks.gains[3:].isnan().all()
    nobody = dpp.greedy_map(L.expand(2, 3, 3), 2, torch.tensor([[False] * 3, [False, True, False]]))
    assert nobody.tolist() == [[-1, -1], [1, -1]]


def test_float32_kernels_give_the_same_picks():
    L = dpp.kernel(*_random(30, d=16, seed=8, shape=(10,)), 0.9, 0.5)
    assert torch.equal(dpp.greedy_map(L.float(), 5), dpp.greedy_map(L, 5))


def test_exact_map_is_enumeration_and_bounds_greedy():
    for seed in range(8):
        L = dpp.kernel(*_random(9, d=3, seed=seed), 0.95, 0.4)
        best = dpp.exact_map(L, 3)
        assert tuple(best.tolist()) == reference.map_by_enumeration(L.numpy(), 3)
        greedy = reference.determinant(L.numpy(), dpp.greedy_map(L, 3).tolist())
        assert 0 < greedy <= reference.determinant(L.numpy(), best.tolist()) * (1 + 1e-12)
    with pytest.raises(ValueError, match="greedy_map"):
        dpp.exact_map(torch.eye(100), 5)


def test_theta_goes_from_diversity_to_relevance():
    relevance, features = torch.tensor([2.0, 1.9, 0.5, -1.0]), torch.eye(4)[[0, 0, 1, 2]]
    relevance_only = dpp.kernel(dpp.quality(relevance, 0.98), features, 0.9, 0.5)
    assert dpp.greedy_map(relevance_only, 2).tolist() == [0, 1]
    assert dpp.greedy_map(dpp.kernel(dpp.quality(relevance, 0.5), features, 0.9, 0.5), 2).tolist() == [0, 2]
    torch.testing.assert_close(dpp.quality(relevance, 0.5), (relevance.double() / 2).exp())
    torch.testing.assert_close(dpp.quality(relevance, 0.0), torch.ones(4).double())
    with pytest.raises(ValueError, match="theta = 1"):
        dpp.quality(relevance, 1)


@pytest.mark.parametrize("theta", [0.98, 0.995, 0.9999])
@pytest.mark.parametrize("shift", [-6.0, 0.0, 6.0])
def test_theta_close_to_one_ranks_by_relevance_whatever_its_level(theta, shift):
    relevance = torch.tensor([[-1.0, 2.0, 0.0, 1.5, -3.0], [0.1, 0.2, 0.0, 0.3, 0.4]]) + shift
    picks = dpp.greedy_map(dpp.kernel(dpp.quality(relevance, theta), torch.eye(5).expand(2, 5, 5), 0.9, 0.5), 5)
    assert picks.tolist() == [[1, 3, 2, 0, 4], [4, 3, 1, 0, 2]]


def test_pools_without_candidates_give_no_picks():
    assert dpp.greedy_map(torch.zeros(2, 0, 0), 3).tolist() == [[-1] * 3] * 2
    assert dpp.greedy_map(torch.zeros(0, 4, 4), 3).shape == (0, 3)
    assert dpp.greedy_path(torch.zeros(2, 0, 0), 3).residuals.shape == (2, 3, 0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda L: L[:, :, :2], "square"),
        (
            lambda L: L.index_put((torch.tensor(1), torch.tensor(2), torch.tensor(0)), torch.tensor(0.9)),
            "kernel 1: not sym",
        ),
        (lambda L: L * torch.tensor([1.0, float("nan")])[:, None, None], r"kernel 1: entry \(0, 0\) is nan"),
        (
            lambda L: L.flatten().index_fill(0, torch.tensor(13), torch.inf).view(2, 3, 3),
            r"kernel 1: entry \(1, 1\) is inf",
        ),
        (
            lambda L: L.flatten().index_fill(0, torch.tensor(2), torch.nan).view(2, 3, 3),
            r"kernel 0: entry \(0, 2\) is nan",
        ),
        (lambda L: L * 1e6 + 2 * torch.ones(3, 3).triu(1) * 1e2, "kernel 0: not sym"),
        (lambda L: L - 2 * torch.eye(3) * torch.tensor([0.0, 1.0])[:, None, None], "kernel 1: .* eigenvalue is -1"),
        (lambda L: L - 2 * torch.diag(torch.tensor([0.0, 0.0, 1.0])), "kernel 0: .* eigenvalue is -1; item 2"),
    ],
)
def test_bad_kernels_are_named(spoil, message):
    L = spoil(torch.eye(3).repeat(2, 1, 1))
    for call in (dpp.validate, lambda L: dpp.log_likelihood(L, torch.zeros(2, 3, dtype=torch.bool))):
        with pytest.raises(ValueError, match=message):
            call(L)


def _entry(b, i, j, value, n=4):
    """Two kernels of n items, of which one has another number in one place."""
    L = dpp.kernel(*_random(n, d=8, shape=(2,)), 0.9, 0.5)
    L[b, i, j] = value
    return L


@pytest.mark.parametrize(
    ("L", "message"),
    [
        (torch.zeros(2, 3, 2), "square"),
        (_entry(1, 2, 2, torch.nan), r"kernel 1: entry \(2, 2\) is nan"),
        (_entry(0, 3, 3, torch.inf), r"kernel 0: entry \(3, 3\) is inf"),
        (torch.ones(4, 4).triu(1) + 2 * torch.eye(4), r"kernel 0: not symmetric, entries \(0, 1\)"),
        (torch.diag(torch.tensor([1.0, 2.0, -3.0])), "kernel 0: .* -3 is left of item 2 after 2 picks"),
        (torch.tensor([[2.0, 1.9, 0.0], [1.9, 1.0, 0.0], [0.0, 0.0, 0.5]]), "-0.805 is left of item 1 after 2 picks"),
    ],
)
def test_greedy_map_names_what_it_meets_that_no_kernel_has(L, message):
    with pytest.raises(ValueError, match=message):
        dpp.greedy_map(L, 3)
    with pytest.raises(ValueError, match=message):
        dpp.greedy_path(L, 3)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("k", [2, 4])
def test_greedy_map_refuses_a_row_that_is_not_finite(value, k):
    first = int(dpp.greedy_map(_entry(0, 0, 0, 1.0), 1)[0])
    with pytest.raises(ValueError, match=rf"kernel 0: entry \({first}, {(first + 1) % 4}\) is"):
        dpp.greedy_map(_entry(0, first, (first + 1) % 4, value), k)


def test_greedy_map_leaves_to_validate_what_it_does_not_meet():
    L = torch.eye(4)
    L[0, 0] = L[1, 1] = 9
    L[2, 3] = L[3, 2] = 5.0  # far from positive semi-definite, in rows that no pick of two needs
    assert dpp.greedy_map(L, 2).tolist() == [0, 1]
    with pytest.raises(ValueError, match="eigenvalue is -4"):
        dpp.validate(L)
    with pytest.raises(ValueError, match="-24 is left of item 3"):
        dpp.greedy_map(L, 4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_what_is_refused_is_relative_to_the_largest_entry(dtype, tolerance):
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    for scale in (1e-8, 1.0, 1e8):
        for share, refused in [(-0.5, False), (-3.0, True)]:
            values = torch.tensor([1.0, 0.7, 0.4, 0.2, 0.0, share * tolerance], dtype=torch.float64)
            L = turn @ values.diag() @ turn.T
            L = ((L + L.T) / 2 / L.diagonal().amax() * scale).to(dtype)
            if refused:
                with pytest.raises(ValueError, match="least eigenvalue"):
                    dpp.validate(L)
            else:
                dpp.validate(L)
        nearly = torch.eye(3, dtype=dtype) * scale
        nearly[0, 2] = 0.5 * tolerance * scale
        dpp.validate(nearly)
        nearly[0, 2] = 2 * tolerance * scale
        with pytest.raises(ValueError, match="not symmetric"):
            dpp.validate(nearly)


def test_padding_may_hold_any_number_and_kernels_are_left_as_they_were():
    L = torch.full((2, 4, 4), -1e200, dtype=torch.float64)
    L[:, :3, :3] = torch.eye(3)
    before = L.clone()
    present = torch.tensor([True, True, True, False])
    assert dpp.greedy_map(L, 4, present).tolist() == [[0, 1, 2, -1]] * 2
    assert torch.equal(L, before)


def test_padding_may_be_nan():
    L = torch.full((4, 4), torch.nan, dtype=torch.float64)
    L[:3, :3] = dpp.kernel(*_random(3), 0.9, 0.5)
    present = torch.tensor([True, True, True, False])
    assert dpp.greedy_map(L, 4, present).tolist() == [*dpp.greedy_map(L[:3, :3], 3).tolist(), -1]


@pytest.mark.parametrize("twins", [False, True])
def test_features_alone_give_the_picks_of_their_kernel(twins, monkeypatch):
    quality, features = _random(30, d=6, seed=3, shape=(20,))
    if twins:
        features[:, 1::2], quality[:, 1::2] = features[:, ::2], quality[:, ::2]
    present = torch.rand(20, 30, generator=torch.Generator().manual_seed(1)) < 0.4
    present[3] = False
    for alpha in (0.9, 1.0):
        expected = dpp.greedy_map(dpp.kernel(quality, features, alpha, 0.4), 12, present)
        assert torch.equal(dpp.greedy_map_of_features(quality, features, alpha, 0.4, 12, present), expected)
        monkeypatch.setattr(greedy, "NUMBERS", 400)  # two pools at a time
        assert torch.equal(dpp.greedy_map_of_features(quality, features, alpha, 0.4, 12, present), expected)
    assert dpp.greedy_map_of_features(quality[0], features[0], 0.9, 0.4, 2).shape == (2,)
    assert dpp.greedy_map_of_features(quality[:, :0], features[:, :0], 0.9, 0.4, 2).tolist() == [[-1, -1]] * 20
    with pytest.raises(ValueError, match="k = 0"):
        dpp.greedy_map_of_features(quality, features, 0.9, 0.4, 0)
    with pytest.raises(ValueError, match="alpha = 2"):
        dpp.greedy_map_of_features(quality, features, 2.0, 0.4, 3)


def test_numpy_arrays_are_taken_and_given():
    quality, features = _random(6, shape=(2,))
    L = dpp.kernel(quality, features, 0.9, 0.5)
    chosen = torch.zeros(2, 6, dtype=torch.bool)
    chosen[:, :2] = True
    for function, tensors in [
        (dpp.kernel, (quality, features, 0.9, 0.5)),
        (dpp.quality, (quality, 0.3)),
        (dpp.validate, (L,)),
        (dpp.log_det, (L, chosen)),
        (dpp.log_likelihood, (L, chosen)),
        (dpp.greedy_map, (L, 3)),
        (dpp.greedy_path, (L, 3)),
        (dpp.greedy_map_of_features, (quality, features, 0.9, 0.5, 3)),
        (dpp.exact_map, (L[0], 2)),
    ]:
        arrays = [value.numpy() if isinstance(value, torch.Tensor) else value for value in tensors]
        for value in arrays:
            if isinstance(value, np.ndarray):
                value.setflags(write=False)  # as a memory-mapped file is
        found, expected = function(*arrays), function(*tensors)
        if expected is None:
            assert found is None
            continue
        for one, other in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected)), strict=True):
            assert isinstance(one, np.ndarray)
            np.testing.assert_array_equal(one, other.numpy())
    mixed = dpp.greedy_map(L, 3, present=np.ones((2, 6), dtype=bool))
    assert isinstance(mixed, torch.Tensor)
    with pytest.raises(ValueError, match="k = 0"):
        dpp.greedy_map(L.numpy()[:, ::-1, ::-1], 0)  # strides that run backwards


def test_bad_arguments_are_named():
    quality, features = _random(3)
    L = torch.eye(3)
    for arguments, message in [
        ((quality[:2], features, 0.9, 1.0), "belong together"),
        ((quality, features, 1.2, 1.0), "alpha = 1.2"),
        ((quality, features, 0.0, 1.0), "alpha = 0"),
        ((quality, features, 0.9, -1.0), "sigma = -1"),
        ((quality, features, 0.9, 1e-170), "so must its square"),
        ((-quality, features, 0.9, 1.0), r"item \(0,\)"),
        ((quality, features * float("inf"), 0.9, 1.0), "features must be finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            dpp.kernel(*arguments)
    with pytest.raises(ValueError, match="not present"):
        dpp.log_likelihood(L, torch.tensor([True, False, True]), torch.tensor([True, True, False]))
    with pytest.raises(ValueError, match="boolean"):
        dpp.greedy_map(L, 1, torch.ones(3))
    with pytest.raises(ValueError, match="k = 0"):
        dpp.greedy_map(L, 0)
