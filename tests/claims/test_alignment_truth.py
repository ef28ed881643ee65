from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.encoding.test_distillation import SCORES, SENTENCES

from showcase_utils.alignment.annotations import majority_vote, split_by_review
from showcase_utils.claims.alignment_truth import (
    cost_of_annotation_errors,
    distilled_against_truth,
)
from showcase_utils.config import Alignment
from showcase_utils.encoding.features import write_features
from tests.encoding.test_features import DIM, Encoder


def test_what_is_kept_is_counted_against_the_truth() -> None:
    truth = pd.DataFrame(
        [("Great TACOS.", "p1"), ("Red plate!", "p2"), ("Parking was hard.", "p3"), ("Elsewhere.", "p9")],
        columns=["sentence", "image_id"],
    )
    table = distilled_against_truth(SCORES, SENTENCES, 0.6, truth)
    # kept pairs: r1#0-p1 (true), r1#2-p1, r3#0-p6, r3#1-p4; true pairs that were scored: 3 of 12
    assert table.loc["pairs"].to_dict() == pytest.approx(
        {"precision": 1 / 4, "recall": 1 / 3, "f1": 2 / 7, "kept_share": 4 / 12, "true_share": 3 / 12, "n": 12}
    )
    # kept sentences: r1#0 and r1#2 (true both), r3#0, r3#1; true ones: r1#0, r1#2, r2#0; 6 in all
    assert table.loc["sentences"].to_dict() == pytest.approx(
        {"precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7, "kept_share": 4 / 6, "true_share": 3 / 6, "n": 6}
    )


def test_wrong_votes_cost_and_true_ones_do_not(tmp_path: Path) -> None:
    """A sentence is true when its first feature is positive; voters miss three of ten true ones."""
    features, alignment, rng = tmp_path / "features", tmp_path / "alignment", np.random.default_rng(0)
    options = {"dim": DIM, "fingerprint": "f", "progress": False}
    texts = [f"sentence {number}" for number in range(900)]
    for folder, ids in (
        (features / "photos", ["p"]), (features / "sentences", [f"r{n}#0" for n in range(900)]),
        (alignment / "more_photos", []), (alignment / "more_sentences", []),
    ):  # fmt: skip
        store = write_features(folder, ids, texts[: len(ids)], Encoder(), **options)
        if folder.name == "sentences":
            first = store[store.ids][:, 0]
    ids = [f"r{n}#0" for n in range(900)]
    sentences = pd.DataFrame({"sentence_id": ids, "review_id": [i[:-2] for i in ids], "index": 0, "text": texts})
    sentences.to_parquet(features / "sentences.parquet")
    truth = pd.DataFrame({"sentence": np.array(texts)[first > 0], "image_id": "p"})
    label = (first > 0).astype(int)
    wrong = (rng.random(900) < 0.3) & (label == 1)
    annotations = pd.DataFrame(
        {"review_id": sentences["review_id"], "sentence": texts, "image_id": "p", "annotator": "a",
         "label": np.where(wrong, 0, label)}
    )  # fmt: skip
    pairs = split_by_review(majority_vote(annotations), seed=0)
    pairs.to_parquet(alignment / "pairs.parquet")
    table = cost_of_annotation_errors(alignment, features, truth, Alignment(lr=1e-2, epochs=30), seed=0)
    assert table.loc["truth", "wrong_labels"] == 0
    assert table.loc["votes", "wrong_labels"] == pytest.approx(wrong[(pairs["split"] == "train").to_numpy()].mean())
    assert table.loc["truth", "auc"] > 0.98 and table.loc["truth", "f1"] >= table.loc["votes", "f1"]
