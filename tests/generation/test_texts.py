"""The stage texts: every system on every seed, resumable."""

import dataclasses
import json

import pandas as pd
import pytest

from showcase_utils.generation.baselines.floors import FLOORS
from showcase_utils.generation.texts import write_all_texts


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
