"""The check that no history gives a target away, written apart from the histories that it checks.

``filtering.history`` compares letters; the check compares *words*: it takes a text apart in another way and shares no
code with the builder, so that a fault there shows here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import pandas as pd

from showcase_utils.data.frames import without_cycle_collector

CHANCE_WORDS = 5  # shorter texts ("Good food") are alike by chance, between people who never read each other
STOPPING = ("own text in the history", "own business in the history", "own photo in the history")
COLUMNS = {"text": np.int64, "translation": np.int64, "words": np.int64, "long": bool}

_MARK = re.compile(r"\(translated by google\)|\(original\)", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")


def history_entries(histories: pd.Series, reviews: pd.DataFrame, said: pd.DataFrame | None = None) -> pd.DataFrame:
    """Histories in long form, for ``find_leaks``: one row per history review of a sample.

    ``histories``: lists of review ids, one per row of ``reviews`` as ``filtering.history`` gives them. Columns:
    ``sample``, the position of the sample; ``business_id``; ``image_ids``, with those that are gone; and what
    ``digests`` says of the text. ``said``: the ``digests`` of all texts, where they are at hand.
    """
    told = [review_id for known in histories for review_id in known]
    place = {review_id: number for number, review_id in enumerate(reviews["review_id"].tolist())}
    position = np.array([place[review_id] for review_id in told], dtype=np.int64)
    said = digests(reviews["text"].tolist()) if said is None else said
    return (
        said.iloc[position]
        .reset_index(drop=True)
        .assign(
            sample=np.repeat(np.arange(len(histories)), [len(known) for known in histories]),
            business_id=reviews["business_id"].array.take(position),
            image_ids=_all_photos(reviews)[position],
        )
    )


def published_entries(histories: pd.Series) -> pd.DataFrame:
    """The same for histories of ``filter_all_t.json``: lists of ``[review_id, text]``, in which photos are not told."""
    told = [pair for pairs in histories for pair in pairs]
    return digests([text for _, text in told]).assign(
        sample=np.repeat(np.arange(len(histories)), [len(pairs) for pairs in histories]),
        business_id=pd.array([review_id.rpartition("_")[2] for review_id, _ in told], dtype="str"),
        image_ids=pd.Series([[] for _ in told], dtype="object"),
    )


def find_leaks(samples: pd.DataFrame, entries: pd.DataFrame, said: pd.DataFrame | None = None) -> dict[str, np.ndarray]:
    """Which samples a history gives away, by kind of leak: booleans [samples].

    ``samples``: a reviews frame, with ``split`` if it has one. ``entries``: ``history_entries`` or
    ``published_entries`` of them. ``said``: the ``digests`` of their texts, where they are at hand. The kinds of
    ``STOPPING`` give a sample its own target. ``text in the history of another split`` lets training read what a test
    asks for, ``same text in another split`` asks for what training taught. ``text in another history`` is what
    leave-one-out histories do by their nature. All but the first three look at texts of at least ``CHANCE_WORDS``
    words.
    """
    split = samples["split"] if "split" in samples else pd.Series("", index=samples.index, dtype="str")
    said, owner = digests(samples["text"].tolist()) if said is None else said, entries["sample"].to_numpy()
    own = said.iloc[owner].reset_index(drop=True)
    versions = ("text", "translation")
    same_text = np.any([own[one].to_numpy() == entries[other].to_numpy() for one in versions for other in versions], 0)
    with without_cycle_collector():
        pairs = zip(_all_photos(samples)[owner], entries["image_ids"], strict=True)
        same_photo = [not set(ids).isdisjoint(others) for ids, others in pairs]
    same_business = np.asarray(entries["business_id"].array == samples["business_id"].array.take(owner), dtype=bool)

    long = said["long"].to_numpy()
    read, elsewhere, again = (np.zeros(len(samples), dtype=bool) for _ in range(3))
    for name in split.unique():
        inside = (split == name).to_numpy()
        told = _told(said, entries[inside[owner]])
        read |= told
        elsewhere |= ~inside & told
        again |= ~inside & _told(said, said[inside])
    splits_of_user = samples["user_id"].map(split.groupby(samples["user_id"]).nunique())

    def touched(found: np.ndarray) -> np.ndarray:
        return np.isin(np.arange(len(samples)), owner[found])

    shuffled = (own["words"].to_numpy() == entries["words"].to_numpy()) & ~same_text
    text, business, photo = STOPPING
    return {
        text: touched(same_text),
        business: touched(same_business),
        photo: touched(np.array(same_photo, dtype=bool)),
        "own words in another order in the history": touched(shuffled) & long,
        "user in more than one split": (splits_of_user > 1).to_numpy(),
        "same text in another split": long & again,
        "text in the history of another split": long & elsewhere,
        "text in another history": long & read,
    }


def leaks(samples: pd.DataFrame, entries: pd.DataFrame, said: pd.DataFrame | None = None) -> pd.DataFrame:
    """How many samples each kind of ``find_leaks`` touches: ``leak, rows, share``."""
    counts = {leak: int(rows.sum()) for leak, rows in find_leaks(samples, entries, said).items()}
    table = pd.DataFrame({"leak": list(counts), "rows": list(counts.values())})
    return table.assign(share=table["rows"] / max(len(samples), 1))


def digests(texts: Iterable[str]) -> pd.DataFrame:
    """Numbers that are equal where texts say the same: ``text, translation, words, long``, one row per text.

    ``translation`` is the other half of a text that Google has translated, else ``text`` again. ``words`` leaves the
    order of the words and their repetitions out. ``long``: at least ``CHANCE_WORDS`` words. Good within one process.
    """
    with without_cycle_collector():
        return pd.DataFrame(np.fromiter(map(_digest, texts), dtype=list(COLUMNS.items())))


def _digest(text: str) -> tuple[int, int, int, bool]:
    plain = text if text.isascii() else unicodedata.normalize("NFKD", text)
    halves = [_WORD.findall(half.casefold()) for half in (_MARK.split(plain) if "(" in plain else [plain])]
    halves = [words for words in halves if words] or [plain.split()]
    first, last = halves[0], halves[-1]
    letters = hash("".join(first))
    other = letters if first is last else hash("".join(last))
    return letters, other, hash(frozenset().union(*halves)), max(map(len, halves)) >= CHANCE_WORDS


def _told(samples: pd.DataFrame, told: pd.DataFrame) -> np.ndarray:
    """Whether each text, in either language, is among others."""
    known = np.union1d(told["text"], told["translation"])
    return np.isin(samples["text"], known) | np.isin(samples["translation"], known)


def _all_photos(reviews: pd.DataFrame) -> np.ndarray:
    if "gone_ids" not in reviews:
        return reviews["image_ids"].to_numpy()
    photos = [[*left, *gone] for left, gone in zip(reviews["image_ids"], reviews["gone_ids"], strict=True)]
    return pd.Series(photos, dtype="object").to_numpy()
