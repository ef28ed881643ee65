"""The stage ``evaluation``: every metric of every system with intervals, comparisons, truth, and the ledger."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from showcase_utils.claims import known_world
from showcase_utils.claims.ledger import CLAIMS, COMPARISONS, DISTANCE, RANK, Evidence, Key, judge, ledger
from showcase_utils.config import Evaluation
from showcase_utils.demo_world.truth import Truth, load_truth
from showcase_utils.metrics.bertscore import bertscore
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.generated import REFERENCE, Grounding, runs_of
from showcase_utils.metrics.grounding import clip_align, clip_score
from showcase_utils.metrics.metric import Metric
from showcase_utils.metrics.text import ngram_row
from showcase_utils.progress import progress_bar
from showcase_utils.statistics.significance import Interval, compare, detectable, holm, interval

NEEDS_REFERENCE = {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "NIST-4", "ROUGE-L", "CIDEr-D", "BERTScore"}
PROPOSED = "ours_pc2l"
TRUTH = {
    "Dish recall": known_world.dish_recall,
    "Hallucination": known_world.hallucination,
    "True alignment": known_world.true_alignment,
    "Personalisation": known_world.personalisation,
}

Scores = dict[str, dict[str, list[Metric]]]  # metric -> system -> one per seed


def build_evaluation(
    out: Path,
    texts: pd.DataFrame,
    grounding: Grounding,
    settings: Evaluation,
    seed: int,
    device: str,
    world: Path | None = None,
    selection: pd.DataFrame | None = None,
    selected: pd.DataFrame | None = None,
    evidence: Mapping[Key, Evidence] | None = None,
    missing: Mapping[str, str] | None = None,
    progress: bool = True,
) -> None:
    """Write the evaluation stage into ``out``.

    ``texts`` (system, seed, review_id, user_id, business_id, image_ids, text, reference) with its ``grounding``, row
    by row; the users' own reviews are scored as one more system when ``with_references`` has put them among the texts.
    ``world`` is the demo world's folder, whose truth is opened here; ``selection`` the scores of step 1, for claim 1,
    and ``selected`` its picks, which the truth judges; ``evidence`` what other notebooks measured for their claims;
    ``missing`` says why a system is not there.

    Files: metrics.csv (system, metric, variant, value, low, high, standard_error, seeds, method) · comparisons.csv ·
    per_sample.parquet · claims.json · truth.json (only with ``world``). Raises ``ValueError`` for runs on different
    reviews.
    """
    texts = texts.reset_index(drop=True)
    runs = runs_of(texts)
    users = next(iter(runs.values()))["user_id"].tolist()
    truth = load_truth(world) if world is not None else None
    scores: Scores = {}
    samples = []
    for (system, _), frame in progress_bar(runs.items(), desc="scoring", disable=not progress):
        row = score_run(frame, grounding.take(frame.index), settings, device, without_reference=system == REFERENCE)
        if truth is not None:
            row |= {name: measure(truth, frame) for name, measure in TRUTH.items()}
        for name, metric in row.items():
            scores.setdefault(name, {}).setdefault(system, []).append(metric)
        samples.append(_per_sample(frame, row))
    options = {"rounds": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
    metrics = _metrics(scores, users, options)
    metrics.to_csv(out / "metrics.csv", index=False, float_format="%.6g")
    comparisons = compare_all(scores, users, **options)
    comparisons.to_csv(out / "comparisons.csv", index=False, float_format="%.6g")
    per_sample = pd.concat(samples, ignore_index=True)
    per_sample.to_parquet(out / "per_sample.parquet", index=False)

    found = dict(evidence or {}) | text_evidence(scores, users, **options)
    if selection is not None:
        found |= selection_evidence(selection, **options)
    if truth is not None:
        correlations = _claim_five(per_sample, options)
        found[CLAIMS[-1].comparison] = correlations.pop("evidence")
        tastes = {} if selected is None else {"tastes": taste_table(truth, selected, **options).to_dict("records")}
        _write_json(out / "truth.json", {"metrics": list(TRUTH), **correlations, **tastes})
    outcomes = judge(found, missing=missing, confidence=settings.confidence)
    _write_json(out / "claims.json", ledger(outcomes).to_dict("records"))


def score_run(
    frame: pd.DataFrame,
    grounding: Grounding,
    settings: Evaluation,
    device: str = "auto",
    without_reference: bool = False,
) -> dict[str, Metric]:
    """Every metric of one run: the n-gram row, BERTScore, CLIP-Align and CLIP-Score."""
    hypotheses, references = frame["text"].tolist(), [text.lower() for text in frame["reference"]]
    row = ngram_row(hypotheses, references)
    if without_reference:
        row = {name: metric for name, metric in row.items() if name not in NEEDS_REFERENCE}
    else:
        model, layer = settings.bertscore_model, settings.bertscore_layer
        row["BERTScore"] = bertscore(hypotheses, references, model, layer, device=device)
    row["CLIP-Align"] = clip_align(grounding.confidence)
    row["CLIP-Score"] = clip_score(grounding.photos, grounding.sentences)
    return row


def compare_all(scores: Scores, users: Sequence[str], proposed: str = PROPOSED, **options: Any) -> pd.DataFrame:
    """The proposed system (the last one where it is missing) against every other on every metric.

    p-values come from approximate randomisation over users and are corrected by Holm's method within each metric;
    ``detectable`` is the difference that this many users would show in four studies of five.
    """
    systems = [name for name in dict.fromkeys(s for by in scores.values() for s in by) if name != REFERENCE]
    ours = proposed if proposed in systems else systems[-1]
    tables = []
    for metric, by_system in scores.items():
        others = [name for name in systems if name != ours and name in by_system]
        found = [compare(by_system[ours], by_system[other], users, **options) for other in others]
        rows = [{"metric": metric, "first": ours, "second": o, **asdict(c)} for o, c in zip(others, found, strict=True)]
        table = pd.DataFrame(rows)
        if len(table):
            table["p_holm"] = holm(table["p_value"].tolist())
            table["detectable"] = [detectable(c, options.get("confidence", 0.95)) for c in found]
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def ngram_table(texts: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """The metrics that need only words, with intervals, for every system of ``texts``; columns as in metrics.csv."""
    runs = runs_of(texts)
    users = next(iter(runs.values()))["user_id"].tolist()
    scores: Scores = {}
    for (system, _), frame in runs.items():
        for name, metric in ngram_row(frame["text"].tolist(), frame["reference"].tolist()).items():
            scores.setdefault(name, {}).setdefault(system, []).append(metric)
    return _metrics(scores, users, options)


def text_evidence(scores: Scores, users: Sequence[str], **options: Any) -> dict[Key, Evidence]:
    """What the runs say about the claims that compare two systems' texts."""
    found = {}
    for claim in CLAIMS:
        by_system = scores.get(claim.metric, {})
        if claim.first in by_system and claim.second in by_system:
            first, second = by_system[claim.first], by_system[claim.second]
            found[claim.comparison] = _evidence(first, second, users, options)
    return found


