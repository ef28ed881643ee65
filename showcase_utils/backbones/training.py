"""Trains the embedded CLIP, GPT-2 and captioner on demo worlds that no notebook sees, and writes their model card.

All are small enough to ship and to train on two CPU cores in about an hour.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import open_clip

from showcase_utils.backbones import clip_quality, clip_training, gpt2_training
from showcase_utils.backbones.albums import Album, paint_album
from showcase_utils.backbones.captioner_training import make_captioner
from showcase_utils.backbones.captions import caption
from showcase_utils.backbones.card import model_card
from showcase_utils.backbones.recipe import (
    HELD_OUT,
    CaptionerRecipe,
    City,
    ClipRecipe,
    Gpt2Recipe,
    Recipe,
    train_tokenizer,
)
from showcase_utils.demo_world.cameras import AMPLITUDE
from showcase_utils.demo_world.visits import imagine

QUALITY = "quality.json"


def train_backbones(output: Path, *, seed: int = ClipRecipe.seed, max_steps: int | None = None) -> None:
    """Trains all models and measures them on a world of another seed.

    Writes ``clip/``, ``gpt2/``, ``captioner/`` and the card.

    A model that this recipe has finished in ``output`` is kept. Raises ``FileExistsError`` for one of another recipe.
    """
    make_backbones(output, Recipe.of(seed, max_steps))


def make_backbones(output: Path, recipe: Recipe, progress: bool = True) -> dict[str, dict]:
    """``train_backbones`` with every knob; returns the measured quality that stands on the card, by model."""
    makers = (
        ("clip", recipe.clip, _make_clip),
        ("gpt2", recipe.gpt2, _make_gpt2),
        ("captioner", recipe.captioner, _make_captioner),
    )
    quality = {name: _once(output / name, part, make, progress) for name, part, make in makers}
    megabytes = sum(path.stat().st_size for path in output.glob("*/*")) / 1e6
    (output / "MODEL_CARD.md").write_text(model_card(recipe, quality, megabytes), encoding="utf-8")
    shutil.rmtree(output / ".albums", ignore_errors=True)
    return quality


def _once(
    folder: Path, recipe: ClipRecipe | Gpt2Recipe | CaptionerRecipe, make: Callable[..., dict], progress: bool
) -> dict:
    record = folder / QUALITY
    wanted = json.loads(json.dumps(asdict(recipe)))
    if folder.exists():
        found = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        if found.get("recipe") != wanted:
            raise FileExistsError(f"{folder} exists and is not of this recipe: name another folder, or remove it first")
        return found["quality"]
    half = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(half, ignore_errors=True)
    quality = make(half, recipe, progress)
    text = json.dumps({"recipe": wanted, "quality": quality}, indent=1)
    (half / QUALITY).write_text(text + "\n", encoding="utf-8")
    half.rename(folder)
    return quality


def albums(recipe: ClipRecipe, cache: Path, progress: bool) -> Iterator[Album]:
    """The painted cities of a recipe, the held-out one last."""
    for number in range(recipe.cities):
        look = recipe.looks[number % len(recipe.looks)]
        yield _painted(recipe.seed + number, recipe.city, look, cache, progress)
    yield _painted(recipe.seed + HELD_OUT, recipe.held_out_city, recipe.held_out_look, cache, progress)


def _painted(seed: int, city: City, look: float, cache: Path, progress: bool) -> Album:
    return paint_album(imagine(seed, **dict(city), signature=look / AMPLITUDE), cache, progress)


def _make_clip(folder: Path, recipe: ClipRecipe, progress: bool) -> dict:
    started = time.perf_counter()
    *learned, held_out = albums(recipe, folder.with_name(".albums"), progress)
    painted = time.perf_counter()
    rng = np.random.default_rng(recipe.seed)
    texts = [review.text for album in learned for review in dict.fromkeys(album.reviews) if review.text]
    texts += [caption(photo.scene, photo.look, rng) for album in learned for photo in album.photos]
    tokenizer = train_tokenizer(texts, recipe.vocabulary, context=clip_training.CONTEXT, lower=True)
    lessons = clip_training.Lessons(learned, recipe)
    model, terms = clip_training.new_clip(tokenizer, recipe)
    sight = clip_training.train_sight(model.visual, terms, lessons, recipe.sight_epochs, progress)
    seen = deepcopy((model.visual, terms))
    losses = clip_training.train_clip(model, terms, lessons, tokenizer, progress)
    clip_training.save_clip(model.cpu(), tokenizer, recipe.pixels, folder)
    trained = time.perf_counter()
    clip_training.train_sight(*seen, lessons, recipe.ceiling_epochs, progress)
    _, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    return {
        "minutes_painting": (painted - started) / 60,
        "minutes_training": (trained - painted) / 60,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "first_loss": losses[0],
        "last_loss": float(np.mean(losses[-50:])),
        "first_sight_loss": sight[0],
        "last_sight_loss": float(np.mean(sight[-50:])),
        "ceiling": clip_quality.ceiling(*(part.cpu() for part in seen), preprocess, held_out),
        **clip_quality.measure(folder, learned[-1], held_out, recipe.seed),
    }


def _make_gpt2(folder: Path, recipe: Gpt2Recipe, progress: bool) -> dict:
    started = time.perf_counter()
    city = dict(recipe.city)
    worlds = (imagine(recipe.seed + number, **city) for number in range(recipe.cities))
    texts = [review.text for world in worlds for review in world.reviews if review.text]
    lowered = [text.lower() for text in texts]
    tokenizer = train_tokenizer(lowered, recipe.vocabulary, context=gpt2_training.CONTEXT, lower=False)
    model, losses = gpt2_training.train_gpt2(texts, tokenizer, recipe, progress)
    gpt2_training.save_gpt2(model, tokenizer, folder)
    held_out = imagine(recipe.seed + HELD_OUT, **city)
    unseen = [review.text for review in held_out.reviews if review.text][:2000]
    return {
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "minutes": (time.perf_counter() - started) / 60,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "perplexity": gpt2_training.perplexity(folder, unseen),
    }


def _make_captioner(folder: Path, recipe: CaptionerRecipe, progress: bool) -> dict:
    cities = (*recipe.cities, recipe.held_out)
    *learned, held_out = (
        _painted(seed, recipe.city, look, folder.with_name(".albums"), progress) for seed, look in cities
    )
    return make_captioner(folder, learned, held_out, recipe, progress)
