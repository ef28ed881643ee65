"""What notebook 02 shows of the features: retrieval, how often it finds the right photo, reviews before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from showcase_utils.alignment.metrics import alignment_metrics
from showcase_utils.alignment.phi import Pairs, train_alignment
from showcase_utils.config import Alignment
from showcase_utils.encoding.build import pair_features
from showcase_utils.encoding.clip import Clip
from showcase_utils.encoding.features import FeatureStore

Floats = NDArray[np.float32]
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "one layer on [v; s] (paper)": {"hidden": 0, "product": False},
    "hidden layer on [v; s]": {"hidden": 256, "product": False},
    "one layer on [v; s; v∘s]": {"hidden": 0, "product": True},
    "hidden layer on [v; s; v∘s]": {"hidden": 256, "product": True},
}


def nearest_photos(clip: Clip, photos: FeatureStore, queries: Sequence[str], k: int) -> tuple[list[list[str]], Floats]:
    """The ``k`` photos nearest to each query, best first: their ids, and their cosines ``(q, k)``.

    Raises ``ValueError`` when the photos' features are of another CLIP than ``clip``.
    """
    photos.check(clip.fingerprint)
    ids = photos.ids
    cosine = clip.encode_texts(queries) @ photos[ids].T  # (q, n)
    best = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    return [[ids[column] for column in row] for row in best], np.take_along_axis(cosine, best, axis=1)


def recall_at_one(image: Floats, sentence: Floats, among: int, seed: int) -> float:
    """How often a sentence is nearer to its own photo than to ``among − 1`` other ones; chance is 1 / ``among``.

    ``image (n, d)`` and ``sentence (n, d)`` are pairs that belong together; the others are drawn from the same pairs.
    """
    rng = np.random.default_rng(seed)
    own = np.einsum("nd,nd->n", image, sentence)
    steps = np.stack([rng.choice(len(image) - 1, among - 1, replace=False) + 1 for _ in range(len(image))])
    others = (np.arange(len(image))[:, None] + steps) % len(image)  # any pair but one's own
    rivals = np.einsum("nd,nmd->nm", sentence, image[others])
    return float((own[:, None] > rivals).all(axis=1).mean())


def phi_variants(alignment: Path, features: Path, settings: Alignment, seed: int) -> pd.DataFrame:
    """Test metrics of Φ in four forms, trained on the same labelled pairs and split: a row per variant."""
    pairs = pd.read_parquet(alignment / "pairs.parquet")
    image, sentence = pair_features(pairs, features, alignment)
    label, review = pairs["label"].to_numpy(), pairs["review_id"].to_numpy()
    side = {name: (pairs["split"] == name).to_numpy() for name in ("train", "val", "test")}
    train, val = (Pairs(image[side[s]], sentence[side[s]], label[side[s]]) for s in ("train", "val"))
    test, rows = side["test"], {}
    for name, form in VARIANTS.items():
        variant = settings.model_copy(update={"hidden": form["hidden"]})
        phi, _ = train_alignment(train, val, variant, seed, form["product"])
        confidence = phi.score(image[test], sentence[test])
        rows[name] = alignment_metrics(label[test], confidence, review[test], phi.threshold, seed)
    return pd.DataFrame.from_dict(rows, orient="index")


def telling_reviews(
    reviews: pd.DataFrame, sentences: pd.DataFrame, scores: pd.DataFrame, threshold: float, seed: int, each: int = 2
) -> pd.DataFrame:
    """Some of ``reviews`` that show what distillation does, drawn at random, up to ``each`` of three kinds, in order:

    some sentences stay, others go, and every photo stays; something stays, but not every photo; nothing stays.
    """
    stays = scores[scores["confidence"] >= threshold]
    kept = sentences["sentence_id"].isin(stays["sentence_id"]).groupby(sentences["review_id"]).mean()
    share = reviews["review_id"].map(kept)  # of its sentences; nan where there is none to show
    supported, drawn = set(stays["image_id"]), []
    whole = reviews["image_ids"].map(supported.issuperset).astype(bool)
    for kind in ((share > 0) & (share < 1) & whole, (share > 0) & ~whole, share == 0):
        drawn.append(reviews[kind].sample(frac=1, random_state=seed)[:each])
    return pd.concat(drawn)


def before_and_after(
    reviews: pd.DataFrame, sentences: pd.DataFrame, scores: pd.DataFrame, images: pd.DataFrame
) -> tuple[list[list[tuple[str, float]]], list[list[tuple[str, float]]]]:
    """Per review its sentences and the paths of its photos, each with Φ's highest confidence: for a page of both."""
    by_sentence = scores.groupby("sentence_id")["confidence"].max()
    by_photo = scores.groupby("image_id")["confidence"].max()
    paths = images.drop_duplicates("image_id").set_index("image_id")["path"]
    rows = sentences[sentences["review_id"].isin(reviews["review_id"])].groupby("review_id")
    texts = [
        [
            (text, float(by_sentence.get(key, 0)))
            for key, text in rows.get_group(key)[["sentence_id", "text"]].to_numpy()
        ]
        for key in reviews["review_id"]
    ]
    photos = [[(paths[key], float(by_photo.get(key, 0))) for key in ids] for ids in reviews["image_ids"]]
    return texts, photos
