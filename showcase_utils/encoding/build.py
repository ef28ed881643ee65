"""What notebook 02 makes: the features of GEST-s1, then Φ, the scores of its pairs, and GEST-s2."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from showcase_utils.alignment.annotations import fleiss_kappa, majority_vote, split_by_review
from showcase_utils.alignment.distillation import distil, distillation_counts, score_pairs
from showcase_utils.alignment.metrics import alignment_curves, alignment_metrics
from showcase_utils.alignment.phi import AlignmentClassifier, Pairs, train_alignment
from showcase_utils.config import Alignment, Encoding
from showcase_utils.data.sentences import sentence_frame
from showcase_utils.encoding.clip import Clip, load_clip
from showcase_utils.encoding.features import FeatureStore, write_features
from showcase_utils.encoding.takeover import file_mark, text_mark

if TYPE_CHECKING:
    from showcase_utils.encoding.ray_engine import RayClip

STORES = ("photos", "reviews", "sentences")


def build_features(
    out: Path,
    s1: pd.DataFrame,
    images: pd.DataFrame,
    settings: Encoding,
    device: str = "auto",
    progress: bool = True,
    previous: Path | None = None,
) -> None:
    """Features of the photos, texts and sentences of GEST-s1, and ``sentences.parquet`` and ``rejects.parquet``.

    ``out`` may hold a part already: only what is missing is encoded. ``previous`` is an earlier such folder, whose
    features are taken over where encoder, dtype and content are the same.

    Raises ``ValueError`` when there are photos, but not one of them could be encoded.
    """
    clip = load_clip(settings, device)
    sentences = sentence_frame(s1)
    there = images[(images["status"] == "ok") & images["image_id"].isin(set(s1["image_ids"].explode()))]
    with _engine(clip, device) as engine:
        for name, ids, sources in (
            ("photos", there["image_id"], there["path"]),
            ("reviews", s1["review_id"], s1["text"]),
            ("sentences", sentences["sentence_id"], sentences["text"]),
        ):
            earlier = None if previous is None else previous / name
            store = _write(clip, engine, out / name, ids, sources, name, progress, earlier)
            if name == "photos" and len(ids) and not len(store):
                first, reason = store.rejects.iloc[0]
                shutil.rmtree(out / name)  # rejects would not be tried again
                raise ValueError(
                    f"not one of {len(ids)} photos could be encoded ({first}: {reason}): are they still where "
                    "notebook 01_data_filtering found them (data.images)? Then run this again"
                )
    sentences.to_parquet(out / "sentences.parquet", index=False)
    rejects = [FeatureStore.open(out / name).rejects for name in STORES]
    pd.concat(rejects, ignore_index=True).to_parquet(out / "rejects.parquet", index=False)


def build_alignment(
    out: Path,
    s1: pd.DataFrame,
    images: pd.DataFrame,
    annotations: pd.DataFrame | None,
    features: Path,
    encoding: Encoding,
    settings: Alignment,
    seed: int,
    device: str = "auto",
    progress: bool = True,
    published: bool = False,
) -> None:
    """Φ (trained on ``annotations``, or the one of ``settings.pretrained``), scores of all pairs, and GEST-s2.

    Writes phi.safetensors, phi.json, scores.parquet, s2.parquet, counts.json; for a trained Φ also pairs.parquet (the
    labelled pairs with split and confidence), history.csv, metrics.json and curves.parquet of the test pairs.
    ``published``: ``s1`` is the authors' own GEST-s2, which is taken as it is.

    Raises ``ValueError`` when there are neither annotations nor a trained Φ, or when Φ is of another CLIP.
    """
    photos, texts = FeatureStore.open(features / "photos"), FeatureStore.open(features / "sentences")
    sentences = load_sentences(features)
    if settings.pretrained is not None:
        phi = AlignmentClassifier.load(settings.pretrained, photos.fingerprint)
    elif annotations is None:
        raise ValueError(
            "no annotations for Φ: set data.annotations (review_id, sentence, image_id, annotator, label; "
            "labelling_sheet makes a page to label your own), or alignment.pretrained to a folder with a trained Φ"
        )
    else:
        voted = split_by_review(majority_vote(annotations), seed)
        pairs = _encode_labelled(out, voted, images, features, encoding, device, progress)
        phi = _train(out, voted, pairs, features, settings, seed)
    phi.save(out)
    scores = score_pairs(s1, sentences, photos, texts, phi, progress)
    scores.to_parquet(out / "scores.parquet", index=False)
    s2 = s1 if published else distil(s1, sentences, scores, phi.threshold)
    s2.to_parquet(out / "s2.parquet", index=False)
    _write_json(out / "counts.json", distillation_counts(s1, sentences, scores, s2, phi.threshold).to_dict())


def load_sentences(features: Path) -> pd.DataFrame:
    """The sentences of a features folder: sentence_id, review_id, index, text."""
    return pd.read_parquet(features / "sentences.parquet")


def pair_features(
    pairs: pd.DataFrame, features: Path, alignment: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features of labelled pairs (image_id, sentence): ``(n, d)`` of the photos and ``(n, d)`` of the sentences."""
    known = _known_sentences(features)
    image = _rows(pairs["image_id"], pairs["image_id"], features / "photos", alignment / "more_photos")
    keys = pairs["sentence"].map(known).fillna("")
    return image, _rows(keys, pairs["sentence"], features / "sentences", alignment / "more_sentences")


