import dataclasses

import numpy as np
import pandas as pd
import pytest

from showcase_utils.claims.informed import _makings, informed_scores, past_scores
from showcase_utils.data.filtering import history
from showcase_utils.demo_world.people import INGREDIENTS, Tastes, liking
from showcase_utils.demo_world.publishing import truth_frames
from showcase_utils.demo_world.truth import Truth
from showcase_utils.demo_world.visits import imagine
from showcase_utils.selection.pools import build_pools

pytestmark = pytest.mark.slow

K = 3


class Blind:
    """A feature store that tells nothing: picks that use the truth must not need it."""

    dim = 2

    def __getitem__(self, ids):
        return np.ones((len(ids), self.dim), dtype=np.float32)

    def __contains__(self, identifier):
        return True


@pytest.fixture(scope="module")
def city():
    world = imagine(3, 30, 500, 2000, 3000)
    everything = {photo.image_id for review in world.reviews for photo in review.photos}
    truth = Truth(**truth_frames(world, everything, {}))
    photos = truth.photos.drop_duplicates("review_id", keep=False)  # one photo per review keeps the frame simple
    s1 = photos[["review_id", "user_id", "business_id"]].assign(split="test", text=photos["review_id"], rating=5)
    s1["image_ids"] = [[image_id] for image_id in photos["image_id"]]
    images = photos[["image_id"]].assign(status="ok")
    s1 = s1.reset_index(drop=True)
    return truth, build_pools(s1, images, history(s1), Blind(), Blind(), 10)


def test_whoever_knows_tastes_and_interests_finds_more_of_what_users_photographed_than_chance(city):
    truth, pools = city
    scores = informed_scores(truth, pools, K)
    chance = K / pools.samples["candidates"]  # one relevant photo each: the chance that a random three hold it
    assert scores["recall"].mean() > 1.3 * chance.clip(upper=1).mean()
    assert set(scores["method"]) == {"informed"} and len(scores) == len(pools.samples)


def test_somebody_elses_tastes_are_worth_no_more_than_chance(city):
    truth, pools = city
    strangers = truth.users.assign(**{name: np.roll(truth.users[name].to_numpy(), 1) for name in ("tastes", "voice")})
    wrong = informed_scores(dataclasses.replace(truth, users=strangers), pools, K)["recall"]
    right = informed_scores(truth, pools, K)["recall"]
    chance = (K / pools.samples["candidates"]).clip(upper=1).mean()
    error = wrong.std() / len(wrong) ** 0.5
    assert abs(wrong.mean() - chance) < 4 * error
    assert right.mean() - wrong.mean() > 4 * error


def test_small_pools_give_what_they_have(city):
    truth, pools = city
    assert (pools.samples["candidates"] < 50).any()
    scores = informed_scores(truth, pools, 50)
    full = scores[scores["candidates"] <= 50]
    np.testing.assert_allclose(full["recall"], 1.0)
    assert pd.notna(scores["precision"]).all()


def test_makings_are_what_liking_adds_up(city):
    truth, _ = city
    rng = np.random.default_rng(0)
    weights = {name: float(value) for name, value in zip(INGREDIENTS, rng.normal(size=len(INGREDIENTS)), strict=True)}
    tastes = Tastes(cuisines={}, ingredients=weights, ambiences={}, heat=0.5, price=2.0)  # 0.5: chili counts nothing
    scenes = {truth.shows(image_id) for image_id in truth.photos["image_id"]}
    edible = [scene for scene in scenes if scene.kind in ("dish", "drink", "dessert")]
    assert len({scene.kind for scene in edible}) == 3
    for scene in edible:
        expected = liking(tastes, scene)
        assert _makings(scene)[: len(INGREDIENTS)] @ np.array(list(weights.values())) == pytest.approx(expected)


def test_perfect_eyes_on_the_past_find_less_than_knowing_everybody_and_more_than_chance(city):
    truth, pools = city
    past, informed = past_scores(truth, pools, K)["recall"], informed_scores(truth, pools, K)["recall"]
    chance = (K / pools.samples["candidates"]).clip(upper=1).mean()
    assert chance < past.mean() < informed.mean()
    forgotten = dataclasses.replace(pools, history_photos=[np.zeros(0, dtype=int)] * len(pools.samples))
    nothing = past_scores(truth, forgotten, K)["recall"]
    assert abs(nothing.mean() - chance) < 4 * nothing.std() / len(nothing) ** 0.5
