r"""NRT (Li et al. 2017): the rating of user and item is predicted, then a GRU writes from all three.

.. math:: \hat r = w^\top \sigma(W_L \cdots \sigma(W_1 [u; v] + b_1) \cdots + b_L) + b,\quad
   h_0 = \tanh(W_{uh} u + W_{vh} v + W_{rh}\,\mathrm{onehot}(\hat r) + b_h),\quad
   L = L_{CE} + (\hat r - r)^2

The true rating is a target and never an input; a sample of the test split is not even given it. The original's words
of whole reviews as a further target are left out, as in the public code that the field compares with: the target is
all that there is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig

from showcase_utils.generation.baselines.identities import (
    Identities,
    IdentityBaseline,
    IdentityConfig,
    IdentityEncoder,
    identity_inputs,
)
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.gpt2 import IGNORED

RATINGS = 5  # one to five stars
HIDDEN_LAYERS = 4  # of the rating's network, behind its first, as in the public code


class NrtConfig(IdentityConfig):
    """The shapes of all that know users and items."""

    model_type = "showcase-nrt"


@dataclass
class Rated(Identities):
    """What the words are written from, and how far the rating is off."""

    first: Tensor = None  # (B, width), where the GRU starts
    error: Tensor = None  # (B, 1), squared; 0 where no rating was given


class RatingEncoder(IdentityEncoder):
    """User and item → the rating, and the state that writing starts from."""

    def __init__(self, config: NrtConfig):
        width = config.width
        super().__init__(config.users, config.items, width)
        self.layers = nn.ModuleList([nn.Linear(2 * width, width)])
        self.layers.extend(nn.Linear(width, width) for _ in range(HIDDEN_LAYERS))
        self.rating = nn.Linear(width, 1)
        self.first = nn.Linear(2 * width + RATINGS, width)

    def forward(self, user: Tensor, item: Tensor, rating: Tensor | None = None, **unused: Any) -> Rated:
        """Numbers of users and items, (B, 1), and where they are known the true ratings, else −100."""
        pair = super().forward(user, item).pair
        hidden = pair.flatten(1)  # (B, 2 · width)
        for layer in self.layers:
            hidden = layer(hidden).sigmoid()
        predicted = self.rating(hidden)  # (B, 1)
        stars = F.one_hot(predicted[:, 0].detach().clamp(1, RATINGS).long() - 1, RATINGS)  # (B, 5)
        first = self.first(torch.cat([pair.flatten(1), stars.to(pair.dtype)], dim=1)).tanh()
        truth = torch.full_like(predicted, IGNORED) if rating is None else rating.to(predicted.dtype)
        error = (predicted - truth).square().masked_fill(truth == IGNORED, 0.0)
        return Rated(pair=pair, first=first, error=error)


class Nrt(IdentityBaseline):
    """GRU(start, y_1, …, y_{t−1}) → y_t, from a state that knows user, item and the predicted rating."""

    config_class = NrtConfig
    recurrent = True

    @classmethod
    def inputs(cls, corpus: ShowcaseCorpus, reviews: pd.DataFrame) -> dict[str, list[list[int]]]:
        """Numbers of user and item, and the stars of reviews that are not of the test split."""
        known = reviews["rating"].where(reviews["split"] != "test")
        return {
            **identity_inputs(corpus, reviews),
            "rating": [[] if pd.isna(stars) else [round(stars)] for stars in known],
        }

    def __init__(self, config: NrtConfig):
        super().__init__(config)
        self.encoder = RatingEncoder(config)
        self.gru = nn.GRU(config.width, config.width, batch_first=True)
        self.post_init()

    def states(self, tokens: Tensor, encoded: Rated) -> Tensor:
        hidden, _ = self.gru(self.dropout(self.words(tokens)), encoded.first.unsqueeze(0).contiguous())
        return self.dropout(hidden)

    def rating_loss(self, encoded: Rated) -> Tensor:
        return encoded.error.mean()


AutoConfig.register(NrtConfig.model_type, NrtConfig)
