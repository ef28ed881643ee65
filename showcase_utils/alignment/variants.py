"""Φ in several forms, trained on the same labelled pairs: what one layer on [v; s] can and cannot know."""

from __future__ import annotations

from itertools import product

import pandas as pd

from showcase_utils.alignment.labelled import Labelled
from showcase_utils.alignment.metrics import held_out_metrics
from showcase_utils.alignment.phi import COSINE, CosinePhi, best_threshold, train_alignment
from showcase_utils.config import Settings
from showcase_utils.statistics.resampling import interval_options

HIDDEN = 256


def phi_variants(labelled: Labelled, settings: Settings) -> pd.DataFrame:
    """Test metrics of Φ in four forms and of the cosine, all with the threshold of the best F1 on validation.

    One row per variant, columns as ``held_out_metrics``; the paper's form comes first.
    """
    train, val, test = (labelled.side(split) for split in ("train", "val", "test"))
    rows, options = {}, interval_options(settings)
    for joined, hidden in product((False, True), (0, HIDDEN)):
        form = settings.alignment.model_copy(update={"hidden": hidden})
        phi, _ = train_alignment(train, val, form, settings.seed, joined)
        rows[phi.variant] = held_out_metrics(phi, test, **options)
    cosine = CosinePhi(0.0, "")
    cosine = CosinePhi(best_threshold(val.label, cosine.score(val.image, val.sentence)), "")
    rows[COSINE] = held_out_metrics(cosine, test, **options)
    return pd.DataFrame.from_dict(rows, orient="index")
