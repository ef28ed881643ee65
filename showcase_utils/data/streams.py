"""Rows of the two published files as raw bytes, read in chunks: which file it is, is told by its content.

``image_review_all.json`` is JSON lines; ``filter_all_t.json`` is one object of splits. Either may be gzipped,
have CRLF line ends or begin with a byte order mark. Nothing here parses a row: ``gest.py`` judges them.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from showcase_utils.progress import progress_bar

CHUNK_BYTES = 1 << 19  # what is made of a chunk still fits into a processor's cache: a sixth faster than 4 MiB
MAX_ROW_BYTES = 1 << 24  # a published row has a few kB; a longer one is damage, and must not fill the memory
HEAD_BYTES = 1 << 16
SPLITS = ("train", "val", "test")
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

_SPLITS_HEAD = re.compile(rb'\s*\{\s*"(?:train|valid|validation|val|test)"\s*:')
_LINES_HEAD = re.compile(rb"^[ \t\r]*\{", re.MULTILINE)
# After a first line that is an array: a row that ends with its line. In an array over several lines commas follow.
_ROW_LINE = re.compile(rb"^[ \t\r]*\{.*\}[ \t\r]*$(?!\s*\])", re.MULTILINE)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\],]', re.DOTALL)  # a lone quote opens an unfinished string


@dataclass(frozen=True)
class Block:
    """Some rows of a file; ``split`` is empty for JSON lines.

    ``first`` is the number of the first row, counted from 1: lines of the file, or elements of the split's list.
    ``torn``: the file of lines ends without an end of the last one.
    """

    split: str
    first: int
    rows: list[bytes]
    torn: bool = False


def blocks(path: Path, progress: bool = True) -> Iterator[Block]:
    """The rows of a published file, a few thousand at a time, in memory that does not grow with the file.

    Raises ``FileNotFoundError`` if there is no such file, and ``ValueError`` if it is neither of the two files,
    if its gzip stream is damaged, or if the object of splits is damaged outside of its rows, cut off or lacks a split.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; data.reviews names image_review_all.json or filter_all_t.json")
    size = path.stat().st_size
    with path.open("rb") as file, progress_bar(total=size, unit="B", unit_scale=True, disable=not progress) as bar:
        gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(BinaryIO, gzip.open(file)) if gzipped else file
        try:
            head = _head(stream)
            cut = _rows_of_splits if _is_splits(head, path) else _rows_of_lines
            for block in cut(_chunks(head, stream), path):
                yield block
                bar.update(file.tell() - bar.n)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: the gzip stream is damaged ({error}): download the file again") from None


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


def _chunks(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield head
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _rows_of_lines(chunks: Iterator[bytes], path: Path) -> Iterator[Block]:
    tail, first = b"", 1
    for chunk in chunks:
        *lines, tail = (tail + chunk).split(b"\n")
        tail = tail[: MAX_ROW_BYTES + 1]  # one byte too long: rejected when its end comes, without keeping the rest
        if lines:
            yield Block("", first, lines)
            first += len(lines)
    if tail:
        yield Block("", first, [tail], torn=True)


def _rows_of_splits(chunks: Iterator[bytes], path: Path) -> Iterator[Block]:
    """Elements of the lists of ``{"train": […], "val": […], "test": […]}``, cut at brackets outside of strings."""
    buffer, offset = b"", 0  # what is not yet cut, and where in the file it begins
    depth, scanned, start = 0, 0, 0  # open brackets, end of the last token, start of the current row
    split, number, rows = "", 1, cast(list[bytes], [])
    lists: set[str] = set()  # the splits whose list has begun

    def damage(problem: str, at: int) -> ValueError:
        return ValueError(f"{path}, byte {offset + at}: {problem}: download the file again")

    for chunk in chunks:
        buffer += chunk
        for token in _TOKEN.finditer(buffer, scanned):
            begin, end = token.span()
            if depth == 0 and split:
                raise damage("something follows the object of splits", begin)
            symbol = buffer[begin : begin + 1]
            if symbol == b'"':
                if end - begin == 1:
                    break  # the string goes on in the next chunk
                if depth == 1:
                    key = buffer[begin + 1 : end - 1].decode("utf-8", "replace")
                    if key not in SPLIT_NAMES:
                        raise damage(f"'{key}' is not one of the splits train, val, test", begin)
                    split, number = SPLIT_NAMES[key], 1
            elif symbol in b"{[":
                depth += 1
                if depth == 2:
                    if symbol != b"[":
                        raise damage(f"'{split}' is not a list of rows", begin)
                    lists.add(split)
                    start = end
            elif depth == 2:  # a comma between two rows, or the end of the list
                if symbol == b"," or buffer[start:begin].strip():
                    rows.append(buffer[start:begin])
                start = end
            elif depth == 1 and split not in lists:
                raise damage(f"'{split}' is not a list of rows", begin)
            scanned = end
            if symbol in b"}]":
                if depth == 2 and rows:
                    yield Block(split, number, rows)
                    rows = []
                depth -= 1
        if rows:
            yield Block(split, number, rows)
            number, rows = number + len(rows), []
        keep = start if depth >= 2 else scanned
        buffer, offset, scanned, start = buffer[keep:], offset + keep, scanned - keep, 0
        if len(buffer) > MAX_ROW_BYTES:
            raise damage(f"a row of more than {MAX_ROW_BYTES} bytes", 0)
    if depth >= 2:
        raise damage(f"the file is cut off in '{split}', after {number - 1} rows of it", len(buffer))
    if depth or buffer[scanned:].strip():
        raise damage("the object of splits does not end as it should", scanned)
    if missing := [name for name in SPLITS if name not in lists]:
        raise damage(f"there is no split {' or '.join(missing)} in the file", len(buffer))
