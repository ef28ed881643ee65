"""What the space of features knows without a label: photos by a phrase, and how often the right photo is nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from showcase_utils.encoding.clip import Clip
from showcase_utils.encoding.features import FeatureStore

Floats = NDArray[np.float32]


def nearest_photos(clip: Clip, photos: FeatureStore, queries: Sequence[str], k: int) -> tuple[list[list[str]], Floats]:
    """The ``k`` photos nearest to each query, best first: their ids, and their cosines ``(q, k)``.

    Raises ``ValueError`` when the photos' features are of another CLIP than ``clip``.
    """
    photos.check(clip.fingerprint)
    ids = photos.ids
    cosine = clip.encode_texts(queries) @ photos[ids].T  # (q, n)
    best = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    return [[ids[column] for column in row] for row in best], np.take_along_axis(cosine, best, axis=1)


def recall_at_one(image: Floats, sentence: Floats, among: int, seed: int) -> float:
    """How often a sentence is nearer to its own photo than to ``among − 1`` other ones; chance is 1 / ``among``.

    ``image (n, d)`` and ``sentence (n, d)`` are pairs that belong together; the others are drawn from the same pairs.
    """
    rng = np.random.default_rng(seed)
    own = np.einsum("nd,nd->n", image, sentence)
    steps = np.stack([rng.choice(len(image) - 1, among - 1, replace=False) + 1 for _ in range(len(image))])
    others = (np.arange(len(image))[:, None] + steps) % len(image)  # any pair but one's own
    rivals = np.einsum("nd,nmd->nm", sentence, image[others])
    return float((own[:, None] > rivals).all(axis=1).mean())


def photos_of_busiest(s1: pd.DataFrame, photos: FeatureStore, businesses: int = 4, each: int = 6) -> pd.DataFrame:
    """Some photos of the businesses with the most reviews, business by business: business_id, image_id."""
    busiest = s1["business_id"].value_counts().index[:businesses]
    shown = s1[s1["business_id"].isin(busiest)][["business_id", "image_ids"]].explode("image_ids")
    shown = shown.rename(columns={"image_ids": "image_id"}).drop_duplicates("image_id")
    shown = shown[shown["image_id"].isin(photos.ids)].groupby("business_id").head(each)
    return shown.sort_values("business_id", kind="stable", ignore_index=True)
