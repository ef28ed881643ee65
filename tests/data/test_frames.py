from __future__ import annotations

import pandas as pd
import pytest

from showcase_utils.data.frames import load_reviews, sample_reviews, save_reviews


@pytest.fixture
def path(tmp_path):
    reviews = pd.DataFrame(
        {
            "review_id": [f"r{n}" for n in range(100)],
            "text": ["é" * n for n in range(100)],
            "image_ids": [[f"p{n}"] * (n % 3) for n in range(100)],
        }
    )
    save_reviews(reviews, tmp_path / "reviews.parquet")
    return tmp_path / "reviews.parquet"


def test_some_reviews_in_the_order_of_the_file(path):
    some = load_reviews(path, columns=["review_id", "image_ids"], reviews=["r50", "r7", "r8", "nobody"])
    assert some["review_id"].tolist() == ["r7", "r8", "r50"]
    assert some["image_ids"].tolist() == [["p7"], ["p8", "p8"], ["p50", "p50"]]
    assert load_reviews(path, reviews=[]).empty


def test_a_sample_is_the_one_that_pandas_draws(path):
    reviews = load_reviews(path)
    expected = reviews[reviews["text"].str.len().between(20, 80)].sample(7, random_state=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(sample_reviews(path, 7, seed=3, letters=(20, 80)), expected)


def test_a_sample_of_less_than_is_wanted(path):
    assert set(sample_reviews(path, 6, seed=0, letters=(98, 300))["review_id"]) == {"r98", "r99"}
    assert sample_reviews(path, 6, seed=0, letters=(200, 300)).empty