def _encode_labelled(
    out: Path,
    voted: pd.DataFrame,
    images: pd.DataFrame,
    features: Path,
    encoding: Encoding,
    device: str,
    progress: bool,
) -> pd.DataFrame:
    """Stores with what the labelled pairs need beyond ``features``; returns the pairs whose photo can be read."""
    photos, clip = FeatureStore.open(features / "photos"), load_clip(encoding, device)
    photos.check(clip.fingerprint)
    known = _known_sentences(features)
    paths = images[images["status"] == "ok"].drop_duplicates("image_id").set_index("image_id")["path"]
    new_photos = [key for key in voted["image_id"].unique() if key not in photos and key in paths.index]
    new_texts = [text for text in voted["sentence"].unique() if text not in known.index]
    with _engine(clip, device) as engine:
        more = _write(clip, engine, out / "more_photos", new_photos, paths[new_photos], "photos", progress)
        _write(clip, engine, out / "more_sentences", new_texts, new_texts, "sentences", progress)
    return voted[[key in photos or key in more for key in voted["image_id"]]].reset_index(drop=True)


def _train(
    out: Path, voted: pd.DataFrame, pairs: pd.DataFrame, features: Path, settings: Alignment, seed: int
) -> AlignmentClassifier:
    """Φ, trained on ``pairs``, with its files in ``out``."""
    image, sentence = pair_features(pairs, features, out)
    train, val = (
        Pairs(image[rows], sentence[rows], pairs.loc[rows, "label"].to_numpy())
        for rows in ((pairs["split"] == name).to_numpy() for name in ("train", "val"))
    )
    phi, history = train_alignment(train, val, settings, seed)
    phi.fingerprint = FeatureStore.open(features / "photos").fingerprint
    history.to_csv(out / "history.csv", index=False)
    pairs = pairs.assign(confidence=phi.score(image, sentence))
    pairs.to_parquet(out / "pairs.parquet", index=False)
    test = pairs[pairs["split"] == "test"]
    label, confidence = test["label"].to_numpy(), test["confidence"].to_numpy()
    facts = {
        "annotated_reviews": int(voted["review_id"].nunique()),
        "annotated_pairs": len(voted),
        "pairs_without_photo": len(voted) - len(pairs),
        "fleiss_kappa": fleiss_kappa(voted),
        "threshold": phi.threshold,
        "epochs": len(history),
        "test": alignment_metrics(label, confidence, test["review_id"].to_numpy(), phi.threshold, seed),
    }
    _write_json(out / "metrics.json", facts)
    alignment_curves(label, confidence).to_parquet(out / "curves.parquet", index=False)
    return phi


def _known_sentences(features: Path) -> pd.Series:
    """The sentence_id of each text that has features: equal texts have equal features."""
    return load_sentences(features).drop_duplicates("text").set_index("text")["sentence_id"]


def _rows(keys: pd.Series, other_keys: pd.Series, folder: Path, other_folder: Path) -> NDArray[np.float32]:
    """Rows ``(n, d)`` of one store by ``keys``, and where it has none, of the other by ``other_keys``."""
    store, other = FeatureStore.open(folder), FeatureStore.open(other_folder)
    there = np.array([key in store for key in keys], bool)
    rows = np.empty((len(keys), store.dim), np.float32)
    rows[there], rows[~there] = store[keys[there]], other[other_keys[~there]]
    return rows


def _engine(clip: Clip, device: str) -> contextlib.AbstractContextManager[Clip | RayClip]:
    """What computes the streams of ``clip``: itself, or the devices of a cluster."""
    if clip.settings.engine == "local":
        return contextlib.nullcontext(clip)
    from showcase_utils.encoding.ray_engine import RayClip  # Ray is an extra

    return RayClip(clip, device)


def _write(
    clip: Clip,
    engine: Clip | RayClip,
    folder: Path,
    ids: Sequence[str],
    sources: Sequence[str],
    unit: str,
    progress: bool,
    previous: Path | None = None,
) -> FeatureStore:
    settings = clip.settings
    return write_features(
        folder,
        list(ids),
        list(sources),
        engine.stream_images if unit == "photos" else engine.stream_texts,
        dim=clip.dim,
        fingerprint=clip.fingerprint,
        dtype=settings.dtype,
        shard_rows=settings.shard_rows,
        batch_size=settings.batch_size,
        unit=unit,
        progress=progress,
        mark=file_mark if unit == "photos" else text_mark,
        previous=previous,
    )


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
