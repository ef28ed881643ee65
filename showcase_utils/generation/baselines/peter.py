"""PETER (Li et al. 2021): a transformer over [user, item, words] that also predicts the words from the item alone.

The original's rating loss is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import AutoConfig

from showcase_utils.generation.baselines.base import Positions, causal
from showcase_utils.generation.baselines.identities import (
    Identities,
    IdentityBaseline,
    IdentityConfig,
    IdentityEncoder,
)
from showcase_utils.generation.gpt2 import IGNORED, mean_cross_entropy


class PeterConfig(IdentityConfig):
    """The shapes of all that know users and items."""

    model_type = "showcase-peter"


class Peter(IdentityBaseline):
    """Self-attention in which user and item see each other, and each word both and the words before it."""

    config_class = PeterConfig

    def __init__(self, config: PeterConfig):
        super().__init__(config)
        self.encoder = IdentityEncoder(config.users, config.items, config.width)
        self.positions = Positions(config.max_tokens + 3, config.width)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, 4 * config.width, config.dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(config.width), False)
        self.post_init()

    def states(self, tokens: Tensor, encoded: Identities) -> Tensor:
        return self._read(self.words(tokens), encoded)[:, 2:]

    def context_loss(self, labels: Tensor, encoded: Identities) -> Tensor:
        """Context prediction: the words of the text, in any order, from the item's position alone."""
        empty = encoded.pair[:, :0]
        scores = self.head(self._read(empty, encoded)[:, 1])  # (B, vocabulary)
        is_token = labels != IGNORED
        return mean_cross_entropy(scores.repeat_interleave(is_token.sum(1), dim=0), labels[is_token])

    def _read(self, words: Tensor, encoded: Identities) -> Tensor:
        hidden = self.dropout(self.positions(torch.cat([encoded.pair, words], dim=1)))  # (B, 2 + T, width)
        mask = causal(hidden.shape[1], hidden.device)
        mask[0, 1] = False  # the PETER mask: the user may look at the item
        return self.layers(hidden, mask=mask)


AutoConfig.register(PeterConfig.model_type, PeterConfig)
