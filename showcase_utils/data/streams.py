"""Rows of the two published files as bytes: which file it is, is told by its content.

``image_review_all.json`` is JSON lines, read in chunks; ``filter_all_t.json`` is one object of splits, a tenth as long,
read as a whole. Either may be gzipped, have CRLF line ends or begin with a byte order mark. ``rows.py`` has the rules
for rows.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat, takewhile
from pathlib import Path
from typing import BinaryIO, cast

from showcase_utils.progress import progress_bar

CHUNK_BYTES = 1 << 22  # what each call costs whatever the size is a fifth of the time at 512 KiB
FIRST_BYTES, FIRST_CHUNKS = 1 << 19, 16  # row groups of a table are chunks: the demo's stay as they are
MAX_ROW_BYTES = 1 << 24  # a published row has a few kB; a longer one is damage, and must not fill the memory
MAX_UNPACKED, FREE_BYTES = 100, 1 << 24  # times its length that a gzip file may unpack to, beyond some bytes; texts: 10
HEAD_BYTES = 1 << 16
SPLIT_ROWS = 4096  # of a block of an object of splits
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

_SPLITS_HEAD = re.compile(rb'\s*\{\s*"(?:train|valid|validation|val|test)"\s*:')
_LINES_HEAD = re.compile(rb"^[ \t\r]*\{", re.MULTILINE)
# After a first line that is an array: a row that ends with its line. In an array over several lines commas follow.
_ROW_LINE = re.compile(rb"^[ \t\r]*\{.*\}[ \t\r]*$(?!\s*\])", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Some rows of a file, one a line, without the end of the last; ``split`` is empty for JSON lines.

    ``first`` is the number of the first row, counted from 1: lines of the file, or elements of the split's list.
    ``torn``: the file of lines ends without an end of the last one.
    """

    split: str
    first: int
    lines: bytes
    torn: bool = False

    @cached_property
    def rows(self) -> list[bytes]:
        return self.lines.split(b"\n")


def blocks(path: Path, progress: bool = True) -> Iterator[Block]:
    """The rows of a published file, a few thousand at a time.

    Memory does not grow with a file of lines. An object of splits is parsed at once, which takes five times its length,
    seven if characters beyond ASCII stand in it as they are: below 1 GB for the published file.

    Raises ``FileNotFoundError`` if there is no such file, and ``ValueError`` if it is neither of the two files,
    if its gzip stream is damaged or unpacks to a hundred times its length, or if the object of splits is damaged, cut
    off or lacks a split.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; data.reviews names image_review_all.json or filter_all_t.json")
    size = path.stat().st_size
    with path.open("rb") as file, progress_bar(total=size, unit="B", unit_scale=True, disable=not progress) as bar:
        gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(BinaryIO, _Unpacked(file, path)) if gzipped else file
        try:
            head = _head(stream)
            found = _splits(head, stream, path) if _is_splits(head, path) else _lines(head, stream)
            for block in found:
                yield block
                bar.update(file.tell() - bar.n)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: the gzip stream is damaged ({error}): download the file again") from None


class _Unpacked:
    """What a gzip file holds, as far as it is no bomb: 5 MB of it can be a gigabyte of newlines."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._stream, self._path = file, gzip.open(file), path

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        part, unpacked = self._stream.read(size), self._stream.tell()
        if unpacked > FREE_BYTES and unpacked > MAX_UNPACKED * self._file.tell():
            raise ValueError(
                f"{self._path}: unpacks to over {MAX_UNPACKED} times its length, as no file of reviews does"
            )
        return part


def _head(stream: BinaryIO) -> bytes:
    """Enough of a file to know it by: at least its first line and some of what follows, or the head of an object."""
    head = stream.read(HEAD_BYTES).removeprefix(b"\xef\xbb\xbf")
    while not _SPLITS_HEAD.match(head) and b"\n" not in head.strip() and len(head) <= MAX_ROW_BYTES:
        more = stream.read(HEAD_BYTES)
        if not more:
            break
        head += more
    return head if _SPLITS_HEAD.match(head) else head + stream.read(HEAD_BYTES)


def _is_splits(head: bytes, path: Path) -> bool:
    begin = head.lstrip()[:1]
    if not begin:
        raise ValueError(f"{path}: the file is empty: download it again")
    if _SPLITS_HEAD.match(head):
        return True
    if begin != b"<" and (_ROW_LINE if begin == b"[" else _LINES_HEAD).search(head):
        return False
    hint = "; it looks like a web page, perhaps a server's error: download it again" if begin == b"<" else ""
    raise ValueError(
        f"{path}: neither JSON lines as image_review_all.json nor an object of splits as filter_all_t.json: "
        f"it begins with {head[:40]!r}{hint}"
    )


def _lines(head: bytes, stream: BinaryIO) -> Iterator[Block]:
    tail, first = b"", 1
    sizes = chain([min(FIRST_BYTES, CHUNK_BYTES)] * FIRST_CHUNKS, repeat(CHUNK_BYTES))
    for chunk in chain([head], takewhile(len, map(stream.read, sizes))):
        end = chunk.rfind(b"\n")
        if end >= 0:
            lines = b"".join((tail, memoryview(chunk)[:end]))
            yield Block("", first, lines)
            first += lines.count(b"\n") + 1
            tail = b""
        tail = (tail + chunk[end + 1 :])[: MAX_ROW_BYTES + 1]  # one byte too long: rejected, without keeping the rest
    if tail:
        yield Block("", first, tail, torn=True)


def _splits(head: bytes, stream: BinaryIO, path: Path) -> Iterator[Block]:
    """The lists of ``{"train": […], "val": […], "test": […]}``, each row as JSON of its own."""
    try:
        found = json.loads(head + stream.read())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the object of splits is damaged or cut off ({error}): download it again") from None
    for key, rows in found.items():
        if key not in SPLIT_NAMES:
            raise ValueError(f"{path}: '{key}' is not one of the splits train, val, test: download the file again")
        if type(rows) is not list:
            raise ValueError(f"{path}: '{key}' is not a list of rows: download the file again")
    if missing := sorted({*SPLIT_NAMES.values()} - {SPLIT_NAMES[key] for key in found}):
        raise ValueError(f"{path}: there is no split {' or '.join(missing)} in the file: download it again")
    for key, rows in found.items():
        for begin in range(0, len(rows), SPLIT_ROWS):
            some = "\n".join(map(json.dumps, rows[begin : begin + SPLIT_ROWS]))
            yield Block(SPLIT_NAMES[key], begin + 1, some.encode())
