"""How the methods fare as K and θ go from one end to the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from showcase_utils.selection.choosing import Choice, Choices, choose, first_picks, rankings
from showcase_utils.selection.methods import Selector, Variant
from showcase_utils.selection.pools import Ints, Pools
from showcase_utils.selection.scoring import score
from showcase_utils.selection.tables import METRICS

THETAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
K_RANGE = range(1, 11)


def k_curves(
    pools: Pools, rows: Ints, choices: Choices, selectors: Sequence[Selector], device: str | torch.device
) -> dict[tuple[int, Variant], pd.DataFrame]:
    """The scores of every method for each ``k`` of `K_RANGE`, sample by sample, on the same rows throughout.

    ``choices`` of ``rows`` are the longest lists; methods whose short lists are not their beginnings choose anew.
    """
    anew = [selector for selector in selectors if not selector.method.nested]
    scores = {}
    for k in K_RANGE:
        lists = first_picks(choices, k) | choose(pools, rows, anew, k, device)
        for variant, choice in lists.items():  # the ranking, and so its AUC, is the same for all K
            scores[k, variant] = score(pools, rows, variant, Choice(choice.picks), k).assign(k=k)
    return scores


def theta_curves(
    pools: Pools, rows: Ints, selectors: Sequence[Selector], k: int, device: str | torch.device, progress: bool
) -> pd.DataFrame:
    """Relevance against diversity as θ goes from 0 to almost 1: a row per method, profile and θ, of the first seed."""
    first: dict[tuple[str, str], Selector] = {}
    for selector in selectors:
        if selector.method.weighs:
            first.setdefault(selector.variant[:2], selector)
    picks: dict[tuple[Variant, float], Ints] = {}
    for where, selector, ranking in rankings(pools, rows, list(first.values()), device, "θ" if progress else ""):
        for theta in THETAS:
            empty = np.full((len(rows), k), -1, dtype=np.int64)
            found = picks.setdefault((selector.variant, theta), empty)
            found[where] = selector.choose(ranking, k, theta).cpu().numpy()
    table = []
    for (variant, theta), places in picks.items():
        means = score(pools, rows, variant, Choice(places), k)[list(METRICS)].mean()
        table.append(variant.columns() | {"theta": theta} | means.drop("auc").to_dict())
    return pd.DataFrame(table)
