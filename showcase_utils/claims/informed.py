"""What is there to be gained by knowing the user? Picks of two who know more than any model, but not what was ordered.

The demo world alone can say this. *informed* knows everybody's tastes and interests: between chance and its picks lies
all that tastes could add on this world; a signature, which it does not know, can add more. *past* has what a model
has, the photos of a user's history, but sees without error what every photo shows: what lies between it and *informed*
is not in the past, what lies between a trained model and it was lost by features or training.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd

from showcase_utils.claims.known_world import EDIBLE, tastes_of
from showcase_utils.demo_world.people import INGREDIENTS, liking
from showcase_utils.demo_world.scenes import KINDS, Scene
from showcase_utils.demo_world.truth import Truth
from showcase_utils.demo_world.visits import FOCUS, TASTE
from showcase_utils.demo_world.writing import ASPECT_OF
from showcase_utils.metrics.metric import Floats
from showcase_utils.selection.choosing import Choice
from showcase_utils.selection.methods import Variant
from showcase_utils.selection.pools import Pools
from showcase_utils.selection.scoring import score

INFORMED, PAST = Variant("informed", "truth"), Variant("past", "truth")


def informed_scores(truth: Truth, pools: Pools, k: int, split: str = "test") -> pd.DataFrame:
    """Scores, as step 1's, of the ``k`` photos of each pool that its user is likeliest to have taken.

    Every candidate was posted by somebody, so popularity says nothing; what tells is how much more this user leans
    to what a photo shows than the guests who posted the candidates do on average (log of the ratio).
    """
    leaning = _Leaning(truth, pools)
    owners = dict(zip(truth.photos["image_id"], truth.photos["user_id"], strict=True))
    guests: dict[str, Floats] = {}  # a pool's candidates are its business's, so their guests are counted once

    def gain(row: int) -> Floats:
        sample, candidates = pools.samples.iloc[row], pools.candidates[row]
        if sample["business_id"] not in guests:
            users = {owners[image_id] for image_id in pools.photo_ids[candidates]}
            each = np.array([leaning(user, candidates) for user in sorted(users)])  # (guests, n)
            guests[sample["business_id"]] = np.log(np.exp(each).mean(axis=0))
        return leaning(sample["user_id"], candidates) - guests[sample["business_id"]]

    return _scores_of_best(pools, INFORMED, gain, k, split)


def past_scores(truth: Truth, pools: Pools, k: int, split: str = "test") -> pd.DataFrame:
    """Scores, as step 1's, of the ``k`` photos of each pool that share most with what the user photographed before.

    A past photo speaks of taste by what sets it apart from the other photos of its place. The sum of these
    differences is the user; a candidate's score is its inner product with them. Without a past the order is the pool's.
    """
    shown = np.array([_makings(truth.shows(image_id)) for image_id in pools.photo_ids])  # (P, makings)
    places = truth.photos.set_index("image_id")["business_id"].reindex(pools.photo_ids).to_numpy()
    usual = pd.DataFrame(shown).groupby(places).transform("mean").to_numpy()
    apart = shown - usual

    def shared(row: int) -> Floats:
        return shown[pools.candidates[row]] @ apart[pools.history_photos[row]].sum(axis=0)

    return _scores_of_best(pools, PAST, shared, k, split)


def _scores_of_best(pools: Pools, variant: Variant, worth: Callable[[int], Floats], k: int, split: str) -> pd.DataFrame:
    """Scores of the ``k`` candidates of each row that are worth most, (n,) by row; ties go to the first."""
    rows = pools.rows(split)
    worths = [worth(row) for row in rows]
    picks = np.full((len(rows), k), -1, dtype=np.int64)
    for place, values in enumerate(worths):
        best = np.argsort(-values, kind="stable")[:k]
        picks[place, : len(best)] = best
    return score(pools, rows, variant, Choice(picks, worths), k)


def _makings(scene: Scene) -> Floats:
    """What a thing is made of, weighed as ``liking`` weighs it, and its kind: (ingredients + kinds,)."""
    ingredients = dict.fromkeys(INGREDIENTS, 0.0)
    if scene.kind in ("drink", "dessert"):
        ingredients[scene.drink or scene.dessert] = 1.0
    elif scene.kind == "dish":
        for name, weight in ((scene.main, 1.5), (scene.preparation, 0.7), (scene.sauce, 0.7)):
            ingredients[name] += weight / 2.1
        for name in scene.toppings:
            ingredients[name] += 1 / (2.1 * len(scene.toppings))
    return np.array([*ingredients.values(), *(float(scene.kind == kind) for kind in KINDS)])


class _Leaning:
    """Log-weight, up to a constant per user, with which a user orders and photographs what a photo shows, (n,)."""

    def __init__(self, truth: Truth, pools: Pools) -> None:
        self.scenes = [truth.shows(image_id) for image_id in pools.photo_ids]
        self.tastes = tastes_of(truth)
        voices = zip(truth.users["user_id"], truth.users["voice"], strict=True)
        self.interests = {user_id: json.loads(voice)["aspects"] for user_id, voice in voices}

    def __call__(self, user: str, candidates: np.ndarray) -> Floats:
        tastes, interests = self.tastes[user], self.interests[user]
        scenes = [self.scenes[row] for row in candidates]
        return np.array([
            FOCUS * interests[ASPECT_OF[scene.kind]] + (TASTE * liking(tastes, scene) if scene.kind in EDIBLE else 0.0)
            for scene in scenes
        ])  # fmt: skip
