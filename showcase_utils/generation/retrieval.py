"""Training reviews as context for a generator: of photos like a sample's own, and of users who write like its user.

The features of what is found stand behind the user's history, so that any decoder reads them as it reads that. Never
found is a review of the same user, or a copy of one: in training there is no more than beside an unknown user.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from showcase_utils.data.filtering import fingerprints
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.dataset import FeatureMap, FeatureTable

CHUNK = 512  # samples whose likeness to all training reviews is held at once
SPARE = 16  # candidates beyond those that are wanted, since copies are passed over


def retrieve(corpus: ShowcaseCorpus, reviews: pd.DataFrame, most: int) -> dict[str, list[str]]:
    """For each of ``reviews`` at most ``most`` ids of training reviews, found in turn by photos and by user.

    Like are photos by the cosine of their mean CLIP features, users by that of the mean features of their histories.
    ``image_ids`` are the photos that the text is written beside.
    """
    train = corpus.rows("train")
    users, owners = _numbers(train["user_id"], reviews["user_id"])
    own_texts = _texts_of_users(corpus, reviews)
    features = [
        (_means(corpus.photos, train["image_ids"]), _means(corpus.photos, reviews["image_ids"])),
        tuple(_means(corpus.review_features, _histories(corpus, rows)) for rows in (train, reviews)),
    ]
    near = [_nearest(queries, rows, owners, users, most + SPARE) for rows, queries in features]
    ids = train["review_id"].tolist()
    marks, found = [_marks(corpus, row) for row in train.itertuples()], {}
    for review, user, *ranked in zip(reviews["review_id"], reviews["user_id"], *near, strict=True):
        others = [[ids[row] for row in rows if own_texts[user].isdisjoint(marks[row])] for rows in ranked]
        in_turn = (other for turn in zip_longest(*others) for other in turn if other)
        found[review] = list(dict.fromkeys(in_turn))[:most]
    return found


def _nearest(
    queries: NDArray[np.float32],
    rows: NDArray[np.float32],
    owners: NDArray[np.int64],
    users: NDArray[np.int64],
    most: int,
) -> list[list[int]]:
    """The numbers of the nearest rows of other users, nearest first; none for a query of zeros."""
    found: list[list[int]] = []
    for start in range(0, len(queries), CHUNK):
        part = slice(start, start + CHUNK)
        likeness = queries[part] @ rows.T  # (chunk, n)
        likeness[owners[part, None] == users] = -np.inf
        kept = min(most, len(rows))
        best = np.sort(np.argpartition(-likeness, kept - 1, axis=1)[:, :kept], axis=1)
        for query, numbers, row in zip(queries[part], best, likeness, strict=True):
            order = numbers[np.argsort(-row[numbers], kind="stable")]
            found.append([int(number) for number in order if np.isfinite(row[number])] if query.any() else [])
    return found


def _means(store: FeatureMap, ids: Iterable[Sequence[str]]) -> NDArray[np.float32]:
    """Unit means of features, (n, d); zero where there is nothing to take a mean of."""
    table = FeatureTable.gather(store, ids, "photo or review")
    means = np.zeros((len(table.of_sample), store.dim), np.float32)
    for mean, rows in zip(means, table.of_sample, strict=True):
        if len(rows):
            mean[:] = table.rows[rows].mean(axis=0)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)


def _histories(corpus: ShowcaseCorpus, reviews: pd.DataFrame) -> list[list[str]]:
    return [list(corpus.history[review])[: corpus.settings.history] for review in reviews["review_id"]]


def _numbers(*columns: pd.Series) -> list[NDArray[np.int64]]:
    """Strings as numbers, the same for the same one in all columns."""
    numbers, _ = pd.factorize(pd.concat(columns))
    return np.split(numbers, np.cumsum([len(column) for column in columns])[:-1])


def _texts_of_users(corpus: ShowcaseCorpus, reviews: pd.DataFrame) -> dict[str, set[int]]:
    """The fingerprints of all that the users of ``reviews`` wrote."""
    written: dict[str, set[int]] = {user: set() for user in reviews["user_id"]}
    for row in corpus.reviews.itertuples():
        if row.user_id in written:
            written[row.user_id] |= _marks(corpus, row)
    return written


def _marks(corpus: ShowcaseCorpus, row: Any) -> frozenset[int]:
    """The fingerprints of a review, whole and as it is told of photos."""
    return fingerprints(row.text) | fingerprints(corpus.past_texts.get(row.review_id, ""))
