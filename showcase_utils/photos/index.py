"""The index of a store of photos: what became of every photo that was asked for, in two files of its folder.

``index.parquet`` is the index; ``journal.jsonl`` holds what was added since, a line each, while a process is writing
or after one was killed. The last word about a photo holds.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

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


def has_index(folder: Path) -> bool:
    """Whether a folder is a store of photos."""
    return (folder / INDEX).is_file() or (folder / JOURNAL).is_file()


def read_index(folder: Path, columns: Sequence[str] = INDEX_SCHEMA.names) -> pa.Table:
    """Index and journal as one table, one row per photo; ``columns`` have ``image_id`` among them.

    Bytes, pixels and sha256 are those of the file in the store; ``note`` says if it was re-encoded, or what is wrong.
    """
    schema = pa.schema([INDEX_SCHEMA.field(name) for name in columns])
    table = schema.empty_table()
    if (folder / INDEX).is_file():
        try:
            table = pq.read_table(folder / INDEX, columns=list(columns), page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(
                f"{folder / INDEX}: damaged ({error}): move it away; photos that are here get their entries anew"
            ) from None
    if not _size(folder / JOURNAL):
        return table
    tables = (rows.select(columns) for rows in _journal_tables(folder / JOURNAL))
    added = pa.concat_tables([schema.empty_table(), *tables])
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
        pq.write_table(read_index(folder), fresh, write_page_checksum=True)
        os.replace(fresh, index)
    journal.unlink(missing_ok=True)  # killed before this: the same lines are folded in once more, no harm


def printable(text: str) -> str:
    """Lone surrogates cannot be stored; the rest of a hostile id should be seen as it is."""
    return text.encode("utf-8", "backslashreplace").decode()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _journal_tables(journal: Path) -> Iterator[pa.Table]:
    with journal.open("rb") as lines:
        numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.endswith(b"\n"))
        # a line without its end was cut off: that photo has its file and gets its line anew
        while some := list(islice(numbered, JOURNAL_LINES)):
            try:
                yield _journal_rows(line for _, line in some)
            except (ValueError, TypeError, AttributeError, pa.ArrowException):
                yield pa.concat_tables(_patient_rows(journal, some))


def _journal_rows(lines: Iterable[bytes]) -> pa.Table:
    rows = pa.Table.from_pylist([json.loads(line) for line in lines], schema=INDEX_SCHEMA)
    if (
        rows["image_id"].null_count
        or not pc.all(pc.is_in(rows["status"], pa.array(STATUSES, pa.large_string()))).as_py()
    ):
        raise ValueError("no entry of a photo")
    return rows


def _patient_rows(journal: Path, some: list[tuple[int, bytes]]) -> Iterator[pa.Table]:
    """The same one by one; a damaged line is left out and named: its photo is looked at, or asked for, once more."""
    yield INDEX_SCHEMA.empty_table()
    for number, line in some:
        try:
            yield _journal_rows([line])
        except (ValueError, TypeError, AttributeError, pa.ArrowException) as error:
            warnings.warn(f"{journal}, line {number} is damaged and left out: {error}", stacklevel=2)
