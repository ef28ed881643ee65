from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment.annotations import majority_vote, split_by_review
from showcase_utils.alignment.labelled import Labelled
from showcase_utils.alignment.phi import train_alignment
from showcase_utils.claims.alignment_truth import (
    cost_of_annotation_errors,
    described_pairs,
    distilled_against_truth,
)
from showcase_utils.config import load_settings
from showcase_utils.demo_world.truth import Truth

DIM = 8


def test_what_is_kept_is_counted_against_the_truth() -> None:
    texts = {"r1#0": "Great TACOS.", "r1#1": "We waited.", "r1#2": "Red plate!", "r2#0": "Parking was hard."}
    sentences = pd.DataFrame({"sentence_id": list(texts), "text": list(texts.values())})
    rows = [("r1#0", "p1", 0.9), ("r1#0", "p2", 0.1), ("r1#1", "p1", 0.7), ("r1#2", "p2", 0.5), ("r2#0", "p3", 0.4)]
    scores = pd.DataFrame(rows, columns=["sentence_id", "image_id", "confidence"])
    truth = pd.DataFrame(
        [("Great TACOS.", "p1"), ("Red plate!", "p2"), ("Parking was hard.", "p9")], columns=["sentence", "image_id"]
    )
    table = distilled_against_truth(scores, sentences, 0.6, truth)
    # kept pairs: r1#0-p1 (true), r1#1-p1; true pairs that were scored: r1#0-p1, r1#2-p2, of five
    assert table.loc["pairs"].to_dict() == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "kept_share": 2 / 5, "true_share": 2 / 5, "n": 5}
    )
    # kept sentences: r1#0 (true), r1#1; true ones: r1#0, r1#2; four in all
    assert table.loc["sentences"].to_dict() == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "kept_share": 2 / 4, "true_share": 2 / 4, "n": 4}
    )


def test_pairs_of_the_truth_are_every_sentence_with_every_photo_it_describes() -> None:
    sentences = pd.DataFrame({"sentence": ["a", "b", "c"], "image_ids": [["p", "q"], [], ["r"]]})
    empty = pd.DataFrame()
    pairs = described_pairs(Truth(empty, sentences, empty, empty, empty, empty, empty))
    assert list(pairs.itertuples(index=False, name=None)) == [("a", "p"), ("a", "q"), ("c", "r")]


def test_wrong_votes_cost_and_true_ones_do_not() -> None:
    """A sentence is true when its first feature is positive; voters err on every third."""
    rng, n = np.random.default_rng(0), 900
    sentence = rng.normal(size=(n, DIM)).astype(np.float32)
    sentence /= np.linalg.norm(sentence, axis=1, keepdims=True)
    texts = np.array([f"sentence {number}" for number in range(n)])
    true = (sentence[:, 0] > 0).astype(int)
    wrong = rng.random(n) < 0.35
    annotations = pd.DataFrame(
        {"review_id": [f"r{i}" for i in range(n)], "sentence": texts, "image_id": "p", "annotator": "a",
         "label": np.where(wrong, 1 - true, true)}
    )  # fmt: skip
    pairs = split_by_review(majority_vote(annotations), seed=0)
    order = pd.Series(np.arange(n), index=texts)[pairs["sentence"]].to_numpy()
    image = np.tile(np.eye(1, DIM, dtype=np.float32), (len(pairs), 1))
    labelled = Labelled(pairs, image, sentence[order])
    truth = pd.DataFrame({"sentence": texts[true == 1], "image_id": "p"})
    settings = load_settings("smoke", ["alignment.lr=1e-2", "alignment.epochs=30", "alignment.hidden=0"])
    phi, _ = train_alignment(labelled.side("train"), labelled.side("val"), settings.alignment, settings.seed)
    table = cost_of_annotation_errors(labelled, phi, truth, settings)
    assert table.loc["truth", "wrong_labels"] == 0
    training = (pairs["split"] == "train").to_numpy()
    assert table.loc["votes", "wrong_labels"] == pytest.approx(wrong[order][training].mean())
    assert table.loc["truth", "auc"] > 0.98 and table.loc["truth", "auc"] > table.loc["votes", "auc"]
