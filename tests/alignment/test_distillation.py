from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment import distillation
from showcase_utils.alignment.distillation import distil, distillation_counts, score_pairs
from showcase_utils.alignment.phi import AlignmentClassifier
from showcase_utils.data.sentences import sentence_frame
from showcase_utils.encoding.clip import Features
from showcase_utils.encoding.features import FeatureStore
from showcase_utils.encoding.writer import FeatureWriter

REVIEWS = pd.DataFrame(
    {
        "review_id": ["r1", "r2", "r3"],
        "user_id": ["u1", "u2", "u1"],
        "business_id": ["b1", "b1", "b2"],
        "rating": [5, 3, 4],
        "text": ["Great TACOS. We waited. Red plate!", "Parking was hard.", "Sushi. More sushi."],
        "image_ids": [["p1", "p2"], ["p3"], ["p4", "p5", "p6"]],
        "split": ["train", "val", "test"],
    }
)
SENTENCES = sentence_frame(REVIEWS)


def scores(values: dict[tuple[str, str], float]) -> pd.DataFrame:
    rows = [(sentence_id, image_id, values[sentence_id, image_id]) for sentence_id, image_id in values]
    return pd.DataFrame(rows, columns=["sentence_id", "image_id", "confidence"])


SCORES = scores(
    {
        ("r1#0", "p1"): 0.9, ("r1#0", "p2"): 0.1, ("r1#1", "p1"): 0.2, ("r1#1", "p2"): 0.1,
        ("r1#2", "p1"): 0.6, ("r1#2", "p2"): 0.5, ("r2#0", "p3"): 0.4,
        ("r3#0", "p4"): 0.0, ("r3#0", "p5"): 0.1, ("r3#0", "p6"): 0.7, ("r3#1", "p4"): 0.8, ("r3#1", "p5"): 0.3,
    }
)  # fmt: skip


def test_s2_keeps_supported_sentences_and_their_photos() -> None:
    s2 = distil(REVIEWS, SENTENCES, SCORES, threshold=0.6)
    assert s2.columns.tolist() == REVIEWS.columns.tolist()
    assert s2[["review_id", "text", "image_ids", "split", "rating"]].values.tolist() == [
        ["r1", "Great TACOS. Red plate!", ["p1"], "train", 5],
        ["r3", "Sushi. More sushi.", ["p4", "p6"], "test", 4],
    ]
    assert distil(REVIEWS, SENTENCES, SCORES, threshold=0.5)["image_ids"].tolist()[0] == ["p1", "p2"]
    assert REVIEWS["image_ids"].tolist()[0] == ["p1", "p2"]  # the input is untouched


def test_s2_of_a_phi_that_supports_nothing_is_empty() -> None:
    s2 = distil(REVIEWS, SENTENCES, SCORES, threshold=1.0)
    assert len(s2) == 0 and s2.columns.tolist() == REVIEWS.columns.tolist()


def test_counts_say_what_stayed() -> None:
    s2 = distil(REVIEWS, SENTENCES, SCORES, threshold=0.6)
    assert distillation_counts(REVIEWS, SENTENCES, SCORES, s2, 0.6).to_dict() == {
        "reviews": 3, "reviews_kept": 2, "photos": 6, "photos_kept": 3, "sentences": 6, "sentences_kept": 4,
        "pairs_scored": 12,
    }  # fmt: skip


def random_store(folder: Path, ids: list[str], seed: int) -> FeatureStore:
    table = np.random.default_rng(seed).normal(size=(len(ids), 4)).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)

    def encode(sources: list[str], batches: list[list[int]]):  # noqa: ANN202
        return iter([Features(table[batch], list(batch), []) for batch in batches])

    return FeatureWriter(4, "f", dtype="float32", progress=False).write(folder, ids, ids, encode)


def test_every_sentence_of_a_review_meets_every_photo_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distillation, "CHUNK", 2)
    photos = random_store(tmp_path / "photos", ["p1", "p2", "p3", "p4", "p6"], 0)  # p5 could not be read
    texts = random_store(tmp_path / "texts", SENTENCES["sentence_id"].tolist(), 1)
    phi = AlignmentClassifier(4, hidden=3)
    table = score_pairs(REVIEWS, SENTENCES, photos, texts, phi, progress=False)
    expected = [
        (sentence_id, image_id)
        for review_id, image_ids in zip(REVIEWS["review_id"], REVIEWS["image_ids"], strict=True)
        for sentence_id in SENTENCES.loc[SENTENCES["review_id"] == review_id, "sentence_id"]
        for image_id in image_ids
        if image_id != "p5"
    ]
    assert list(zip(table["sentence_id"], table["image_id"], strict=True)) == expected
    alone = [phi.score(photos[image_id], texts[sentence_id])[0] for sentence_id, image_id in expected]
    np.testing.assert_allclose(table["confidence"], alone, atol=1e-6)
    assert score_pairs(REVIEWS[:0], SENTENCES, photos, texts, phi, progress=False).empty
