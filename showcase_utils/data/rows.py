"""Which rows of the published files are accepted, and why the others are not.

One rule per kind of bad row (the paper is silent on all of them; GEST-raw is "reviews with at least one photo"):

- not JSON, not UTF-8, nested too deep, longer than 16 MiB, cut off at the end of the file: rejected;
- ``user_id`` and ``business_id`` are kept as text; a whole number is kept digit by digit; anything else, one of which
  nothing is visible, or a character that cannot be printed (NUL, lone surrogate), is rejected: two users must not
  become one;
- ``rating`` is a whole number from 1 to 5, also written ``4.0``; else rejected;
- text that is null, missing or blank, also with zero-width characters only: rejected; NUL characters in it are
  dropped, lone surrogates become U+FFFD;
- ``pics`` may hold objects with ``id`` and ``url`` or plain ids, also mixed; an id given twice is kept once; none
  at all, or an entry without a visible id or with a lone surrogate in it, is rejected;
- ``history_reviews``, if there, is a list of ``[review_id, text]``, else rejected;
- a row that repeats an earlier one in user, business, rating, text and photos is rejected; another review of the
  same user and business is a repeat visit, kept with the suffix ``_2``, ``_3`` … on its ``review_id``;
- keys that we do not know are ignored; blank lines are not rows.

``accept`` has the rules. ``accept_plain`` only adds speed: it looks at many lines as columns, and leaves to ``accept``
whatever could fall under one of these rules.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from showcase_utils.data.frames import to_lists
from showcase_utils.data.streams import MAX_ROW_BYTES

# Nothing to see: white space, control and format characters, fillers, variation selectors.
_BLANK = re.compile(
    "[\\s\0-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]*"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXT = pa.large_string()
_PHOTO = pa.struct({"id": _TEXT, "url": pa.list_(_TEXT)})
_PUBLISHED = pa.schema(
    {"user_id": _TEXT, "business_id": _TEXT, "rating": pa.int64(), "review_text": _TEXT, "pics": pa.list_(_PHOTO)}
)
_PARSE = pyarrow.json.ParseOptions(explicit_schema=_PUBLISHED, unexpected_field_behavior="error")
_READ = pyarrow.json.ReadOptions(use_threads=False, block_size=MAX_ROW_BYTES + 1)  # lines of one call are one chunk
ROW_SCHEMA = pa.schema(
    {"line": pa.int64(), "user_id": _TEXT, "business_id": _TEXT, "rating": pa.int64(), "text": _TEXT}
    | {"photo_ids": pa.list_(_TEXT), "urls": pa.list_(_TEXT)}
)


class Rejected(ValueError):
    """Why a row is not accepted."""


class Row(NamedTuple):
    """An accepted row. Its photos are as the file gives them, an id perhaps twice, and ``urls`` has one for each."""

    user_id: str
    business_id: str
    rating: int
    text: str
    photo_ids: list[str]
    urls: list[str]
    history: list[list[str]]


def accept_plain(lines: bytes, first: int, addresses: bool) -> tuple[pa.Table, list[int]] | None:
    """Of lines with the numbers from ``first`` on, those that ``accept`` takes as they are, and the others' numbers.

    The former as ``ROW_SCHEMA``, with ``urls`` only if ``addresses`` are asked for. ``None`` if some line is no object
    of the published keys and types, so that nothing can be told of any.
    """
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n").removesuffix(b"\r")
    if len(lines) > MAX_ROW_BYTES or not lines.startswith(b"{") or not lines.endswith(b"}"):
        return None
    # The parser takes an object over two lines, and two in one. Not here: none has a line end between } and {.
    letters = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    if (letters[ends - 1] != ord("}")).any() or (letters[ends + 1] != ord("{")).any():
        return None
    try:
        table = pyarrow.json.read_json(pa.BufferReader(lines), _READ, _PARSE)
        table.validate(full=True)  # UTF-8
    except pa.ArrowInvalid:
        return None
    if len(table) != len(ends) + 1:
        return None
    user, business, rating, text, pics = (column.chunk(0) for column in table.columns)
    ids, urls = pics.values.flatten()
    odd_photos = np.concatenate([[0], np.cumsum(~_visible(ids))])[pics.offsets]
    stars = rating.fill_null(0).to_numpy()
    plain = _visible(user) & _visible(business) & (stars >= 1) & (stars <= 5)
    plain &= pc.match_substring_regex(text, "[!-~\\p{Ll}]").fill_null(False).to_numpy(zero_copy_only=False)
    plain &= (np.diff(pics.offsets) > 0) & (np.diff(odd_photos) == 0)
    if not _within(text, 1, 0xFF):
        plain &= ~pc.match_substring(text, "\0").fill_null(False).to_numpy(zero_copy_only=False)
    numbers = np.arange(first, first + len(table))
    addressed = pa.nulls(len(table), pa.list_(_TEXT))
    if addresses:
        firsts = pa.array(map(first_url, to_lists(pa.chunked_array([urls]))), _TEXT)
        addressed = pa.ListArray.from_arrays(pics.offsets, firsts)
    photo_ids = pa.ListArray.from_arrays(pics.offsets, ids)
    rows = pa.table([numbers, user, business, rating, text, photo_ids, addressed], schema=ROW_SCHEMA)
    return (rows, []) if plain.all() else (rows.filter(pa.array(plain)), numbers[~plain].tolist())


def _visible(ids: pa.LargeStringArray) -> np.ndarray:
    """Which of some ids are visible ASCII characters, at least one, and nothing else."""
    if _within(ids, 0x21, 0x7E):
        return np.diff(np.frombuffer(ids.buffers()[1], np.int64)[: len(ids) + 1]) > 0
    return pc.match_substring_regex(ids, "^[!-~]+$").fill_null(False).to_numpy(zero_copy_only=False)


def _within(texts: pa.LargeStringArray, low: int, high: int) -> bool:
    """Whether all bytes of a whole column are within a range: a hundred times faster than a look at each text."""
    letters = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return bool(letters.size) and letters.min() >= low and letters.max() <= high


def accept(raw: bytes) -> Row:
    """One row. Raises ``Rejected``."""
    if len(raw) > MAX_ROW_BYTES:
        raise Rejected("longer than 16 MiB")
    try:
        row = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        row = _parse_patiently(raw, str(error))
    if type(row) is not dict:
        raise Rejected("not an object")
    user, business, rating, text = map(row.get, ("user_id", "business_id", "rating", "review_text"))
    if type(user) is float or type(business) is float:
        row |= _exact_ids(raw)
    user, business = _id(row, "user_id"), _id(row, "business_id")
    if type(rating) is not int:
        rating = int(rating) if type(rating) is float and rating.is_integer() else 0
    if not 1 <= rating <= 5:
        raise Rejected("rating is not 1 to 5")
    if type(text) is not str:
        raise Rejected("no text" if text is None else "text is not a string")
    text = _mended(text.replace("\0", ""))
    if _BLANK.fullmatch(text):
        raise Rejected("no text")
    pics: Any = row.get("pics")
    photo_ids, history = _photo_ids(pics), _history(row.get("history_reviews"))
    urls = [first_url(pic.get("url")) if type(pic) is dict else "" for pic in pics]
    return Row(user, business, rating, text, photo_ids, urls, history)


def _id(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        raise Rejected(f"no {key}")
    if type(value) not in (str, int):
        raise Rejected(f"{key} is not a string")
    text = str(value)
    if not text.isprintable():
        raise Rejected("id with a character that cannot be printed")
    if _BLANK.fullmatch(text):
        raise Rejected(f"no {key}")
    return text


def _photo_ids(pics: Any) -> list[str]:
    if not pics:
        raise Rejected("no photos")
    if type(pics) is not list:
        raise Rejected("pics is not a list")
    ids: list[Any] = [pic.get("id") if type(pic) is dict else pic for pic in pics]
    for image_id in ids:
        if type(image_id) is not str or _BLANK.fullmatch(image_id):
            raise Rejected("photo without an id")
        if _SURROGATE.search(image_id):
            raise Rejected("photo id with a lone surrogate")
    return ids


def first_url(url: Any) -> str:
    """The address of a photo: of those that the file gives, the first that is text and not blank; empty if none is."""
    for one in url if type(url) is list else [url]:
        if type(one) is str and not _BLANK.fullmatch(one) and not _SURROGATE.search(one):
            return one
    return ""


def _history(pairs: Any) -> list[list[str]]:
    if not pairs:
        return []
    if type(pairs) is list and all(
        type(pair) is list and len(pair) == 2 and type(pair[0]) is str and type(pair[1]) is str for pair in pairs
    ):
        return [[_mended(review_id), _mended(text)] for review_id, text in pairs]
    raise Rejected("history_reviews is not a list of [review_id, text]")


def _exact_ids(raw: bytes) -> dict[str, Any]:
    """Ids written as numbers, digit by digit: a fast parser has already rounded a 21-digit number."""
    row = _parse_patiently(raw)
    return {key: row[key] for key in ("user_id", "business_id") if key in row}


def _parse_patiently(raw: bytes, complaint: str = "") -> Any:
    """A row that the fast parser refused or rounded: lone surrogates, and numbers beyond a double, are still JSON."""
    if "depth" in complaint or "ecursion" in complaint:
        raise Rejected("nested too deep")
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise Rejected("not valid UTF-8") from None
    except RecursionError:
        raise Rejected("nested too deep") from None
    except ValueError:
        raise Rejected("not valid JSON") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _mended(text: str) -> str:
    """The same with U+FFFD for lone surrogates, which no file could hold."""
    return _SURROGATE.sub("\ufffd", text)
