"""Scores of choices: against what users posted, sample by sample, and against one another, place by place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from showcase_utils.selection.choosing import Choice, choose
from showcase_utils.selection.methods import Selector, Variant
from showcase_utils.selection.metrics import auc, diversity, expected_f1, precision_recall_f1, sameness
from showcase_utils.selection.pools import Ints, Pools

PLACES, CROWD = 20, 20  # places whose users' sets are compared, and the users that a place should have for it


def is_evaluable(pools: Pools, rows: Ints, k: int) -> np.ndarray:
    """Pools with more than k candidates: with fewer there is nothing to choose, so they stay out of the tables."""
    return pools.samples["candidates"].to_numpy()[rows] > k


def score(pools: Pools, rows: Ints, variant: Variant, choice: Choice, k: int) -> pd.DataFrame:
    """One row per sample: metrics of the first k picks, AUC of the relevance, and what the strata are made of.

    ``chance`` is the F1 that a random set of k would have.
    """
    frame = _labelled(pools.samples.iloc[rows], variant)
    relevant = [pools.relevant[row] for row in rows]
    accuracy = precision_recall_f1(choice.picks, relevant, k)
    frame["evaluable"] = is_evaluable(pools, rows, k)
    frame["chance"] = expected_f1(frame["candidates"], frame["relevant"], k)
    frame["precision"], frame["recall"], frame["f1"] = (metric.per_sample for metric in accuracy)
    frame["diversity"] = np.nan  # one photo has no pair
    if k > 1:
        sets = [_features(pools, row, places[:k]) for row, places in zip(rows, choice.picks, strict=True)]
        frame["diversity"] = diversity(sets, k).per_sample
    frame["auc"] = np.nan if choice.relevance is None else auc(choice.relevance, relevant).per_sample
    return frame


def selected_ids(pools: Pools, rows: Ints, variant: Variant, choice: Choice) -> pd.DataFrame:
    """One row per sample with ``image_ids`` in the order of the picks."""
    frame = _labelled(pools.samples.iloc[rows][["review_id", "user_id", "business_id", "split"]], variant)
    frame["image_ids"] = [pools.ids(row, picks) for row, picks in zip(rows, choice.picks, strict=True)]
    return frame


def sameness_of_places(
    pools: Pools, selectors: Sequence[Selector], k: int, seed: int, device: str | torch.device = "cpu"
) -> pd.DataFrame:
    """How much alike the users of a place are served: per method and place the users, ``top_set`` and ``overlap``.

    All users of a place count, of every split, each with all its photos as candidates. Places are drawn from those
    with at least `CROWD` users, or as many as the fullest has, and more than ``k`` photos.
    """
    whole = pools.whole()
    first = whole.samples.reset_index().drop_duplicates(["business_id", "user_id"])
    first = first[first["candidates"] > k]
    users = first["business_id"].value_counts().sort_index()
    full = users.index[users >= min(CROWD, users.max())].to_numpy() if len(users) else []
    drawn = np.random.default_rng(seed).permutation(full)[:PLACES]
    rows = first.loc[first["business_id"].isin(drawn), "index"].to_numpy()
    if len(rows) == 0:
        return pd.DataFrame(columns=["method", "profile", "seed", "business_id", "users", "top_set", "overlap"])
    places = whole.samples["business_id"].to_numpy()[rows]
    table = []
    for variant, choice in choose(whole, rows, selectors, k, device).items():
        for place in np.unique(places):
            sets = [set(picks[picks >= 0].tolist()) for picks in choice.picks[places == place]]
            top_set, overlap = sameness(sets)
            table.append(
                variant.columns() | {"business_id": place, "users": len(sets), "top_set": top_set, "overlap": overlap}
            )
    return pd.DataFrame(table)


def _features(pools: Pools, row: int, places: Ints) -> np.ndarray:
    return pools.features[pools.candidates[row][places[places >= 0]]]


def _labelled(frame: pd.DataFrame, variant: Variant) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    for place, (name, value) in enumerate(variant.columns().items()):
        frame.insert(place, name, value)
    return frame
