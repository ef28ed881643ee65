import json
import math

import numpy as np
import pandas as pd
import pytest

from showcase_utils.claims import known_world
from showcase_utils.demo_world.people import INGREDIENTS
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.truth import Truth
from showcase_utils.demo_world.vocabulary import AMBIENCES, CUISINES

SCENES = {
    "tacos": Scene("dish", "tacos", "shrimp", "grilled", ("avocado",), "salsa verde", "red plate"),
    "burger": Scene("dish", "burger", "beef", "fried", ("cheese",), "mustard", "white plate"),
    "mojito": Scene("drink", drink="mojito"),
    "room": Scene("interior", ambience="candlelit"),
}


def tastes(**likes):
    ingredients = dict.fromkeys(INGREDIENTS, 0.0) | {name.replace("_", " "): v for name, v in likes.items()}
    ambiences = dict.fromkeys(AMBIENCES, -1.0)
    return {"cuisines": dict.fromkeys(CUISINES, 0.0), "ingredients": ingredients, "ambiences": ambiences,
            "heat": 0.5, "price": 2.0}  # fmt: skip


@pytest.fixture
def truth():
    photos = pd.DataFrame([{"image_id": i, "scene": json.dumps(s.to_dict())} for i, s in SCENES.items()])
    users = pd.DataFrame(
        {"user_id": ["ann", "bob"], "tastes": [json.dumps(tastes(shrimp=2.0, beef=-2.0)), json.dumps(tastes(beef=2.0))]}
    )
    empty = pd.DataFrame()
    return Truth(
        photos=photos, sentences=empty, orders=empty, users=users, businesses=empty, annotators=empty, rows=empty
    )


def frame(*rows):
    return pd.DataFrame(rows, columns=["user_id", "business_id", "image_ids", "text"])


def test_hallucination_counts_named_dishes_that_no_photo_shows(truth):
    texts = frame(
        ("ann", "b", ["tacos", "room"], "the shrimp tacos were great. i had a mojito."),
        ("bob", "b", ["burger"], "loved the beef tacos and the burger and the beer !"),
        ("bob", "c", ["burger"], "slow service"),
    )
    metric = known_world.hallucination(truth, texts)
    np.testing.assert_allclose(metric.per_sample, [1 / 2, 2 / 3, np.nan])
    assert metric.value == pytest.approx(3 / 5)
    assert metric.under(np.array([[2, 0, 1]]))[0] == pytest.approx(1 / 2)
    right = known_world.right(truth, texts)
    assert right.value == pytest.approx(1 - metric.value)
    np.testing.assert_allclose(right.per_sample, 1 - metric.per_sample)
    named = known_world.named_things(truth, texts)
    assert named.loc[~named["shown"].astype(bool), "name"].tolist() == ["mojito", "beef tacos", "beer"]


def test_details_are_right_on_a_photo_of_the_very_thing(truth):
    texts = frame(
        ("ann", "b", ["tacos", "burger"], "the shrimp tacos with avocado came on a red plate. the burger had mustard!"),
        ("bob", "b", ["tacos"], "loved the tacos with cheese and salsa verde. the burger with mustard!"),
        ("bob", "b", ["tacos", "burger"], "the tacos with cheese. i had a mojito."),
    )
    named = known_world.named_details(truth, texts)
    assert named.loc[named["row"] == 1, ["name", "shown"]].values.tolist() == [
        ["cheese", False], ["salsa verde", True], ["mustard", False],
    ]  # fmt: skip
    metric = known_world.details(truth, texts)
    np.testing.assert_allclose(metric.per_sample, [1, 1 / 3, 0])
    assert metric.value == pytest.approx(4 / 7)


def test_dish_recall_and_true_alignment(truth):
    texts = frame(
        ("ann", "b", ["tacos", "mojito", "room"], "great tacos"),
        ("ann", "b", ["room"], "a cozy candlelit room"),
        ("bob", "b", ["tacos", "tacos"], "the beef tacos"),
        ("bob", "b", [], "the tacos"),
    )
    np.testing.assert_allclose(known_world.dish_recall(truth, texts).per_sample, [1 / 2, np.nan, 0, np.nan])
    aligned = known_world.true_alignment(truth, texts)
    np.testing.assert_allclose(aligned.per_sample, [1 / 3, 1, 0, np.nan])
    assert aligned.value == pytest.approx(4 / 9)


def test_taste_match_lies_between_chance_and_what_is_liked_best(truth):
    selected = frame(("ann", "b", ["tacos", "burger"], ""), ("bob", "b", ["burger", "tacos"], ""))
    found = known_world.taste_match(known_world.appeals(truth), selected, {"b": list(SCENES)}, k=1)
    assert found["chosen"].tolist() == [1, 1]
    assert found["chance"].tolist() == [1 / 4, 1 / 4]
    assert found["best_liked"].tolist() == [1, 1]
    both = known_world.taste_match(known_world.appeals(truth), selected, {"b": list(SCENES)}, k=2)
    assert both["chosen"].tolist() == [1 / 2, 1 / 2]
    assert (both["best_liked_appeal"] >= both["chosen_appeal"]).all()


def test_personalisation_is_one_when_texts_follow_their_users_and_half_when_they_do_not_differ(truth):
    suits = frame(("ann", "b", [], "the shrimp tacos"), ("bob", "b", [], "the beef burger"), ("ann", "c", [], "beer"))
    metric = known_world.personalisation(truth, suits)
    assert metric.value == 1 and math.isnan(metric.per_sample[2])
    assert known_world.personalisation(truth, suits.assign(text=suits["text"].iloc[[1, 0, 2]].tolist())).value == 0
    assert known_world.personalisation(truth, suits.assign(text="the shrimp tacos")).value == 0.5
    assert known_world.personalisation(truth, suits.assign(text="good food")).value == 0.5
