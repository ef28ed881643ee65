"""The check that no history gives a target away.

It shares no code with ``filtering.history``, which it checks: that one compares letters, this one words.
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


def history_entries(histories: pd.Series, reviews: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """Histories in long form, for ``find_leaks``: one row per history review of a sample.

    ``histories``: lists of review ids, one per row of ``reviews`` as ``filtering.history`` gives them; ``texts``: the
    ``digests`` of ``reviews``. Columns: ``sample``, the position of the sample; ``business_id``; ``image_ids``, with
    those that are gone; and those of ``texts``.
    """
    position_of = {review_id: position for position, review_id in enumerate(reviews["review_id"].tolist())}
    positions = np.array([position_of[review_id] for ids in histories for review_id in ids], dtype=np.int64)
    return (
        texts.iloc[positions]
        .reset_index(drop=True)
        .assign(
            sample=np.repeat(np.arange(len(histories)), [len(ids) for ids in histories]),
            business_id=reviews["business_id"].array.take(positions),
            image_ids=_all_photos(reviews)[positions],
        )
    )


def published_entries(histories: pd.Series) -> pd.DataFrame:
    """The same for histories of ``filter_all_t.json``: lists of ``[review_id, text]``, without photos."""
    pairs = [pair for pairs in histories for pair in pairs]
    return digests([text for _, text in pairs]).assign(
        sample=np.repeat(np.arange(len(histories)), [len(pairs) for pairs in histories]),
        business_id=pd.array([review_id.rpartition("_")[2] for review_id, _ in pairs], dtype="str"),
        image_ids=pd.Series([[] for _ in pairs], dtype="object"),
    )


def find_leaks(samples: pd.DataFrame, entries: pd.DataFrame, texts: pd.DataFrame) -> dict[str, np.ndarray]:
    """Which samples a history gives away, by kind of leak: booleans [samples].

    ``samples``: a reviews frame, with ``split`` if it has one; ``texts``: the ``digests`` of it; ``entries``:
    ``history_entries`` or ``published_entries`` of it. The kinds of ``STOPPING`` give a sample its own target. ``text
    in the history of another split`` lets training read what a test asks for, ``same text in another split`` asks for
    what training taught. ``text in another history`` is what leave-one-out histories do by their nature. All but the
    first three look at texts of at least ``CHANCE_WORDS`` words.
    """
    split = samples["split"] if "split" in samples else pd.Series("", index=samples.index, dtype="str")
    sample = entries["sample"].to_numpy()
    target = texts.iloc[sample].reset_index(drop=True)  # the text that each history review must not be
    halves = ("text", "translation")
    same_text = np.any([target[one].to_numpy() == entries[other].to_numpy() for one in halves for other in halves], 0)
    with without_cycle_collector():
        pairs = zip(_all_photos(samples)[sample], entries["image_ids"], strict=True)
        same_photo = np.array([not set(ids).isdisjoint(others) for ids, others in pairs], dtype=bool)
    same_business = np.asarray(entries["business_id"].array == samples["business_id"].array.take(sample), dtype=bool)
    shuffled = (target["words"].to_numpy() == entries["words"].to_numpy()) & ~same_text

    in_histories, in_histories_elsewhere, in_texts_elsewhere = (np.zeros(len(samples), dtype=bool) for _ in range(3))
    for name in split.unique():
        inside = (split == name).to_numpy()
        found = _is_among(texts, entries[inside[sample]])
        in_histories |= found
        in_histories_elsewhere |= found & ~inside
        in_texts_elsewhere |= _is_among(texts, texts[inside]) & ~inside
    splits_of_user = samples["user_id"].map(split.groupby(samples["user_id"]).nunique())

    def samples_with(entry_leaks: np.ndarray) -> np.ndarray:
        return np.isin(np.arange(len(samples)), sample[entry_leaks])

    long = texts["long"].to_numpy()
    own_text, own_business, own_photo = STOPPING
    return {
        own_text: samples_with(same_text),
        own_business: samples_with(same_business),
        own_photo: samples_with(same_photo),
        "own words in another order in the history": samples_with(shuffled) & long,
        "user in more than one split": (splits_of_user > 1).to_numpy(),
        "same text in another split": long & in_texts_elsewhere,
        "text in the history of another split": long & in_histories_elsewhere,
        "text in another history": long & in_histories,
    }


def count_leaks(leaks: dict[str, np.ndarray]) -> pd.DataFrame:
    """How many samples each kind of ``find_leaks`` touches: ``leak, rows, share``."""
    counts = {leak: int(samples.sum()) for leak, samples in leaks.items()}
    table = pd.DataFrame({"leak": list(counts), "rows": list(counts.values())})
    return table.assign(share=[samples.mean() if len(samples) else 0.0 for samples in leaks.values()])


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


def _is_among(texts: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Whether each text, in either language, is among others."""
    known = np.union1d(others["text"], others["translation"])
    return np.isin(texts["text"], known) | np.isin(texts["translation"], known)


def _all_photos(reviews: pd.DataFrame) -> np.ndarray:
    if "gone_ids" not in reviews:
        return reviews["image_ids"].to_numpy()
    photos = [[*left, *gone] for left, gone in zip(reviews["image_ids"], reviews["gone_ids"], strict=True)]
    return pd.Series(photos, dtype="object").to_numpy()
