"""Looking into a stage: the right pool, the right photos, greedy never above exact."""

import numpy as np
import pytest
import torch

from showcase_utils.config import Selection
from showcase_utils.selection import dpp
from showcase_utils.selection.single_pools import greedy_to_exact, kernel_of, over_theta, photo_paths, shared_business
from showcase_utils.selection.towers import new_model


@pytest.fixture(scope="module")
def model(pools):
    return new_model(pools, Selection(), "img", seed=0)


def test_shared_business_shows_different_users_of_one_place(pools):
    rows = shared_business(pools, k=3, users=3)
    shown = pools.samples.iloc[rows]
    assert len(shown) == 3 and shown["business_id"].nunique() == 1 and shown["user_id"].is_unique
    assert (shown["split"] == "test").all() and (shown["history_photos"] > 0).all()
    with pytest.raises(ValueError, match="more than 1000"):
        shared_business(pools, k=1000)


def test_theta_spans_diversity_and_relevance(pools, model):
    row = int(pools.rows("test")[0])
    picks = over_theta(model, pools, row, 3)
    with torch.no_grad():
        relevance = model(pools.batch(np.array([row])))[0]
        trained = dpp.greedy_map(kernel_of(model, pools, row), 3)
    assert picks[0.5].tolist() == trained.tolist()
    best = [relevance[list(places)].sum().item() for places in picks.values()]
    assert best[-1] == max(best) > best[0]


def test_greedy_never_beats_exact(pools, model):
    table = greedy_to_exact(model, pools, pools.rows("test"), k=3, count=12)
    assert len(table) == 12 and table["ratio"].between(0.1, 1).all()
    assert (table["optimal"] == (table["ratio"] > 1 - 1e-9)).all() and table["optimal"].any()
    again = greedy_to_exact(model, pools, pools.rows("test"), k=3, count=12)
    assert table.equals(again)


def test_photo_paths_follow_the_rows(pools, city):
    images = city.images.assign(path="photos/" + city.images["image_id"])
    assert photo_paths(pools, images, np.array([5, 2])) == [f"photos/{pools.photo_ids[i]}" for i in (5, 2)]
