"""Users and items by number, for baselines that know them by nothing else: PETER, NRT, Att2Seq, PEPLER.

The split is by user, so every user at test is new: unseen users (and places) share one embedding, number 0. It is
trained by giving it to a tenth of the training samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import ModelOutput

from showcase_utils.generation.baselines.base import Baseline, BaselineConfig
from showcase_utils.generation.corpus import ShowcaseCorpus

UNKNOWN = 0
FORGET = 0.1  # share of training samples whose user, and whose item, is unknown


class IdentityConfig(BaselineConfig):
    """The shapes of all baselines, and how many users and items there are."""

    users: int = 1
    items: int = 1


@dataclass
class Identities(ModelOutput):
    """What the words are written from."""

    pair: Tensor = None  # (B, 2, width), user and item


class IdentityEncoder(nn.Module):
    """A vector for each user and item."""

    main_input_name = "user"

    def __init__(self, users: int, items: int, width: int):
        super().__init__()
        self.users = nn.Embedding(users, width)
        self.items = nn.Embedding(items, width)

    def forward(self, user: Tensor, item: Tensor, **unused: Any) -> Identities:
        """Numbers of users and items, (B, 1); 0 is unknown."""
        if self.training:
            user, item = (ids * (torch.rand(ids.shape, device=ids.device) >= FORGET) for ids in (user, item))
        return Identities(pair=torch.cat([self.users(user), self.items(item)], dim=1))


class IdentityBaseline(Baseline):
    """A baseline whose encoder reads ``user`` and ``item``."""

    config_class = IdentityConfig
    main_input_name = "user"

    @classmethod
    def inputs(cls, corpus: ShowcaseCorpus, reviews: pd.DataFrame) -> dict[str, list[list[int]]]:
        return identity_inputs(corpus, reviews)

    @classmethod
    def shapes(cls, corpus: ShowcaseCorpus) -> dict[str, int]:
        return identity_shapes(corpus)


def identity_inputs(corpus: ShowcaseCorpus, reviews: pd.DataFrame) -> dict[str, list[list[int]]]:
    """The numbers of user and item, ``UNKNOWN`` for those that the training split lacks."""
    users, items = _numbers(corpus, "user_id"), _numbers(corpus, "business_id")
    return {
        "user": [[users.get(user, UNKNOWN)] for user in reviews["user_id"]],
        "item": [[items.get(business, UNKNOWN)] for business in reviews["business_id"]],
    }


def identity_shapes(corpus: ShowcaseCorpus) -> dict[str, int]:
    """How many users and items there are, the unknown one among them."""
    return {
        name: len(_numbers(corpus, column)) + 1 for name, column in (("users", "user_id"), ("items", "business_id"))
    }


def _numbers(corpus: ShowcaseCorpus, column: str) -> dict[str, int]:
    """Numbers of the users or items of the training split, from 1 on."""
    return {key: number for number, key in enumerate(sorted(corpus.rows("train")[column].unique()), start=1)}
