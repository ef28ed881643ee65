"""Tables of any size, row by row: CSV, JSON lines and Parquet, each row with the line it stands on.

A row that cannot be read is a row too, with the reason: accepted and rejected add up to what was read.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from showcase_utils.data.streams import MAX_ROW_BYTES
from showcase_utils.progress import Bar, progress_bar

EXCERPT = 300  # characters of a rejected row that are kept
EXACT = 2**53  # whole numbers beyond are rounded where they are read as floats
FIRST = 200  # rows that tell the columns
STEP = 2000  # rows between two looks of the progress bar
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Row:
    """A row of a table: ``values`` by column, or none and the ``problem`` with it."""

    source: str
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    raw: str = ""
    problem: str = ""


def read_table(path: str | Path, kind: str, encoding: str = "utf-8", progress: bool = False) -> Iterator[Row]:
    """The rows of a file of one ``kind``, ``csv``, ``jsonl`` or ``parquet``; the first two may be gzipped.

    The delimiter of a CSV is the one of comma, semicolon, tab and ``|`` that its first line has most of. Lines count
    from 1, rows of Parquet too. Raises ``ValueError`` for a file that is not of this kind, saying of which it seems.
    """
    path = Path(path)
    check_kind(path, kind)
    if kind == "parquet":
        yield from _parquet(path, progress)
        return
    size = path.stat().st_size
    with (
        path.open("rb") as file,
        progress_bar(total=size, unit="B", unit_scale=True, desc=path.name, disable=not progress) as bar,
    ):
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(BinaryIO, gzip.open(file)) if packed else file
        try:
            rows = _csv(stream, path, encoding) if kind == "csv" else _json_lines(stream, path)
            for number, row in enumerate(rows):
                yield row
                if number % STEP == 0:
                    _advance(bar, file.tell())
            _advance(bar, size)
        except (EOFError, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: the gzip stream is damaged or cut off ({error})") from None


def columns_of(path: Path, kind: str, encoding: str = "utf-8") -> list[str]:
    """The columns of a table; objects of JSON need not all have the same. Raises ``ValueError`` for no row."""
    rows = islice((row for row in read_table(path, kind, encoding) if row.values), FIRST)
    columns = list(dict.fromkeys(name for row in rows for name in row.values))
    if not columns:
        raise ValueError(f"{path}: no row in it that can be read")
    return columns


def check_kind(path: Path, kind: str) -> None:
    """Raises ``FileNotFoundError``, or ``ValueError`` for a file that is plainly not a table of this kind."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(512)
    if head[:2] == b"\x1f\x8b":
        with gzip.open(path) as file:
            try:
                head = file.read(512)
            except (EOFError, OSError):
                raise ValueError(f"{path}: the gzip stream is damaged or cut off") from None
    seems = _seems(head)
    if not head.strip():
        raise ValueError(f"{path}: the file is empty")
    if seems == "pickle":
        raise ValueError(
            f"{path}: a pickle, which runs whatever code is in it, is never opened here. If you trust it: "
            f"python -c \"import pandas; pandas.read_pickle('{path.name}').to_parquet('{path.stem}.parquet')\""
        )
    if seems == "a spreadsheet or zip":
        raise ValueError(f"{path}: a spreadsheet or zip: save the sheet as CSV, or unpack it, and import that")
    if seems and seems != kind:
        raise ValueError(f"{path}: this is {_NAMES.get(seems, seems)}, not {_NAMES[kind]}{_ADVICE.get(seems, '')}")
    if kind == "parquet" and not seems:
        raise ValueError(f"{path}: not a Parquet file")
    if kind == "jsonl" and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        raise ValueError(f"{path}: not JSON lines; a table of columns is imported with `import csv`")


_NAMES = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}
_ADVICE = {"jsonl": ": use `import jsonl`", "parquet": ": use `import parquet`"}


def _seems(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "pickle"
    if head[:2] == b"PK":
        return "a spreadsheet or zip"
    if start[:1] == b"<":
        return "a web page or XML"
    return "jsonl" if start[:1] == b"{" or start[:2].rstrip() in (b"[", b"[{") else ""


def _csv(stream: BinaryIO, path: Path, encoding: str) -> Iterator[Row]:
    if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and encoding == "utf-8":
        raise ValueError(f"{path}: this is UTF-16: save it as CSV UTF-8, or give --encoding utf-16")
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline="")
    head = text.readline().removeprefix("\ufeff")
    delimiter = max(DELIMITERS, key=head.count)
    csv.field_size_limit(MAX_ROW_BYTES)
    reader = csv.reader(chain([head], text), delimiter=delimiter)
    header = [name.strip() for name in next(reader, [])]
    named = [name for name in header if name]
    if repeated := sorted({name for name in named if named.count(name) > 1}):
        raise ValueError(f"{path}: column {', '.join(repeated)} stands twice in the first line")
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(path.name, line, problem=f"not CSV: {error}")
            continue
        if not any(fields):
            continue  # a blank line is not a row
        raw = delimiter.join(fields)[:EXCERPT]
        raw = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if len(fields) != len(header):
            yield Row(path.name, line, raw=raw, problem=f"{len(fields)} fields for {len(header)} columns")
        elif any(map(_is_broken, fields)):
            yield Row(path.name, line, raw=raw, problem=f"not {encoding}: save it as CSV UTF-8, or give --encoding")
        else:
            values = {name: value for name, value in zip(header, fields, strict=True) if name}
            yield Row(path.name, line, values, raw)


def _is_broken(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text)


def _json_lines(stream: BinaryIO, path: Path) -> Iterator[Row]:
    for line, raw in enumerate(_json_rows(stream), start=1):
        if not raw.strip():
            continue
        shown = raw[:EXCERPT].strip().decode("utf-8", "backslashreplace")
        try:
            values = orjson.loads(raw)
            if type(values) is dict and any(type(value) is float and abs(value) >= EXACT for value in values.values()):
                values = json.loads(raw)  # long ids written as numbers, digit by digit
        except ValueError:
            yield Row(path.name, line, raw=shown, problem="not valid JSON, one object a line")
            continue
        if type(values) is dict:
            yield Row(path.name, line, values, shown)
        else:
            yield Row(path.name, line, raw=shown, problem="not an object")


def _json_rows(stream: BinaryIO) -> Iterator[bytes]:
    """Lines; or the objects of one array, which is read as a whole."""
    head = stream.readline(MAX_ROW_BYTES).removeprefix(b"\xef\xbb\xbf")
    if head.lstrip()[:1] == b"[":
        try:
            yield from map(orjson.dumps, orjson.loads(head + stream.read()))
        except (ValueError, TypeError):
            yield head
        return
    yield head
    yield from iter(lambda: stream.readline(MAX_ROW_BYTES), b"")


def _parquet(path: Path, progress: bool) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        line = 0
        with progress_bar(
            total=file.metadata.num_rows, unit="row", unit_scale=True, desc=path.name, disable=not progress
        ) as bar:
            for batch in file.iter_batches(batch_size=STEP):
                for values in batch.to_pylist():
                    line += 1
                    yield Row(path.name, line, values, str(values)[:EXCERPT])
                bar.update(len(batch))
    except pa.ArrowException as error:
        raise ValueError(f"{path}: not a Parquet file, or a damaged one: {error}") from None


def _advance(bar: Bar, position: int) -> None:
    bar.update(max(0, position - bar.n))
