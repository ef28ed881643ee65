"""R2Gen (Chen et al. 2020): a transformer whose decoder carries a relational memory from word to word.

The memory shifts and scales every layer normalisation of the decoder (memory-driven conditional layer norm, MCLN).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import ModelOutput

from showcase_utils.generation.baselines.base import Baseline, BaselineConfig, FeatureProjection, Positions, causal

SLOTS = 3  # rows of the memory, as in the paper


@dataclass
class Seen(ModelOutput):
    """The photos of a sample, as they see each other."""

    hidden: Tensor = None  # (B, m, width)
    mask: Tensor = None  # (B, m)


class PhotoEncoder(nn.Module):
    """Projection and self-attention over a sample's photos (the original: patches of one image).

    In front stands a learned vector, so that a sample without photos has something to attend to.
    """

    main_input_name = "images"

    def __init__(self, config: BaselineConfig):
        super().__init__()
        self.projection = FeatureProjection(config)
        self.first = nn.Embedding(1, config.width)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, 4 * config.width, config.dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(config.width), False)

    def forward(self, images: Tensor, image_mask: Tensor, **unused: Any) -> Seen:
        first = self.first.weight.expand(len(images), 1, -1)
        images = images.masked_fill(~image_mask.unsqueeze(-1), 0.0)  # padding may hold anything
        hidden = torch.cat([first, self.projection(images)], dim=1)
        mask = torch.cat([image_mask.new_ones(len(images), 1), image_mask], dim=1)
        return Seen(hidden=self.layers(hidden, src_key_padding_mask=~mask), mask=mask)


class RelationalMemory(nn.Module):
    """M_t = σ(G^f) ⊙ M_{t−1} + σ(G^i) ⊙ tanh(M̃_t): the memory reads itself and the word before, then is gated."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.width = width
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.gates_of_word, self.gates_of_memory = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)

    def forward(self, words: Tensor) -> Tensor:
        """Embedded words (B, T, width) → the memory after each, (B, T, slots · width)."""
        # unit rows to begin with, so that slots differ
        memory = torch.eye(SLOTS, self.width, device=words.device, dtype=words.dtype).expand(len(words), -1, -1)
        memories = []
        for word in words.unbind(dim=1):
            read = torch.cat([memory, word.unsqueeze(1)], dim=1)  # (B, slots + 1, width)
            seen = memory + self.attention(memory, read, read, need_weights=False)[0]
            fresh = seen + self.mlp(seen)
            gates = self.gates_of_word(word).unsqueeze(1) + self.gates_of_memory(memory.tanh())
            keep, enter = gates.sigmoid().chunk(2, dim=-1)
            memory = keep * memory + enter * fresh.tanh()
            memories.append(memory.flatten(1))
        return torch.stack(memories, dim=1)


class ConditionalNorm(nn.Module):
    """MCLN: layer norm with γ + Δγ(M_t) and β + Δβ(M_t), each Δ by an MLP of its own."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.scale, self.shift = (
            nn.Sequential(nn.Linear(SLOTS * width, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(2)
        )

    def forward(self, hidden: Tensor, memory: Tensor) -> Tensor:
        plain = nn.functional.layer_norm(hidden, hidden.shape[-1:])
        return plain * (self.norm.weight + self.scale(memory)) + self.norm.bias + self.shift(memory)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the photos, MLP; each behind a norm that the memory drives."""

    def __init__(self, config: BaselineConfig):
        super().__init__()
        width, options = config.width, {"dropout": config.dropout, "batch_first": True}
        self.own = nn.MultiheadAttention(width, config.heads, **options)
        self.cross = nn.MultiheadAttention(width, config.heads, **options)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        self.norms = nn.ModuleList([ConditionalNorm(width) for _ in range(3)])
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor, memory: Tensor, seen: Seen) -> Tensor:
        normed = self.norms[0](hidden, memory)
        mask = causal(hidden.shape[1], hidden.device)
        hidden = hidden + self.dropout(self.own(normed, normed, normed, attn_mask=mask, need_weights=False)[0])
        normed = self.norms[1](hidden, memory)
        read = self.cross(normed, seen.hidden, seen.hidden, key_padding_mask=~seen.mask, need_weights=False)[0]
        hidden = hidden + self.dropout(read)
        return hidden + self.dropout(self.mlp(self.norms[2](hidden, memory)))


class R2Gen(Baseline):
    """Transformer encoder over photos, decoder with relational memory."""

    main_input_name = "images"

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        self.encoder = PhotoEncoder(config)
        self.positions = Positions(config.max_tokens + 1, config.width)
        self.memory = RelationalMemory(config.width, config.heads)
        self.layers = nn.ModuleList([DecoderLayer(config) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.width)
        self.post_init()

    def states(self, tokens: Tensor, encoded: Seen) -> Tensor:
        hidden = self.dropout(self.positions(self.words(tokens)))
        memory = self.memory(hidden)  # as the original does, from words with their positions
        for layer in self.layers:
            hidden = layer(hidden, memory, encoded)
        return self.norm(hidden)
