"""How good Φ is on labelled pairs it has not seen: metrics with intervals, precision–recall and calibration curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, precision_recall_curve

from showcase_utils.alignment.phi import Pairs, Phi
from showcase_utils.statistics.resampling import percentile_bounds, resampled_rows

Labels = NDArray[np.int64]
Confidence = NDArray[np.float32]
BINS = 10


def held_out_metrics(phi: Phi, test: Pairs, **options: Any) -> dict[str, Any]:
    """`alignment_metrics` of Φ on pairs that it has not seen, and `alignment_intervals` with ``options``."""
    measured = test.label, phi.score(test.image, test.sentence), test.review, phi.threshold
    return alignment_metrics(*measured) | alignment_intervals(*measured, **options)


def alignment_metrics(
    label: Labels, confidence: Confidence, review: NDArray[np.object_], threshold: float
) -> dict[str, Any]:
    """AUC, F1, precision and recall at ``threshold``, average precision and the calibration error.

    Raises ``ValueError`` when the pairs are of a single class.
    """
    if len(np.unique(label)) < 2:
        raise ValueError("the test pairs are all of one class: annotate more reviews")
    kept, bins = confidence >= threshold, _calibration(label, confidence)
    return {
        "pairs": len(label),
        "reviews": len(np.unique(review.astype(str))),
        "positive_share": float(label.mean()),
        "auc": _auc(label, confidence),
        "f1": _f1(label, kept),
        "precision": float(label[kept].mean()) if kept.any() else 0.0,
        "recall": float(kept[label == 1].mean()),
        "average_precision": float(average_precision_score(label, confidence)),
        "calibration_error": float(np.average((bins["x"] - bins["y"]).abs(), weights=bins["n"])),
    }


def alignment_intervals(
    label: Labels,
    predicted: Confidence,
    review: NDArray[np.object_],
    threshold: float,
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Intervals ``auc_interval`` and ``f1_interval`` of `alignment_metrics`; ``predicted`` is Φ's confidence.

    Whole *reviews* are drawn again, because the pairs of one review share photos and sentences; rounds with a single
    class are left out.
    """
    groups, kept = np.unique(review.astype(str), return_inverse=True)[1], predicted >= threshold
    drawn = [
        (_auc(label[rows], predicted[rows]), _f1(label[rows], kept[rows]))
        for rows in resampled_rows(groups, rounds, np.random.default_rng(seed))
        if 0 < label[rows].sum() < len(rows)
    ]
    auc, f1 = (list(percentile_bounds(values, confidence)) for values in np.array(drawn).reshape(-1, 2).T)
    return {"auc_interval": auc, "f1_interval": f1}


def alignment_curves(label: Labels, confidence: Confidence) -> pd.DataFrame:
    """Rows curve, x, y, n: ``precision_recall`` (recall, precision) and ``calibration`` (confidence, positive share).

    Calibration has ten bins of equally many pairs, ``n`` of them in each.
    """
    precision, recall, _ = precision_recall_curve(label, confidence)
    curve = pd.DataFrame({"curve": "precision_recall", "x": recall, "y": precision, "n": len(label)})
    return pd.concat([curve, _calibration(label, confidence)], ignore_index=True)


def _auc(label: Labels, confidence: Confidence) -> float:
    """The chance that a positive pair has a higher confidence than a negative one, by the sum of ranks."""
    positive = int(label.sum())
    ranks = rankdata(confidence)[label == 1].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * (len(label) - positive)))


def _f1(label: Labels, kept: NDArray[np.bool_]) -> float:
    return float(2 * label[kept].sum() / max(label.sum() + kept.sum(), 1))


def _calibration(label: Labels, confidence: Confidence) -> pd.DataFrame:
    bins = [rows for rows in np.array_split(np.argsort(confidence, kind="stable"), BINS) if len(rows)]
    return pd.DataFrame(
        {
            "curve": "calibration",
            "x": [confidence[rows].mean() for rows in bins],
            "y": [label[rows].mean() for rows in bins],
            "n": [len(rows) for rows in bins],
        }
    )
