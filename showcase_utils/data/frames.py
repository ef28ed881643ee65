"""The frames of the data stage, in memory and on disk: text columns in Arrow memory, photo ids as lists of text.

``load_s1``, ``load_images`` and ``load_histories`` read them for everybody: a builder passes its context, a notebook
its artifacts.
"""

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

from showcase_utils.artifacts import Stages

REVIEW_SCHEMA = pa.schema(
    {name: pa.large_string() for name in ("review_id", "user_id", "business_id")}
    | {"rating": pa.int64(), "text": pa.large_string(), "image_ids": pa.list_(pa.large_string())}
)
PHOTO_SCHEMA = pa.schema({name: pa.large_string() for name in ("image_id", "review_id", "business_id", "url")})
IMAGE_SCHEMA = PHOTO_SCHEMA.append(pa.field("path", pa.large_string())).append(pa.field("status", pa.large_string()))
HISTORY_SCHEMA = pa.schema({"review_id": pa.large_string(), "history": pa.list_(pa.large_string())})
REJECT_SCHEMA = pa.schema(
    {"source": pa.large_string(), "line": pa.int64(), "reason": pa.large_string(), "raw": pa.large_string()}
)


def save_reviews(reviews: pd.DataFrame, path: str | Path) -> None:
    """Write a reviews frame, with whatever columns it has beyond the six, as Parquet."""
    pq.write_table(pa.Table.from_pandas(reviews, preserve_index=False), path)


def load_reviews(
    path: str | Path, columns: Sequence[str] | None = None, reviews: Iterable[str] | None = None
) -> pd.DataFrame:
    """Read ``reviews.parquet`` or ``s1.parquet``; ``image_ids`` are lists, where pandas itself gives arrays.

    Only some columns, or only some reviews by id, for those who must spare memory; always in the order of the file.
    """
    rows = None if reviews is None else pc.field("review_id").isin(pa.array(reviews, type=pa.large_string()))
    with without_cycle_collector():
        return to_frame(pq.read_table(path, columns=columns, filters=rows))


def load_s1(stages: Stages) -> pd.DataFrame:
    """GEST-s1: the columns of ``REVIEW_SCHEMA``, ``split``, and ``gone_ids`` if any of its photos is gone."""
    return load_reviews(stages.path("data") / "s1.parquet")


def load_histories(stages: Stages) -> pd.Series:
    """What may be known of the user of each review of GEST-s1: whole lists of ``review_id``, in the order of the file.

    Index: ``review_id``. The rules are those of ``filtering.history``; a reader that wants few slices the lists.
    """
    with without_cycle_collector():
        return to_frame(pq.read_table(stages.path("data") / "histories.parquet")).set_index("review_id")["history"]


def load_images(
    stages: Stages, columns: Sequence[str] | None = None, image_ids: Iterable[str] | None = None
) -> pd.DataFrame:
    """The photos of the reviews, one row each: ``image_id, review_id, business_id, url, path, status``.

    ``review_id`` is the first review that shows the photo. ``path`` is absolute, and empty unless the status is ``ok``;
    a caller that leaves it out of ``columns`` need not know where the photos lie. Only some photos by ``image_ids``.
    """
    rows = None if image_ids is None else pc.field("image_id").isin(pa.array(image_ids, type=pa.large_string()))
    table = pq.read_table(stages.path("data") / "images.parquet", columns=columns, filters=rows)
    if "path" in table.column_names:
        path, text = table["path"], IMAGE_SCHEMA.field("path").type
        joined = pc.binary_join_element_wise(pa.scalar(str(photo_root(stages)), text), path, pa.scalar("/", text))
        absolute = pc.if_else(pc.equal(path, ""), path, joined)
        table = table.set_column(table.column_names.index("path"), IMAGE_SCHEMA.field("path"), absolute)
    return table.to_pandas()


def photo_root(stages: Stages) -> Path | None:
    """The folder that paths of photos start from: the demo world's, or ``data.images``, which may not be set."""
    if stages.settings.data.source == "demo":
        return stages.path("world") / "images"
    return stages.settings.data.images


def sample_reviews(path: str | Path, number: int, seed: int, letters: tuple[int, int] = (60, 300)) -> pd.DataFrame:
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


def to_list(column: pa.ChunkedArray) -> list[Any]:
    """A column of texts or numbers without nulls, many times faster than ``to_pylist``."""
    return column.to_numpy(zero_copy_only=False).tolist()


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
