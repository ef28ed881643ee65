from __future__ import annotations

import json

import numpy as np
import pytest

from showcase_utils.demo_world.names import _restaurants, display_names
from showcase_utils.demo_world.visits import streams
from showcase_utils.demo_world.vocabulary import CUISINES


@pytest.mark.slow
def test_everybody_has_a_name_and_no_two_restaurants_share_one(demo_city):
    names = display_names(demo_city, streams(1)["names"])
    assert list(names["businesses"]) == [r.business_id for r in demo_city.restaurants]
    assert list(names["users"]) == [p.user_id for p in demo_city.people]
    assert len(set(names["businesses"].values())) == 160
    assert len(set(names["users"].values())) > 1000
    assert names == display_names(demo_city, streams(1)["names"])


def test_large_cities_do_not_run_out_of_names():
    names = _restaurants(7000, np.random.default_rng(0))
    assert len(set(names)) == 7000


@pytest.mark.slow
def test_no_name_tells_a_cuisine(demo_city):
    text = json.dumps(display_names(demo_city, streams(1)["names"])["businesses"]).lower()
    assert not any(cuisine in text for cuisine in CUISINES)
