"""From GEST-s1 to GEST-s2: sentences that some photo of their review supports (paper, section 3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from showcase_utils.alignment.phi import Phi
from showcase_utils.encoding.features import FeatureStore
from showcase_utils.progress import progress_bar

CHUNK = 1000  # reviews scored at a time: their features are in memory, no more


def score_pairs(
    reviews: pd.DataFrame,
    sentences: pd.DataFrame,
    photos: FeatureStore,
    texts: FeatureStore,
    phi: Phi,
    progress: bool = True,
) -> pd.DataFrame:
    """Φ's confidence for every sentence of a review with every photo of it that has features.

    Returns sentence_id, image_id, confidence. ``texts`` holds the features of ``sentences`` by sentence_id.
    """
    frames = [pd.DataFrame({"sentence_id": [], "image_id": [], "confidence": np.empty(0, np.float32)})]
    with progress_bar(total=len(reviews), unit=" reviews", disable=not progress) as bar:
        for pairs, count in _pairs_by_chunk(reviews, sentences, photos):
            confidence = phi.score(photos[pairs["image_id"]], texts[pairs["sentence_id"]])
            frames.append(pairs.assign(confidence=confidence))
            bar.update(count)
    return pd.concat(frames[1:] or frames, ignore_index=True)


def distil(reviews: pd.DataFrame, sentences: pd.DataFrame, scores: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """GEST-s2 of ``reviews``: text = the supported sentences, image_ids = the photos that support one of them.

    A sentence is supported by a photo when Φ's confidence is at least ``threshold``. Reviews left empty are dropped;
    the other columns, the order of reviews, sentences and photos, and the casing stay.
    """
    support = scores[scores["confidence"] >= threshold]
    kept = sentences[sentences["sentence_id"].isin(support["sentence_id"])]
    texts = kept.groupby("review_id", sort=False)["text"].agg(" ".join)
    owner = sentences.set_index("sentence_id")["review_id"].loc[support["sentence_id"]].to_numpy()
    supporting = support.groupby(owner)["image_id"].agg(set)
    distilled = reviews[reviews["review_id"].isin(texts.index)].reset_index(drop=True)
    image_ids = [
        [image_id for image_id in ids if image_id in supporting[review_id]]
        for review_id, ids in zip(distilled["review_id"], distilled["image_ids"], strict=True)
    ]
    return distilled.assign(
        text=distilled["review_id"].map(texts), image_ids=pd.Series(image_ids, dtype="object", index=distilled.index)
    )


def distillation_counts(
    reviews: pd.DataFrame, sentences: pd.DataFrame, scores: pd.DataFrame, distilled: pd.DataFrame, threshold: float
) -> pd.Series:
    """How many reviews, photos and sentences there were, and how many stayed."""
    kept = scores.loc[scores["confidence"] >= threshold, "sentence_id"].nunique()
    return pd.Series(
        {
            "reviews": len(reviews),
            "reviews_kept": len(distilled),
            "photos": int(reviews["image_ids"].map(len).sum()),
            "photos_kept": int(distilled["image_ids"].map(len).sum()),
            "sentences": len(sentences),
            "sentences_kept": int(kept),
            "pairs_scored": len(scores),
        }
    )


def _pairs_by_chunk(
    reviews: pd.DataFrame, sentences: pd.DataFrame, photos: FeatureStore
) -> Iterator[tuple[pd.DataFrame, int]]:
    there = set(photos.ids)
    by_review = sentences.groupby("review_id", sort=False)["sentence_id"].agg(list)
    for start in range(0, len(reviews), CHUNK):
        chunk = reviews.iloc[start : start + CHUNK]
        rows = [
            (sentence_id, image_id)
            for review_id, image_ids in zip(chunk["review_id"], chunk["image_ids"], strict=True)
            for sentence_id in by_review.get(review_id, [])
            for image_id in image_ids
            if image_id in there
        ]
        yield pd.DataFrame(rows, columns=["sentence_id", "image_id"]), len(chunk)
