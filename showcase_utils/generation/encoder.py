"""MMA, the encoder of photos and past reviews (paper, section 4.2).

    Z^V = W^V v,  Z^R = W^R r,  [H^V; H^R] = MMA([Z^V; Z^R])

Photos and reviews enter as CLIP features. Both are sets: no positions are added, only a modality's embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import ModelOutput


@dataclass
class Encoded(ModelOutput):
    """H^V and H^R side by side."""

    last_hidden_state: Tensor = None  # (B, m, h), photos first
    attention_mask: Tensor = None  # (B, m), False where padded
    is_visual: Tensor = None  # (B, m)


class MultiModalEncoder(nn.Module):
    """MMA: projections W^V and W^R, modality embeddings, stacked self-attention over both modalities.

    A sample without photos (or without history) gets one learned vector in their place, so that no row of the
    attention is empty.
    """

    main_input_name = "images"

    def __init__(
        self,
        modalities: Literal["image", "text", "both"],
        feature_dim: int,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
    ):
        super().__init__()
        self.modalities = {"image": ("images",), "text": ("history",)}.get(modalities, ("images", "history"))
        self.projection = nn.ModuleDict({name: nn.Linear(feature_dim, width, bias=False) for name in self.modalities})
        self.modality = nn.Parameter(torch.empty(len(self.modalities), width))
        self.missing = nn.Parameter(torch.empty(len(self.modalities), width))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(
        self,
        images: Tensor | None = None,
        image_mask: Tensor | None = None,
        history: Tensor | None = None,
        history_mask: Tensor | None = None,
        **unused: Any,
    ) -> Encoded:
        """Features (B, m, d) with masks (B, m), True where there is one → ``Encoded``; masks default to all True."""
        given = {"images": (images, image_mask), "history": (history, history_mask)}
        hidden, present, visual = [], [], []
        for name in self.modalities:
            tokens, mask = self._tokens(name, *given[name])
            hidden.append(tokens)
            present.append(mask)
            visual.append(torch.full_like(mask, name == "images"))
        mask = torch.cat(present, dim=1)  # (B, m)
        hidden = self.layers(torch.cat(hidden, dim=1), src_key_padding_mask=~mask)  # (B, m, h)
        return Encoded(last_hidden_state=hidden, attention_mask=mask, is_visual=torch.cat(visual, dim=1))

    def _tokens(self, name: str, features: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        if features is None:
            raise ValueError(f"this model reads {' and '.join(self.modalities)}: give '{name}', (B, m, d)")
        width = self.projection[name].in_features
        if features.ndim != 3 or features.shape[-1] != width:
            raise ValueError(f"'{name}' must be (B, m, {width}), not {tuple(features.shape)}")
        if mask is None:
            mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        if features.shape[1] == 0:
            features, mask = features.new_zeros(len(features), 1, width), mask.new_zeros(len(features), 1)
        mask = mask.bool()
        row = self.modalities.index(name)
        # padding may hold anything, and attention's weight 0 times NaN would be NaN
        features = features.to(self.projection[name].weight.dtype).masked_fill(~mask.unsqueeze(-1), 0.0)
        tokens = self.projection[name](features) + self.modality[row]
        none = ~mask.any(dim=1)  # (B,)
        first = torch.where(none.unsqueeze(1), self.missing[row], tokens[:, 0])  # (B, h)
        tokens = torch.cat([first.unsqueeze(1), tokens[:, 1:]], dim=1)
        return tokens, torch.cat([(mask[:, 0] | none).unsqueeze(1), mask[:, 1:]], dim=1)


def masked_mean(rows: Tensor, mask: Tensor) -> Tensor:
    """Mean of the rows under the mask, (B, n, h), (B, n) → (B, h); zero where the mask is empty."""
    present = mask.unsqueeze(-1)
    return rows.masked_fill(~present, 0.0).sum(1) / present.sum(1).clamp(min=1)
