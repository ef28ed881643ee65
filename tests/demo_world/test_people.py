from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from showcase_utils.demo_world.cameras import hand_out
from showcase_utils.demo_world.people import attraction, liking, move_in, share_out
from showcase_utils.demo_world.scenes import Scene


@pytest.mark.parametrize(("reviews", "users", "most"), [(8000, 2500, 40), (420, 120, 12), (6, 4, 2), (13, 5, 9)])
def test_half_of_the_users_write_once_and_all_reviews_are_shared_out(reviews, users, most):
    counts = share_out(reviews, users, most, np.random.default_rng(0))
    assert counts.sum() == reviews
    assert (counts == 1).sum() == users // 2
    assert counts.max() <= most


def test_review_counts_have_a_heavy_tail():
    counts = np.sort(share_out(8000, 2500, 40, np.random.default_rng(0)))[1250:]
    assert np.median(counts) <= 3
    assert counts[-25:].sum() > 0.1 * counts.sum()  # one active user in fifty writes a tenth


def test_liking_follows_the_weights_and_the_heat():
    rng = np.random.default_rng(0)
    person = move_in(["1"], np.array([1]), hand_out(1, rng), rng)[0]
    dish = Scene("dish", "tacos", "shrimp", "grilled", ("avocado",), "tomato sauce", "red plate")
    weights = person.tastes.ingredients
    expected = (1.5 * weights["shrimp"] + 0.7 * weights["grilled"] + 0.7 * weights["tomato sauce"]) / 2.1
    assert liking(person.tastes, dish) == pytest.approx(expected + weights["avocado"] / 2.1)
    assert liking(person.tastes, Scene("drink", drink="mojito")) == weights["mojito"]


def test_taste_decides_where_people_eat(town):
    restaurants = {restaurant.business_id: restaurant for restaurant in town.restaurants}
    tastes = {person.user_id: person.tastes for person in town.people}
    chosen = [tastes[r.user_id].cuisines[restaurants[r.business_id].cuisine] for r in town.reviews]
    assert np.mean(chosen) > 0.4  # cuisines weigh 0 on average
    pull = attraction(list(town.people[:50]), list(town.restaurants))
    assert pull.shape == (50, 40)
    visits = Counter(review.business_id for review in town.reviews)
    popularity = [restaurant.popularity for restaurant in town.restaurants]
    counts = [visits[restaurant.business_id] for restaurant in town.restaurants]
    assert np.corrcoef(np.log(popularity), np.log1p(counts))[0, 1] > 0.5


def test_taste_decides_what_people_order_and_praise(town):
    menus = {r.business_id: [offer.scene for offer in r.dishes] for r in town.restaurants}
    tastes = {person.user_id: person.tastes for person in town.people}
    gain, mood = [], []
    for review in town.reviews[:2000]:
        taste = tastes[review.user_id]
        ordered = np.mean([liking(taste, scene) for scene in review.orders if scene.kind == "dish"])
        gain.append(ordered - np.mean([liking(taste, scene) for scene in menus[review.business_id]]))
        mood.append((ordered, review.rating))
    assert np.mean(gain) > 0.4
    assert np.corrcoef(np.array(mood).T)[0, 1] > 0.1
