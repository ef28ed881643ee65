"""Bounds that tell true quotes from near misses, on a menu whose dishes are known."""

import numpy as np
import pandas as pd
import pytest

from showcase_utils.generation.near_misses import FEWEST, learn_bounds
from showcase_utils.generation.quotes import NO_BOUNDS, Quotes

DIM, DISHES = 32, 6


def _unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def _menu(photos, places=1, seed=0):
    """Quotes of places whose photos and sentences lie around their dish, the photos more loosely."""
    rng = np.random.default_rng(seed)
    dish = rng.integers(DISHES, size=photos)
    centres = np.eye(DISHES, DIM)[dish]
    rows = pd.DataFrame(
        {
            "text": [f"dish {d}, {i}." for i, d in enumerate(dish)],
            "business_id": [f"b{i % places}" for i in range(photos)],
        }
    )
    rows["image_id"] = rows["sentence_id"] = [f"p{i}" for i in range(photos)]
    return dish, Quotes(
        rows,
        _unit(centres + 0.1 * rng.normal(size=(photos, DIM))),
        _unit(centres + 0.02 * rng.normal(size=(photos, DIM))),
    )


@pytest.mark.parametrize("places", [1, 5])
def test_the_bounds_part_a_photos_dish_from_the_others(places):
    dish, quotes = _menu(300, places)
    bounds = learn_bounds(quotes, 40, same=0.9)
    alike = dish[:, None] == dish
    cosine, nearness = quotes.photos @ quotes.texts.T, quotes.photos @ quotes.photos.T
    for found, bound in ((cosine, bounds.cosine), (nearness, bounds.nearness)):
        assert ((found >= bound) == alike).mean() > 0.95
    assert learn_bounds(quotes, 40, same=0.9) == bounds


def test_with_too_few_nothing_is_out_of_bounds():
    _, quotes = _menu(4)
    assert learn_bounds(quotes, 8, same=0.9) == NO_BOUNDS == (-1.0, -1.0)
    none = Quotes(quotes.sentences.iloc[:0], quotes.photos[:0], quotes.texts[:0])
    assert learn_bounds(none, 8, same=0.9) == NO_BOUNDS
    _, alike = _menu(FEWEST + 5)
    assert learn_bounds(alike, 8, same=-1.0) == NO_BOUNDS  # all are taken for true: nothing to part them from
