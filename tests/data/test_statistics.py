from __future__ import annotations

import math

import pandas as pd
import pytest

from showcase_utils.data.statistics import (
    PAPER_TABLE_ONE,
    PUBLISHED_RATINGS,
    TABLE_ONE_COLUMNS,
    table_one,
    table_one_beside,
)

REVIEWS = pd.DataFrame(
    {
        "user_id": ["u1", "u1", "u2"],
        "business_id": ["b1", "b2", "b1"],
        "text": ["one two", "three  four\nfive", "six"],
        "image_ids": [["p1", "p2"], ["p3"], ["p1"]],
    }
)


def test_table_one_counts_distinct_things():
    assert table_one(REVIEWS).to_dict() == {
        "images": 3,
        "reviews": 3,
        "users": 2,
        "businesses": 2,
        "mean_review_length": 2.0,
    }


def test_table_one_of_nothing():
    values = table_one(REVIEWS.iloc[:0])
    assert values.drop("mean_review_length").tolist() == [0, 0, 0, 0]
    assert math.isnan(values["mean_review_length"])


def test_table_one_stands_beside_the_papers():
    beside = table_one_beside({"GEST-raw": REVIEWS})
    assert beside.columns.tolist() == TABLE_ONE_COLUMNS
    assert beside.loc[("this run", "GEST-raw"), "images"] == 3
    assert beside.loc[("paper", "GEST-s2")].tolist() == [203433, 108888, 36996, 30831, 24.32]
    assert beside.loc[("published file", "image_review_all.json"), "users"] == 868937
    assert pd.isna(beside.loc[("published file", "image_review_all.json"), "images"])


def test_published_numbers_are_consistent():
    assert sum(PUBLISHED_RATINGS.values()) == pytest.approx(1, abs=0.0005)
    # The published train split of s2 has 1.868 photos per review.
    assert PAPER_TABLE_ONE.loc["GEST-s2", "images"] / PAPER_TABLE_ONE.loc["GEST-s2", "reviews"] == pytest.approx(
        1.868, abs=0.001
    )
