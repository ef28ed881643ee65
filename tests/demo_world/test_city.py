from __future__ import annotations

import numpy as np
import pytest

from showcase_utils.demo_world.city import DEEP, NEEDS_DEEP, open_restaurants
from showcase_utils.demo_world.vocabulary import AMBIENCES, CUISINES, TERRACES, VESSELS

pytestmark = pytest.mark.slow


def test_the_demo_profile_has_many_cuisines_and_dishes_with_a_long_tail(demo_city):
    restaurants = demo_city.restaurants
    kitchens: dict[str, set[str]] = {}
    for restaurant in restaurants:
        for offer in restaurant.dishes:
            kitchens.setdefault(offer.scene.name, set()).add(restaurant.business_id)
    spread = sorted(len(places) for places in kitchens.values())
    assert {restaurant.cuisine for restaurant in restaurants} == set(CUISINES)
    assert len(CUISINES) >= 12
    assert len(kitchens) >= 300
    assert spread[len(spread) // 2] <= 3  # most dishes are rare,
    assert spread[-1] >= 8  # a few are everywhere


def test_every_menu_can_be_cooked_and_served(demo_city):
    for restaurant in demo_city.restaurants:
        pairs = [(offer.scene.base, offer.scene.main) for offer in restaurant.dishes]
        assert 7 <= len(pairs) <= 15
        assert len(set(pairs)) == len(pairs)  # "the shrimp tacos" is one line of a menu
        assert restaurant.drinks and restaurant.desserts
        assert restaurant.interior.ambience == restaurant.ambience in AMBIENCES
        assert restaurant.terrace is None or restaurant.terrace.terrace in TERRACES
        for scene in (offer.scene for offer in restaurant.dishes):
            assert scene.base in CUISINES[restaurant.cuisine].bases
            assert 1 <= len(scene.toppings) == len(set(scene.toppings)) <= 3
            assert scene.base not in NEEDS_DEEP or VESSELS[scene.vessel].shape in DEEP


def test_a_hot_kitchen_uses_more_chili(demo_city):
    share: dict[bool, list[bool]] = {True: [], False: []}
    for restaurant in demo_city.restaurants:
        share[restaurant.heat > 0.5] += ["chili" in offer.scene.toppings for offer in restaurant.dishes]
    assert np.mean(share[True]) > 3 * np.mean(share[False])


def test_same_generator_same_city():
    ids = [f"{number:024x}" for number in range(20)]
    first = open_restaurants(ids, np.random.default_rng(5))
    assert first == open_restaurants(ids, np.random.default_rng(5))
    assert first != open_restaurants(ids, np.random.default_rng(6))
