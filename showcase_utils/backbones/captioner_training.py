"""Trains the embedded captioner, from which every generator may start, as CLIP and GPT-2 are pre-trained.

It is the system *Ours (CE)* around the embedded GPT-2, trained on cities that no notebook sees: their photos and
reviews as the embedded CLIP encodes them, and what their reviews say of the photos. A review's own photos are one of
its samples. Others are one photo alone, and photos of several visits of a user with a sentence for each, so that a
set which step 1 chose from all photos of a place is no foreign sight.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from showcase_utils.backbones.albums import Album
from showcase_utils.backbones.recipe import CaptionerRecipe
from showcase_utils.config import Encoding, Generation
from showcase_utils.demo_world.naming import agrees, find_mentions
from showcase_utils.demo_world.visits import Review
from showcase_utils.encoding.clip import Clip, load_clip
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.decoding import generate_texts
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.trained import DONE, load_system
from showcase_utils.generation.training import train_system

SYSTEM = "ours_ce"
EDIBLE = ("dish", "drink", "dessert")
MOST_PHOTOS = 4  # of several visits in one sample
MEASURED = 2000  # samples of the held-out city


@dataclass(frozen=True)
class Rows:
    """Features in memory, as a store gives them: unit rows by id."""

    rows: dict[str, np.ndarray]
    dim: int
    fingerprint: str

    def __contains__(self, key: str) -> bool:
        return key in self.rows

    def __getitem__(self, ids: Sequence[str]) -> np.ndarray:
        return np.stack([self.rows[key] for key in ids])


def make_captioner(
    folder: Path, albums: Sequence[Album], held_out: Album, recipe: CaptionerRecipe, progress: bool = True
) -> dict[str, float]:
    """Trains the captioner into ``folder``, beside whose place ``clip/`` and ``gpt2/`` lie; returns its quality.

    The quality is measured on ``held_out``, a city that it was not trained on: ``cross_entropy`` in nats per token and,
    of the greedy texts beside a review's own photos, ``right`` (named dishes, drinks and desserts that a photo shows)
    and ``recall`` (those shown that are named).
    """
    started = time.perf_counter()
    clip = load_clip(Encoding(model=f"local-dir:{folder.parent / 'clip'}", workers=0), "auto")
    corpus = _corpus(clip, albums, held_out, folder.parent / "gpt2", recipe, progress)
    with tempfile.TemporaryDirectory() as work:
        trained = train_system(Path(work), SYSTEM, corpus, recipe.seed, "auto", progress)
        record = json.loads((trained / DONE).read_text(encoding="utf-8"))
        model = load_system(trained)
        model.config.features = clip.fingerprint
        model.config.decoder.name_or_path = "embedded"
        quality = _quality(model, corpus, held_out)
        model.half().save_pretrained(folder)
        corpus.tokenizer.save_pretrained(folder)
    return quality | {
        "cross_entropy": record["val_ce"],
        "minutes": (time.perf_counter() - started) / 60,
        "parameters": record["parameters"],
        "samples": int((corpus.reviews["split"] == "train").sum()),
    }


def _corpus(
    clip: Clip, albums: Sequence[Album], held_out: Album, decoder: Path, recipe: CaptionerRecipe, progress: bool
) -> ShowcaseCorpus:
    """The samples of all cities as a corpus whose validation split is the held-out city."""
    photos: dict[str, np.ndarray] = {}
    texts: dict[str, np.ndarray] = {}
    frames: list[pd.DataFrame] = []
    rng = np.random.default_rng(recipe.seed)
    for album in (*albums, held_out):
        rows = clip.encode_images([album.image(number) for number in range(len(album))])
        photos |= dict(zip([photo.image_id for photo in album.photos], rows, strict=True))
        reviews = {review.review_id: review.text for review in album.reviews if review.text}
        texts |= dict(zip(reviews, clip.encode_texts(list(reviews.values())), strict=True))
        frames.append(draw_samples(album, recipe, rng).assign(split="val" if album is held_out else "train"))
    frames[-1] = frames[-1].head(MEASURED)
    samples = pd.concat(frames, ignore_index=True)
    if recipe.max_steps:
        samples = samples.groupby("split").head(recipe.max_steps * recipe.batch)
    return ShowcaseCorpus(
        reviews=samples,
        history=samples.set_index("review_id")["history"],
        past_texts={},
        photos=Rows(photos, clip.dim, clip.fingerprint),
        review_features=Rows(texts, clip.dim, clip.fingerprint),
        chosen=samples.loc[samples["split"] == "val", ["review_id", "image_ids"]],
        tokenizer=load_tokenizer(decoder),
        settings=Generation(
            decoder=str(decoder), encoder_layers=recipe.layers, epochs=recipe.epochs, batch_size=recipe.batch,
            lr=recipe.lr, joined=0.0, warmup=0.03, patience=recipe.epochs, precision="bf16",
        ),
    )  # fmt: skip


def draw_samples(album: Album, recipe: CaptionerRecipe, rng: np.random.Generator) -> pd.DataFrame:
    """Sets of photos of one user with a text about them, and what else the user wrote.

    Columns: review_id (one of its own), user_id, business_id, image_ids, text, history (ids of other reviews).
    """
    visits: dict[str, list[Review]] = {}
    for review in dict.fromkeys(album.reviews):
        visits.setdefault(review.user_id, []).append(review)
    rows: list[dict] = []

    def add(user_id: str, used: Sequence[Review], photos: Sequence[str], sentences: Sequence[str]) -> None:
        businesses = {review.business_id for review in used}
        past = [r.review_id for r in visits[user_id] if r.business_id not in businesses and r.text]
        rows.append(
            {
                "review_id": f"{album.photos[0].image_id}-{len(rows)}",
                "user_id": user_id,
                "business_id": used[0].business_id,
                "image_ids": [] if rng.random() < recipe.blind else list(photos),
                "text": " ".join(sentences),
                "history": [] if rng.random() < recipe.stranger else past,
            }
        )

    for user_id, reviews in visits.items():
        described = [(review, number) for review in reviews for number in _described(review)]
        for review in reviews:
            own = [s.text for s in review.sentences if s.photos]
            if own:
                add(user_id, [review], [photo.image_id for photo in review.photos], own)
        for review, number in described:
            add(user_id, [review], [review.photos[number].image_id], _described(review)[number])
            size = int(rng.integers(2, MOST_PHOTOS + 1))
            others = [described[i] for i in rng.permutation(len(described)) if described[i] != (review, number)]
            chosen = [(review, number), *others[: size - 1]]
            if len(chosen) > 1:
                chosen = [chosen[i] for i in rng.permutation(len(chosen))]
                told = dict.fromkeys(_one(_described(r)[n], rng) for r, n in chosen)
                add(user_id, [r for r, _ in chosen], [r.photos[n].image_id for r, n in chosen], list(told))
    return pd.DataFrame(rows)


def _described(review: Review) -> dict[int, list[str]]:
    """The sentences about each photo that has some, by the photo's number."""
    found: dict[int, list[str]] = {}
    for sentence in review.sentences:
        for number in sentence.photos:
            found.setdefault(number, []).append(sentence.text)
    return found


def _one(sentences: Sequence[str], rng: np.random.Generator) -> str:
    return sentences[int(rng.integers(len(sentences)))]


def _quality(model: ShowcaseGenerator, corpus: ShowcaseCorpus, held_out: Album) -> dict[str, float]:
    """How many of the dishes, drinks and desserts that greedy texts name are shown, and of those shown are named."""
    shows = {photo.image_id: photo.scene for photo in held_out.photos}
    texts = generate_texts(model, corpus.tokenizer, corpus.dataset("val"), SYSTEM, 0, progress=False)
    right, found = [], []
    for text, image_ids in zip(texts["text"], texts["image_ids"], strict=True):
        scenes = {shows[image_id] for image_id in image_ids}
        named = [mention.scene for mention in find_mentions(text)]
        if scenes:
            right += [any(agrees(said, scene) for scene in scenes) for said in named if said.kind in EDIBLE]
            found += [any(agrees(said, scene) for said in named) for scene in scenes if scene.kind in EDIBLE]
    return {"right": sum(right) / max(1, len(right)), "recall": sum(found) / max(1, len(found))}
