"""Trains the embedded CLIP: Radford et al. 2021, symmetric InfoNCE, with a bag of terms beside it.

First the visual tower alone learns, on few pixels, which terms a full caption of a photo has (Joulin et al. 2016);
then both towers learn to match photos and texts, and the bag stays as a second task, so that the features keep the
detail that a short caption leaves out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import open_clip
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast

from showcase_utils.backbones.albums import SIDE, Album, term_columns
from showcase_utils.backbones.captions import ATTRIBUTES, TERMS, caption
from showcase_utils.backbones.recipe import ClipRecipe
from showcase_utils.devices import resolve_device
from showcase_utils.progress import progress_bar

CONTEXT = 48
TOWER = "test_byobnet"  # timm's name: a convolutional network of 0.2 M weights, see the card for why
WIDTH = 256  # of the joint space
CROP = 84  # pixels: the smallest view of the ``SIDE`` that an album has
LOOK_WEIGHT = 0.1  # of the look among the terms: seventeen words, and the subject is what matters
NEIGHBOURS = 8  # photos of one base, or kind, that stand together in a batch: hard negatives


def clip_config(vocabulary: int, pixels: int) -> dict:
    """The architecture, in open_clip's own words."""
    return {
        "embed_dim": WIDTH,
        "vision_cfg": {
            "timm_model_name": TOWER,
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": pixels,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": vocabulary,
            "width": 128,
            "heads": 4,
            "layers": 4,
            "hf_tokenizer_name": "local",  # any name: for a local folder open_clip reads the folder's own tokenizer
            "pool_type": "eos",
            "eos_id": 2,
            "pad_id": 0,
        },
    }


