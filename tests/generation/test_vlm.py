"""A vision-language model without training, on a tiny random LLaVA saved as real ones are."""

from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import Image

from showcase_utils.artifacts import BuildContext
from showcase_utils.config import load_settings
from showcase_utils.generation import texts
from showcase_utils.generation.vlm import QUESTION, conversation, vlm_texts
from tests.generation.conftest import make_corpus, make_settings
from tests.generation.vlms import save_llava, save_photos


@pytest.fixture(scope="module")
def llava(tmp_path_factory, decoder):
    return save_llava(tmp_path_factory.mktemp("llava-tiny"), decoder)


@pytest.fixture
def corpus(world, decoder):
    return make_corpus(world, make_settings(decoder, max_tokens=8))


def test_texts_depend_on_photos_and_on_history(llava, corpus, tmp_path):
    rows = vlm_texts(str(llava), corpus, save_photos(tmp_path / "a", corpus, 0), "cpu", progress=False)
    assert set(rows["system"]) == {f"vlm:{llava.name}"} and len(rows) == 8 and rows["text"].str.len().min() > 0
    again = vlm_texts(str(llava), corpus, save_photos(tmp_path / "a", corpus, 0), "cpu", progress=False)
    assert rows.equals(again)
    other = vlm_texts(str(llava), corpus, save_photos(tmp_path / "b", corpus, 1), "cpu", progress=False)
    assert (rows["text"] != other["text"]).any()
    corpus.history = {review: [] for review in corpus.history.index}
    alone = vlm_texts(str(llava), corpus, save_photos(tmp_path / "a", corpus, 0), "cpu", progress=False)
    assert (rows["text"] != alone["text"]).any()


def test_the_question_has_photos_history_and_task():
    photo = Image.new("RGB", (4, 4))
    (turn,) = conversation([photo, photo], ["the ramen was great"])
    assert [part["type"] for part in turn["content"]] == ["image", "image", "text"]
    assert "- the ramen was great" in turn["content"][-1]["text"] and turn["content"][-1]["text"].endswith(QUESTION)
    assert conversation([photo], [])[0]["content"][-1]["text"] == QUESTION


def test_a_model_that_can_not_be_asked_says_so(llava, corpus, tmp_path):
    for file in llava.iterdir():
        if not file.name.startswith("chat_template"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match="has no chat template"):
        vlm_texts(str(tmp_path), corpus, {}, "cpu", progress=False)


def test_the_stage_has_its_rows_for_every_seed(llava, corpus, tmp_path, monkeypatch):
    """Around the model stand only what other systems write, and photos of which the file says where they lie."""
    settings = load_settings("smoke", {"telling.vlm": str(llava), "generation.seeds": [0, 1], "device": "cpu"})
    images = pd.Series(save_photos(tmp_path / "photos", corpus, 0)).rename_axis("image_id").reset_index(name="path")
    others = pd.DataFrame({"system": ["floor_frequent"], "seed": [0], "text": ["the ramen was great"]})
    nothing = SimpleNamespace(photos=SimpleNamespace(check=lambda mark: None), fingerprint="", encode_texts=None)

    def write(out, generation, corpus, device, progress, beside):
        others.to_parquet(out / texts.TEXTS)
        for call, arguments, options in beside:
            call(*arguments, **options)

    for name, value in {
        "open_corpus": lambda stages: corpus,
        "write_all_texts": write,
        "_prepare_teller": lambda context: None,
        "load_clip": lambda *rest: nothing,
        "open_features": lambda stages: nothing,
        "read_teller": lambda *rest: None,
        "tell_all": lambda *rest: [("told_kind", others, others)],
        "load_images": lambda stages, columns: images[columns],
    }.items():
        monkeypatch.setattr(texts, name, value)
    texts.build_texts(BuildContext(tmp_path, {"generation": tmp_path}, settings, progress=False))
    rows = pd.read_parquet(tmp_path / texts.TEXTS).query("system.str.startswith('vlm:')")
    assert rows.groupby("seed")["review_id"].nunique().to_dict() == {0: 8, 1: 8}
