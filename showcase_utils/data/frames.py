"""The reviews frame in memory and on disk: text columns in Arrow memory, photo ids as lists of text."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

REVIEW_SCHEMA = pa.schema(
    {name: pa.large_string() for name in ("review_id", "user_id", "business_id")}
    | {"rating": pa.int64(), "text": pa.large_string(), "image_ids": pa.list_(pa.large_string())}
)
PHOTO_SCHEMA = pa.schema({name: pa.large_string() for name in ("image_id", "review_id", "business_id", "url")})
REJECT_SCHEMA = pa.schema(
    {"source": pa.large_string(), "line": pa.int64(), "reason": pa.large_string(), "raw": pa.large_string()}
)


def save_reviews(reviews: pd.DataFrame, path: Path) -> None:
    """Write a reviews frame, with whatever columns it has beyond the six, as Parquet."""
    pq.write_table(pa.Table.from_pandas(reviews, preserve_index=False), path)


def load_reviews(
    path: Path, columns: Sequence[str] | None = None, reviews: Iterable[str] | None = None
) -> pd.DataFrame:
    """Read ``reviews.parquet`` or ``s1.parquet``; ``image_ids`` are lists, where pandas itself gives arrays.

    Only some columns, or only some reviews by id, for those who must spare memory; always in the order of the file.
    """
    rows = None if reviews is None else pc.field("review_id").isin(pa.array(reviews, type=pa.large_string()))
    with without_cycle_collector():
        return to_frame(pq.read_table(path, columns=columns, filters=rows))


def sample_reviews(path: Path, number: int, seed: int, letters: tuple[int, int] = (60, 300)) -> pd.DataFrame:
    """Some reviews whose texts have so many letters, drawn at random; fewer than ``number`` if there are no more.

    All texts of the published file need not be in memory for that: they are looked at a few thousand at a time.
    """
    fit: list[str] = []
    for batch in pq.ParquetFile(path).iter_batches(columns=["review_id", "text"]):
        length = pc.utf8_length(batch["text"])
        inside = pc.and_(pc.greater_equal(length, letters[0]), pc.less_equal(length, letters[1]))
        fit += batch["review_id"].filter(inside).to_pylist()
    drawn = pd.Series(fit, dtype="str").sample(min(number, len(fit)), random_state=seed).tolist()
    return load_reviews(path, reviews=drawn).set_index("review_id").loc[drawn].reset_index()


def to_frame(table: pa.Table) -> pd.DataFrame:
    """An Arrow table as a frame whose list columns hold Python lists."""
    lists = {field.name: to_lists(table[field.name]) for field in table.schema if pa.types.is_list(field.type)}
    frame = table.drop_columns(list(lists)).to_pandas()
    for name, values in lists.items():
        frame[name] = pd.Series(values, dtype="object", index=frame.index)
    return frame[table.column_names]


def to_table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """Rows of Python values as an Arrow table."""
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def to_lists(column: pa.ChunkedArray) -> list[list[Any]]:
    """A column of lists, many times faster than ``to_pylist``."""
    lists: list[list[Any]] = []
    for chunk in column.chunks:
        values = chunk.flatten().to_numpy(zero_copy_only=False).tolist()
        offsets = (chunk.offsets.to_numpy() - chunk.offsets[0].as_py()).tolist()
        lists += [values[begin:end] for begin, end in zip(offsets, offsets[1:], strict=False)]
    return lists


@contextmanager
def without_cycle_collector() -> Iterator[None]:
    """Millions of lists without a cycle among them: walking through them again and again costs a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
