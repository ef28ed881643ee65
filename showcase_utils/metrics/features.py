"""What generated explanations name: USR, FMR, FCR and DIV of NLG4RS (Li et al., NETE, CIKM 2020; PETER, ACL 2021).

There each explanation has one feature ("room", "pasta") that a lexicon found in the user's review. Here the features
of a text are the noun phrases that it names, in lower case, each counted once, and a review may have several.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from showcase_utils.metrics.corpus import OverlapMetric, TypeMetric, mean_metric
from showcase_utils.metrics.metric import Metric

Features = Sequence[Collection[str]]


def unique_sentence_ratio(texts: Sequence[str]) -> Metric:
    """USR: different texts over all texts, 0 to 1; NETE calls a whole explanation a sentence.

    "Unique" counts texts that nobody else gets, USR how many different ones there are. ``nan`` without texts.
    """
    value = len(set(texts)) / len(texts) if texts else math.nan
    return TypeMetric(value, "USR: different texts over all texts, 0–1", None, [[text] for text in texts])


def feature_matching_ratio(features: Features, references: Features) -> Metric:
    """FMR: does a text name the feature of the user's own review? Mean over texts, 0 to 1.

    NETE asks for the review's one feature; of a review with several, the share that the text names, which is what a
    drawn one would give. ``nan`` per sample for a review without features.
    """
    found = [
        len(set(own) & set(wanted)) / len(set(wanted)) if wanted else math.nan
        for own, wanted in zip(features, references, strict=True)
    ]
    return mean_metric(np.array(found), "FMR: features of the user's own review that the text names, mean, 0–1")


def feature_coverage_ratio(features: Features, known: Collection[str]) -> Metric:
    """FCR: the ``known`` features of the dataset that some text names, over all of them, 0 to 1.

    Like Distinct it depends on how many texts there are. ``nan`` where no feature is known.
    """
    known = frozenset(known)
    own = [sorted(known.intersection(names)) for names in features]
    value = len(set().union(*own)) / len(known) if known else math.nan
    return TypeMetric(
        value, f"FCR: features that some text names, of {len(known)} of the dataset, 0–1", None, own, len(known)
    )


def feature_diversity(features: Features) -> Metric:
    """DIV: how many features two texts share, mean over all pairs of texts; lower is more diverse."""
    own = [sorted(set(names)) for names in features]
    n = len(own)
    metric = OverlapMetric(
        math.nan, "DIV: features that two texts share, mean over pairs, lower is more diverse", None, own
    )
    value = float(metric.without(np.full(n, 1))[0]) if n > 1 else math.nan  # nobody is in group 0
    return OverlapMetric(value, metric.variant, None, metric.items)
