"""PETER (Li et al. 2021): a transformer over [user, item, words] that also predicts the words from the item alone.

The split is by user, so every user at test is new: unseen users (and places) share one embedding, number 0. It is
trained by giving it to a tenth of the training samples. The original's rating loss is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from transformers import AutoConfig
from transformers.modeling_outputs import ModelOutput

from showcase_utils.generation.baselines.base import Baseline, BaselineConfig, Positions, causal
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.gpt2 import IGNORED, mean_cross_entropy

UNKNOWN = 0
FORGET = 0.1  # share of training samples whose user, and whose item, is unknown


class PeterConfig(BaselineConfig):
    """The shapes of all baselines, and how many users and items there are."""

    model_type = "showcase-peter"

    users: int = 1
    items: int = 1


@dataclass
class Identities(ModelOutput):
    """What the words are written from."""

    pair: Tensor = None  # (B, 2, width), user and item


class IdentityEncoder(nn.Module):
    """A vector for each user and item."""

    main_input_name = "user"

    def __init__(self, config: PeterConfig):
        super().__init__()
        self.users = nn.Embedding(config.users, config.width)
        self.items = nn.Embedding(config.items, config.width)

    def forward(self, user: Tensor, item: Tensor, **unused: Any) -> Identities:
        """Numbers of users and items, (B, 1); 0 is unknown."""
        if self.training:
            user, item = (ids * (torch.rand(ids.shape, device=ids.device) >= FORGET) for ids in (user, item))
        return Identities(pair=torch.cat([self.users(user), self.items(item)], dim=1))


class Peter(Baseline):
    """Self-attention in which user and item see each other, and each word both and the words before it."""

    config_class = PeterConfig
    main_input_name = "user"

    @classmethod
    def inputs(cls, corpus: ShowcaseCorpus, reviews: pd.DataFrame) -> dict[str, list[list[int]]]:
        """The numbers of user and item, ``UNKNOWN`` for those that the training split lacks."""
        users, items = _numbers(corpus, "user_id"), _numbers(corpus, "business_id")
        return {
            "user": [[users.get(user, UNKNOWN)] for user in reviews["user_id"]],
            "item": [[items.get(business, UNKNOWN)] for business in reviews["business_id"]],
        }

    @classmethod
    def shapes(cls, corpus: ShowcaseCorpus) -> dict[str, int]:
        return {
            name: len(_numbers(corpus, column)) + 1 for name, column in (("users", "user_id"), ("items", "business_id"))
        }

    def __init__(self, config: PeterConfig):
        super().__init__(config)
        self.encoder = IdentityEncoder(config)
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


def _numbers(corpus: ShowcaseCorpus, column: str) -> dict[str, int]:
    """Numbers of the users or items of the training split, from 1 on."""
    return {key: number for number, key in enumerate(sorted(corpus.rows("train")[column].unique()), start=1)}


AutoConfig.register(PeterConfig.model_type, PeterConfig)
