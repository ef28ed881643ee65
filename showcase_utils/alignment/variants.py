"""Φ in several forms, trained on the same labelled pairs: what one layer on [v; s] can and cannot know."""

from __future__ import annotations

from itertools import product

import pandas as pd

from showcase_utils.alignment.labelled import Labelled
from showcase_utils.alignment.metrics import alignment_metrics
from showcase_utils.alignment.phi import COSINE, CosinePhi, Pairs, Phi, best_threshold, train_alignment
from showcase_utils.config import Alignment

HIDDEN = 256


def phi_variants(labelled: Labelled, settings: Alignment, seed: int) -> pd.DataFrame:
    """Test metrics of Φ in four forms and of the cosine, all with the threshold of the best F1 on validation.

    One row per variant, columns as ``alignment_metrics``; the paper's form comes first.
    """
    train, val, test = (labelled.side(split) for split in ("train", "val", "test"))
    rows = {}
    for joined, hidden in product((False, True), (0, HIDDEN)):
        phi, _ = train_alignment(train, val, settings.model_copy(update={"hidden": hidden}), seed, joined)
        rows[phi.variant] = _tested(phi, test, seed)
    cosine = CosinePhi(0.0, "")
    cosine = CosinePhi(best_threshold(val.label, cosine.score(val.image, val.sentence)), "")
    rows[COSINE] = _tested(cosine, test, seed)
    return pd.DataFrame.from_dict(rows, orient="index")


def _tested(phi: Phi, test: Pairs, seed: int) -> dict[str, object]:
    return alignment_metrics(test.label, phi.score(test.image, test.sentence), test.review, phi.threshold, seed)
