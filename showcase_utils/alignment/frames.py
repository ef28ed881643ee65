"""Reads what the stage ``alignment`` holds, for whoever needs GEST-s2, the confidences or the visual diversity."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from showcase_utils.alignment.diversity import CONFIDENCE, diversity_differences, diversity_means
from showcase_utils.artifacts import Stages
from showcase_utils.data.frames import load_reviews


class Diversity(NamedTuple):
    """Visual diversity, claim 2: the drawn pairs of photos, the mean of each kind, and the differences between kinds.

    The columns are those of ``diversity.diversity_pairs``, ``diversity_means`` and ``diversity_differences``.
    """

    pairs: pd.DataFrame
    means: pd.DataFrame
    differences: pd.DataFrame


def load_s2(stages: Stages) -> pd.DataFrame:
    """GEST-s2: the columns of GEST-s1, with the sentences and photos that belong together."""
    return load_reviews(stages.path("alignment") / "s2.parquet")


def load_scores(stages: Stages) -> pd.DataFrame:
    """Φ's confidence in every sentence of GEST-s1 with every photo of its review: sentence_id, image_id, confidence."""
    return pd.read_parquet(stages.path("alignment") / "scores.parquet")


def load_diversity(stages: Stages) -> Diversity:
    """Visual diversity as measured once, on ``diversity.PAIRS`` pairs of each kind; intervals as the settings want."""
    folder, confidence = stages.path("alignment"), stages.settings.evaluation.confidence
    pairs, kinds = pd.read_parquet(folder / "diversity_pairs.parquet"), (diversity_means, diversity_differences)
    if confidence == CONFIDENCE:
        tables = [pd.read_csv(folder / f"{kind.__name__}.csv") for kind in kinds]
    else:
        tables = [kind(pairs, stages.settings.seed, confidence=confidence) for kind in kinds]
    return Diversity(pairs, *tables)