def selection_evidence(scores: pd.DataFrame, k: int = 3, **options: Any) -> dict[Key, Evidence]:
    """What step 1's scores say about claim 1: test samples with more candidates than picks, paired by review.

    ``scores`` has method, profile, seed, review_id, user_id, split, evaluable, f1 and diversity.
    """
    scores = scores[(scores["split"] == "test") & scores["evaluable"]].sort_values("review_id", kind="stable")
    names = scores["method"].where(scores["profile"] == "none", scores["method"] + " " + scores["profile"])
    found = {}
    for first, second, metric in COMPARISONS:
        column = {f"F1@{k}": "f1", f"Div@{k}": "diversity"}.get(metric)
        if column is None or not {first, second} <= set(names):
            continue
        sides = []
        for name in (first, second):
            runs = [run for _, run in scores[names == name].groupby("seed")]
            sides.append([mean_metric(run[column].to_numpy(), metric) for run in runs])
        found[first, second, metric] = _evidence(*sides, runs[0]["user_id"].tolist(), options)
    return found


def distance_evidence(means: pd.DataFrame, differences: pd.DataFrame) -> dict[Key, Evidence]:
    """What notebook 02's pairs of photos say about claim 2.

    ``means`` has ``mean`` by kind (intra business, inter business, …), ``differences`` difference, low and high by
    business and user.
    """
    found = {}
    for group, row in differences.iterrows():
        first, second = (float(means.loc[f"{side} {group}", "mean"]) for side in ("inter", "intra"))
        error = (row["high"] - row["low"]) / 3.92
        gap = Interval(
            float(row["difference"]), float(row["low"]), float(row["high"]), float(error), "bootstrap over groups"
        )
        found[f"inter-{group}", f"intra-{group}", DISTANCE] = Evidence(first, second, gap)
    return found


