"""The stage texts: every system on every seed, resumable."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from showcase_utils.config import Telling
from showcase_utils.generation.baselines.floors import FLOORS
from showcase_utils.generation.opening import telling_system
from showcase_utils.generation.quotes import Quotes
from showcase_utils.generation.telling import Teller
from showcase_utils.generation.texts import LADDER, ladder, tell_all, write_all_texts
from showcase_utils.generation.tone import Tone
from tests.generation.conftest import DIM


class PrefersKnown:
    """In Φ's place: everything is borne out by everything, known sentences most."""

    variant, threshold, fingerprint = "", 0.5, ""

    def __init__(self, known):
        self.known = known

    def score(self, image, sentence):
        return np.where(np.isin(sentence[:, 0], self.known[:, 0]), 1.0, 0.6).astype(np.float32)


def encode(texts):
    rows = np.random.default_rng(0).normal(size=(len(texts), DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def systems(trained, tmp_path_factory):
    """Two systems as the generation stage leaves them; both are the same model."""
    model, tokenizer, corpus = trained
    folder = tmp_path_factory.mktemp("generation")
    for name in ("ours_ce-0", "ours_pc2l-0"):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        (folder / name / "training.json").write_text(json.dumps({"system": "ours_ce"}))
    return folder, corpus


def build(out, stage, systems=("ours_ce", "ours_pc2l")):
    folder, corpus = stage
    settings = corpus.settings.model_copy(update={"systems": systems})
    write_all_texts(out, folder, dataclasses.replace(corpus, settings=settings), "cpu", progress=False)
    return pd.read_parquet(out / "texts.parquet")


def test_every_system_writes_for_every_test_review_from_the_chosen_photos(systems, tmp_path):
    texts = build(tmp_path, systems)
    test = systems[1].reviews.query("split == 'test'")["review_id"].tolist()
    assert texts.groupby("system", sort=False)["review_id"].agg(list).to_dict() == {
        name: test for name in (*FLOORS, "ours_ce", "ours_pc2l")
    }
    chosen = systems[1].chosen.set_index("review_id")["image_ids"]
    assert [list(ids) for ids in texts["image_ids"]] == [chosen[review] for review in texts["review_id"]]
    assert texts["text"].str.len().gt(0).all()
    assert [path.name for path in tmp_path.iterdir()] == ["texts.parquet"]


def test_a_run_that_is_done_is_not_made_again(systems, tmp_path):
    whole = build(tmp_path, systems)
    marked = whole[whole["system"] == "ours_ce"].assign(text="kept from before the interruption")
    marked.to_parquet(tmp_path / ".ours_ce-0.parquet")
    again = build(tmp_path, systems)
    assert again.loc[again["system"] == "ours_ce", "text"].unique().tolist() == ["kept from before the interruption"]
    pd.testing.assert_frame_equal(again[again["system"] == "ours_pc2l"], whole[whole["system"] == "ours_pc2l"])


def test_a_system_that_was_not_trained_is_named(systems, tmp_path):
    with pytest.raises(FileNotFoundError, match="img_gpt2-0"):
        build(tmp_path, systems, systems=("img_gpt2",))


def test_the_ladder_goes_from_the_plain_way_to_the_settings_one_decision_at_a_time():
    settings = Telling(samples=5, quotes=3, variety=0.3, support=0.7)
    steps = list(ladder(settings).values())
    assert steps[-1] == settings and [step.writers for step in steps[:3]] == [("greedy", "sample")] * 3
    before = steps[0]
    assert (before.each_photo, before.nearness, before.agreement, before.tone, before.manner) == (False, 0, 0, 0, 0)
    assert before.samples == 5 and before.support == 0.7
    for step in steps[1:]:
        assert step != before
        before = step


def test_every_step_tells_of_every_test_review_with_its_evidence(trained):
    model, tokenizer, corpus = trained
    train = corpus.rows("train")
    rows = train.assign(sentence_id=train["review_id"], image_id=[ids[0] for ids in train["image_ids"]])
    quotes = Quotes.gather(
        rows[["sentence_id", "text", "image_id", "business_id"]], corpus.photos, corpus.review_features
    )
    tone = Tone(pd.DataFrame({"phrase": [""], "weight": [1.0]}))
    teller = Teller(
        lambda: (model, tokenizer), quotes, tone, PrefersKnown(quotes.texts), encode, Telling(agreement=0.0)
    )
    told = {name: (texts, evidence) for name, texts, evidence in tell_all(teller, corpus, 3)}
    assert list(told) == list(LADDER)
    test = corpus.dataset("test", "chosen").reviews
    for texts, evidence in told.values():
        assert list(texts["review_id"]) == list(test["review_id"]) and set(texts["seed"]) == {3}
        joined = evidence.groupby("review_id")["sentence"].agg(" ".join)
        assert all(joined[row.review_id] == row.text for row in texts.itertuples())
        shown = texts.set_index("review_id")["image_ids"]
        assert all(row.image_id in shown[row.review_id] for row in evidence.itertuples())
    parts = [list(tell_all(teller, corpus, 3, rows)) for rows in (slice(1), slice(1, None))]
    for (name, *first), (_, *second) in zip(*parts, strict=True):  # as the stage does, side by side
        for whole, one, other in zip(told[name], first, second, strict=True):
            pd.testing.assert_frame_equal(pd.concat([one, other], ignore_index=True), whole, rtol=1e-4)
    assert "retrieval" in set(told["told_retrieved"][1]["writer"]) and "retrieval" not in set(
        told["told_agreed"][1]["writer"]
    )


def test_the_generator_is_that_of_the_lowest_cross_entropy_of_those_that_see(tmp_path):
    records = [("text_gpt2", 0, 1.0), ("img_gpt2", 0, 1.2), ("ours_ce", 0, 1.1), ("ours_pc2l", 1, 0.9), ("st", 0, 0.5)]
    for name, seed, loss in records:
        folder = tmp_path / f"{name}-{seed}"
        folder.mkdir()
        (folder / "training.json").write_text(json.dumps({"system": name, "seed": seed, "val_ce": loss}))
        (folder / "timing.json").write_text(json.dumps({"seconds": 1.0}))
    assert [telling_system(tmp_path, seed) for seed in (0, 1, 2)] == ["ours_ce", "ours_pc2l", ""]
