"""A few steps of the command that made the shipped backbones, and what ships."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from showcase_utils.backbones.recipe import CaptionerRecipe, ClipRecipe, Gpt2Recipe, Recipe
from showcase_utils.backbones.training import make_backbones
from showcase_utils.config import Encoding
from showcase_utils.encoding.clip import load_clip
from showcase_utils.recipes import BACKBONES

pytestmark = pytest.mark.slow

CITY = (("restaurants", 8), ("users", 80), ("reviews", 240), ("photos", 360))
OTHER = (("restaurants", 8), ("users", 48), ("reviews", 140), ("photos", 200))  # is looked at, not learned from
TINY = Recipe(
    ClipRecipe(
        seed=500, cities=1, city=CITY, held_out_city=OTHER, vocabulary=600,
        batch=48, sight_batch=48, pixels=64, max_steps=8,
    ),
    Gpt2Recipe(seed=500, cities=1, city=CITY, vocabulary=600, batch=16, lr=5e-3, max_steps=12),
    CaptionerRecipe(511, ((500, 0.2),), (506, 0.3), city=CITY, epochs=1, batch=8, max_steps=2),  # of the CLIP's albums
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backbones")
    return folder, make_backbones(folder, TINY, progress=False)


def test_both_losses_fall(trained):
    _, quality = trained
    clip, gpt2 = quality["clip"], quality["gpt2"]
    assert clip["last_sight_loss"] < 0.8 * clip["first_sight_loss"]
    assert clip["last_loss"] < clip["first_loss"] - 0.5
    assert gpt2["last_loss"] < gpt2["first_loss"] - 0.5
    assert gpt2["perplexity"] < TINY.gpt2.vocabulary / 2


def test_the_eye_is_measured_on_every_attribute(trained):
    clip = trained[1]["clip"]
    assert {"kind", "base", "main", "preparation", "sauce", "vessel", "toppings"} <= set(clip["probe"])
    assert set(clip["probe"]) <= set(clip["ceiling"])
    measured = [*clip["probe"].values(), *clip["ceiling"].values(), clip["caption_image_to_text_r1"]]
    assert all(0 <= value <= 1 for value in measured)
    assert clip["speed_ratio"] > 0


def test_clip_loads_the_way_that_every_clip_does(trained):
    folder, _ = trained
    clip = load_clip(Encoding(model=f"local-dir:{folder / 'clip'}"), "cpu")
    texts = clip.encode_texts(["The grilled shrimp tacos were great.", "Parking was hard."])
    assert texts.shape == (2, clip.dim)
    assert np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)


def test_gpt2_loads_in_single_precision_and_writes(trained):
    folder, _ = trained
    model = AutoModelForCausalLM.from_pretrained(folder / "gpt2")
    tokenizer = AutoTokenizer.from_pretrained(folder / "gpt2")
    assert model.dtype == torch.float32
    assert len({tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}) == 3
    ids = model.generate(torch.tensor([[tokenizer.bos_token_id]]), max_new_tokens=5, do_sample=False)
    assert ids.shape[1] <= 6


def test_card_says_what_was_run(trained):
    folder, quality = trained
    card = (folder / "MODEL_CARD.md").read_text()
    assert "--seed 500 --steps 8" in card
    assert f"{quality['gpt2']['perplexity']:.2f}" in card


def test_what_is_finished_is_kept_and_never_overwritten(trained):
    folder, quality = trained
    before = (folder / "clip" / "open_clip_model.safetensors").stat().st_mtime_ns
    assert make_backbones(folder, TINY, progress=False) == quality
    assert (folder / "clip" / "open_clip_model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="not of this recipe"):
        make_backbones(folder, replace(TINY, clip=replace(TINY.clip, seed=501)))


def test_shipped_backbones_are_small_and_whole():
    files = [path for folder in ("clip", "gpt2", "captioner") for path in (BACKBONES / folder).iterdir()]
    assert sum(path.stat().st_size for path in files) <= 24e6
    assert json.loads((BACKBONES / "clip" / "open_clip_config.json").read_text())["model_cfg"]["embed_dim"] == 256
    assert (BACKBONES / "MODEL_CARD.md").read_text().startswith("# Embedded backbones")


def test_shipped_clip_knows_a_dish_from_a_room():
    from showcase_utils.demo_world.painting import paint
    from showcase_utils.demo_world.scenes import Scene

    clip = load_clip(Encoding(), "cpu")
    scenes = {
        "The grilled beef burger with cheese was great.": Scene(
            "dish", "burger", "beef", "grilled", ("cheese",), "mustard", "white plate"
        ),
        "The mojito was refreshing.": Scene("drink", drink="mojito"),
        "Lovely candlelit room.": Scene("interior", ambience="candlelit"),
        "The chocolate cake was heavenly.": Scene("dessert", dessert="chocolate cake"),
    }
    images = clip.encode_images([paint(scene, seed) for seed, scene in enumerate(scenes.values())])
    assert (images @ clip.encode_texts(list(scenes)).T).argmax(1).tolist() == [0, 1, 2, 3]
