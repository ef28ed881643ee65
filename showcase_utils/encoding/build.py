"""The stage ``features``: CLIP features of GEST-s1's photos, review texts and sentences."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from joblib import delayed

from showcase_utils.artifacts import BuildContext
from showcase_utils.config import Encoding
from showcase_utils.data.frames import load_images, load_s1
from showcase_utils.data.sentences import sentence_frame
from showcase_utils.devices import resolve_device
from showcase_utils.encoding.engine import StoreEncoder, open_encoder
from showcase_utils.encoding.features import FeatureStore, FeatureStores
from showcase_utils.parallel import jobs_on, side_by_side

FEW = 2000  # photos: with no more, one process is done before a second one has started


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
    rows are reused where encoder, dtype and content are the same. On a CPU the embedded CLIP encodes many photos beside
    the texts, each in a process of its own, which changes no bit of them.

    Raises ``ValueError`` when there are photos, but not one of them could be encoded.
    """
    sentences = sentence_frame(s1)
    wanted = images[(images["status"] == "ok") & images["image_id"].isin(set(s1["image_ids"].explode()))]
    earlier = {name: previous / name if previous else None for name in FeatureStores._fields}
    parts = [partial(_photos, out, wanted, earlier), partial(_texts, out, s1, sentences, earlier)]
    jobs = jobs_on(resolve_device(device), 0, len(parts))
    if settings.engine == "local" and settings.model == "embedded" and len(wanted) > FEW and jobs > 1:
        work = [delayed(_alone)(part, settings, device) for part in parts]
        list(side_by_side(work, jobs, "photos and texts", progress))
    else:
        with open_encoder(settings, device, progress) as encoder:
            for part in parts:
                part(encoder)
    sentences.to_parquet(out / "sentences.parquet", index=False)
    rejects = [FeatureStore.open(out / name).rejects for name in FeatureStores._fields]
    pd.concat(rejects, ignore_index=True).to_parquet(out / "rejects.parquet", index=False)


def _photos(out: Path, wanted: pd.DataFrame, earlier: dict[str, Path | None], encoder: StoreEncoder) -> None:
    photos = encoder.photos(out / "photos", wanted["image_id"], wanted["path"], earlier["photos"])
    if len(wanted) and not len(photos):
        first, reason = photos.rejects.iloc[0]
        shutil.rmtree(out / "photos")  # rejects would not be tried again
        raise ValueError(
            f"not one of {len(wanted)} photos could be encoded ({first}: {reason}): are they still where notebook "
            "01_data_filtering found them (data.images)? Then run this again"
        )


def _texts(
    out: Path, s1: pd.DataFrame, sentences: pd.DataFrame, earlier: dict[str, Path | None], encoder: StoreEncoder
) -> None:
    encoder.texts(out / "reviews", s1["review_id"], s1["text"], earlier["reviews"])
    encoder.texts(out / "sentences", sentences["sentence_id"], sentences["text"], earlier["sentences"])


def _alone(part: Callable[[StoreEncoder], None], settings: Encoding, device: str) -> None:
    """One part with an encoder of its own; a process of joblib's can start no others that prepare its batches."""
    with open_encoder(settings.model_copy(update={"workers": 0}), device, progress=False) as encoder:
        part(encoder)