class SeesTerms(nn.Module):
    """Reads the bag of terms from features of unit norm, as a linear probe would; training only."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(WIDTH, len(TERMS))

    def forward(self, features: Tensor) -> Tensor:
        return self.read(F.normalize(features, dim=-1) * math.sqrt(WIDTH))  # (n, terms) logits


def terms_loss(logits: Tensor, bags: Tensor) -> Tensor:
    """How well the blanks of a caption are filled in, (n, terms) each, averaged over photos.

    Cross-entropy among the values of an attribute that has one at a time, binary for what a photo has several of.
    """
    loss = logits.new_zeros(())
    for attribute in (*ATTRIBUTES, "look"):
        columns = term_columns(attribute)
        said, true = logits[:, columns], bags[:, columns]
        if attribute == "look":
            loss = loss + LOOK_WEIGHT * F.binary_cross_entropy_with_logits(said, true, reduction="sum")
        elif attribute == "toppings":
            dish = bags[:, term_columns("base")].any(1)
            loss = loss + F.binary_cross_entropy_with_logits(said[dish], true[dish], reduction="sum")
        else:
            loss = loss - (true * said.log_softmax(1)).sum()
    return loss / len(bags)


def contrast(images: Tensor, texts: Tensor, scale: Tensor, scenes: Tensor) -> Tensor:
    """Symmetric InfoNCE in which every text of a photo's scene is a right one.

    Features (n, d) of unit norm, ``scenes`` (n). With n different scenes it is ``open_clip.ClipLoss``.
    """
    logits = scale * images @ texts.T  # (n, n)
    same = (scenes[:, None] == scenes[None, :]).float()
    share = same / same.sum(1, keepdim=True)
    return (F.cross_entropy(logits, share) + F.cross_entropy(logits.T, share)) / 2


def encode_text(model: open_clip.CLIP, ids: Tensor, parts: int = 4) -> Tensor:
    """``model.encode_text``, ids (n, tokens) -> (n, d), without most of the padding: short texts go together."""
    lengths = (ids == model.text_eos_id).int().argmax(1) + 1
    order = lengths.argsort()
    features = torch.cat([_encode_text(model, ids[rows], lengths[rows]) for rows in order.chunk(parts)])
    return features[order.argsort()]


def _encode_text(model: open_clip.CLIP, ids: Tensor, lengths: Tensor) -> Tensor:
    longest = int(lengths.max())
    states = model.token_embedding(ids[:, :longest]) + model.positional_embedding[:longest]
    states = model.ln_final(model.transformer(states, attn_mask=model.attn_mask[:longest, :longest]))
    return states[torch.arange(len(ids)), lengths - 1] @ model.text_projection


class Lessons:
    """Photos of several albums, in batches of pixels, texts, bags and scenes."""

    def __init__(self, albums: Sequence[Album], recipe: ClipRecipe) -> None:
        self.albums, self.recipe = albums, recipe
        self.rows = [(a, i) for a, album in enumerate(albums) for i in range(len(album))]
        self.bags = torch.from_numpy(np.concatenate([album.bags() for album in albums]))  # (n, terms)
        scenes = [scene for album in albums for scene in album.scenes]
        numbers: dict = {}
        self.scenes = torch.tensor([numbers.setdefault(scene, len(numbers)) for scene in scenes])
        self.families = [scene.base or scene.kind for scene in scenes]

    def __len__(self) -> int:
        return len(self.rows)

    def shuffled(self, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Every photo once, but for a last batch that is not full."""
        return _batches(rng.permutation(len(self)), size)

    def neighbours(self, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Every photo once, but for a last batch that is not full; those side by side are of one family."""
        families: dict[str, list[int]] = {}
        for index in rng.permutation(len(self)):
            families.setdefault(self.families[index], []).append(int(index))
        groups = [f[i : i + NEIGHBOURS] for f in families.values() for i in range(0, len(f), NEIGHBOURS)]
        return _batches(np.concatenate([groups[i] for i in rng.permutation(len(groups))]), size)

    def images(self, batch: np.ndarray, pixels: int, rng: np.random.Generator) -> Tensor:
        """(b, 3, pixels, pixels) in −1 … 1: a crop of 84 to 104 pixels, mirrored half of the time."""
        crop = int(rng.integers(CROP, SIDE + 1))
        views = np.empty((len(batch), crop, crop, 3), np.uint8)
        for view, index in zip(views, batch, strict=True):
            album, photo = self.rows[index]
            top, left = rng.integers(0, SIDE - crop + 1, size=2)
            seen = self.albums[album].pixels[photo, top : top + crop, left : left + crop]
            view[:] = seen[:, ::-1] if rng.random() < 0.5 else seen
        images = torch.from_numpy(views).permute(0, 3, 1, 2).float() / 127.5 - 1
        return images if crop == pixels else F.interpolate(images, size=pixels, mode="bilinear", antialias=True)

    def texts(self, batch: np.ndarray, rng: np.random.Generator) -> list[str]:
        """An alternative text or, where there is one, a sentence about the photo or its whole review."""
        return [self._text(album, photo, rng) for album, photo in (self.rows[index] for index in batch)]

    def _text(self, album: int, photo: int, rng: np.random.Generator) -> str:
        book, roll = self.albums[album], rng.random()
        if roll < 0.55 or not book.sentences[photo]:
            return caption(book.photos[photo].scene, book.photos[photo].look, rng)
        if roll < 0.92:
            return book.sentences[photo][rng.integers(len(book.sentences[photo]))]
        return book.reviews[photo].text or ""


def _batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    size = min(size, len(order))
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def _optimise(
    parameters: list[nn.Parameter],
    losses_of: Callable[[np.random.Generator], Iterator[Tensor]],
    steps: int,
    lr: float,
    seed: int,
    name: str,
    progress: bool,
) -> list[float]:
    """AdamW, cosine schedule with warm-up; ``losses_of`` yields a loss per step, anew for every epoch."""
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.05},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98))
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, max(1, steps // 12), steps)
    rng = np.random.default_rng(seed)
    losses: list[float] = []
    with progress_bar(total=steps, desc=name, disable=not progress) as bar:
        while len(losses) < steps:
            for loss in losses_of(rng):
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 2.0)
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
                bar.update()
                bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}")
                if len(losses) == steps:
                    break
    return losses


def train_sight(visual: nn.Module, terms: SeesTerms, lessons: Lessons, epochs: int, progress: bool) -> list[float]:
    """The visual tower learns to see terms, without any text; returns the losses."""
    recipe, device = lessons.recipe, next(visual.parameters()).device
    visual.train()

    def losses_of(rng: np.random.Generator) -> Iterator[Tensor]:
        for batch in lessons.shuffled(recipe.sight_batch, rng):
            images = lessons.images(batch, recipe.pixels, rng).to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16):
                features = visual(images)
            yield terms_loss(terms(features.float()), lessons.bags[batch].to(device))

    steps = _steps(lessons, epochs, recipe.sight_batch)
    parameters = [*visual.parameters(), *terms.parameters()]
    return _optimise(parameters, losses_of, steps, recipe.sight_lr, recipe.seed, "sight", progress)


def train_clip(
    model: open_clip.CLIP, terms: SeesTerms, lessons: Lessons, tokenizer: PreTrainedTokenizerFast, progress: bool
) -> list[float]:
    """Both towers learn which text belongs to which photo; returns the losses, contrast and terms together."""
    recipe, device = lessons.recipe, next(model.parameters()).device
    encode = partial(tokenizer, max_length=CONTEXT, padding="max_length", truncation=True, return_tensors="pt")
    model.train()

    def losses_of(rng: np.random.Generator) -> Iterator[Tensor]:
        for batch in lessons.neighbours(recipe.batch, rng):
            images = lessons.images(batch, recipe.pixels, rng).to(device, memory_format=torch.channels_last)
            ids = encode(lessons.texts(batch, rng)).input_ids.to(device)
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(100))
            with torch.autocast(device.type, torch.bfloat16):
                seen, read = model.visual(images), encode_text(model, ids)
            seen, read = seen.float(), read.float()
            scenes = lessons.scenes[batch].to(device)
            matched = contrast(F.normalize(seen, dim=-1), F.normalize(read, dim=-1), model.logit_scale.exp(), scenes)
            yield matched + recipe.terms_weight * terms_loss(terms(seen), lessons.bags[batch].to(device))

    parameters = [*model.parameters(), *terms.parameters()]
    steps = _steps(lessons, recipe.epochs, recipe.batch)
    return _optimise(parameters, losses_of, steps, recipe.lr, recipe.seed + 1, "CLIP", progress)


def _steps(lessons: Lessons, epochs: int, batch: int) -> int:
    whole = epochs * max(1, len(lessons) // batch)
    return min(whole, lessons.recipe.max_steps or whole)


def new_clip(tokenizer: PreTrainedTokenizerFast, recipe: ClipRecipe) -> tuple[open_clip.CLIP, SeesTerms]:
    """A fresh CLIP, and the head that reads the terms of a caption off its photos."""
    torch.manual_seed(recipe.seed)
    device = resolve_device()
    model = open_clip.CLIP(**deepcopy(clip_config(len(tokenizer), recipe.pixels)))
    return model.to(device, memory_format=torch.channels_last), SeesTerms().to(device)


def save_clip(model: open_clip.CLIP, tokenizer: PreTrainedTokenizerFast, pixels: int, folder: Path) -> None:
    """The folder that ``open_clip`` loads as ``local-dir:``.

    Weights in half precision, but for the statistics of batch normalisation, which may lie outside it.
    """
    folder.mkdir(parents=True)
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    config = {"model_cfg": clip_config(len(tokenizer), pixels), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = {
        name: (value.half() if value.is_floating_point() and "running" not in name else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(weights, folder / "open_clip_model.safetensors")
    tokenizer.save_pretrained(folder)
