"""GEST-s1, splits by user, and histories (paper, section 3)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

import numpy as np
import pandas as pd

from showcase_utils.data.frames import without_cycle_collector

# Google shows a review in two languages, with one mark in front of either.
_TRANSLATION = re.compile(r"\((?:translated by google|original)\)", re.IGNORECASE)
_NOT_LETTERS = re.compile(r"[\W_]+")


def gest_s1(reviews: pd.DataFrame, available_image_ids: Collection[str], min_reviews_per_user: int = 2) -> pd.DataFrame:
    """GEST-s1 of GEST-raw: users with a single review go, then reviews whose photos are all gone (paper, Table 1).

    ``image_ids`` of the reviews that stay are reduced to photos that are available. The rules are applied once
    and in this order, so a user may be left with a single review because the others lost their photos.
    """
    return drop_gone_photos(drop_rare_users(reviews, min_reviews_per_user), available_image_ids)


def drop_rare_users(reviews: pd.DataFrame, min_reviews: int = 2) -> pd.DataFrame:
    """Reviews of users who wrote at least ``min_reviews`` of them."""
    written = reviews["user_id"].map(reviews["user_id"].value_counts())
    return reviews[written >= min_reviews].reset_index(drop=True)


def drop_gone_photos(reviews: pd.DataFrame, available_image_ids: Collection[str]) -> pd.DataFrame:
    """Reviews with at least one available photo, and of each only the available photos."""
    available = frozenset(available_image_ids)
    left = [[image_id for image_id in ids if image_id in available] for ids in reviews["image_ids"]]
    kept = reviews.assign(image_ids=pd.Series(left, index=reviews.index, dtype="object"))
    return kept[np.array([bool(ids) for ids in left], dtype=bool)].reset_index(drop=True)


def waterfall(
    reviews: pd.DataFrame,
    available_image_ids: Collection[str],
    min_reviews_per_user: int = 2,
    rejected: int = 0,
) -> pd.DataFrame:
    """What each rule drops: ``rule, dropped, reviews, users, businesses, images``, the last four being what stays.

    ``dropped`` counts reviews; the first row is the reading, which dropped ``rejected`` rows. The rules are those
    of ``gest_s1``; with ``min_reviews_per_user=1`` the first of them is left out.
    """
    enough = drop_rare_users(reviews, min_reviews_per_user)
    shown = drop_gone_photos(enough, available_image_ids)
    steps = [("rejected while reading", rejected, reviews)]
    if min_reviews_per_user > 1:
        rule = (
            "users with a single review" if min_reviews_per_user == 2 else f"users under {min_reviews_per_user} reviews"
        )
        steps.append((rule, len(reviews) - len(enough), enough))
    steps.append(("reviews whose photos are all gone", len(enough) - len(shown), shown))
    return pd.DataFrame([{"rule": rule, "dropped": dropped} | _size(left) for rule, dropped, left in steps])


def split_users(user_ids: Iterable[str], fractions: Sequence[float] = (0.8, 0.1, 0.1)) -> pd.Series:
    """``train``, ``val`` or ``test`` for each distinct user, from a hash of the id: adding users moves nobody.

    ``fractions`` need not sum to one. Raises ``ValueError`` unless there are three positive ones.
    """
    if len(fractions) != 3 or min(fractions) <= 0:
        raise ValueError(f"fractions {tuple(fractions)}: three positive numbers are needed, for train, val and test")
    train, val, test = (fraction / sum(fractions) for fraction in fractions)
    users = pd.Series(user_ids, dtype="str").drop_duplicates().tolist()
    draws = [int.from_bytes(blake2b(user.encode(), digest_size=8).digest()) / 2**64 for user in users]
    splits = ["train" if draw < train else "val" if draw < train + val else "test" for draw in draws]
    return pd.Series(splits, index=pd.Index(users, name="user_id"), name="split", dtype="str")


def gone_ids(reviews: pd.DataFrame, available_image_ids: Collection[str]) -> list[list[str]]:
    """Of each review the photos that are not available: ``history`` links reviews by them, too."""
    available = frozenset(available_image_ids)
    return [[image_id for image_id in ids if image_id not in available] for ids in reviews["image_ids"]]


def history(reviews: pd.DataFrame, limit: int | None = None) -> pd.Series:
    """For each review the ids of the user's other reviews that may be known when it is written about.

    Left out are reviews of the same business (repeat visits), with the same words, or with a photo in common: they
    would give the target away. Words are the same if they differ in letter case, accents, punctuation, white space or
    characters that cannot be seen only, or if one review has them as the translation or original of the other's.
    Photos are those of ``image_ids`` and, if there, of ``gone_ids``. Times are not published, so the order is that of
    the file; at most ``limit``. Index: ``review_id``; values: lists of ``review_id``.
    """
    ids, businesses, photos = (reviews[name].tolist() for name in ("review_id", "business_id", "image_ids"))
    if "gone_ids" in reviews:
        gone = [ids if type(ids) is list else [] for ids in reviews["gone_ids"]]  # a visit to come has none
        photos = [[*left, *lost] for left, lost in zip(photos, gone, strict=True)]
    with without_cycle_collector():
        rows = list(zip(ids, businesses, photos, map(fingerprints, reviews["text"]), strict=True))
        histories: list[list[str]] = [[] for _ in rows]
        for positions in reviews.groupby("user_id", sort=False).indices.values():
            if len(positions) == 1:
                continue
            own = [rows[position] for position in positions]
            for position, (_, business, photos, words) in zip(positions, own, strict=True):
                target, known = set(photos), histories[position]
                for other_id, other_business, other_photos, other_words in own:
                    if len(known) == limit:
                        break
                    if other_business != business and words.isdisjoint(other_words) and target.isdisjoint(other_photos):
                        known.append(other_id)
    index = pd.Index(reviews["review_id"], name="review_id")
    return pd.Series(histories, index=index, name="history", dtype="object")


def fingerprints(text: str) -> frozenset[int]:
    """A number for the words of a text, or two for a text and its translation; good within one process.

    Only letters and digits count, without case and accents; all that can be seen where there are none of them.
    """
    parts = _TRANSLATION.split(text) if "(" in text else [text]
    folded = [part if part.isascii() else unicodedata.normalize("NFKD", part) for part in parts]
    letters = [_NOT_LETTERS.sub("", part).casefold() or "".join(part.split()) for part in folded]
    return frozenset(hash(part) for part in letters if part)


def _size(reviews: pd.DataFrame) -> dict[str, int]:
    return {
        "reviews": len(reviews),
        "users": reviews["user_id"].nunique(),
        "businesses": reviews["business_id"].nunique(),
        "images": len({image_id for ids in reviews["image_ids"] for image_id in ids}),
    }
