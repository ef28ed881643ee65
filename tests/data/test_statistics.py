from __future__ import annotations

import math

import pandas as pd
import pyarrow.parquet as pq
import pytest

from showcase_utils.data.frames import save_reviews
from showcase_utils.data.statistics import (
    PAPER_TABLE_ONE,
    PUBLISHED_RATINGS,
    TABLE_ONE_COLUMNS,
    counts,
    table_one,
    table_one_beside,
    table_one_of,
)

REVIEWS = pd.DataFrame(
    {
        "user_id": ["u1", "u1", "u2"],
        "business_id": ["b1", "b2", "b1"],
        "rating": [5, 1, 5],
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
    beside = table_one_beside({"GEST-raw": table_one(REVIEWS)})
    assert beside.columns.tolist() == TABLE_ONE_COLUMNS
    assert beside.loc[("this run", "GEST-raw"), "images"] == 3
    assert beside.loc[("paper", "GEST-s2")].tolist() == [203433, 108888, 36996, 30831, 24.32]
    assert beside.loc[("published file", "image_review_all.json"), "users"] == 868937
    assert pd.isna(beside.loc[("published file", "image_review_all.json"), "images"])


def test_counts_of_a_file(tmp_path):
    save_reviews(REVIEWS, tmp_path / "reviews.parquet")
    found = counts(tmp_path / "reviews.parquet")
    told = {quantity: rows[["value", "times"]].to_numpy().tolist() for quantity, rows in found.groupby("quantity")}
    assert told == {
        "rating": [[1, 1], [5, 2]],
        "words per review": [[1, 1], [2, 1], [3, 1]],
        "photos per review": [[1, 2], [2, 1]],
        "reviews per user": [[1, 1], [2, 1]],
        "photos per business": [[1, 1], [3, 1]],
        "reviews per photo": [[1, 2], [2, 1]],
    }
    pd.testing.assert_series_equal(table_one_of(found), table_one(REVIEWS))


def test_counts_of_nothing(tmp_path):
    save_reviews(REVIEWS, tmp_path / "some.parquet")
    table = pq.read_table(tmp_path / "some.parquet").slice(0, 0)
    pq.write_table(table, tmp_path / "none.parquet")
    pd.testing.assert_series_equal(table_one_of(counts(tmp_path / "none.parquet")), table_one(REVIEWS.iloc[:0]))


def test_published_numbers_are_consistent():
    assert sum(PUBLISHED_RATINGS.values()) == pytest.approx(1, abs=0.0005)
    # The published train split of s2 has 1.868 photos per review.
    assert PAPER_TABLE_ONE.loc["GEST-s2", "images"] / PAPER_TABLE_ONE.loc["GEST-s2", "reviews"] == pytest.approx(
        1.868, abs=0.001
    )
