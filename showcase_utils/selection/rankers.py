"""What ranks the candidates of a pool for its user; `rules` choose by it. These learn nothing.

A ranker that learns is a file of its own: ``towers`` (the paper's) is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from showcase_utils.config import Selection
from showcase_utils.selection.chosen import NONE
from showcase_utils.selection.pools import PoolBatch, Pools


class Contributions(NamedTuple):
    """What each item of the user's past adds to a candidate's relevance; both together sum to it."""

    photos: Tensor  # (B, n, h)
    texts: Tensor  # (B, n, t)


class Ranker:
    """Gives every candidate of a pool a relevance for the pool's user.

    A subclass says for which ``profiles`` it exists and whether it depends on a seed, and ranks. One that learns sets
    ``learns`` and overrides ``train`` and ``open``. ``alpha`` and ``sigma`` are the kernel's beside its relevance.
    ``key`` names its objective in tables of training and its folders.
    """

    key: ClassVar[str] = ""
    seeded: ClassVar[bool] = False
    learns: ClassVar[bool] = False

    def __init__(self, settings: Selection, profile: str, seed: int) -> None:
        self.profile, self.seed = profile, seed
        self.alpha: float | Tensor = settings.alpha
        self.sigma: float | Tensor = settings.sigma

    def __call__(self, batch: PoolBatch) -> Tensor:
        """Relevance (B, n), of padding too."""
        raise NotImplementedError

    def contributions(self, batch: PoolBatch) -> Contributions | None:
        """The relevance, split among the items of the user's past; ``None`` where it cannot be."""
        return None

    @classmethod
    def profiles(cls, settings: Selection) -> tuple[str, ...]:
        """The profiles that this ranker exists for; ``("none",)`` if it knows no user."""
        return settings.profiles

    @classmethod
    def train(
        cls, folder: Path, pools: Pools, settings: Selection, profile: str, seed: int, device: str | torch.device
    ) -> pd.DataFrame:
        """Train, unless ``folder`` holds a finished one; leaves there what `open` needs and gives a row per epoch."""
        raise NotImplementedError

    @classmethod
    def open(cls, folder: Path, settings: Selection, profile: str, seed: int, device: str | torch.device) -> Self:
        """The ranker, ready to rank."""
        return cls(settings, profile, seed)


class Chance(Ranker):
    """Any order is as good as another."""

    seeded = True

    def __init__(self, settings: Selection, profile: str, seed: int) -> None:
        super().__init__(settings, profile, seed)
        self.generator = torch.Generator().manual_seed(seed)

    @classmethod
    def profiles(cls, settings: Selection) -> tuple[str, ...]:
        return (NONE,)

    def __call__(self, batch: PoolBatch) -> Tensor:
        return torch.rand(batch.present.shape, generator=self.generator).to(batch.present.device)


class Indifference(Ranker):
    """All candidates are equally relevant: for rules that look at the photos alone."""

    @classmethod
    def profiles(cls, settings: Selection) -> tuple[str, ...]:
        return (NONE,)

    def __call__(self, batch: PoolBatch) -> Tensor:
        return torch.zeros(batch.present.shape, device=batch.present.device)


class Truth(Indifference):
    """The photos the user really posted first: the ceiling, since only it knows."""

    def __call__(self, batch: PoolBatch) -> Tensor:
        return batch.chosen.float()


class Cosine(Ranker):
    """Cosine of every candidate to the centroid of the user's past, in units of its deviation within the pool.

    Profile img, text, or img+text (the mean of both directions). A user without the profile asked for gets the mean of
    the pool in its place, so the most typical photos of the business come first.
    """

    def __call__(self, batch: PoolBatch) -> Tensor:
        parts = {"img": batch.image_profile, "text": batch.text_profile}
        direction = sum(F.normalize(parts[part], dim=-1) for part in self.profile.split("+"))
        features = batch.directions
        typical = (features * batch.present.unsqueeze(-1)).sum(1)
        known = direction.abs().sum(-1, keepdim=True) > 0
        direction = F.normalize(torch.where(known, direction, typical), dim=-1)
        return standardised((features @ direction.unsqueeze(-1)).squeeze(-1), batch.present)


def standardised(relevance: Tensor, present: Tensor) -> Tensor:
    """Zero mean and unit variance within each pool, (B, n): a scale on which θ means something for any relevance."""
    count = present.sum(-1, keepdim=True)
    centred = (relevance - (relevance * present).sum(-1, keepdim=True) / count) * present
    deviation = ((centred**2).sum(-1, keepdim=True) / count).sqrt()
    return centred / deviation.clamp(min=1e-6)
