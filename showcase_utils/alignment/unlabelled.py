"""Alignment without a single label: CLIP's own cosine, with a threshold that the reviews themselves give.

The rule: a review's own pairs of sentence and photo are compared with as many pairs of its sentences and photos of
other businesses. The threshold is the cosine at which the two separate best, with the largest difference between the
share of own pairs and the share of other pairs that reach it (Youden's index). Most own pairs do not describe each
other either; as far as those lie like the pairs of other businesses, they add the same to both shares at every cosine,
so the best separation does not depend on how many they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from showcase_utils.alignment.phi import CosinePhi
from showcase_utils.encoding.features import FeatureStore

SAMPLE = 20_000  # own pairs, and as many others


def cosine_phi(
    s1: pd.DataFrame, sentences: pd.DataFrame, photos: FeatureStore, texts: FeatureStore, seed: int
) -> tuple[CosinePhi, dict[str, Any]]:
    """The cosine with its threshold, and what it rests on: pairs, and the AUC of own against other pairs.

    Without two businesses that have photos there is nothing to compare with: then the threshold is 0, and everything
    is kept.
    """
    rng = np.random.default_rng(seed)
    own, other = _pairs(s1, sentences, set(photos.ids), rng)
    if other.empty:
        return CosinePhi(0.0, photos.fingerprint), {"compared_pairs": 0}
    cosines = [np.einsum("nd,nd->n", photos[pairs["image_id"]], texts[pairs["sentence_id"]]) for pairs in (own, other)]
    is_own = np.repeat([1, 0], [len(own), len(other)])
    threshold = best_separation(is_own, np.concatenate(cosines))
    facts = {"compared_pairs": len(own), "own_against_other_auc": float(roc_auc_score(is_own, np.concatenate(cosines)))}
    return CosinePhi(max(threshold, 0.0), photos.fingerprint), facts


def best_separation(is_own: NDArray[np.int64], cosine: NDArray[np.floating]) -> float:
    """The value with the largest difference between the shares of own and of other pairs that reach it."""
    other_share, own_share, thresholds = roc_curve(is_own, cosine)
    return float(thresholds[1:][np.argmax((own_share - other_share)[1:])])  # the first is infinite: it keeps nothing


def _pairs(
    s1: pd.DataFrame, sentences: pd.DataFrame, there: set[str], rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Up to ``SAMPLE`` pairs of one review, and the same sentences with photos of other businesses, row by row.

    Where the drawn photo happens to be of the same business, neither pair counts.
    """
    photos = s1[["review_id", "business_id", "image_ids"]].explode("image_ids")
    photos = photos[photos["image_ids"].isin(there)].rename(columns={"image_ids": "image_id"})
    pairs = sentences[["sentence_id", "review_id"]].merge(photos, on="review_id")
    pairs = pairs.iloc[np.sort(rng.permutation(len(pairs))[:SAMPLE])].reset_index(drop=True)
    other = photos.sample(len(pairs), replace=True, random_state=rng).reset_index(drop=True)
    apart = other["business_id"] != pairs["business_id"]
    return pairs[apart], other.assign(sentence_id=pairs["sentence_id"])[apart]
