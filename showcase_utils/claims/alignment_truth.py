"""Φ and GEST-s2 against the truth, for evaluation of a world that has one: the demo world.

The truth comes as pairs (sentence, image_id) that belong together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from showcase_utils.alignment.labelled import Labelled
from showcase_utils.alignment.metrics import held_out_metrics
from showcase_utils.alignment.phi import Phi, train_alignment
from showcase_utils.config import Settings
from showcase_utils.demo_world.truth import Truth
from showcase_utils.statistics.resampling import interval_options


def described_pairs(truth: Truth) -> pd.DataFrame:
    """Every sentence of the demo world with every photo that it describes: sentence, image_id."""
    pairs = truth.sentences.explode("image_ids").dropna(subset="image_ids")
    return pairs.rename(columns={"image_ids": "image_id"})[["sentence", "image_id"]].reset_index(drop=True)


def distilled_against_truth(
    scores: pd.DataFrame, sentences: pd.DataFrame, threshold: float, truth: pd.DataFrame
) -> pd.DataFrame:
    """Precision, recall and F1 of what Φ keeps, for pairs of sentence and photo and for sentences.

    ``scores``: sentence_id, image_id, confidence; ``sentences``: sentence_id, text; ``truth``: sentence, image_id. A
    sentence is true when one of the photos that it was scored with belongs to it. Rows pairs and sentences; columns
    precision, recall, f1, kept_share, true_share, n.
    """
    text = sentences.set_index("sentence_id")["text"].loc[scores["sentence_id"]].to_numpy()
    pairs = pd.DataFrame(
        {
            "sentence_id": scores["sentence_id"],
            "true": _is_true(pd.Series(text), scores["image_id"], truth),
            "kept": scores["confidence"].to_numpy() >= threshold,
        }
    )
    rows = {}
    for name, frame in (("pairs", pairs), ("sentences", pairs.groupby("sentence_id")[["true", "kept"]].any())):
        hits, kept, true = (frame["true"] & frame["kept"]).sum(), frame["kept"].sum(), frame["true"].sum()
        rows[name] = {
            "precision": hits / max(kept, 1),
            "recall": hits / max(true, 1),
            "f1": 2 * hits / max(kept + true, 1),
            "kept_share": kept / len(frame),
            "true_share": true / len(frame),
            "n": len(frame),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def cost_of_annotation_errors(labelled: Labelled, phi: Phi, truth: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """``phi``, trained on the annotators' votes, and a Φ trained on the truth, both measured against the truth.

    Same pairs, split, settings and seed. Rows votes and truth; columns as ``held_out_metrics``, and ``wrong_labels``:
    the share of the training labels that are not the truth.
    """
    true = _is_true(labelled.frame["sentence"], labelled.frame["image_id"], truth).astype(np.int64)
    in_training, test = (labelled.frame["split"] == "train").to_numpy(), labelled.side("test", true)
    rows: dict[str, dict[str, Any]] = {}
    told, _ = train_alignment(
        labelled.side("train", true), labelled.side("val", true), settings.alignment, settings.seed
    )
    for name, label, one in (("votes", labelled.frame["label"].to_numpy(), phi), ("truth", true, told)):
        metrics = held_out_metrics(one, test, **interval_options(settings))
        rows[name] = {**metrics, "wrong_labels": float((label != true)[in_training].mean())}
    return pd.DataFrame.from_dict(rows, orient="index")


def _is_true(sentence: pd.Series, image_id: pd.Series, truth: pd.DataFrame) -> np.ndarray:
    known = set(zip(truth["sentence"], truth["image_id"], strict=True))
    return np.array([pair in known for pair in zip(sentence, image_id, strict=True)], bool)
