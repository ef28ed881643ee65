"""Growing a demo world on disk: reviews in the published format, names, photos, annotations, truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from . import painting
from .names import display_names
from .publishing import annotate, annotations_csv, living, parquet, published_lines, truth_frames, write_bytes
from .visits import Photo, Review, World, imagine, streams

__all__ = ["Photo", "Review", "World", "WorldFiles", "grow", "imagine"]


@dataclass(frozen=True)
class WorldFiles:
    """Where the files of a world lie. ``truth`` is for evaluation only: see ``truth.load_truth``."""

    root: Path

    @property
    def reviews(self) -> Path:
        return self.root / "image_review_all.json"

    @property
    def names(self) -> Path:
        """``names.json``: what businesses and users are called, by id; no part of the published files."""
        return self.root / "names.json"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def annotations(self) -> Path:
        return self.root / "annotations.csv"

    @property
    def truth(self) -> Path:
        return self.root / "truth"

    @property
    def summary(self) -> Path:
        """``world.json``: settings, counts and sizes; ``finished`` is false while the world is still growing."""
        return self.root / "world.json"


def _summarise(files: WorldFiles, settings: dict, finished: bool, **facts) -> None:
    content = json.dumps({"settings": settings, "finished": finished, **facts}, indent=1) + "\n"
    write_bytes(files.summary, content.encode("utf-8"))


def _claim(files: WorldFiles, settings: dict) -> None:
    """Refuse a folder that holds another world: its photos would stay behind."""
    if files.summary.is_file():
        found = json.loads(files.summary.read_text(encoding="utf-8"))["settings"]
        if found != settings:
            raise ValueError(
                f"{files.root} holds another demo world ({found}, not {settings}): remove it or choose another folder"
            )
    else:
        _summarise(files, settings, finished=False)


def grow(
    out: Path | str,
    *,
    seed: int,
    restaurants: int,
    users: int,
    reviews: int,
    photos: int,
    annotated_reviews: int = 1000,
    dead_share: float = 0.08,
    signature: float = 1.0,
    workers: int | None = None,
    progress: bool = True,
) -> WorldFiles:
    """Write a whole demo world under ``out``; same arguments, same bytes. An interrupted call goes on when repeated.

    ``dead_share`` of the photos are listed but have no file, as if their address had died.
    ``signature`` is how much of its maker a photo shows (see ``cameras``); nothing but the photos' looks depends on
    it. Raises ``ValueError`` for counts that no city can have, and for a folder that holds a world grown with other
    arguments.
    """
    if not 0.0 <= dead_share < 1.0:
        raise ValueError(f"dead_share={dead_share} must lie in [0, 1)")
    if signature < 0.0:
        raise ValueError(f"signature={signature} must not be below 0")
    files = WorldFiles(Path(out))
    settings = {
        "seed": seed, "restaurants": restaurants, "users": users, "reviews": reviews, "photos": photos,
        "annotated_reviews": annotated_reviews, "dead_share": dead_share, "signature": signature,
    }  # fmt: skip
    _claim(files, settings)
    world = imagine(seed, restaurants, users, reviews, photos, signature)
    rng = streams(seed)
    alive = living(world, dead_share, rng["files"])
    lines = published_lines(world, rng["files"])
    labels, rates = annotate(world, alive, annotated_reviews, rng["annotation"])
    write_bytes(files.reviews, ("\n".join(lines) + "\n").encode("utf-8"))
    write_bytes(files.annotations, annotations_csv(labels))
    names = display_names(world, rng["names"])
    write_bytes(files.names, (json.dumps(names, ensure_ascii=False, indent=1) + "\n").encode("utf-8"))
    frames = truth_frames(world, alive, rates)
    for name, frame in frames.items():
        write_bytes(files.truth / f"{name}.parquet", parquet(frame))

    files.images.mkdir(exist_ok=True)
    jobs = [
        painting.Job(photo.scene, photo.seed, files.images / f"{photo.image_id}.jpg", photo.look)
        for review in world.reviews
        for photo in review.photos
        if photo.image_id in alive
    ]
    painting.paint_all(jobs, workers=workers, progress=progress)
    counts = {name: len(frame) for name, frame in frames.items()}
    counts |= {"reviews": len(world.reviews), "rows": len(lines), "living_photos": len(jobs), "labels": len(labels)}
    sizes = {path.name: path.stat().st_size for path in (files.reviews, files.annotations)}
    sizes["images"] = sum(job.path.stat().st_size for job in jobs)
    _summarise(files, settings, finished=True, counts=counts, bytes=sizes)
    return files
