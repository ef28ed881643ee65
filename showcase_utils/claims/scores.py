"""Every metric of every system that has written texts, with intervals, and the differences between systems.

Stage ``evaluation`` and ``showcase evaluate`` score by the same functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from showcase_utils.alignment.phi import load_phi
from showcase_utils.artifacts import Stages
from showcase_utils.claims import known_world
from showcase_utils.claims.ledger import TOLD, proposed_system
from showcase_utils.claims.tone import tone_against
from showcase_utils.config import Settings
from showcase_utils.data.sentences import split_sentences
from showcase_utils.demo_world.truth import Truth, load_truth
from showcase_utils.encoding.clip import load_clip
from showcase_utils.encoding.features import open_features
from showcase_utils.metrics.bertscore import bertscore
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.entailment import open_entailment, statement_metrics
from showcase_utils.metrics.features import (
    feature_coverage_ratio,
    feature_diversity,
    feature_matching_ratio,
    unique_sentence_ratio,
)
from showcase_utils.metrics.generated import REFERENCE, Grounding, ground, runs_of
from showcase_utils.metrics.grounding import clip_align, clip_score
from showcase_utils.metrics.metric import Metric
from showcase_utils.metrics.phrases import Named, grounded_share, least_grounded
from showcase_utils.metrics.text import ngram_row, same_text, sentences
from showcase_utils.progress import progress_bar
from showcase_utils.statistics.significance import compare, detectable, holm, interval

NEEDS_REFERENCE = {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "NIST-4", "ROUGE-L", "CIDEr-D", "BERTScore", "FMR"}
TRUTH = {
    "Right": known_world.right,
    "Details": known_world.details,
    "Dish recall": known_world.dish_recall,
    "Hallucination": known_world.hallucination,
    "True alignment": known_world.true_alignment,
    "Personalisation": known_world.personalisation,
    "Tone against": lambda truth, texts: tone_against(texts["text"].tolist()),
}
NEIGHBOUR = "floor_neighbour"
LADDER = ("Right", "Details", "Dish recall", "True alignment", "CLIP-Align", "Tone against", "Same text", "Sentences")

Scores = dict[str, dict[str, list[Metric]]]  # metric -> system -> one per seed


def known_truth(stages: Stages) -> Truth | None:
    """The truth of the demo world; ``None`` for published files, which have none."""
    return load_truth(stages.path("world")) if stages.settings.data.source == "demo" else None


def ground_texts(stages: Stages, texts: pd.DataFrame) -> Grounding:
    """What the run's CLIP and Φ see in each row of a texts frame."""
    phi, photos = load_phi(stages), open_features(stages).photos
    clip = load_clip(stages.settings.encoding, stages.settings.device)
    photos.check(clip.fingerprint)
    words = list(split_sentences(texts["text"]))
    return ground(texts, words, clip.encode_texts, photos, phi.score, phi.variant)


def score_texts(
    texts: pd.DataFrame,
    grounding: Grounding,
    settings: Settings,
    truth: Truth | None = None,
    progress: bool = True,
    named: Named | None = None,
) -> tuple[Scores, pd.DataFrame]:
    """Scores of all runs, and one row per text with its values (system, seed, ids, metric …).

    ``texts``: system, seed, review_id, user_id, business_id, image_ids, text, reference, with its ``grounding``, and
    with what it ``named``, row by row. Raises ``ValueError`` for runs on different reviews.
    """
    texts = texts.reset_index(drop=True)
    scores: Scores = {}
    samples = []
    runs, bert = runs_of(texts), _bertscores(texts[texts["system"] != REFERENCE], settings)
    for (system, _), frame in progress_bar(runs.items(), desc="scoring", disable=not progress):
        of_run = named.take(frame.index) if named else None
        row = score_run(frame, grounding.take(frame.index), settings, truth, of_run)
        if system != REFERENCE:
            row["BERTScore"] = mean_metric(bert[0].loc[frame.index].to_numpy(), bert[1])
        for name, metric in row.items():
            scores.setdefault(name, {}).setdefault(system, []).append(metric)
        keys = frame[["system", "seed", "review_id", "user_id", "business_id"]].reset_index(drop=True)
        samples.append(keys.assign(**{n: m.per_sample for n, m in row.items() if m.per_sample is not None}))
    return scores, pd.concat(samples, ignore_index=True)


def _bertscores(texts: pd.DataFrame, settings: Settings) -> tuple[pd.Series, str]:
    """BERTScore of all texts at once, by the frame's own index, and its variant.

    A model then reads each review once and not once per system.
    """
    evaluation = settings.evaluation
    model, layer = evaluation.bertscore_model, evaluation.bertscore_layer
    references = texts["reference"].str.lower().tolist()
    found = bertscore(texts["text"].tolist(), references, model, layer, device=settings.device)
    return pd.Series(found.per_sample, texts.index), found.variant


