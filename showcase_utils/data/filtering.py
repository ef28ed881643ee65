"""GEST-s1, splits by user, histories, and the check that no history gives a target away (paper, section 3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

import numpy as np
import pandas as pd

from showcase_utils.data.frames import without_cycle_collector

CHANCE_WORDS = 5  # shorter texts ("Good food") are alike by chance, between people who never read each other


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
    places = [int.from_bytes(blake2b(user.encode(), digest_size=8).digest()) / 2**64 for user in users]
    splits = ["train" if place < train else "val" if place < train + val else "test" for place in places]
    return pd.Series(splits, index=pd.Index(users, name="user_id"), name="split", dtype="str")


def history(reviews: pd.DataFrame, limit: int | None = None) -> pd.Series:
    """For each review the ids of the user's other reviews that may be known when it is written about.

    Left out are reviews of the same business (repeat visits), with the same words, or with a photo in common: they
    would give the target away. Times are not published, so the order is that of the file; at most ``limit``.
    Index: ``review_id``; values: lists of ``review_id``.
    """
    fingerprint = fingerprints(reviews["text"].tolist()).tolist()
    columns = [reviews[name].tolist() for name in ("review_id", "business_id", "image_ids")]
    with without_cycle_collector():
        rows = list(zip(*columns, fingerprint, strict=True))
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
                    if other_business != business and other_words != words and target.isdisjoint(other_photos):
                        known.append(other_id)
    index = pd.Index(reviews["review_id"], name="review_id")
    return pd.Series(histories, index=index, name="history", dtype="object")


def history_entries(histories: pd.Series, reviews: pd.DataFrame) -> pd.DataFrame:
    """Histories in long form, for ``leaks``: one row per history review of a sample.

    ``histories``: lists of review ids, one per row of ``reviews`` as ``history`` gives them. Columns: ``sample``, the
    position of the sample; ``words``, the fingerprint of the text; ``business_id``; ``image_ids``.
    """
    told = [review_id for known in histories for review_id in known]
    place = {review_id: number for number, review_id in enumerate(reviews["review_id"].tolist())}
    position = np.array([place[review_id] for review_id in told], dtype=np.int64)
    return pd.DataFrame(
        {
            "sample": np.repeat(np.arange(len(histories)), [len(known) for known in histories]),
            "words": fingerprints(reviews["text"].tolist())[position],
            "business_id": reviews["business_id"].array.take(position),
            "image_ids": reviews["image_ids"].to_numpy()[position],
        }
    )


def published_entries(histories: pd.Series) -> pd.DataFrame:
    """The same for histories of ``filter_all_t.json``: lists of ``[review_id, text]``, in which photos are not told."""
    told = [pair for pairs in histories for pair in pairs]
    return pd.DataFrame(
        {
            "sample": np.repeat(np.arange(len(histories)), [len(pairs) for pairs in histories]),
            "words": fingerprints([text for _, text in told]),
            "business_id": pd.array([review_id.rpartition("_")[2] for review_id, _ in told], dtype="str"),
            "image_ids": [[] for _ in told],
        }
    )


def leaks(samples: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """How many samples a history gives away: ``leak, rows, share``.

    ``samples``: a reviews frame, with ``split`` if it has one. ``entries``: ``history_entries`` or
    ``published_entries`` of them. The first three kinds give a sample its own target. ``text in the history of
    another split`` lets training read what a test asks for. ``text in another history`` is what leave-one-out
    histories do by their nature. These last two look at texts of at least ``CHANCE_WORDS`` words.
    """
    split = samples["split"] if "split" in samples else pd.Series("", index=samples.index, dtype="str")
    words, owner = fingerprints(samples["text"].tolist()), entries["sample"].to_numpy()
    own_business = entries["business_id"].array == samples["business_id"].array.take(owner)
    own_photos = samples["image_ids"].to_numpy()[owner]
    with without_cycle_collector():
        own_photo = [not set(own).isdisjoint(ids) for own, ids in zip(own_photos, entries["image_ids"], strict=True)]

    long = np.array(
        [len(text.split(maxsplit=CHANCE_WORDS)) >= CHANCE_WORDS for text in samples["text"].tolist()], dtype=bool
    )
    read, read_elsewhere = long & np.isin(words, entries["words"]), np.zeros(len(samples), dtype=bool)
    for name in split.unique():
        inside = (split == name).to_numpy()
        read_elsewhere |= ~inside & np.isin(words, entries["words"][inside[owner]])
    splits_of_user = samples["user_id"].map(split.groupby(samples["user_id"]).nunique())

    counts = {
        "own text in the history": len(np.unique(owner[entries["words"].to_numpy() == words[owner]])),
        "own business in the history": len(np.unique(owner[np.asarray(own_business, dtype=bool)])),
        "own photo in the history": len(np.unique(owner[np.array(own_photo, dtype=bool)])),
        "user in more than one split": int((splits_of_user > 1).sum()),
        "text in the history of another split": int((long & read_elsewhere).sum()),
        "text in another history": int(read.sum()),
    }
    table = pd.DataFrame({"leak": list(counts), "rows": list(counts.values())})
    return table.assign(share=table["rows"] / max(len(samples), 1))


def fingerprints(texts: list[str]) -> np.ndarray:
    """Equal numbers for texts that differ in letter case and white space only; good within one process."""
    return np.array([hash(" ".join(text.casefold().split())) for text in texts], dtype=np.int64)


def _size(reviews: pd.DataFrame) -> dict[str, int]:
    return {
        "reviews": len(reviews),
        "users": reviews["user_id"].nunique(),
        "businesses": reviews["business_id"].nunique(),
        "images": len({image_id for ids in reviews["image_ids"] for image_id in ids}),
    }
