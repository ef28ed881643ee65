"""Phrases of the made-up dishes in a joint space with a direction each: their threshold, and the truth about them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment.labelled import Labelled
from showcase_utils.alignment.phi import COSINE
from showcase_utils.claims import phrases
from showcase_utils.claims.phrases import OURS, PhraseReader, found_in_truth, phrase_frame
from showcase_utils.data.entities import CorpusPhrases
from showcase_utils.metrics.phrases import PhraseGrounder
from tests.claims.conftest import DISHES

CORPUS = [f"the {dish} {end}" for dish in DISHES for end in ("were great.", "is here", "came and went", "!")]


def encode(texts):
    rows = np.full((len(texts), 4), 0.1, np.float32)
    for row, text in zip(rows, texts, strict=True):
        row += np.array([dish in text for dish in DISHES], np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Photos:
    def __getitem__(self, image_ids):
        return encode(list(image_ids)) if image_ids else np.zeros((0, 4), np.float32)


@pytest.fixture
def reader():
    finder = CorpusPhrases(CORPUS)
    grounder = PhraseGrounder(encode, 10.0, lambda features: np.ones(len(features), bool), DISHES)
    score = lambda image, sentence: (image * sentence).sum(axis=1)  # noqa: E731
    phi = SimpleNamespace(variant="one layer on [v; s]", score=score, threshold=0.5)
    return PhraseReader(finder, grounder, Photos(), phi, frozenset(DISHES))


def odds(reader, phrase, photos):
    reader.grounder.learn([phrase])
    return reader.grounder.odds([phrase], encode(photos)).max()


def test_the_threshold_parts_what_annotators_saw_from_what_they_did_not(reader, monkeypatch):
    rows = []
    for number in range(8):
        own, other = DISHES[number % 4], DISHES[(number + 1) % 4]
        rows += [(f"r{number}", f"the {own} were great", own, 1), (f"r{number}", f"the {other} were great", own, 0)]
    frame = pd.DataFrame(rows, columns=["review_id", "sentence", "image_id", "label"])
    pairs = [frame.assign(split="val"), frame.assign(split="test", label=1 - frame["label"])]  # the test part is mad
    frame = pd.concat(pairs, ignore_index=True)
    labelled = Labelled(frame, encode(frame["image_id"].tolist()), encode(frame["sentence"].tolist()))
    monkeypatch.setattr(phrases, "load_labelled", lambda stages: labelled)
    threshold = phrases._calibrated(reader, None, None)
    assert odds(reader, "tacos", ["ramen"]) < threshold <= odds(reader, "tacos", ["tacos"])


def test_without_annotations_the_reviews_themselves_give_it(reader, monkeypatch):
    monkeypatch.setattr(phrases, "load_labelled", lambda stages: None)
    ids = [DISHES[number % 4] for number in range(8)]
    s1 = pd.DataFrame({"text": [f"The {dish} were great" for dish in ids], "image_ids": [[dish] for dish in ids]})
    threshold = phrases._calibrated(reader, None, s1.assign(split=["val"] * 6 + ["train"] * 2))
    assert odds(reader, "tacos", ["ramen"]) < threshold <= odds(reader, "tacos", ["tacos"])
    assert phrases._calibrated(reader, None, s1.assign(split="train")) == 1  # there is nothing to learn from


def test_a_cosine_is_compared_with_no_phi(reader):
    assert list(reader.plainer()) == ["Φ", "CLIP cosine"]
    reader.phi.variant = COSINE
    assert list(reader.plainer()) == ["CLIP cosine"]


def test_the_truth_says_how_well_hallucinated_dishes_are_found(reader, truth, texts):
    named = reader.read(texts)
    table = found_in_truth(truth, reader, texts, named, rounds=20).set_index(["score", "system"])
    whole = table.loc[(OURS, "all")]
    assert whole["value"] == 1 and 0 < whole["hallucinated"] < 1 and whole["covered"] == 1
    assert whole["precision"] == whole["recall"] == 1
    assert table.loc[("CLIP cosine", "all"), "value"] == table.loc[("Φ", "all"), "value"] == 1
    assert np.isnan(table.loc[(OURS, "ours_pc2l"), "value"])  # it says nothing wrong
    assert "reference" not in table.index.get_level_values("system")


def test_every_phrase_of_every_text_is_written_down(reader, texts):
    frame = phrase_frame(texts, reader.read(texts))
    told = frame[(frame["system"] == "told_two")]
    assert told.groupby("review_id").size().eq(2).all() and told["grounded"].all()
    row = frame.iloc[0]
    text = texts[(texts["system"] == row["system"]) & (texts["review_id"] == row["review_id"])]["text"].iloc[0]
    assert text[row["start"] : row["end"]].lower() == row["phrase"]
