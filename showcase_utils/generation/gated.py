r"""H in a decoder without cross-attention: gated blocks in front of its layers (Flamingo, Alayrac et al. 2022).

.. math:: x \leftarrow x + \tanh(\alpha)\,\mathrm{attention}(\mathrm{norm}(x), H, H),\quad
   x \leftarrow x + \tanh(\beta)\,\mathrm{mlp}(\mathrm{norm}(x)),\quad \alpha = \beta = 0 \text{ at first}

So a decoder begins as what it was, and H takes no places of its sequence. The blocks stand beside the decoder, whose
own code and weights stay as they are: forward hooks put them between its layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from showcase_utils.generation.encoder import Encoded


class GatedCrossAttention(nn.Module):
    """One block, (B, T, h) → (B, T, h)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.gates = nn.Parameter(torch.zeros(2))  # α, β

    def forward(self, hidden: Tensor, encoded: Encoded, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """With ``need_weights`` also the attention's, (B, heads, T, m)."""
        alpha, beta = self.gates.tanh()
        read, weights = self.attention(
            self.norm(hidden),
            encoded.last_hidden_state,
            encoded.last_hidden_state,
            key_padding_mask=~encoded.attention_mask.bool(),
            need_weights=need_weights,
            average_attn_weights=False,
        )
        hidden = hidden + alpha * read
        return hidden + beta * self.mlp(hidden), weights


class Gates(nn.Module):
    """A block for each layer of a decoder, which ``attach`` puts there; they are passed over while nothing is read."""

    def __init__(self, width: int, heads: int, layers: int):
        super().__init__()
        self.blocks = nn.ModuleList(GatedCrossAttention(width, heads) for _ in range(layers))
        self._encoded: Encoded | None = None
        self._weights: list[Tensor] | None = None

    def attach(self, decoder: PreTrainedModel) -> None:
        """Raises ``ValueError`` for a decoder whose layers are not found."""
        stacks = [part for part in decoder.base_model.modules() if isinstance(part, nn.ModuleList)]
        stack = next((part for part in stacks if len(part) == len(self.blocks)), None)
        if stack is None:
            raise ValueError(
                f"a '{decoder.config.model_type}' shows no list of its layers: set generation.fusion=prefix"
            )
        for number, layer in enumerate(stack):
            layer.register_forward_pre_hook(partial(self._enter, number), with_kwargs=True)

    @contextmanager
    def reading(self, encoded: Encoded | None, weights: list[Tensor] | None = None) -> Iterator[None]:
        """Inside, the decoder reads ``encoded``; the attention of each block is put into ``weights``."""
        self._encoded, self._weights = encoded, weights
        try:
            yield
        finally:
            self._encoded = self._weights = None

    def _enter(self, number: int, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._encoded is None:
            return None
        hidden = args[0] if args else kwargs["hidden_states"]
        hidden, weights = self.blocks[number](hidden, self._encoded, self._weights is not None)
        if self._weights is not None and weights is not None:
            self._weights.append(weights)
        return ((hidden, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": hidden})
