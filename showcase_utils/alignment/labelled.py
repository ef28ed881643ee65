"""The labelled pairs with their features: what Φ is trained and tested on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from showcase_utils.alignment.phi import Floats, Pairs
from showcase_utils.artifacts import Stages
from showcase_utils.config import Settings
from showcase_utils.encoding.engine import open_encoder
from showcase_utils.encoding.features import FeatureStore

PAIRS = "pairs.parquet"
PHOTOS, SENTENCES = "labelled_photos", "labelled_sentences"  # stores by image_id, and by the sentence itself


@dataclass(frozen=True)
class Labelled:
    """Labelled pairs; ``frame``: review_id, sentence, image_id, votes, positive, label, split, and Φ's confidence.

    ``image (n, d)`` and ``sentence (n, d)`` are their features, row by row.
    """

    frame: pd.DataFrame
    image: Floats
    sentence: Floats

    def side(self, split: str, label: NDArray[np.int64] | None = None) -> Pairs:
        """The pairs of one split (train, val, test), with other labels than the annotators' where some are given."""
        rows = (self.frame["split"] == split).to_numpy()
        label = self.frame["label"].to_numpy() if label is None else label
        return Pairs(self.image[rows], self.sentence[rows], label[rows], self.frame["review_id"].to_numpy()[rows])


def load_labelled(stages: Stages) -> Labelled | None:
    """The labelled pairs of the stage ``alignment``; ``None`` where its Φ was not trained there."""
    folder = stages.path("alignment")
    return with_features(pd.read_parquet(folder / PAIRS), folder) if (folder / PAIRS).is_file() else None


def encode_labelled(
    out: Path, pairs: pd.DataFrame, images: pd.DataFrame, features: Path, settings: Settings, progress: bool = True
) -> pd.DataFrame:
    """Encodes what ``pairs`` show and say into ``out``; returns the pairs whose photo can be read.

    Labels may be of reviews that are not in GEST-s1. Photos and sentences that are have their rows from ``features``,
    the folder of that stage. Raises ``StoreError`` when ``encoding.model`` is another CLIP than that of ``features``.
    """
    paths = images[images["status"] == "ok"].set_index("image_id")["path"]
    image_ids = [key for key in pairs["image_id"].unique() if key in paths.index]
    texts = pairs["sentence"].unique()
    with open_encoder(settings.encoding, settings.device, progress) as encoder:
        FeatureStore.open(features / "photos").check(encoder.writer.fingerprint)
        photos = encoder.photos(out / PHOTOS, image_ids, paths[image_ids], previous=features / "photos")
        encoder.texts(out / SENTENCES, texts, texts, previous=features / "sentences")
    return pairs[[key in photos for key in pairs["image_id"]]].reset_index(drop=True)


def with_features(pairs: pd.DataFrame, folder: Path) -> Labelled:
    """``pairs`` with the features that ``encode_labelled`` has put into ``folder``."""
    photos, sentences = FeatureStore.open(folder / PHOTOS), FeatureStore.open(folder / SENTENCES)
    return Labelled(pairs, photos[pairs["image_id"]], sentences[pairs["sentence"]])
