"""Table 1 of the paper and how everything is spread, for this run, the published files and the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TABLE_ONE_COLUMNS = ["images", "reviews", "users", "businesses", "mean_review_length"]

# Table 1 of the paper; review lengths are words.
PAPER_TABLE_ONE = pd.DataFrame(
    [
        [4_435_565, 1_771_160, 1_010_511, 65_113, 36.26],
        [1_722_296, 370_563, 119_086, 48_330, 45.48],
        [203_433, 108_888, 36_996, 30_831, 24.32],
    ],
    index=["GEST-raw", "GEST-s1", "GEST-s2"],
    columns=TABLE_ONE_COLUMNS,
)

# Counted in the files that the authors published; what is not known is missing.
PUBLISHED_FILES = pd.DataFrame(
    [
        [None, 1_487_747, 868_937, 64_527, None],
        [None, 108_888, None, None, None],
    ],
    index=["image_review_all.json", "filter_all_t.json"],
    columns=TABLE_ONE_COLUMNS,
    dtype="float64",
)
PUBLISHED_RATINGS = {5: 0.681, 4: 0.194, 3: 0.060, 2: 0.026, 1: 0.039}  # of image_review_all.json


def table_one(reviews: pd.DataFrame) -> pd.Series:
    """``images, reviews, users, businesses, mean_review_length`` of a reviews frame, as in the paper's Table 1.

    Images are distinct photo ids; the length of a review is its number of words between white space, NaN if there
    are no reviews.
    """
    values = {
        "images": len({image_id for ids in reviews["image_ids"] for image_id in ids}),
        "reviews": len(reviews),
        "users": reviews["user_id"].nunique(),
        "businesses": reviews["business_id"].nunique(),
        "mean_review_length": review_lengths(reviews).mean(),
    }
    return pd.Series(values, name="table_one", dtype="float64")


def counts(path: str | Path) -> pd.DataFrame:
    """How often each value occurs in ``reviews.parquet`` or ``s1.parquet``: ``quantity, value, times``.

    Quantities: ``rating``, ``words per review``, ``photos per review``, ``reviews per user``, ``photos per business``,
    ``reviews per photo``. Texts are read a few thousand at a time and ids stay in Arrow memory: as a frame, the
    published file would take gigabytes.
    """
    words: Counter[int] = Counter()
    for batch in pq.ParquetFile(path).iter_batches(columns=["text"]):
        words.update(review_lengths(batch.to_pandas()).tolist())
    photos = pq.read_table(path, columns=["business_id", "image_ids"])
    number = pc.list_value_length(photos["image_ids"])
    of_business = pa.table({"business": photos["business_id"], "photos": number}).group_by("business").aggregate
    found = {
        "rating": pq.read_table(path, columns=["rating"])["rating"],
        "words per review": pa.array(words.elements(), type=pa.int64()),
        "photos per review": number,
        "reviews per user": _occurrences(pq.read_table(path, columns=["user_id"])["user_id"]),
        "photos per business": of_business([("photos", "sum")])["photos_sum"],
        "reviews per photo": _occurrences(pc.list_flatten(photos["image_ids"])),
    }
    tables = []
    for quantity, values in found.items():
        value, times = np.unique(values.to_numpy(zero_copy_only=False).astype(np.int64), return_counts=True)
        tables.append(pd.DataFrame({"quantity": quantity, "value": value, "times": times}))
    return pd.concat(tables, ignore_index=True)


def table_one_of(counts: pd.DataFrame) -> pd.Series:
    """``table_one`` of the reviews that were counted."""
    total = counts.groupby("quantity")["times"].sum()
    words = counts[counts["quantity"] == "words per review"]
    values = {
        "images": total.get("reviews per photo", 0),
        "reviews": total.get("rating", 0),
        "users": total.get("reviews per user", 0),
        "businesses": total.get("photos per business", 0),
        "mean_review_length": np.average(words["value"], weights=words["times"]) if len(words) else np.nan,
    }
    return pd.Series(values, name="table_one", dtype="float64")


def table_one_beside(runs: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Table 1 of the paper, the published files and ``runs``, which are rows of it, by source and dataset."""
    tables = {
        "paper": PAPER_TABLE_ONE,
        "published file": PUBLISHED_FILES,
        "this run": pd.DataFrame(runs).T,
    }
    beside = pd.concat(tables, names=["source", "dataset"]).astype("float64")
    integers = [name for name in TABLE_ONE_COLUMNS if name != "mean_review_length"]
    return beside.astype({name: "Int64" for name in integers})


def review_lengths(reviews: pd.DataFrame) -> pd.Series:
    """Words of each review, by position."""
    return pd.Series([len(text.split()) for text in reviews["text"].tolist()], index=reviews.index, dtype="int64")


def reject_summary(rejects: pd.DataFrame, characters: int = 160) -> pd.DataFrame:
    """Rejects by reason, the commonest first: ``rows``, and line, beginning and end of the first such row."""

    def ends(raw: str) -> str:
        return raw if len(raw) <= characters else f"{raw[: characters // 2]} … {raw[-characters // 2 :]}"

    grouped = rejects.groupby("reason", sort=False)
    examples = grouped["raw"].first().map(ends)
    table = pd.DataFrame({"rows": grouped.size(), "line": grouped["line"].first(), "example": examples})
    return table.sort_values(["rows", "line"], ascending=[False, True])


def _occurrences(ids: pa.ChunkedArray) -> pa.Array:
    """How often each id occurs."""
    return pc.value_counts(ids).field("counts")
