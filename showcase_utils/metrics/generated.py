"""Generated texts as evaluation wants them: one frame of runs on the same reviews, ours or somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

COLUMNS = ("system", "seed", "review_id", "user_id", "business_id", "image_ids", "text", "reference")
REFERENCE = "reference"  # the user's own review, as a system to compare with
Run = tuple[str, int]  # system, seed
Features = NDArray[np.float32]


class FeatureMap(Protocol):
    """What is asked of a feature store: unit-norm rows by id."""

    def __getitem__(self, ids: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True)
class Grounding:
    """What CLIP and Φ see in each row of a texts frame.

    ``photos[i] (p, d)``, ``sentences[i] (m, d)`` unit-norm features, ``confidence[i] (p, m)`` of Φ, whose form is
    ``phi``.
    """

    photos: list[np.ndarray]
    sentences: list[np.ndarray]
    confidence: list[np.ndarray]
    phi: str = ""

    def take(self, rows: Iterable[int]) -> Grounding:
        """The grounding of some rows, in that order."""
        rows = list(rows)
        photos, sentences, confidence = (
            [side[i] for i in rows] for side in (self.photos, self.sentences, self.confidence)
        )
        return Grounding(photos, sentences, confidence, self.phi)


def runs_of(texts: pd.DataFrame) -> dict[Run, pd.DataFrame]:
    """The frame cut into runs (system, seed), each sorted by review, so that row i is the same review in all.

    Raises ``ValueError`` for a missing column, a review twice in a run, a text that is none, or runs on different
    reviews.
    """
    lacking = [name for name in COLUMNS if name not in texts.columns]
    if lacking:
        raise ValueError(f"the texts lack the columns {', '.join(lacking)}")
    if texts.empty:
        raise ValueError("there are no generated texts to evaluate")
    runs: dict[Run, pd.DataFrame] = {}
    for (system, seed), frame in texts.groupby(["system", "seed"], sort=False):
        twice = frame["review_id"][frame["review_id"].duplicated()]
        if len(twice):
            raise ValueError(f"{system}, seed {seed}: review {twice.iloc[0]} has more than one text")
        absent = frame["review_id"][[not isinstance(text, str) for text in frame["text"]]]
        if len(absent):
            raise ValueError(f"{system}, seed {seed}: review {absent.iloc[0]} has no text; write an empty one")
        runs[str(system), int(seed)] = frame.sort_values("review_id", kind="stable")
    (first, reviews), *others = ((run, frame["review_id"].tolist()) for run, frame in runs.items())
    for run, found in others:
        if found != reviews:
            odd = sorted(set(found) ^ set(reviews))[0]
            raise ValueError(f"{run[0]}, seed {run[1]}, and {first[0]} were not run on the same reviews: see {odd}")
    return runs


def ground(
    texts: pd.DataFrame,
    sentences: Sequence[Sequence[str]],
    encode_texts: Callable[[list[str]], Features],
    photos: FeatureMap,
    score: Callable[[Features, Features], Features],
    phi: str = "",
) -> Grounding:
    """CLIP features and Φ's confidence for every row of ``texts``; ``sentences`` are each text's.

    ``encode_texts`` maps texts to unit-norm rows ``(n, d)``, each different sentence once; ``photos`` is a feature
    store; ``score`` is Φ on paired rows, ``(n, d), (n, d) -> (n,)``, and ``phi`` its form.
    """
    if len(sentences) != len(texts):
        raise ValueError(f"{len(texts)} texts but the sentences of {len(sentences)}")
    number = {sentence: i for i, sentence in enumerate(dict.fromkeys(s for row in sentences for s in row))}
    width = np.asarray(photos[texts["image_ids"].iloc[0][:1]]).shape[-1]
    features = encode_texts(list(number)) if number else np.zeros((0, width), np.float32)
    of_text = [features[[number[sentence] for sentence in row]] for row in sentences]
    of_photo = [np.asarray(photos[list(image_ids)], np.float32).reshape(-1, width) for image_ids in texts["image_ids"]]
    pairs = [(np.repeat(p, len(s), axis=0), np.tile(s, (len(p), 1))) for p, s in zip(of_photo, of_text, strict=True)]
    images, words = (np.concatenate(side) for side in zip(*pairs, strict=True))
    flat = score(images, words) if len(images) else np.zeros(0, np.float32)
    ends = np.cumsum([len(pair[0]) for pair in pairs])[:-1]
    shapes = [(len(p), len(s)) for p, s in zip(of_photo, of_text, strict=True)]
    confidence = [part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True)]
    return Grounding(of_photo, of_text, confidence, phi)


def with_references(texts: pd.DataFrame) -> pd.DataFrame:
    """``texts`` with the users' own reviews as one more system, ``reference``, beside the photos of the first run."""
    first = next(iter(runs_of(texts).values()))
    own = first.assign(system=REFERENCE, seed=0, text=first["reference"])
    return pd.concat([texts, own], ignore_index=True)
