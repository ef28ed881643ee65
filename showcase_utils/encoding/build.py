"""The stage ``features``: CLIP features of GEST-s1's photos, review texts and sentences."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from showcase_utils.artifacts import BuildContext
from showcase_utils.config import Encoding
from showcase_utils.data.frames import load_images, load_s1
from showcase_utils.data.sentences import sentence_frame
from showcase_utils.encoding.engine import open_encoder
from showcase_utils.encoding.features import FeatureStore, FeatureStores


def build_features(context: BuildContext) -> None:
    """Fills the stage: three stores, ``sentences.parquet`` and ``rejects.parquet``."""
    encode_reviews(
        context.out,
        load_s1(context),
        load_images(context),
        context.settings.encoding,
        context.settings.device,
        context.previous,
        context.progress,
    )


def encode_reviews(
    out: Path,
    s1: pd.DataFrame,
    images: pd.DataFrame,
    settings: Encoding,
    device: str = "auto",
    previous: Path | None = None,
    progress: bool = True,
) -> None:
    """Features of the photos, texts and sentences of ``s1``; ``images`` has image_id, path, status.

    ``out`` may hold a part already: only what is missing is encoded. ``previous`` is an earlier such folder, whose
    rows are reused where encoder, dtype and content are the same.

    Raises ``ValueError`` when there are photos, but not one of them could be encoded.
    """
    sentences = sentence_frame(s1)
    wanted = images[(images["status"] == "ok") & images["image_id"].isin(set(s1["image_ids"].explode()))]
    earlier = {name: previous / name if previous else None for name in FeatureStores._fields}
    with open_encoder(settings, device, progress) as encoder:
        photos = encoder.photos(out / "photos", wanted["image_id"], wanted["path"], earlier["photos"])
        if len(wanted) and not len(photos):
            first, reason = photos.rejects.iloc[0]
            shutil.rmtree(out / "photos")  # rejects would not be tried again
            raise ValueError(
                f"not one of {len(wanted)} photos could be encoded ({first}: {reason}): are they still where notebook "
                "01_data_filtering found them (data.images)? Then run this again"
            )
        encoder.texts(out / "reviews", s1["review_id"], s1["text"], earlier["reviews"])
        encoder.texts(out / "sentences", sentences["sentence_id"], sentences["text"], earlier["sentences"])
    sentences.to_parquet(out / "sentences.parquet", index=False)
    rejects = [FeatureStore.open(out / name).rejects for name in FeatureStores._fields]
    pd.concat(rejects, ignore_index=True).to_parquet(out / "rejects.parquet", index=False)
