"""Choosing for anybody: from the features of a pool and of somebody's past to photos, and what speaks for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from showcase_utils.artifacts import Stages
from showcase_utils.config import Settings
from showcase_utils.devices import resolve_device
from showcase_utils.selection.chosen import NONE, widest_profile
from showcase_utils.selection.methods import MODELS, Method, Selector, Variant, methods_of, open_selectors
from showcase_utils.selection.pools import PoolBatch


class Shown(NamedTuple):
    """What is shown to one user, and why: for anybody's photos, as `Showing` gives it."""

    picks: np.ndarray  # (k or fewer,) rows of the pool, in the order of the picks
    relevance: np.ndarray  # (n,)
    photos: np.ndarray | None  # (n, h) what each past photo adds to each relevance; None where it cannot be said
    texts: np.ndarray | None  # (n, t) what each past text adds; with ``photos`` it sums to the relevance


@dataclass(frozen=True)
class Showing:
    """The selector of a run, for anybody's features: ``Showing.load(artifacts)(pool, past_photos, past_texts)``."""

    selector: Selector
    k: int
    device: torch.device

    @classmethod
    def load(cls, stages: Stages, method: str = "", profile: str = "") -> Showing:
        """The method whose photos are shown, or another of ``selection.methods``, of the first seed.

        Raises ``ValueError`` for one that was not run.
        """
        settings, device = stages.settings.selection, resolve_device(stages.settings.device)
        _, variant = shown_variant(stages.settings, method, profile)
        selector = open_selectors([variant], stages.path("selection") / MODELS, settings, device)[0]
        return cls(selector, settings.k, device)

    @torch.no_grad()
    def __call__(
        self, pool: np.ndarray, past_photos: np.ndarray, past_texts: np.ndarray, k: int | None = None
    ) -> Shown:
        """Choose from CLIP features of the pool (n, d), of past photos (h, d) and texts (t, d); 0 rows where none."""
        return self.many([pool], [past_photos], [past_texts], k)[0]

    @torch.no_grad()
    def many(
        self,
        pools: list[np.ndarray],
        past_photos: list[np.ndarray],
        past_texts: list[np.ndarray],
        k: int | None = None,
        theta: float = 0.5,
    ) -> list[Shown]:
        """The same for several users at once."""
        batch = PoolBatch.of(pools, past_photos, past_texts, self.device)
        ranking = self.selector.ranking(batch)
        picks = self.selector.choose(ranking, self.k if k is None else k, theta).cpu().numpy()
        relevance = ranking.relevance.cpu().numpy()
        parts = self.selector.ranker.contributions(batch)
        return [
            Shown(
                picks[i][picks[i] >= 0],
                relevance[i, : len(pool)],
                parts and parts.photos[i, : len(pool), : len(past_photos[i])].cpu().numpy(),
                parts and parts.texts[i, : len(pool), : len(past_texts[i])].cpu().numpy(),
            )
            for i, pool in enumerate(pools)
        ]


def shown_variant(settings: Settings, method: str = "", profile: str = "") -> tuple[Method, Variant]:
    """The method that is shown, or another of ``selection.methods``, with its profile and its seed.

    Raises ``ValueError`` for one that was not run.
    """
    chosen, methods = settings.selection, methods_of(settings.selection)
    name = method or chosen.shown_method
    if name not in methods:
        raise ValueError(f"method '{name}' was not run: selection.methods are {', '.join(methods)}")
    variants = methods[name].variants(chosen, settings.seed)
    profile = profile or chosen.shown_profile or widest_profile(chosen)
    return methods[name], next((v for v in variants if v.profile in (profile, NONE)), variants[0])
