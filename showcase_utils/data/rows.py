"""Which rows of the published files are accepted, and why the others are not.

One rule per kind of bad row (the paper is silent on all of them; GEST-raw is "reviews with at least one photo"):

- not JSON, not UTF-8, nested too deep, longer than 16 MiB, cut off at the end of the file: rejected;
- ``user_id`` and ``business_id`` are kept as text; a whole number is kept digit by digit; anything else, or a
  character that cannot be printed (NUL, lone surrogate), is rejected: two users must not become one;
- ``rating`` is a whole number from 1 to 5, also written ``4.0``; else rejected;
- text that is null, missing or blank: rejected; NUL characters in it are dropped, lone surrogates become U+FFFD;
- ``pics`` may hold objects with ``id`` and ``url`` or plain ids, also mixed; an id given twice is kept once; none
  at all, or an entry without an id, is rejected;
- ``history_reviews``, if there, is a list of ``[review_id, text]``, else rejected;
- a row that repeats an earlier one in user, business, rating, text and photos is rejected; another review of the
  same user and business is a repeat visit, kept with the suffix ``_2``, ``_3`` … on its ``review_id``;
- keys that we do not know are ignored; blank lines are not rows.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from showcase_utils.data.streams import MAX_ROW_BYTES

_SURROGATE = re.compile("[\ud800-\udfff]")


class Rejected(ValueError):
    """Why a row is not accepted."""


def judge(raw: bytes) -> tuple[str, str, str, int, str, list[str], list[list[str]], dict[str, Any]]:
    """Review id, user, business, rating, text, photo ids and history of one row, and the row itself.

    The review id is ``user_business``, as in the published histories. Raises ``Rejected``.
    """
    if len(raw) > MAX_ROW_BYTES:
        raise Rejected("longer than 16 MiB")
    try:
        row = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        row = _parse_patiently(raw, str(error))
    if type(row) is not dict:
        raise Rejected("not an object")
    try:
        user, business, rating, text = row["user_id"], row["business_id"], row["rating"], row["review_text"]
    except KeyError:
        user, business, rating, text = map(row.get, ("user_id", "business_id", "rating", "review_text"))
    if type(user) is not str or type(business) is not str:
        user, business = _exact_ids(raw)
    if not (user and business):
        raise Rejected("no business_id" if user else "no user_id")
    review_id = f"{user}_{business}"
    if not review_id.isprintable():
        raise Rejected("id with a character that cannot be printed")
    if type(rating) is not int:
        rating = int(rating) if type(rating) is float and rating.is_integer() else 0
    if not 1 <= rating <= 5:
        raise Rejected("rating is not 1 to 5")
    if type(text) is not str:
        raise Rejected("no text" if text is None else "text is not a string")
    if "\0" in text:
        text = text.replace("\0", "")
    if not text or text.isspace():
        raise Rejected("no text")
    history = _history(row["history_reviews"]) if "history_reviews" in row else []
    return review_id, user, business, rating, text, _photo_ids(row.get("pics")), history, row


def _photo_ids(pics: Any) -> list[str]:
    if not pics:
        raise Rejected("no photos")
    if type(pics) is not list:
        raise Rejected("pics is not a list")
    try:
        ids = [pic["id"] for pic in pics]
    except (KeyError, TypeError):
        ids = [pic.get("id") if type(pic) is dict else pic for pic in pics]
    try:
        "".join(ids)  # the quickest way to know that all of them are strings
    except TypeError:
        raise Rejected("photo without an id") from None
    if "" in ids:
        raise Rejected("photo without an id")
    if len(ids) > 1 and len(set(ids)) < len(ids):
        ids = list(dict.fromkeys(ids))
    return ids


def first_url(url: Any) -> str:
    """The address of a photo, of which the file gives a list; empty if there is none."""
    if type(url) is list:
        url = url[0] if url else ""
    return url if type(url) is str else ""


def _history(pairs: Any) -> list[list[str]]:
    if not pairs:
        return []
    if type(pairs) is list and all(
        type(pair) is list and len(pair) == 2 and type(pair[0]) is str and type(pair[1]) is str for pair in pairs
    ):
        return pairs
    raise Rejected("history_reviews is not a list of [review_id, text]")


def _exact_ids(raw: bytes) -> list[str]:
    """Ids written as numbers, digit by digit: a fast parser has already rounded a 21-digit number."""
    row = json.loads(raw.decode("utf-8"))
    ids = [row.get("user_id"), row.get("business_id")]
    for key, value in zip(("user_id", "business_id"), ids, strict=True):
        if value is None:
            raise Rejected(f"no {key}")
        if type(value) not in (str, int):
            raise Rejected(f"{key} is not a string")
    return [str(value) for value in ids]


def _parse_patiently(raw: bytes, complaint: str) -> Any:
    """A row that the fast parser refused: lone surrogates, and numbers beyond a double, are still JSON."""
    if "depth" in complaint or "ecursion" in complaint:
        raise Rejected("nested too deep")
    try:
        row = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
        if type(row) is not dict:
            return row
        return {key: value if key in ("user_id", "business_id") else _mended(value) for key, value in row.items()}
    except UnicodeDecodeError:
        raise Rejected("not valid UTF-8") from None
    except RecursionError:
        raise Rejected("nested too deep") from None
    except ValueError:
        raise Rejected("not valid JSON") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _mended(value: Any) -> Any:
    """The same value with U+FFFD for lone surrogates, which no file could hold."""
    if type(value) is str:
        return _SURROGATE.sub("\ufffd", value)
    if type(value) is list:
        return [_mended(item) for item in value]
    if type(value) is dict:
        return {key: _mended(item) for key, item in value.items()}
    return value
