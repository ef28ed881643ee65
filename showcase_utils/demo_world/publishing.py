"""A world as files: the published format, the annotations, and the truth that only evaluation may open."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from .city import Offer
from .scenes import Scene
from .visits import Review, World, streams

PHOTO_URL = "https://lh5.googleusercontent.com/p/{id}"
MALFORMED_SHARE, DUPLICATE_SHARE = 0.001, 0.0005  # of the reviews, on top of them
BREAKAGES = ("cut off", "no user", "no stars")
ANNOTATORS = ("annotator_1", "annotator_2", "annotator_3")
ERROR_RATES = (0.04, 0.10)
ANNOTATION_COLUMNS = ("review_id", "sentence", "image_id", "annotator", "label")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def _published_row(review: Review) -> dict:
    return {
        "business_id": review.business_id,
        "user_id": review.user_id,
        "rating": review.rating,
        "review_text": review.text,
        "pics": [{"id": p.image_id, "url": [PHOTO_URL.format(id=p.image_id)]} for p in review.photos],
    }


def _line(review: Review, fault: str) -> str:
    """A row of ``image_review_all.json``, or what broken files have in its place."""
    row = _published_row(review)
    if fault == "cut off":
        line = json.dumps(row)
        return line[: len(line) * 2 // 3]
    if fault == "no user":
        del row["user_id"]
    if fault == "no stars":
        row["rating"] = None
    return json.dumps(row)


def _disorder(world: World, rng: np.random.Generator) -> list[tuple[int, str]]:
    """For each line of the file which review it is, and its fault: ``again`` is a second line of the same review."""
    count = len(world.reviews)
    lines = [(i, "" if world.reviews[i].text else "no words") for i in range(count)]
    again = rng.choice(count, size=max(1, round(DUPLICATE_SHARE * count)), replace=False)
    broken = rng.choice(count, size=max(3, round(MALFORMED_SHARE * count)), replace=False)
    lines += [(i, lines[i][1] or "again") for i in again.tolist()]
    lines += [(i, BREAKAGES[number % len(BREAKAGES)]) for number, i in enumerate(broken.tolist())]
    return [lines[i] for i in rng.permutation(len(lines))]


def published_lines(world: World, rng: np.random.Generator) -> list[str]:
    """The rows of ``image_review_all.json``, shuffled, with a few duplicates and malformed lines among them."""
    return [_line(world.reviews[i], fault) for i, fault in _disorder(world, rng)]


def living(world: World, dead_share: float, rng: np.random.Generator) -> set[str]:
    """Ids of the photos whose address still answers: all but ``dead_share`` of them."""
    ids = [photo.image_id for review in world.reviews for photo in review.photos]
    return {ids[i] for i in rng.permutation(len(ids))[round(dead_share * len(ids)) :]}


def annotate(
    world: World, alive: set[str], reviews: int, rng: np.random.Generator
) -> tuple[list[tuple[str, str, str, str, int]], dict[str, float]]:
    """Three people say of every sentence and every living photo of ``reviews`` reviews whether they belong together.

    They are asked about photos, so a review is drawn in proportion to its living photos; reviews of one sentence leave
    nothing to tell apart and are not drawn. Gives the rows (``ANNOTATION_COLUMNS``) and
    each annotator's true error rate: the chance that a label is flipped.
    """
    visits = Counter(review.review_id for review in world.reviews)
    fit = [
        review
        for review in world.reviews
        if len(review.sentences) > 1
        and visits[review.review_id] == 1
        and any(photo.image_id in alive for photo in review.photos)
    ]
    if len(fit) < reviews:
        raise ValueError(f"annotated_reviews={reviews}, but only {len(fit)} reviews can be annotated; ask for fewer")
    rates = {name: round(float(rng.uniform(*ERROR_RATES)), 4) for name in ANNOTATORS}
    shown = np.array([sum(photo.image_id in alive for photo in review.photos) for review in fit], dtype=float)
    rows = []
    for index in rng.choice(len(fit), size=reviews, replace=False, p=shown / shown.sum()):
        review = fit[index]
        said_once = {sentence.text: sentence for sentence in review.sentences}  # nobody labels a repetition twice
        for sentence in said_once.values():
            for number, photo in enumerate(review.photos):
                if photo.image_id not in alive:
                    continue
                flips = rng.random(len(ANNOTATORS))
                for (name, rate), flip in zip(rates.items(), flips, strict=True):
                    label = int((number in sentence.photos) != (flip < rate))
                    rows.append((review.review_id, sentence.text, photo.image_id, name, label))
    return rows, rates


def annotations_csv(rows: Iterable[Sequence]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ANNOTATION_COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def _json(scene: Scene | None) -> str | None:
    return None if scene is None else json.dumps(scene.to_dict())


def _menu(offers: Iterable[Offer]) -> str:
    return json.dumps([asdict(offer) for offer in offers])


def truth_frames(world: World, alive: set[str], rates: dict[str, float]) -> dict[str, pd.DataFrame]:
    """The tables of ``truth/``, by file name; scenes, tastes, voices, cameras and menus are JSON strings.

    ``rows`` has the lines of the published file in their order: whose review each is, how it was rated, how many
    words and photos it has, and its fault, if it has one.
    """
    photos, sentences, orders = [], [], []
    for review in world.reviews:
        key = {"review_id": review.review_id, "visit": review.visit}
        for photo in review.photos:
            photos.append({
                "image_id": photo.image_id, "business_id": review.business_id, "user_id": review.user_id, **key,
                "kind": photo.scene.kind, "scene": _json(photo.scene), "alive": photo.image_id in alive,
            })  # fmt: skip
        for index, sentence in enumerate(review.sentences):
            sentences.append({
                **key, "index": index, "sentence": sentence.text, "kind": sentence.kind,
                "scene": _json(sentence.scene), "image_ids": [review.photos[i].image_id for i in sentence.photos],
            })  # fmt: skip
        orders += [{**key, "kind": scene.kind, "scene": _json(scene)} for scene in review.orders]
    users = [
        {"user_id": p.user_id, "visits": p.visits, "tastes": json.dumps(vars(p.tastes)),
         "voice": json.dumps(vars(p.voice)), "camera": json.dumps(vars(p.camera))}
        for p in world.people
    ]  # fmt: skip
    businesses = [
        {
            "business_id": r.business_id, "cuisine": r.cuisine, "ambience": r.ambience, "price": r.price,
            "quality": r.quality, "service": r.service, "popularity": r.popularity, "heat": r.heat,
            "dishes": _menu(r.dishes), "drinks": _menu(r.drinks), "desserts": _menu(r.desserts),
            "interior": _json(r.interior), "terrace": _json(r.terrace), "storefront": _json(r.storefront),
        }
        for r in world.restaurants
    ]  # fmt: skip
    files = streams(world.seed)["files"]
    living(world, 0.0, files)  # the lines are drawn after the living photos
    published = [(world.reviews[i], fault) for i, fault in _disorder(world, files)]
    rows = [
        {
            "review_id": review.review_id, "visit": review.visit, "user_id": review.user_id,
            "business_id": review.business_id, "rating": review.rating, "words": len((review.text or "").split()),
            "photos": len(review.photos), "fault": fault,
        }
        for review, fault in published
    ]  # fmt: skip
    annotators = [{"annotator": name, "error_rate": rate} for name, rate in rates.items()]
    tables = {"photos": photos, "sentences": sentences, "orders": orders, "users": users, "businesses": businesses,
              "annotators": annotators, "rows": rows}  # fmt: skip
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}


def parquet(frame: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.to_parquet(content, index=False)
    return content.getvalue()
