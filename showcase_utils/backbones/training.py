"""Trains the embedded CLIP and GPT-2 on demo worlds that no notebook sees, and writes their model card.

Both are small enough to ship and to train on two CPU cores in about an hour.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from showcase_utils.backbones import clip_training, gpt2_training
from showcase_utils.backbones.card import model_card
from showcase_utils.backbones.recipe import Recipe, train_tokenizer
from showcase_utils.demo_world.visits import World, imagine

QUALITY = "quality.json"


def train_backbones(output: Path, *, seed: int = Recipe.seed, max_steps: int | None = None) -> None:
    """Trains both models, measures them on a world of another seed and writes ``clip/``, ``gpt2/`` and the card.

    A model that this recipe has finished in ``output`` is kept. Raises ``FileExistsError`` for one of another recipe.
    """
    make_backbones(output, Recipe(seed=seed, max_steps=max_steps))


def make_backbones(output: Path, recipe: Recipe, progress: bool = True) -> dict[str, float]:
    """``train_backbones`` with every knob; returns the measured quality that stands on the card."""
    city = dict(recipe.city)
    painted = [imagine(recipe.seed + i, **city) for i in range(recipe.cities)]
    written = [imagine(recipe.seed + recipe.cities + i, **city) for i in range(recipe.more_texts)]
    held_out = imagine(recipe.seed + recipe.cities + recipe.more_texts, **city)
    texts = [review.text for world in painted + written for review in world.reviews if review.text]
    quality = _once(
        output / "clip", recipe, lambda folder: _make_clip(folder, painted, held_out, texts, recipe, progress)
    )
    quality |= _once(output / "gpt2", recipe, lambda folder: _make_gpt2(folder, held_out, texts, recipe, progress))
    quality["megabytes"] = sum(path.stat().st_size for path in output.glob("*/*")) / 1e6
    (output / "MODEL_CARD.md").write_text(model_card(recipe, quality), encoding="utf-8")
    return quality


def _once(folder: Path, recipe: Recipe, make: Callable[[Path], dict[str, float]]) -> dict[str, float]:
    record = folder / QUALITY
    wanted = json.loads(json.dumps(asdict(recipe)))
    if folder.exists():
        found = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        if found.get("recipe") != wanted:
            raise FileExistsError(f"{folder} exists and is not of this recipe: name another folder, or remove it first")
        return found["quality"]
    half = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(half, ignore_errors=True)
    quality = make(half)
    text = json.dumps({"recipe": wanted, "quality": quality}, indent=1)
    (half / QUALITY).write_text(text + "\n", encoding="utf-8")
    half.rename(folder)
    return quality


def _make_clip(
    folder: Path, worlds: list[World], held_out: World, texts: list[str], recipe: Recipe, progress: bool
) -> dict[str, float]:
    started = time.perf_counter()
    tokenizer = train_tokenizer(texts, recipe.vocabulary, context=clip_training.CONTEXT, lower=True)
    with tempfile.TemporaryDirectory() as photos:
        pairs = clip_training.Pairs(worlds, Path(photos), recipe.seed, progress)
        probe = clip_training.Pairs([held_out], Path(photos), recipe.seed, progress, most=4000)
    model, losses = clip_training.train_clip(pairs, tokenizer, recipe, progress)
    clip_training.save_clip(model, tokenizer, folder)
    return {
        "clip_first_loss": losses[0],
        "clip_last_loss": float(np.mean(losses[-50:])),
        "clip_minutes": (time.perf_counter() - started) / 60,
        "clip_parameters": sum(weight.numel() for weight in model.parameters()),
    } | clip_training.retrieval(folder, probe, seed=recipe.seed)


def _make_gpt2(folder: Path, held_out: World, texts: list[str], recipe: Recipe, progress: bool) -> dict[str, float]:
    started = time.perf_counter()
    lowered = [text.lower() for text in texts]
    tokenizer = train_tokenizer(lowered, recipe.vocabulary, context=gpt2_training.CONTEXT, lower=False)
    model, losses = gpt2_training.train_gpt2(texts, tokenizer, recipe, progress)
    gpt2_training.save_gpt2(model, tokenizer, folder)
    unseen = [review.text for review in held_out.reviews if review.text][:2000]
    return {
        "gpt2_first_loss": losses[0],
        "gpt2_last_loss": losses[-1],
        "gpt2_minutes": (time.perf_counter() - started) / 60,
        "gpt2_parameters": sum(weight.numel() for weight in model.parameters()),
        "gpt2_perplexity": gpt2_training.perplexity(folder, unseen),
    }
