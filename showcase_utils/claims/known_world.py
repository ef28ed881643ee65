"""What only a known world can tell: whether a text names what its photos show, and whether it follows its user.

The demo world's truth is opened here and nowhere else. Nothing of this can be measured on real data, and nothing
of it says how real photos and reviews behave: the world's sentences name their dishes in a closed vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import combinations

import numpy as np
import pandas as pd

from showcase_utils.demo_world.naming import Mention, agrees, find_mentions
from showcase_utils.demo_world.people import Tastes, liking
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.truth import Truth
from showcase_utils.metrics.corpus import SumMetric, mean_metric, ratio
from showcase_utils.metrics.metric import Floats, Metric

EDIBLE = ("dish", "drink", "dessert")


def named_things(truth: Truth, texts: pd.DataFrame) -> pd.DataFrame:
    """One row per dish, drink or dessert that a text names: row (its text), name, start, end, shown.

    A thing is shown when some photo beside the text agrees with all that was said: "tacos" with any tacos, "beef
    tacos" not with shrimp tacos. ``texts`` has ``text`` and ``image_ids``, the photos shown to the user.
    """
    rows = []
    for row, (text, image_ids) in enumerate(zip(texts["text"], texts["image_ids"], strict=True)):
        scenes = [truth.shows(image_id) for image_id in image_ids]
        for mention in _mentions(text):
            if mention.scene.kind in EDIBLE:
                shown = any(_describes(mention.text, scene) for scene in scenes)
                rows.append((row, mention.scene.name, mention.start, mention.end, shown))
    return pd.DataFrame(rows, columns=["row", "name", "start", "end", "shown"])


def named_details(truth: Truth, texts: pd.DataFrame) -> pd.DataFrame:
    """One row per topping, sauce and vessel that a text names with something to eat: row, name, shown.

    It is shown when some photo beside the text has it, and on it the very thing: "tacos with lime" is wrong of tacos
    with cheese, and beside no tacos at all. ``texts`` as in `named_things`.
    """
    rows = []
    for row, (text, image_ids) in enumerate(zip(texts["text"], texts["image_ids"], strict=True)):
        scenes = [truth.shows(image_id) for image_id in image_ids]
        for mention in _mentions(text):
            had = [_details(scene) for scene in scenes if agrees(mention.scene, scene)]
            rows += [(row, name, any(name in names for names in had)) for name in _details(mention.scene)]
    return pd.DataFrame(rows, columns=["row", "name", "shown"])


def _details(scene: Scene) -> list[str]:
    return [name for name in (*scene.toppings, scene.sauce, scene.vessel) if name]


@lru_cache(maxsize=1 << 16)  # every measure asks for the same texts, and reading a text is what takes time
def _mentions(text: str) -> tuple[Mention, ...]:
    """``Truth.mentions``, which depends on the text alone."""
    return tuple(find_mentions(text))


def _describes(text: str, scene: Scene) -> bool:
    """``Truth.describes``, which depends on text and scene alone."""
    return any(agrees(mention.scene, scene) for mention in _mentions(text))


def hallucination(truth: Truth, texts: pd.DataFrame) -> Metric:
    """Share of the named dishes, drinks and desserts that no shown photo has (CHAIR-i, Rohrbach et al. 2018).

    ``per_sample`` is the share within each text, ``nan`` for a text that names nothing.
    """
    variant = "named dishes, drinks and desserts that no shown photo has, share of all named, 0–1"
    return _share_of_named(named_things(truth, texts), False, len(texts), variant)


def right(truth: Truth, texts: pd.DataFrame) -> Metric:
    """Share of the named dishes, drinks and desserts that a shown photo has: 1 − hallucination."""
    variant = "named dishes, drinks and desserts that a shown photo has, share of all named, 0–1"
    return _share_of_named(named_things(truth, texts), True, len(texts), variant)


def details(truth: Truth, texts: pd.DataFrame) -> Metric:
    """Share of the toppings, sauces and vessels named with something to eat that a shown photo of it has."""
    variant = "toppings, sauces and vessels that a shown photo of the named thing has, share of all named, 0–1"
    return _share_of_named(named_details(truth, texts), True, len(texts), variant)


def _share_of_named(named: pd.DataFrame, shown: bool, texts: int, variant: str) -> Metric:
    rows = named["row"].to_numpy(int)
    total = np.bincount(rows, minlength=texts).astype(float)
    counted = np.bincount(rows[named["shown"].to_numpy(bool) == shown], minlength=texts)
    statistics = np.column_stack([counted, total])
    value = float(_share(statistics.sum(axis=0, keepdims=True))[0])
    return SumMetric(value, variant, _share(statistics), statistics, _share)


def dish_recall(truth: Truth, texts: pd.DataFrame) -> Metric:
    """Share of the dishes, drinks and desserts on the shown photos that the text names; mean over texts.

    ``nan`` per sample where the photos show none.
    """
    shares = []
    for text, image_ids in zip(texts["text"], texts["image_ids"], strict=True):
        shown = {scene for scene in map(truth.shows, image_ids) if scene.kind in EDIBLE}
        found = [_describes(text, scene) for scene in shown]
        shares.append(np.mean(found) if found else np.nan)
    return mean_metric(np.array(shares), "pictured dishes, drinks and desserts that the text names, mean, 0–1")


def true_alignment(truth: Truth, texts: pd.DataFrame) -> Metric:
    """CLIP-Align with the truth in Φ's place: share of the shown photos that some sentence names; mean over texts."""
    shares = [
        np.mean([_describes(text, truth.shows(image_id)) for image_id in image_ids]) if len(image_ids) else np.nan
        for text, image_ids in zip(texts["text"], texts["image_ids"], strict=True)
    ]
    return mean_metric(np.array(shares), "shown photos that the text truly names, mean, 0–1")


