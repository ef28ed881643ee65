"""The index of a store of photos: what became of every photo that was asked for, in two files of its folder.

``index.parquet`` is the index; ``journal.jsonl`` holds what was added since, a line each, while a process is writing
or after one was killed. The last word about a photo holds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

INDEX, JOURNAL = "index.parquet", "journal.jsonl"
STATUSES = ("ok", "expired", "unreachable", "not an image", "too large", "refused")
INDEX_SCHEMA = pa.schema(
    {"image_id": pa.large_string(), "status": pa.large_string(), "http_status": pa.int32(), "bytes": pa.int64()}
    | {"width": pa.int32(), "height": pa.int32(), "sha256": pa.large_string(), "url": pa.large_string()}
    | {"note": pa.large_string()}
)
ADDRESS_SCHEMA = pa.schema({"image_id": pa.large_string(), "url": pa.large_string()})  # what is to be fetched
JOURNAL_LINES = 20_000  # folded into the index at a time
_SHARED = {status: status for status in STATUSES}


def load_index(folder: Path | str) -> pd.DataFrame:
    """The index of a store of photos: the columns of ``INDEX_SCHEMA``. Raises ``FileNotFoundError``.

    Bytes, pixels and sha256 are those of the file in the store; ``note`` says if it was re-encoded, or what is wrong.
    """
    folder = Path(folder).expanduser()
    if not has_index(folder):
        raise FileNotFoundError(f"{folder}: no {INDEX}: `showcase download gest --images` makes one")
    return read_index(folder).to_pandas()


def has_index(folder: Path) -> bool:
    """Whether a folder is a store of photos."""
    return (folder / INDEX).is_file() or (folder / JOURNAL).is_file()


def read_index(folder: Path, columns: Sequence[str] = INDEX_SCHEMA.names) -> pa.Table:
    """Index and journal as one table, one row per photo; ``columns`` have ``image_id`` among them."""
    schema = pa.schema([INDEX_SCHEMA.field(name) for name in columns])
    table = pq.read_table(folder / INDEX, columns=list(columns)) if (folder / INDEX).is_file() else schema.empty_table()
    if not _size(folder / JOURNAL):
        return table
    with (folder / JOURNAL).open("rb") as lines:
        added = pa.concat_tables([schema.empty_table(), *(rows.select(columns) for rows in _journal_tables(lines))])
    added = added.filter(pa.array(~added["image_id"].to_pandas().duplicated(keep="last")))
    return pa.concat_tables([table.filter(pc.invert(pc.is_in(table["image_id"], added["image_id"]))), added])


def entries(folder: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Rows of ``read_index``, without making millions of objects at a time; a status is one of six shared strings."""
    table = read_index(folder, columns)
    for batch in table.to_batches(max_chunksize=65_536):
        values = {name: batch[name].to_pylist() for name in columns}
        if "status" in values:
            values["status"] = [_SHARED.get(status, status) for status in values["status"]]
        yield from zip(*values.values(), strict=True)


def fold_journal(folder: Path, fresh: Path) -> None:
    """Put the journal into the index; the new index is written as ``fresh``, on the same disk, and renamed."""
    index, journal = folder / INDEX, folder / JOURNAL
    if _size(journal) or not index.exists():
        pq.write_table(read_index(folder), fresh)
        os.replace(fresh, index)
    journal.unlink(missing_ok=True)  # killed before this: the same lines are folded in once more, no harm


def printable(text: str) -> str:
    """Lone surrogates cannot be stored; the rest of a hostile id should be seen as it is."""
    return text.encode("utf-8", "backslashreplace").decode()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _journal_tables(lines: Iterable[bytes]) -> Iterator[pa.Table]:
    rows: list[dict] = []
    for line in lines:
        if not line.endswith(b"\n"):
            break  # cut off in mid-line: that photo has its file and gets its line anew
        rows.append(json.loads(line))
        if len(rows) == JOURNAL_LINES:
            yield pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)
            rows = []
    if rows:
        yield pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)
