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

``accept`` has the rules; ``accept_plain`` only adds speed, for rows of which none needs a second look.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson

from showcase_utils.data.streams import MAX_ROW_BYTES

# Nothing to see: white space, control and format characters, fillers, variation selectors.
_BLANK = re.compile(
    "[\\s\0-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]*"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_PRINTED = bytes(range(0x21, 0x7F))
_VISIBLE = frozenset(_PRINTED.decode("ascii"))
_RATINGS = frozenset(range(1, 6))
_five_columns = itemgetter("user_id", "business_id", "rating", "review_text", "pics")
_first, _photo_id = itemgetter(0), itemgetter("id")


class Rejected(ValueError):
    """Why a row is not accepted."""


@dataclass
class Accepted:
    """Accepted rows as columns of equal length; ``pics`` are as the file gives them."""

    users: Sequence[str]
    businesses: Sequence[str]
    ratings: Sequence[int]
    texts: Sequence[str]
    image_ids: Sequence[list[str]]
    pics: Sequence[list[Any]]
    histories: Sequence[list[list[str]]]


def accept_plain(rows: list[bytes]) -> Accepted | None:
    """What ``accept`` gives for each of some rows, as columns and far quicker; ``None`` if they are not all plain."""
    try:
        parsed = list(map(orjson.loads, rows))
        users, businesses, ratings, texts, pics = zip(*map(_five_columns, parsed), strict=True)
        image_ids = [list(map(_photo_id, some)) for some in pics]
        ids = [*chain.from_iterable(image_ids)]
        names = "".join((*ids, *users, *businesses)).encode("ascii")
        plain = (
            not names.translate(None, _PRINTED)
            and set(map(type, ratings)) == {int}
            and _RATINGS.issuperset(ratings)
            and "\0" not in "".join(texts)
            and (_VISIBLE.issuperset(map(_first, texts)) or not any(map(_BLANK.fullmatch, texts)))
            and all(map(all, (users, businesses, ids, image_ids)))
            and len(set(ids)) == len(ids)
            and max(map(len, rows)) <= MAX_ROW_BYTES
        )
        told = any("history_reviews" in row for row in parsed)  # the file of lines has none
        histories = [_history(row.get("history_reviews")) if told else [] for row in parsed]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return Accepted(users, businesses, ratings, texts, image_ids, pics, histories) if plain else None


def accept(raw: bytes) -> Accepted:
    """One row, as columns of one value each. Raises ``Rejected``."""
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
    pics = row.get("pics", [])
    image_ids, history = _photo_ids(pics), _history(row.get("history_reviews"))
    return Accepted([user], [business], [rating], [text], [image_ids], [pics], [history])


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
    return list(dict.fromkeys(ids))


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
