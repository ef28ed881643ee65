"""What only a known world can tell: whether a text names what its photos show, and whether it follows its user.

The demo world's truth is opened here and nowhere else. Nothing of this can be measured on real data, and nothing
of it says how real photos and reviews behave: the world's sentences name their dishes in a closed vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from showcase_utils.demo_world.people import Tastes, liking
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.truth import Truth
from showcase_utils.metrics.corpus import SumMetric, mean_metric, ratio
from showcase_utils.metrics.metric import Floats, Metric
from showcase_utils.statistics.resampling import percentile_bounds, resampled_rows
from showcase_utils.statistics.significance import Interval

EDIBLE = ("dish", "drink", "dessert")


def named_things(truth: Truth, texts: pd.DataFrame) -> pd.DataFrame:
    """One row per dish, drink or dessert that a text names: ``row`` (its text), ``name``, ``shown``.

    A thing is shown when some photo beside the text agrees with all that was said: "tacos" with any tacos, "beef
    tacos" not with shrimp tacos. ``texts`` has ``text`` and ``image_ids``, the photos shown to the user.
    """
    rows = []
    for row, (text, image_ids) in enumerate(zip(texts["text"], texts["image_ids"], strict=True)):
        scenes = [truth.shows(image_id) for image_id in image_ids]
        for mention in truth.mentions(text):
            if mention.scene.kind in EDIBLE:
                shown = any(truth.describes(mention.text, scene) for scene in scenes)
                rows.append({"row": row, "name": mention.scene.name, "shown": shown})
    return pd.DataFrame(rows, columns=["row", "name", "shown"])


def hallucination(truth: Truth, texts: pd.DataFrame) -> Metric:
    """Share of the named dishes, drinks and desserts that no shown photo has (CHAIR-i, Rohrbach et al. 2018).

    ``per_sample`` is the share within each text, ``nan`` for a text that names nothing.
    """
    named = named_things(truth, texts)
    total = np.bincount(named["row"].astype(int), minlength=len(texts)).astype(float)
    wrong = np.bincount(named.loc[~named["shown"].astype(bool), "row"].astype(int), minlength=len(texts))
    statistics = np.column_stack([wrong, total])
    value = float(_share(statistics.sum(axis=0, keepdims=True))[0])
    variant = "named dishes, drinks and desserts that no shown photo has, share of all named, 0–1"
    return SumMetric(value, variant, _share(statistics), statistics, _share)


def dish_recall(truth: Truth, texts: pd.DataFrame) -> Metric:
    """Share of the dishes, drinks and desserts on the shown photos that the text names; mean over texts.

    ``nan`` per sample where the photos show none.
    """
    shares = []
    for text, image_ids in zip(texts["text"], texts["image_ids"], strict=True):
        shown = {scene for scene in map(truth.shows, image_ids) if scene.kind in EDIBLE}
        found = [truth.describes(text, scene) for scene in shown]
        shares.append(np.mean(found) if found else np.nan)
    return mean_metric(np.array(shares), "pictured dishes, drinks and desserts that the text names, mean, 0–1")


def true_alignment(truth: Truth, texts: pd.DataFrame) -> Metric:
    """CLIP-Align with the truth in Φ's place: share of the shown photos that some sentence names; mean over texts."""
    shares = [
        np.mean([truth.describes(text, truth.shows(image_id)) for image_id in image_ids]) if len(image_ids) else np.nan
        for text, image_ids in zip(texts["text"], texts["image_ids"], strict=True)
    ]
    return mean_metric(np.array(shares), "shown photos that the text truly names, mean, 0–1")


def tastes_of(truth: Truth) -> dict[str, Tastes]:
    """Every user's tastes."""
    users = zip(truth.users["user_id"], truth.users["tastes"], strict=True)
    return {user_id: Tastes(**json.loads(tastes)) for user_id, tastes in users}


def appeal(tastes: Tastes, scene: Scene) -> float:
    """How much a user likes what a photo shows, about 0 ± 1: its ingredients, or its ambience."""
    return liking(tastes, scene) if scene.kind in EDIBLE else tastes.ambiences[scene.ambience]