def tastes_of(truth: Truth) -> dict[str, Tastes]:
    """Every user's tastes."""
    users = zip(truth.users["user_id"], truth.users["tastes"], strict=True)
    return {user_id: _tastes(tastes) for user_id, tastes in users}


@lru_cache(maxsize=1 << 14)
def _tastes(written: str) -> Tastes:
    return Tastes(**json.loads(written))


def appeal(tastes: Tastes, scene: Scene) -> float:
    """How much a user likes what a photo shows, about 0 ± 1: its ingredients, or its ambience."""
    return liking(tastes, scene) if scene.kind in EDIBLE else tastes.ambiences[scene.ambience]


def appeals(truth: Truth) -> Callable[[str, str], float]:
    """Gives how much a user likes what a photo shows, by their ids; what was asked once is kept."""
    tastes = tastes_of(truth)
    return cache(lambda user_id, image_id: appeal(tastes[user_id], truth.shows(image_id)))


def taste_match(
    appeal_of: Callable[[str, str], float], selected: pd.DataFrame, candidates: Mapping[str, Sequence[str]], k: int
) -> pd.DataFrame:
    """How well chosen photos match their user's tastes: one row per row of ``selected``.

    ``selected`` has ``user_id``, ``business_id`` and ``image_ids``; ``candidates`` maps a business to all its
    photos. Columns: ``chosen``, ``chance`` (all candidates) and ``best_liked`` (the k that the user likes best), each
    the share of photos whose appeal is above zero; and the same three as mean appeal, ``chosen_appeal`` ….
    ``appeal_of`` is ``appeals(truth)``.
    """
    rows = []
    for user_id, business_id, image_ids in selected[["user_id", "business_id", "image_ids"]].itertuples(index=False):
        pool = np.array([appeal_of(user_id, image_id) for image_id in candidates[business_id]])
        sets = {
            "chosen": np.array([appeal_of(user_id, image_id) for image_id in list(image_ids)[:k]]),
            "chance": pool,
            "best_liked": np.sort(pool)[-k:],
        }
        shares = {name: np.mean(values > 0) if len(values) else np.nan for name, values in sets.items()}
        means = {f"{name}_appeal": values.mean() if len(values) else np.nan for name, values in sets.items()}
        rows.append(shares | means)
    return pd.DataFrame(rows, index=selected.index)


def personalisation(truth: Truth, texts: pd.DataFrame) -> Metric:
    """Does the text follow the user? Over pairs of users of one business, who likes better what a text names.

    For two texts a (for user u) and b (for user v) the pair counts 1 when u likes what a names better than what b
    names, relative to v, 0 when worse, ½ when equal or when a text names nothing; ½ is chance. ``per_sample``: each
    text's mean over its pairs, ``nan`` where its business has no second user.
    """
    tastes = tastes_of(truth)
    scenes = [[m.scene for m in _mentions(text) if m.scene.kind in EDIBLE] for text in texts["text"]]
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


def _share(sums: Floats) -> Floats:
    return ratio(sums[:, 0], sums[:, 1])
