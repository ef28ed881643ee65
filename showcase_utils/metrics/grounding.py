r"""Does the text say what the photos show? CLIP-Align, the paper's own metric, and CLIP-Score (section 5).

.. math:: \text{CLIP-Align} = \frac1n \sum_{i=1}^{n} \max_j cs_{ij}

over the n photos shown and the sentences j of the text; cs is Φ's confidence that sentence j describes photo i.
With the cosine of their CLIP embeddings in its place the same formula is CLIP-Score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.metric import Metric

Matrix = NDArray[np.floating]
_LEVEL = "mean over samples of the mean over photos of the best sentence"


def clip_align(confidence: Matrix | Sequence[Matrix], phi: str = "") -> Metric:
    """CLIP-Align, 0 to 1, of one sample ``(photos, sentences)`` or of a sequence of samples.

    ``phi`` names the form of Φ for the variant: values by two forms are not to be compared.
    A text without a sentence says nothing about its photos and scores 0; a sample without photos is left out
    (``nan`` per sample). Raises ``ValueError`` for another shape and for confidences outside 0 to 1.
    """
    samples = _samples(confidence, "confidence")
    for i, matrix in enumerate(samples):
        if matrix.size and not (matrix.min() >= 0 and matrix.max() <= 1):
            raise ValueError(f"confidence of sample {i} is not between 0 and 1: pass Φ's probabilities, not its logits")
    confidence_of = f"confidence of Φ ({phi})" if phi else "confidence of Φ"
    return mean_metric(np.array([_best(matrix) for matrix in samples]), f"CLIP-Align, {confidence_of}, {_LEVEL}, 0–1")


def clip_score(image_features: Matrix | Sequence[Matrix], sentence_features: Matrix | Sequence[Matrix]) -> Metric:
    """CLIP-Score, −1 to 1: CLIP-Align's formula on cosines of CLIP features.

    Takes ``(photos, d)`` and ``(sentences, d)`` of one sample, or two sequences of such arrays; rows need not be
    of unit norm. Raises ``ValueError`` for shapes that do not go together and for zero or non-finite rows.
    """
    images, sentences = _samples(image_features, "image_features"), _samples(sentence_features, "sentence_features")
    if len(images) != len(sentences):
        raise ValueError(f"{len(images)} samples of photos but {len(sentences)} of sentences")
    scores = []
    for i, (photo, sentence) in enumerate(zip(images, sentences, strict=True)):
        if len(photo) and len(sentence) and photo.shape[1] != sentence.shape[1]:
            raise ValueError(f"sample {i}: photos have {photo.shape[1]} dimensions, sentences {sentence.shape[1]}")
        if not len(photo) or not len(sentence):
            scores.append(_best(np.zeros((len(photo), len(sentence)))))
        else:
            scores.append(_best(_unit(photo, i) @ _unit(sentence, i).T))
    return mean_metric(np.array(scores), f"CLIP-Score, cosine, {_LEVEL}, −1–1")


def _samples(values: Matrix | Sequence[Matrix], name: str) -> list[Matrix]:
    samples = [values] if isinstance(values, np.ndarray) and values.ndim == 2 else [np.asarray(v) for v in values]
    for i, sample in enumerate(samples):
        if sample.ndim != 2:
            raise ValueError(f"{name} of sample {i} has shape {sample.shape}; expected two dimensions")
    return samples


def _best(matrix: Matrix) -> float:
    """Mean over rows of the largest entry; 0 without columns, ``nan`` without rows."""
    if not matrix.shape[0]:
        return np.nan
    return float(matrix.max(axis=1).mean()) if matrix.shape[1] else 0.0


def _unit(rows: Matrix, sample: int) -> Matrix:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise ValueError(f"sample {sample}: a feature row is zero or not finite")
    return rows / norms
