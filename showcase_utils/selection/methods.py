"""The methods of selection by name: what ranks, and the rule that chooses by it.

A new one is a file with a `Ranker` or a rule and a `Method`, named in ``selection.methods`` as ``module:NAME``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from showcase_utils.config import Selection
from showcase_utils.selection.chosen import NONE
from showcase_utils.selection.metric import Metric
from showcase_utils.selection.pools import PoolBatch
from showcase_utils.selection.rankers import Chance, Cosine, Indifference, Ranker, Truth
from showcase_utils.selection.rules import Ranking, Rule, best, by_dpp, by_medoids, by_mmr
from showcase_utils.selection.towers import BprTowers, Towers

MODELS = "models"  # the folder of trained rankers in the stage


class Variant(NamedTuple):
    """A method with the profile that it reads and the seed that it depends on (0 if on none): one row of a table."""

    name: str
    profile: str = NONE
    seed: int = 0

    def columns(self) -> dict[str, str | int]:
        """As the first columns of every table of this stage."""
        return {"method": self.name, "profile": self.profile, "seed": self.seed}


@dataclass(frozen=True)
class Method:
    """A way to choose photos. ``nested``: the first picks of a longer list are the shorter list."""

    name: str
    ranker: type[Ranker]
    rule: Rule
    nested: bool = True

    @property
    def ranks(self) -> bool:
        return self.ranker is not Indifference

    @property
    def weighs(self) -> bool:
        """Whether θ, the weight of relevance against diversity, makes a difference."""
        return self.rule in (by_dpp, by_mmr)

    def variants(self, settings: Selection, seed: int) -> list[Variant]:
        """One per profile and, if the ranker depends on one, per seed of ``settings.seeds``, shifted by ``seed``."""
        seeds = [seed + s for s in settings.seeds] if self.ranker.seeded else [0]
        return [Variant(self.name, profile, s) for profile in self.ranker.profiles(settings) for s in seeds]


METHODS = {
    method.name: method
    for method in (
        Method("random", Chance, best),
        Method("k_medoids", Indifference, by_medoids, nested=False),
        Method("top_k_cosine", Cosine, best),
        Method("mmr_cosine", Cosine, by_mmr),
        Method("dpp_cosine", Cosine, by_dpp),
        Method("bpr", BprTowers, best),
        Method("top_k_learned", Towers, best),
        Method("mmr_learned", Towers, by_mmr),
        Method("dpp", Towers, by_dpp),
        Method("metric", Metric, best),
        Method("metric_dpp", Metric, by_dpp),
        Method("oracle", Truth, best),
    )
}


def methods_of(settings: Selection) -> dict[str, Method]:
    """The methods of ``settings.methods`` by name. Raises ``ValueError`` for one that is not there."""
    found = [_find(name) for name in settings.methods]
    return {method.name: method for method in found}


def runnable(settings: Selection) -> dict[str, Method]:
    """`methods_of`, if the stage can be made of them. Raises ``ValueError`` also if the shown one is not among them."""
    methods, shown = methods_of(settings), settings.shown_method
    if shown not in methods:
        raise ValueError(f"selection.shown_method = {shown}: selection.methods are {', '.join(methods)}")
    return methods


def _find(name: str) -> Method:
    module, colon, attribute = name.partition(":")
    if colon:
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"selection.methods: '{name}': {error}") from error
    if name not in METHODS:
        raise ValueError(f"selection.methods: no '{name}': there are {', '.join(METHODS)}, or yours, module:NAME")
    return METHODS[name]


@dataclass(frozen=True)
class Selector:
    """A method that is ready to choose: ``variant`` says which, ``ranker`` is trained."""

    method: Method
    variant: Variant
    ranker: Ranker

    def ranking(self, batch: PoolBatch) -> Ranking:
        return Ranking(batch, self.ranker(batch), self.ranker.alpha, self.ranker.sigma)

    def choose(self, ranking: Ranking, k: int, theta: float = 0.5) -> Tensor:
        """Picks (B, k), places among the candidates, −1 where fewer than k exist."""
        return self.method.rule(ranking, k, theta)


def model_folder(models: Path, method: Method, variant: Variant) -> Path:
    """Where a trained ranker lies; methods that share one share the folder."""
    ranker = method.ranker
    return models / f"{ranker.key or ranker.__name__}-{variant.profile}-{variant.seed}"


def open_selectors(
    variants: Iterable[Variant], models: Path, settings: Selection, device: str | torch.device
) -> list[Selector]:
    """Selectors of some rows of the tables; what learns must have been trained. Equal rankers are one and the same."""
    methods, rankers, selectors = methods_of(settings), {}, []
    for variant in variants:
        method = methods[variant.name]
        folder = model_folder(models, method, variant)
        if folder not in rankers:
            rankers[folder] = method.ranker.open(folder, settings, variant.profile, variant.seed, device)
        selectors.append(Selector(method, variant, rankers[folder]))
    return selectors
