"""What training reviews say of their photos: sentences to quote, found by photos that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from showcase_utils.generation.dataset import FeatureMap

Floats = NDArray[np.float32]


class Bounds(NamedTuple):
    """From which cosines on a sentence is rather true of a photo than a near miss; see ``near_misses``.

    ``cosine`` is that of photo and sentence, ``nearness`` that of the photo and the one it was written about.
    """

    cosine: float = -1.0
    nearness: float = -1.0


NO_BOUNDS = Bounds()


@dataclass(frozen=True)
class Quotes:
    """Sentences with the photo that each describes: ``sentences`` (text, image_id, business_id), and both's features.

    A sentence that describes several photos stands there several times.
    """

    sentences: pd.DataFrame
    photos: Floats  # (n, d), unit rows
    texts: Floats  # (n, d)

    @classmethod
    def gather(cls, sentences: pd.DataFrame, photos: FeatureMap, texts: FeatureMap) -> Quotes:
        """``sentences`` has sentence_id, text, image_id, business_id; the features come from their stores."""
        rows = sentences.reset_index(drop=True)
        if rows.empty:
            return cls(rows, np.zeros((0, photos.dim), np.float32), np.zeros((0, texts.dim), np.float32))
        return cls(rows, photos[rows["image_id"].tolist()], texts[rows["sentence_id"].tolist()])

    def nearest(self, photo: Floats, most: int, place: str = "") -> dict[str, float]:
        """Sentences whose photos are nearest to ``photo`` (d,), the nearest first, with the cosine of the photos.

        With a ``place`` that has quotes only its own are asked: what they name is on its menu.
        """
        own = self.of_place.get(place, np.arange(len(self.sentences)))
        cosines = self.photos[own] @ photo
        order = np.argsort(-cosines, kind="stable")[: 4 * most]
        found: dict[str, float] = {}
        for text, cosine in zip(self.sentences["text"].iloc[own[order]], cosines[order].tolist(), strict=True):
            found.setdefault(text, cosine)
        return dict(list(found.items())[:most])

    @cached_property
    def features(self) -> dict[str, Floats]:
        """The features of each text, (d,)."""
        return dict(zip(self.sentences["text"], self.texts, strict=True))

    @cached_property
    def of_place(self) -> dict[str, NDArray[np.int64]]:
        """The rows of each business."""
        return self.sentences.groupby("business_id").indices


def quotable(
    sentences: pd.DataFrame, scores: pd.DataFrame, reviews: pd.DataFrame, threshold: float, stars: int
) -> pd.DataFrame:
    """The sentences of training reviews that may be quoted: sentence_id, text (lower-case), image_id, business_id.

    ``sentences`` (sentence_id, review_id, text), ``scores`` (sentence_id, image_id, confidence by Φ) and ``reviews``
    (review_id, business_id, rating, split) are those of GEST-s1. Kept are pairs that Φ finds true, from reviews of
    ``stars`` or more.
    """
    kind = reviews.loc[(reviews["split"] == "train") & (reviews["rating"] >= stars), ["review_id", "business_id"]]
    pairs = scores.loc[scores["confidence"] >= threshold, ["sentence_id", "image_id"]]
    found = pairs.merge(sentences, on="sentence_id").merge(kind, on="review_id")
    return found.assign(text=found["text"].str.lower())[["sentence_id", "text", "image_id", "business_id"]]
