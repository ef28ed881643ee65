"""The contrastive losses against loops over samples, in their limits, and across processes."""

import math

import pytest
import torch
from torch.nn import functional as F

from showcase_utils.generation.losses import cross_modal_contrastive, personalized_contrastive, user_weights
from tests.reference import contrastive as reference


def _rows(seed: int, n: int = 6, dim: int = 8, count: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, dim, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(count)]


def _compare(loss, expected, inputs):
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    for got, want in zip(torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs), strict=True):
        assert want.abs().max() > 1e-6
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_cross_modal_equals_the_loop_with_gradients(seed, temperature):
    inputs = _rows(seed)
    _compare(
        cross_modal_contrastive(*inputs, temperature), reference.cross_modal_contrastive(*inputs, temperature), inputs
    )


def test_cross_modal_leaves_out_texts_without_entities():
    inputs = _rows(3)
    has_swapped = torch.tensor([True, False, True, True, False, True])
    loss = cross_modal_contrastive(*inputs, 0.1, has_swapped)
    _compare(loss, reference.cross_modal_contrastive(*inputs, 0.1, has_swapped), inputs)
    assert torch.autograd.grad(cross_modal_contrastive(*inputs, 0.1, has_swapped), inputs[2])[0][1].abs().sum() == 0


def test_cross_modal_without_swapped_texts_is_that_where_none_has_an_entity():
    visual, target, swapped = _rows(4)
    nobody = torch.zeros(6, dtype=torch.bool)
    expected = reference.cross_modal_contrastive(visual, target, swapped, 0.1, nobody)
    _compare(cross_modal_contrastive(visual, target), expected, [visual, target])
    with pytest.raises(ValueError, match="swapped has shape"):
        cross_modal_contrastive(visual, target, swapped[:, :3])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", [1.5, math.e])
def test_personalized_equals_the_loop_with_gradients(seed, alpha):
    history, target = _rows(seed, count=2)
    profile = torch.randn(6, 5, generator=torch.Generator().manual_seed(seed + 10), dtype=torch.float64)
    loss = personalized_contrastive(history, target, profile, 0.1, alpha)
    _compare(loss, reference.personalized_contrastive(history, target, profile, 0.1, alpha), [history, target])


def test_users_alike_and_alpha_one_both_give_the_plain_contrastive_loss():
    history, target = _rows(5, count=2)
    plain = F.cross_entropy(F.normalize(history) @ F.normalize(target).T / 0.1, torch.arange(6))
    alike = torch.ones(6, 4, dtype=torch.float64) * torch.arange(1, 7).unsqueeze(1)  # same direction, other lengths
    other = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(personalized_contrastive(history, target, alike, 0.1, math.e), plain)
    torch.testing.assert_close(personalized_contrastive(history, target, other, 0.1, 1.0), plain)
    assert personalized_contrastive(history, target, other, 0.1, math.e) > plain


def test_user_weights_span_one_to_alpha_squared():
    profile = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [-1.0, 0.0], [0.0, 0.0]])
    expected = torch.tensor([1.0, 1.0, math.e, math.e**2, math.e])
    torch.testing.assert_close(user_weights(profile, profile, math.e)[0], expected)


def test_a_single_sample_has_only_its_hard_negative():
    visual, target, swapped = _rows(6, n=1)
    torch.testing.assert_close(cross_modal_contrastive(visual, target, target, 0.1).item(), math.log(2))
    assert cross_modal_contrastive(visual, target, swapped, 0.1, torch.tensor([False])).item() == 0
    no_history = torch.zeros(1, 5, dtype=torch.float64)
    assert personalized_contrastive(visual, target, no_history, 0.1, math.e).item() == 0


def test_a_row_of_zeros_gets_no_gradient():
    """An empty text's Ĥ^Y may be one, and one over its length is no number to train with."""
    for index in range(3):
        inputs = _rows(5)
        with torch.no_grad():
            inputs[index][0] = 0
        gradients = torch.autograd.grad(cross_modal_contrastive(*inputs, 0.1), inputs)
        assert gradients[index][0].abs().sum() == 0
        assert all(gradient.abs().max() < 100 for gradient in gradients)
        assert gradients[index][1].abs().sum() > 0


def test_perfect_alignment_is_free_at_low_temperature():
    eye = torch.eye(4)
    assert cross_modal_contrastive(eye, eye, -eye, 0.02).item() < 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"swapped": torch.ones(2, 3)}, "swapped has shape"),
        ({"visual": torch.ones(3)}, r"visual must be \(B, d\)"),
        ({"temperature": 0.0}, "temperature must be positive"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {"visual": torch.ones(3, 3), "target": torch.ones(3, 3), "swapped": torch.ones(3, 3), "temperature": 0.1}
    with pytest.raises(ValueError, match=message):
        cross_modal_contrastive(**(good | change))


def test_bad_profile_and_alpha_are_named():
    rows = torch.ones(3, 4)
    with pytest.raises(ValueError, match="alpha must be at least 1"):
        personalized_contrastive(rows, rows, rows, 0.1, 0.5)
    with pytest.raises(ValueError, match="profile must be"):
        personalized_contrastive(rows, rows, rows[:2], 0.1, 2.0)
