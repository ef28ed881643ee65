"""What every method chooses for some samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from showcase_utils.progress import progress_bar
from showcase_utils.selection.methods import Selector, Variant
from showcase_utils.selection.pools import Ints, Pools
from showcase_utils.selection.rankers import Ranker
from showcase_utils.selection.rules import Ranking


class Choice(NamedTuple):
    """What a method chose for S samples: ``picks`` (S, k), places in each sample's candidates, −1 for none.

    ``relevance``, per sample (n,), is what a method ranks all candidates by; ``None`` where it ranks none.
    """

    picks: Ints
    relevance: list[np.ndarray] | None = None


Choices = dict[Variant, Choice]


@torch.no_grad()
def rankings(
    pools: Pools, rows: Ints, selectors: Sequence[Selector], device: str | torch.device = "cpu", progress: str = ""
) -> Iterator[tuple[Ints, Selector, Ranking]]:
    """Every selector with its ranking of every chunk of ``rows``; the first is where the chunk stands in ``rows``.

    Selectors that share a ranker share its ranking. ``progress``: the title of a bar, none if empty.
    """
    where = {row: position for position, row in enumerate(rows.tolist())}
    for chunk in progress_bar(list(pools.chunks(rows)), desc=progress, disable=not progress):
        batch = pools.batch(chunk, device)
        ranked: dict[Ranker, Ranking] = {}
        for selector in selectors:
            ranking = ranked.get(selector.ranker) or selector.ranking(batch)
            ranked[selector.ranker] = ranking
            yield np.array([where[row] for row in chunk.tolist()]), selector, ranking


def choose(
    pools: Pools,
    rows: Ints,
    selectors: Sequence[Selector],
    k: int,
    device: str | torch.device = "cpu",
    progress: str = "",
) -> Choices:
    """What every selector chooses for some rows: ``k`` photos each, fewer where a pool has fewer.

    Those that look at the photos alone choose once for all rows with the same candidates.
    """
    choices: Choices = {}
    if personal := [selector for selector in selectors if selector.method.ranks]:
        choices |= _choose(pools, rows, personal, k, device, progress)
    if blind := [selector for selector in selectors if not selector.method.ranks]:
        one_of_each, alike = pools.distinct(rows)
        found = _choose(pools, one_of_each, blind, k, device, progress and f"{progress}, by the photos alone")
        choices |= {variant: Choice(choice.picks[alike]) for variant, choice in found.items()}
    return choices


def _choose(
    pools: Pools, rows: Ints, selectors: Sequence[Selector], k: int, device: str | torch.device, progress: str
) -> Choices:
    sizes = pools.samples["candidates"].to_numpy()[rows]
    choices: Choices = {
        selector.variant: Choice(
            np.full((len(rows), k), -1, dtype=np.int64), [np.empty(0)] * len(rows) if selector.method.ranks else None
        )
        for selector in selectors
    }
    for where, selector, ranking in rankings(pools, rows, selectors, device, progress):
        choice = choices[selector.variant]
        choice.picks[where] = selector.choose(ranking, k).cpu().numpy()
        if choice.relevance is not None:
            for position, values in zip(where, ranking.relevance.cpu().numpy(), strict=True):
                choice.relevance[position] = values[: sizes[position]]
    return choices


def first_picks(choices: Choices, k: int) -> Choices:
    """The choices cut to the first k picks, of methods whose longer lists begin with the shorter ones."""
    return {variant: choice._replace(picks=choice.picks[:, :k]) for variant, choice in choices.items()}