def taste_match(truth: Truth, selected: pd.DataFrame, candidates: Mapping[str, Sequence[str]], k: int) -> pd.DataFrame:
    """How well chosen photos match their user's tastes: one row per row of ``selected``.

    ``selected`` has ``user_id``, ``business_id`` and ``image_ids``; ``candidates`` maps a business to all its
    photos. Columns: ``chosen``, ``chance`` (all candidates) and ``oracle`` (the k that the user likes best), each the
    share of photos whose appeal is above zero; and the same three as mean appeal, ``chosen_appeal`` ….
    """
    tastes = tastes_of(truth)
    rows = []
    for user_id, business_id, image_ids in selected[["user_id", "business_id", "image_ids"]].itertuples(index=False):
        likes = {i: appeal(tastes[user_id], truth.shows(i)) for i in {*candidates[business_id], *image_ids}}
        pool = np.array([likes[i] for i in candidates[business_id]])
        sets = {
            "chosen": np.array([likes[i] for i in list(image_ids)[:k]]),
            "chance": pool,
            "oracle": np.sort(pool)[-k:],
        }
        shares = {name: np.mean(values > 0) if len(values) else np.nan for name, values in sets.items()}
        means = {f"{name}_appeal": values.mean() if len(values) else np.nan for name, values in sets.items()}
        rows.append(shares | means)
    return pd.DataFrame(rows, index=selected.index)


def personalisation(truth: Truth, texts: pd.DataFrame) -> Metric:
    """Does the text follow the user? Over pairs of users of one business: who likes what a text names better?

    For two texts a (for user u) and b (for user v) the pair counts 1 when u likes what a names better than what b
    names, relative to v, 0 when worse, ½ when equal or when a text names nothing; ½ is chance. ``per_sample``: each
    text's mean over its pairs, ``nan`` where its business has no second user.
    """
    tastes = tastes_of(truth)
    scenes = [[m.scene for m in truth.mentions(text) if m.scene.kind in EDIBLE] for text in texts["text"]]
    users = texts["user_id"].tolist()
    wins, pairs = np.zeros(len(texts)), np.zeros(len(texts))
    for places in texts.reset_index(drop=True).groupby("business_id").indices.values():
        for a, b in combinations(places, 2):
            if users[a] == users[b]:
                continue
            u, v = tastes[users[a]], tastes[users[b]]
            fit = _named_appeal(u, scenes[a]) - _named_appeal(u, scenes[b])
            fit -= _named_appeal(v, scenes[a]) - _named_appeal(v, scenes[b])
            win = 0.5 if np.isnan(fit) else 0.5 * (1 + np.sign(np.round(fit, 9)))
            wins[[a, b]] += win
            pairs[[a, b]] += 1
    variant = "pairs of users of one business whose texts suit them better than the other's, ½ is chance"
    return mean_metric(ratio(wins, pairs), variant)


def _named_appeal(tastes: Tastes, scenes: Sequence[Scene]) -> float:
    """Mean weight of the ingredients that were named, ``nan`` when none was."""
    weights = []
    for scene in scenes:
        parts = (scene.main, scene.preparation, scene.sauce, scene.drink, scene.dessert, *scene.toppings)
        weights += [tastes.ingredients[part] for part in parts if part]
    return float(np.mean(weights)) if weights else np.nan


def rank_correlations(
    scores: Mapping[str, Floats],
    truth: Floats,
    users: Sequence[str],
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[dict[str, Interval], dict[tuple[str, str], Interval]]:
    """Spearman's ρ of each metric's values per sample with the truth, and the differences between metrics (claim 5).

    Users are drawn again with all their samples, the same draw for every metric. Samples where any value is ``nan``
    are left out. Raises ``ValueError`` for lengths that differ.
    """
    table = np.column_stack([*scores.values(), truth])
    if len(table) != len(users):
        raise ValueError(f"{len(table)} samples but {len(users)} users given")
    known = ~np.isnan(table).any(axis=1)
    table = table[known]
    names, groups = np.unique(np.asarray(users)[known], return_inverse=True)
    drawn_rows = resampled_rows(groups, rounds, np.random.default_rng(seed))
    draws = np.array([_spearman(table[rows]) for rows in drawn_rows])  # (rounds, metrics)
    values = _spearman(table)
    method = f"bootstrap over {len(names)} users, {rounds} rounds"

    def around(value: float, drawn: Floats) -> Interval:
        drawn = drawn[~np.isnan(drawn)]
        if np.isnan(value) or len(drawn) < 2:
            return Interval(np.nan, np.nan, np.nan, np.nan, "none: a score or the truth does not vary")
        return Interval(float(value), *percentile_bounds(drawn, confidence), float(np.std(drawn, ddof=1)), method)

    each = {name: around(values[i], draws[:, i]) for i, name in enumerate(scores)}
    differences = {
        (a, b): around(values[i] - values[j], draws[:, i] - draws[:, j])
        for (i, a), (j, b) in combinations(enumerate(scores), 2)
    }
    return each, differences


def _spearman(table: Floats) -> Floats:
    """ρ of every column but the last with the last; ``nan`` where one of the two does not vary."""
    ranks = rankdata(table, axis=0)
    centred = ranks - ranks.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    products = centred[:, :-1].T @ centred[:, -1]
    return ratio(products, norms[:-1] * norms[-1])


def _share(sums: Floats) -> Floats:
    return ratio(sums[:, 0], sums[:, 1])