def taste_table(truth: Truth, selected: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """How well each method's picks match the users' tastes, test samples only, the first seed of each method.

    Columns: picks (the method), value (share of its picks that the user likes) with interval, chance, oracle, and
    share_of_gain = (value − chance) / (oracle − chance).
    """
    photos = truth.photos[truth.photos["alive"]]
    candidates = photos.groupby("business_id")["image_id"].agg(list).to_dict()
    rows = []
    test = selected[selected["split"] == "test"]
    for (method, profile), runs in test.groupby(["method", "profile"], sort=False):
        picks = runs[(runs["seed"] == runs["seed"].min()) & runs["business_id"].isin(candidates.keys())]
        k = int(picks["image_ids"].map(len).max())
        match = known_world.taste_match(truth, picks, candidates, k)
        found = interval(mean_metric(match["chosen"].to_numpy(), "taste match"), picks["user_id"].tolist(), **options)
        chance, oracle = float(match["chance"].mean()), float(match["oracle"].mean())
        name = method if profile == "none" else f"{method} {profile}"
        share = (found.value - chance) / (oracle - chance) if oracle > chance else math.nan
        rows.append({"picks": name, **asdict(found), "chance": chance, "oracle": oracle, "share_of_gain": share})
    return pd.DataFrame(rows).sort_values("value", ascending=False, ignore_index=True)


def _evidence(first: list[Metric], second: list[Metric], users: Sequence[str], options: dict[str, Any]) -> Evidence:
    means = [float(np.mean([run.value for run in side])) for side in (first, second)]
    return Evidence(*means, compare(first, second, users, **options))


def _metrics(scores: Scores, users: Sequence[str], options: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for metric, by_system in scores.items():
        for system, runs in by_system.items():
            found: Interval = interval(runs, users, **options)
            row = {"system": system, "metric": metric, "variant": runs[0].variant, **asdict(found), "seeds": len(runs)}
            rows.append(
                row | {"seed_sd": float(np.std([run.value for run in runs], ddof=1)) if len(runs) > 1 else math.nan}
            )
    return pd.DataFrame(rows)


def _per_sample(frame: pd.DataFrame, row: Mapping[str, Metric]) -> pd.DataFrame:
    keys = frame[["system", "seed", "review_id", "user_id", "business_id"]].reset_index(drop=True)
    values = {name: metric.per_sample for name, metric in row.items() if metric.per_sample is not None}
    return keys.assign(**values)


def _claim_five(per_sample: pd.DataFrame, options: dict[str, Any]) -> dict[str, Any]:
    """Rank correlations with true alignment over all generated texts, the users' own reviews left out."""
    texts = per_sample[per_sample["system"] != REFERENCE]
    scores = {name: texts[name].to_numpy(float) for name in ("CLIP-Align", "CLIP-Score")}
    truth = texts["True alignment"].to_numpy(float)
    each, differences = known_world.rank_correlations(scores, truth, texts["user_id"].tolist(), **options)
    difference = differences["CLIP-Align", "CLIP-Score"]
    return {
        "measure": RANK,
        "correlations": {name: asdict(found) for name, found in each.items()},
        "difference": asdict(difference),
        "evidence": Evidence(each["CLIP-Align"].value, each["CLIP-Score"].value, difference),
    }


def _write_json(path: Path, value: Any) -> None:
    """Strict JSON: what is not a number becomes null."""
    path.write_text(json.dumps(_plain(value), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 9) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
