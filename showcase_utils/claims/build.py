"""The stage ``evaluation``: every metric of every system with intervals, comparisons, the ladder, truth, the ledger."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from showcase_utils.alignment.frames import Diversity, load_diversity, load_scores
from showcase_utils.alignment.labelled import load_labelled
from showcase_utils.alignment.phi import COSINE, load_phi
from showcase_utils.artifacts import BuildContext
from showcase_utils.claims import known_world
from showcase_utils.claims.alignment_truth import cost_of_annotation_errors, described_pairs, distilled_against_truth
from showcase_utils.claims.evidence import (
    RANK_COMPARISON,
    distance_evidence,
    selection_evidence,
    text_evidence,
    tracking,
    why_missing,
)
from showcase_utils.claims.informed import informed_scores, past_scores
from showcase_utils.claims.ledger import judge_claims, ledger_frame, paper_claims, proposed_system
from showcase_utils.claims.phrases import found_in_truth, open_phrases, phrase_frame
from showcase_utils.claims.scores import (
    comparison_table,
    ground_texts,
    known_truth,
    ladder_table,
    metric_table,
    score_texts,
)
from showcase_utils.config import Settings
from showcase_utils.data.frames import load_reviews
from showcase_utils.demo_world.truth import Truth
from showcase_utils.encoding.features import load_sentences
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.generated import Grounding, runs_of, with_references
from showcase_utils.metrics.phrases import Named
from showcase_utils.recipes import write_json
from showcase_utils.selection.pools import open_pools
from showcase_utils.selection.tables import evaluable, method_table
from showcase_utils.statistics.resampling import interval_options
from showcase_utils.statistics.significance import interval


@dataclass(frozen=True)
class Given:
    """What is evaluated: texts, with grounding and names row by row, step 1's scores, diversity, the truth if known."""

    texts: pd.DataFrame
    grounding: Grounding
    selection: pd.DataFrame
    diversity: Diversity
    truth: Truth | None = None
    named: Named | None = None


def build_evaluation(context: BuildContext) -> None:
    """Writes the stage.

    Files: metrics.csv (system, metric, variant, value, low, high, standard_error, method, seeds, seed_sd) ·
    comparisons.csv · ladder.csv · per_sample.parquet · phrases.parquet (system, seed, review_id, phrase, start, end,
    confidence, grounded) · claims.json; where the truth is known also truth.json (claim 5), grounding.csv, tastes.csv,
    step_one.csv, distilled.csv, annotation_errors.csv. Raises ``ValueError`` for runs on different reviews.
    """
    texts = with_references(load_reviews(context.path("texts") / "texts.parquet"))
    truth = known_truth(context)
    scores = pd.read_parquet(context.path("selection") / "scores.parquet")
    reader = open_phrases(context)
    given = Given(
        texts, ground_texts(context, texts), scores, load_diversity(context), truth, named := reader.read(texts)
    )
    evaluate(context.out, given, context.settings, context.progress)
    if truth is not None:
        quality = found_in_truth(truth, reader, texts, named, **interval_options(context.settings))
        _write_csv(context.out / "grounding.csv", quality)
        evaluate_steps(context, truth, scores)


def evaluate(out: Path, given: Given, settings: Settings, progress: bool = True) -> None:
    """Scores of the texts, and the ledger over all that is given."""
    runs = runs_of(given.texts)
    users = next(iter(runs.values()))["user_id"].tolist()
    options = interval_options(settings)
    scores, per_sample = score_texts(given.texts, given.grounding, settings, given.truth, progress, given.named)
    first = proposed_system([system for system, _ in runs])
    _write_csv(out / "metrics.csv", metric_table(scores, users, **options))
    _write_csv(out / "comparisons.csv", comparison_table(scores, users, first, **options))
    _write_csv(out / "ladder.csv", ladder_table(scores, users, **options))
    per_sample.to_parquet(out / "per_sample.parquet", index=False)
    if given.named:
        phrase_frame(given.texts, given.named).to_parquet(out / "phrases.parquet", index=False)

    found = selection_evidence(given.selection, settings) | distance_evidence(given.diversity)
    found |= text_evidence(scores, users, **options)
    phi = given.grounding.phi
    if given.truth is not None:
        each, evidence = tracking(per_sample, **options)
        found |= {} if phi == COSINE else {RANK_COMPARISON: evidence}
        correlations = {name: asdict(one) for name, one in each.items()}
        facts = {"correlations": correlations, "difference": asdict(evidence.difference)}
        write_json(out / "truth.json", _plain(facts))
    missing = why_missing(settings, phi, given.truth is not None)
    outcomes = judge_claims(found, paper_claims(settings.selection.k), missing, options["confidence"])
    write_json(out / "claims.json", _plain(ledger_frame(outcomes).to_dict("records")))


def evaluate_steps(context: BuildContext, truth: Truth, scores: pd.DataFrame) -> None:
    """What only a known world says of the steps before the texts: choices and tastes, Φ and its annotators."""
    settings, options = context.settings, interval_options(context.settings)
    selected = load_reviews(context.path("selection") / "selected.parquet")
    _write_csv(context.out / "tastes.csv", taste_table(truth, selected, **options))
    pools = open_pools(context)
    known = [scores_of(truth, pools, settings.selection.k) for scores_of in (informed_scores, past_scores)]
    table = method_table(evaluable(pd.concat([scores, *known])), **options)
    _write_csv(context.out / "step_one.csv", table.reset_index())
    described = described_pairs(truth)
    phi = load_phi(context)
    kept = distilled_against_truth(load_scores(context), load_sentences(context), phi.threshold, described)
    _write_csv(context.out / "distilled.csv", kept.rename_axis("unit").reset_index())
    if labelled := load_labelled(context):
        cost = cost_of_annotation_errors(labelled, phi, described, settings)
        _write_csv(context.out / "annotation_errors.csv", cost.rename_axis("labels").reset_index())


def taste_table(truth: Truth, selected: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """How well each method's picks match the users' tastes, test samples only, the first seed of each method.

    Columns: picks (the method), value (share of its picks that the user likes) with interval, chance, best_liked (the
    share when the user's favourites of the place are picked), and share_of_gain = (value − chance) / (best_liked −
    chance). The method ``oracle``, which picks what the user took, is called "own photos".
    """
    photos = truth.photos[truth.photos["alive"]]
    candidates = photos.groupby("business_id")["image_id"].agg(list).to_dict()
    rows, likes = [], known_world.appeals(truth)
    test = selected[selected["split"] == "test"]
    for (method, profile), runs in test.groupby(["method", "profile"], sort=False):
        picks = runs[(runs["seed"] == runs["seed"].min()) & runs["business_id"].isin(candidates.keys())]
        k = int(picks["image_ids"].map(len).max())
        match = known_world.taste_match(likes, picks, candidates, k)
        found = interval(mean_metric(match["chosen"].to_numpy(), "taste match"), picks["user_id"].tolist(), **options)
        chance, best = float(match["chance"].mean()), float(match["best_liked"].mean())
        name = "own photos" if method == "oracle" else f"{method} {profile}".removesuffix(" none")
        share = (found.value - chance) / (best - chance) if best > chance else math.nan
        rows.append({"picks": name, **asdict(found), "chance": chance, "best_liked": best, "share_of_gain": share})
    return pd.DataFrame(rows).sort_values("value", ascending=False, ignore_index=True)


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, float_format="%.6g")


def _plain(value: Any) -> Any:
    """For strict JSON: what is not a number becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 9) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