def score_run(
    frame: pd.DataFrame,
    grounding: Grounding,
    settings: Settings,
    truth: Truth | None = None,
    named: Named | None = None,
) -> dict[str, Metric]:
    """Every metric of one run but BERTScore: words, photos, sameness, what was ``named``, and with ``truth`` that.

    The users' own reviews, system ``reference``, have no metric that compares with them.
    """
    hypotheses, references = frame["text"].tolist(), [text.lower() for text in frame["reference"]]
    row = ngram_row(hypotheses, references) | {"USR": unique_sentence_ratio(hypotheses)}
    if named:
        row["FMR"] = feature_matching_ratio(named.features, named.references)
        row["FCR"] = feature_coverage_ratio(named.features, named.known)
        row["DIV"] = feature_diversity(named.features)
        row["Grounded"], row["Least grounded"] = grounded_share(named.phrases), least_grounded(named.phrases)
    if frame["system"].iloc[0] == REFERENCE:
        row = {name: metric for name, metric in row.items() if name not in NEEDS_REFERENCE}
    elif settings.evaluation.nli:
        nli = open_entailment(settings.evaluation.nli, settings.device)
        row |= statement_metrics(hypotheses, references, nli)
    row["CLIP-Align"] = clip_align(grounding.confidence, grounding.phi)
    row["CLIP-Score"] = clip_score(grounding.photos, grounding.sentences)
    row["Sentences"] = sentences([len(words) for words in grounding.sentences])
    row["Same text"] = same_text(hypotheses, frame["business_id"].tolist(), frame["user_id"].tolist())
    return row | ({name: measure(truth, frame) for name, measure in TRUTH.items()} if truth is not None else {})


def metric_table(scores: Scores, users: Sequence[str], **options: Any) -> pd.DataFrame:
    """One row per metric and system.

    Columns: system, metric, variant, value, low, high, standard_error, method, seeds, seed_sd.
    """
    rows = []
    for metric, by_system in scores.items():
        for system, runs in by_system.items():
            row = {"system": system, "metric": metric, "variant": runs[0].variant}
            row |= asdict(interval(runs, users, **options)) | {"seeds": len(runs)}
            spread = float(np.std([run.value for run in runs], ddof=1)) if len(runs) > 1 else math.nan
            rows.append(row | {"seed_sd": spread})
    return pd.DataFrame(rows)


def word_table(texts: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """The metrics that need only words, for every system of ``texts``; columns as in ``metric_table``."""
    runs = runs_of(texts)
    scores: Scores = {}
    for (system, _), frame in runs.items():
        for name, metric in ngram_row(frame["text"].tolist(), frame["reference"].tolist()).items():
            scores.setdefault(name, {}).setdefault(system, []).append(metric)
    return metric_table(scores, next(iter(runs.values()))["user_id"].tolist(), **options)


def comparison_table(scores: Scores, users: Sequence[str], first: str, **options: Any) -> pd.DataFrame:
    """One system against every other on every metric: metric, first, second, value, low, high, p_value, p_holm, ….

    p-values come from approximate randomisation over users and are corrected by Holm's method within each metric;
    ``detectable`` is the difference that this many users would show in four studies of five.
    """
    tables = []
    for metric, by_system in scores.items():
        others = [name for name in by_system if name not in (first, REFERENCE)] if first in by_system else []
        found = [compare(by_system[first], by_system[other], users, **options) for other in others]
        rows = [
            {"metric": metric, "first": first, "second": o, **asdict(c)} for o, c in zip(others, found, strict=True)
        ]
        if rows:
            holms = holm([comparison.p_value for comparison in found])
            smallest = [detectable(comparison, options.get("confidence", 0.95)) for comparison in found]
            tables.append(pd.DataFrame(rows).assign(p_holm=holms, detectable=smallest))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def ladder_table(scores: Scores, users: Sequence[str], **options: Any) -> pd.DataFrame:
    """From the proposed system's greedy line over each step of telling to the nearest training review.

    One row per step and metric: step (from 0), system, metric, value, low, high, and gain, gain_low, gain_high, the
    difference to the step before. Steps are the systems whose names begin with ``told_``, in their order.
    """
    systems = list(dict.fromkeys(system for by_system in scores.values() for system in by_system))
    steps = [proposed_system(systems), *(name for name in systems if name.startswith(TOLD))]
    steps += [NEIGHBOUR] if NEIGHBOUR in systems and NEIGHBOUR not in steps else []
    rows = []
    for metric in (name for name in LADDER if name in scores):
        for number, system in enumerate(steps):
            found = interval(scores[metric][system], users, **options)
            row = {"step": number, "system": system, "metric": metric}
            row |= {"value": found.value, "low": found.low, "high": found.high}
            if number:
                gain = compare(scores[metric][system], scores[metric][steps[number - 1]], users, **options)
                row |= {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
            rows.append(row)
    return pd.DataFrame(rows).sort_values(["step"], kind="stable", ignore_index=True)
