"""Trains the embedded CLIP: Radford et al. 2021, symmetric InfoNCE through ``open_clip.ClipLoss``."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import open_clip
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerFast

from showcase_utils.backbones.recipe import Recipe
from showcase_utils.demo_world.painting import paint_all
from showcase_utils.demo_world.visits import World
from showcase_utils.devices import resolve_device
from showcase_utils.progress import progress_bar

IMAGE_SIZE = 64
CONTEXT = 48


class Pairs(Dataset):
    """Photos of painted worlds with a sentence that describes them; which one is drawn anew each time.

    Half of the time the sentence is joined by the rest of its review, since reviews are what CLIP will meet.
    """

    def __init__(self, worlds: list[World], folder: Path, seed: int, progress: bool, most: int | None = None) -> None:
        described: dict[str, tuple] = {}
        for world in worlds:
            for review in world.reviews:
                for sentence in review.sentences:
                    for index in sentence.photos:
                        photo = review.photos[index]
                        described.setdefault(photo.image_id, (photo, review.text, []))[2].append(sentence.text)
        rows = list(described.values())[:most]
        jobs = [(photo.scene, photo.seed, folder / f"{photo.image_id}.jpg") for photo, _, _ in rows]
        paint_all(jobs, progress=progress)
        side = IMAGE_SIZE + 8  # room to crop
        self.pixels = np.stack([_read(path, side) for _, _, path in jobs])  # (n, 72, 72, 3) uint8
        self.sentences = [sentences for _, _, sentences in rows]
        self.reviews = [review for _, review, _ in rows]
        self.seed = seed
        for _, _, path in jobs:
            path.unlink()

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, str]:
        rng = np.random.default_rng([self.seed, index, int(torch.randint(2**31, ()))])
        top, left = rng.integers(0, 9, size=2)
        view = self.pixels[index, top : top + IMAGE_SIZE, left : left + IMAGE_SIZE]
        if rng.random() < 0.5:
            view = view[:, ::-1]
        image = torch.from_numpy(np.ascontiguousarray(view)).permute(2, 0, 1).float() / 127.5 - 1  # (3, 64, 64)
        text = self.sentences[index][rng.integers(len(self.sentences[index]))]
        return image, self.reviews[index] if rng.random() < 0.15 else text


def _read(path: Path, side: int) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))


def clip_config(vocabulary: int) -> dict:
    """The architecture, in open_clip's own words."""
    return {
        "embed_dim": 128,
        "vision_cfg": {"image_size": IMAGE_SIZE, "layers": 4, "width": 192, "head_width": 64, "patch_size": 8},
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


def train_clip(
    pairs: Pairs, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, progress: bool
) -> tuple[open_clip.CLIP, list[float]]:
    """A CLIP trained on ``pairs`` and its loss at every step."""
    torch.manual_seed(recipe.seed)
    device = resolve_device()
    model = open_clip.CLIP(**deepcopy(clip_config(len(tokenizer)))).to(device)
    encode = partial(tokenizer, max_length=CONTEXT, padding="max_length", truncation=True, return_tensors="pt")
    loader = DataLoader(pairs, recipe.clip_batch, shuffle=True, drop_last=len(pairs) > recipe.clip_batch)
    steps = min(recipe.clip_epochs * len(loader), recipe.max_steps or 10**9)
    decay = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe.clip_lr,
        betas=(0.9, 0.98),
    )
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, max(1, steps // 20), steps)
    loss_of = open_clip.ClipLoss()
    losses: list[float] = []
    bar = progress_bar(total=steps, desc="CLIP", disable=not progress)
    model.train()
    while len(losses) < steps:
        for images, texts in loader:
            if len(losses) == steps:
                break
            with torch.autocast(device.type, torch.bfloat16):
                loss = loss_of(*model(images.to(device), encode(list(texts)).input_ids.to(device)))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(100))
            losses.append(loss.item())
            bar.update()
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}")
    bar.close()
    return model.eval().cpu(), losses


def save_clip(model: open_clip.CLIP, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The folder that ``open_clip`` loads as ``local-dir:``; weights in half precision."""
    folder.mkdir(parents=True)
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    config = {"model_cfg": clip_config(len(tokenizer)), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    tokenizer.save_pretrained(folder)


@torch.no_grad()
def retrieval(folder: Path, pairs: Pairs, *, seed: int, among: int = 100) -> dict[str, float]:
    """Recall@1 of the right partner among ``among`` pairs, both ways, over disjoint groups; chance is 1/among."""
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    order = np.random.default_rng(seed).permutation(len(pairs))
    hits, count = np.zeros(2), 0
    for start in range(0, len(order) - among + 1, among):
        group = order[start : start + among]
        images = torch.stack([_centre(pairs.pixels[i]) for i in group])
        images = model.encode_image(images, normalize=True)
        texts = model.encode_text(tokenizer([pairs.sentences[i][0] for i in group]), normalize=True)
        scores = images @ texts.T
        right = torch.arange(among)
        hits += [(scores.argmax(1) == right).sum().item(), (scores.argmax(0) == right).sum().item()]
        count += among
    if count == 0:
        raise ValueError(f"retrieval among {among} needs as many described photos, the held-out world has {len(pairs)}")
    return {
        "image_to_text_r1": float(hits[0] / count),
        "text_to_image_r1": float(hits[1] / count),
        "retrieval_pairs": count,
    }


def _centre(pixels: np.ndarray) -> torch.Tensor:
    view = np.ascontiguousarray(pixels[4 : 4 + IMAGE_SIZE, 4 : 4 + IMAGE_SIZE])
    return torch.from_numpy(view).permute(2, 0, 1).float() / 127.5 - 1
