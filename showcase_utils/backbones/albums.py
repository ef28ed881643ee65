"""Painted cities as arrays: the photos that the embedded CLIP learns from and is measured on, with what they show."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from showcase_utils.backbones.captions import ATTRIBUTES, TERMS, bag_of_terms
from showcase_utils.demo_world.painting import Job, paint_all
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.visits import Photo, Review, World

SIDE = 104  # pixels; room to crop around what the tower sees


@dataclass(frozen=True)
class Album:
    """Photos squashed to ``SIDE``: ``pixels`` (n, SIDE, SIDE, 3) uint8.

    With the review each is of, and the sentences of that review which describe it (some photos have none).
    """

    pixels: np.ndarray
    photos: tuple[Photo, ...]
    reviews: tuple[Review, ...]
    sentences: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def scenes(self) -> list[Scene]:
        return [photo.scene for photo in self.photos]

    def bags(self) -> np.ndarray:
        """[n, terms] of 0 and 1: the terms of each photo's full caption."""
        return np.stack([bag_of_terms(photo.scene, photo.look) for photo in self.photos])

    def scene_numbers(self) -> np.ndarray:
        """[n]: photos of the same scene have the same number."""
        numbers: dict[Scene, int] = {}
        return np.array([numbers.setdefault(scene, len(numbers)) for scene in self.scenes])

    def image(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels[index])


def labels(scenes: list[Scene], attribute: str) -> np.ndarray:
    """[n] indices into ``ATTRIBUTES[attribute]``, −1 where a scene has no such attribute.

    For toppings [n, values] of 0 and 1.
    """
    values = ATTRIBUTES[attribute]
    if attribute == "toppings":
        return np.array([[name in scene.toppings for name in values] for scene in scenes], dtype=np.float32)
    at = {name: index for index, name in enumerate(values)}
    return np.array([at.get(getattr(scene, attribute), -1) for scene in scenes])


def term_columns(attribute: str) -> slice:
    """Where an attribute's values stand among ``TERMS``."""
    columns = [index for index, (field, _) in enumerate(TERMS) if field == attribute]
    return slice(columns[0], columns[-1] + 1)


def paint_album(world: World, cache: Path, progress: bool) -> Album:
    """The photos of a world. Pixels that ``cache`` has from an earlier call are not painted again."""
    told = [(photo, review, number) for review in world.reviews for number, photo in enumerate(review.photos)]
    known = hashlib.sha256(repr([(p.scene, p.seed, p.look) for p, _, _ in told]).encode()).hexdigest()
    file = cache / f"{known[:16]}.npy"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            jobs = [Job(p.scene, p.seed, Path(folder) / f"{p.image_id}.jpg", p.look) for p, _, _ in told]
            paint_all(jobs, progress=progress)
            unfinished = Path(folder) / "pixels.npy"
            np.save(unfinished, np.stack([_read(job.path) for job in jobs]))
            os.replace(unfinished, file)
    sentences = (tuple(s.text for s in review.sentences if number in s.photos) for _, review, number in told)
    photos, reviews, _ = zip(*told, strict=True)
    return Album(np.load(file, mmap_mode="r"), photos, reviews, tuple(sentences))


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
