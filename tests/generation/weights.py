"""Weights of two trainings that differ by rounding alone, and weights that hide nothing."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def with_random_weights(model: nn.Module) -> nn.Module:
    """Biases start at zero and norms at one, where much that is wrong would not show."""
    generator = torch.Generator().manual_seed(2)
    for weight in model.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.3
    return model.eval()


def assert_same_weights(got: Mapping[str, Tensor], want: Mapping[str, Tensor], atol: float = 2e-5) -> None:
    """All but the biases of attention's keys.

    Such a bias adds the same to all scores of a query, and softmax takes it away again: its gradient is rounding and
    nothing else, of which Adam makes steps nearly as long as any.
    """
    assert got.keys() == want.keys()
    for key, value in want.items():
        pair = _without_key_bias(key, got[key]), _without_key_bias(key, value)
        torch.testing.assert_close(*pair, rtol=0, atol=atol, msg=lambda text, key=key: f"{key}: {text}")


def _without_key_bias(name: str, value: Tensor) -> Tensor:
    if name.endswith("crossattention.c_attn.bias"):  # keys, values
        return value.chunk(2)[1]
    if name.endswith(("in_proj_bias", "attn.c_attn.bias")):
        queries, _, values = value.chunk(3)
        return torch.cat([queries, values])
    return value
