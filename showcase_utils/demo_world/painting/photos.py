"""From scenes to photo files: ``paint`` one, ``save_photo`` one, ``paint_all`` on every core."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import uuid
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from showcase_utils.demo_world import vocabulary
from showcase_utils.demo_world.cameras import Look
from showcase_utils.demo_world.painting.desserts import paint_dessert
from showcase_utils.demo_world.painting.dishes import paint_dish
from showcase_utils.demo_world.painting.drinks import paint_drink
from showcase_utils.demo_world.painting.light import develop
from showcase_utils.demo_world.painting.look import frame_size
from showcase_utils.demo_world.painting.outdoors import paint_storefront, paint_terrace
from showcase_utils.demo_world.painting.rooms import paint_interior
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.progress import progress_bar

SMALLEST, LARGEST = 96, 128  # pixels on a side
CHUNK = 64  # photos a worker takes at a time

PAINTERS = {
    "dish": paint_dish, "drink": paint_drink, "dessert": paint_dessert,
    "interior": paint_interior, "terrace": paint_terrace, "storefront": paint_storefront,
}  # fmt: skip
# Which words a kind of scene must have (True) or may have (False), and the table that knows them.
WORDS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "dish": (("base", "BASES", True), ("main", "MAINS", False), ("preparation", "PREPARATIONS", False),
             ("sauce", "SAUCES", False), ("vessel", "VESSELS", True)),
    "drink": (("drink", "DRINKS", True),),
    "dessert": (("dessert", "DESSERTS", True), ("vessel", "VESSELS", False)),
    "interior": (("ambience", "AMBIENCES", True),),
    "terrace": (("ambience", "AMBIENCES", True), ("terrace", "TERRACES", True)),
    "storefront": (("ambience", "AMBIENCES", True), ("awning", "AWNINGS", True)),
}  # fmt: skip


class Job(NamedTuple):
    """A photo to be painted into a file."""

    scene: Scene
    seed: int
    path: Path
    look: Look | None = None


def _check(scene: Scene) -> None:
    if scene.kind not in WORDS:
        raise ValueError(f"unknown kind of scene {scene.kind!r}; known kinds: {', '.join(WORDS)}")
    words = [(field, table, getattr(scene, field), needed) for field, table, needed in WORDS[scene.kind]]
    words += [("toppings", "TOPPINGS", word, True) for word in scene.toppings]
    for field, table, word, needed in words:
        if (needed or word) and word not in getattr(vocabulary, table):
            known = ", ".join(getattr(vocabulary, table))
            raise ValueError(f"unknown {field} {word!r} in a {scene.kind}: vocabulary.{table} has {known}")


def paint(
    scene: Scene, seed: int | np.random.Generator, size: int | None = None, look: Look | None = None
) -> Image.Image:
    """A photo of a scene, RGB, ``size`` pixels square, or 96 to 128 pixels on each side drawn from the seed.

    ``look`` is the camera's share in it; without one the photo is what the place's light makes of it. Raises
    ValueError for a word that the vocabulary does not have, and for a size outside 96..128.
    """
    _check(scene)
    if size is not None and not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size must be {SMALLEST}..{LARGEST} pixels, not {size}")
    return _paint(scene, np.random.default_rng(seed), size, look)[0]


def _paint(
    scene: Scene, source: np.random.Generator, size: int | None, look: Look | None
) -> tuple[Image.Image, random.Random]:
    """The photo, and the generator of its camera (Python's own generators: several times faster for scalars).

    Camera and scene draw from separate generators, so that a word in the scene does not change the light.
    """
    rng, camera = (random.Random(int(source.integers(2**63))) for _ in range(2))
    width, height = (
        (size, size) if size is not None else (rng.randint(SMALLEST, LARGEST), rng.randint(SMALLEST, LARGEST))
    )
    if look and size is None:
        width, height = frame_size(width, height, look, SMALLEST, LARGEST)
    picture = PAINTERS[scene.kind](scene, rng, width, height).image
    gentle = 0.7 if scene.kind in ("interior", "terrace", "storefront") else 1.0
    return develop(picture, camera, source, gentle, look), camera


def save_photo(scene: Scene, seed: int | np.random.Generator, path: str | Path, look: Look | None = None) -> None:
    """Paints a scene into a JPEG of quality 75 to 92; the file appears under its name only when it is whole.

    Raises ValueError for a word that the vocabulary does not have.
    """
    _check(scene)
    path = Path(path)
    photo, camera = _paint(scene, np.random.default_rng(seed), None, look)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    encoded = io.BytesIO()  # Pillow itself takes no notice when the disk has room for half of a photo
    photo.save(encoded, "JPEG", quality=camera.randint(75, 92))
    try:
        unfinished.write_bytes(encoded.getbuffer())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _save_many(jobs: Sequence[Job]) -> int:
    for job in jobs:
        save_photo(*job)
    return len(jobs)


def paint_all(jobs: Sequence[Job | tuple[Scene, int, Path]], workers: int | None = None, progress: bool = True) -> None:
    """Saves jobs, or (scene, seed, path), on ``workers`` processes, by default one per core; finished files are kept.

    Raises ValueError for an unknown word before anything is painted.
    """
    wanted = [Job(*job) for job in jobs]
    for job in wanted:
        _check(job.scene)
    missing = [job for job in wanted if not Path(job.path).exists()]
    chunks = [missing[i : i + CHUNK] for i in range(0, len(missing), CHUNK)]
    workers = min(workers or os.cpu_count() or 1, len(chunks))
    with progress_bar(
        total=len(wanted), initial=len(wanted) - len(missing), desc="photos", unit="photo", disable=not progress
    ) as bar:
        if workers <= 1:
            for chunk in chunks:
                bar.update(_save_many(chunk))
            return
        # Spawned, not forked: the caller may hold threads (a notebook, torch) that a fork would copy in mid-air.
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            for done in pool.map(_save_many, chunks):
                bar.update(done)
