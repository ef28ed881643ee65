"""The stage ``alignment``: Φ, its confidence for every pair, GEST-s2, and the visual diversity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from showcase_utils.alignment.annotations import find_annotations, fleiss_kappa, majority_vote, split_by_review
from showcase_utils.alignment.distillation import distil, distillation_counts, score_pairs
from showcase_utils.alignment.diversity import write_diversity
from showcase_utils.alignment.labelled import PAIRS, encode_labelled, with_features
from showcase_utils.alignment.metrics import alignment_curves, alignment_metrics
from showcase_utils.alignment.phi import Phi, read_phi, train_alignment
from showcase_utils.alignment.unlabelled import cosine_phi
from showcase_utils.artifacts import BuildContext
from showcase_utils.config import Settings
from showcase_utils.data.frames import load_images, load_s1
from showcase_utils.encoding.features import FeatureStore, load_sentences, open_features
from showcase_utils.recipes import write_json


def build_alignment(context: BuildContext) -> None:
    """Fills the stage.

    Φ is the one of ``alignment.pretrained``, or trained on the annotations, or, where there is neither, CLIP's cosine.

    - ``phi.json`` (and ``phi.safetensors``): Φ, its variant and threshold;
    - ``metrics.json``: what it rests on; for one that was trained here also ``pairs.parquet`` (the labelled pairs with
      split and confidence), ``history.csv``, and ``curves.parquet`` of the test pairs;
    - ``scores.parquet``: sentence_id, image_id, confidence of every pair of one review; ``s2.parquet``: GEST-s2 (the
      published one as it is); ``counts.json``: what stayed;
    - ``diversity_*``: claim 2.

    Raises ``ValueError`` when annotations cannot be used, or when Φ is of another CLIP.
    """
    out, settings = context.out, context.settings
    s1, sentences, features = load_s1(context), load_sentences(context), open_features(context)
    annotations = find_annotations(context)
    if settings.alignment.pretrained is not None:
        phi = read_phi(settings.alignment.pretrained, features.photos.fingerprint)
        facts: dict[str, Any] = {}
    elif annotations is not None:
        images = load_images(context, ["image_id", "path", "status"], annotations["image_id"].unique())
        phi, facts = train_on(annotations, images, context.path("features"), out, settings, context.progress)
    else:
        phi, facts = cosine_phi(s1, sentences, features.photos, features.sentences, settings.seed)
    phi.save(out)
    write_json(out / "metrics.json", {"variant": phi.variant, "threshold": phi.threshold, **facts})
    scores = score_pairs(s1, sentences, features.photos, features.sentences, phi, context.progress)
    scores.to_parquet(out / "scores.parquet", index=False)
    published = (context.path("data") / "published.parquet").is_file()  # the authors' own GEST-s2
    s2 = s1 if published else distil(s1, sentences, scores, phi.threshold)
    s2.to_parquet(out / "s2.parquet", index=False)
    write_json(out / "counts.json", distillation_counts(s1, sentences, scores, s2, phi.threshold).to_dict())
    write_diversity(out, s1, features.photos, settings.seed)


def train_on(
    annotations: pd.DataFrame,
    images: pd.DataFrame,
    features: Path,
    out: Path,
    settings: Settings,
    progress: bool = True,
) -> tuple[Phi, dict[str, Any]]:
    """Φ trained on the votes of ``annotations``, with its files in ``out``, and what ``metrics.json`` says of it.

    ``images``: image_id, path, status of the annotated photos; ``features``: the folder of that stage.
    """
    voted = split_by_review(majority_vote(annotations), settings.seed)
    labelled = with_features(encode_labelled(out, voted, images, features, settings, progress), out)
    phi, history = train_alignment(labelled.side("train"), labelled.side("val"), settings.alignment, settings.seed)
    phi.fingerprint = FeatureStore.open(features / "photos").fingerprint
    history.to_csv(out / "history.csv", index=False)
    pairs = labelled.frame.assign(confidence=phi.score(labelled.image, labelled.sentence))
    pairs.to_parquet(out / PAIRS, index=False)
    test = labelled.side("test")
    confidence = phi.score(test.image, test.sentence)
    alignment_curves(test.label, confidence).to_parquet(out / "curves.parquet", index=False)
    return phi, {
        "annotated_reviews": int(voted["review_id"].nunique()),
        "annotated_pairs": len(voted),
        "pairs_without_photo": len(voted) - len(pairs),
        "fleiss_kappa": fleiss_kappa(voted),
        "epochs": len(history),
        "test": alignment_metrics(test.label, confidence, test.review, phi.threshold),
    }
