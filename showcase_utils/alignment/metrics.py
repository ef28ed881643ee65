"""How good Φ is on labelled pairs it has not seen: metrics with intervals, precision–recall and calibration curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, precision_recall_curve

from showcase_utils.statistics.resampling import percentile_bounds, resampled_rows

Labels = NDArray[np.int64]
Confidence = NDArray[np.float32]
BINS = 10


def alignment_metrics(
    label: Labels,
    confidence: Confidence,
    review: NDArray[np.object_],
    threshold: float,
    seed: int,
    resamples: int = 1000,
) -> dict[str, Any]:
    """AUC and F1 at ``threshold`` with intervals; precision, recall, average precision and the calibration error.

    ``NAME_interval`` is the 95 % percentile interval over resamples of whole *reviews*, because the pairs of one
    review share photos and sentences; resamples with a single class are left out. Raises ``ValueError`` when the pairs
    themselves are of a single class.
    """
    if len(np.unique(label)) < 2:
        raise ValueError("the test pairs are all of one class: annotate more reviews")
    names, groups = np.unique(review.astype(str), return_inverse=True)
    kept = confidence >= threshold
    draws = []
    for rows in resampled_rows(groups, resamples, np.random.default_rng(seed)):
        if 0 < label[rows].sum() < len(rows):
            draws.append((_auc(label[rows], confidence[rows]), _f1(label[rows], kept[rows])))
    auc, f1 = (list(percentile_bounds(values)) for values in np.array(draws).reshape(-1, 2).T)
    bins = _calibration(label, confidence)
    return {
        "pairs": len(label),
        "reviews": len(names),
        "positive_share": float(label.mean()),
        "auc": _auc(label, confidence),
        "auc_interval": auc,
        "f1": _f1(label, kept),
        "f1_interval": f1,
        "precision": float(label[kept].mean()) if kept.any() else 0.0,
        "recall": float(kept[label == 1].mean()),
        "average_precision": float(average_precision_score(label, confidence)),
        "calibration_error": float(np.average((bins["x"] - bins["y"]).abs(), weights=bins["n"])),
    }


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
