"""Which sentences may be quoted, and which are found for a photo."""

import numpy as np
import pandas as pd
import pytest

from showcase_utils.generation.quotes import Quotes, quotable
from tests.generation.conftest import Store

REVIEWS = pd.DataFrame(
    {
        "review_id": ["a", "b", "c", "d"],
        "business_id": ["x", "x", "y", "y"],
        "rating": [5, 3, 4, 5],
        "split": ["train", "train", "train", "test"],
    }
)
SENTENCES = pd.DataFrame(
    {
        "sentence_id": ["a#0", "a#1", "b#0", "c#0", "d#0"],
        "review_id": ["a", "a", "b", "c", "d"],
        "text": ["The Ramen!", "Busy.", "Cold ramen.", "the ramen!", "My pho."],
    }
)
SCORES = pd.DataFrame(
    {
        "sentence_id": ["a#0", "a#0", "a#1", "b#0", "c#0", "d#0"],
        "image_id": ["p1", "p2", "p1", "p3", "p4", "p5"],
        "confidence": [0.9, 0.8, 0.1, 0.9, 0.9, 0.9],
    }
)


def _quotes():
    rows = quotable(SENTENCES, SCORES, REVIEWS, threshold=0.5, stars=4)
    return Quotes.gather(rows, Store(["p1", "p2", "p4"], 1), Store(["a#0", "c#0"], 2))


def test_only_true_pairs_of_glad_training_reviews_are_quoted():
    rows = quotable(SENTENCES, SCORES, REVIEWS, threshold=0.5, stars=4)
    assert list(zip(rows["text"], rows["image_id"], rows["business_id"], strict=True)) == [
        ("the ramen!", "p1", "x"),
        ("the ramen!", "p2", "x"),
        ("the ramen!", "p4", "y"),
    ]


def test_a_known_place_is_asked_before_the_city():
    quotes = _quotes()
    quotes.sentences["text"] = ["one", "two", "three"]
    assert list(quotes.nearest(quotes.photos[1], 5, "x")) == ["two", "one"]
    assert quotes.nearest(quotes.photos[1], 1, "x") == {"two": pytest.approx(1)}
    assert (
        list(quotes.nearest(quotes.photos[2], 1, "y"))
        == list(quotes.nearest(quotes.photos[2], 1, "nowhere"))
        == ["three"]
    )
    assert next(iter(quotes.nearest(quotes.photos[0], 5))) == "one" and len(quotes.nearest(quotes.photos[0], 5)) == 3


def test_no_sentence_is_offered_twice_and_there_may_be_none():
    assert _quotes().nearest(_quotes().photos[0], 5) == {"the ramen!": pytest.approx(1)}
    none = Quotes.gather(quotable(SENTENCES, SCORES, REVIEWS, 0.99, 5), Store(["p1"], 1), Store(["a#0"], 2))
    assert none.nearest(np.ones(16, np.float32), 3, "x") == {}
