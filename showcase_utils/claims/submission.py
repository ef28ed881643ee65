"""``showcase evaluate``: somebody else's texts scored beside ours, without touching what the run itself has found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from showcase_utils.artifacts import Artifacts
from showcase_utils.claims.ledger import proposed_system
from showcase_utils.claims.phrases import open_phrases, phrase_frame
from showcase_utils.claims.scores import (
    comparison_table,
    ground_texts,
    known_truth,
    metric_table,
    score_texts,
)
from showcase_utils.claims.tables import cell, wide
from showcase_utils.data.frames import load_reviews
from showcase_utils.metrics.generated import runs_of, with_references
from showcase_utils.metrics.submitted import Submission
from showcase_utils.recipes import write_json
from showcase_utils.statistics.resampling import interval_options

FOLDER = "evaluate"  # beside the stages, one folder per name
SHOWN = ("BLEU-4", "METEOR", "BERTScore", "Statement precision", "Statement recall", "FMR", "Distinct-2", "USR", "FCR",
         "DIV", "CLIP-Align", "Grounded", "Right", "Details", "Dish recall", "Tone against", "Length")  # fmt: skip


def evaluate_submissions(store: Artifacts, runs: Sequence[Submission], name: str, progress: bool = True) -> Path:
    """Scores ``runs`` and our systems on their reviews, beside the photos that our systems were shown.

    Writes into ``evaluate/NAME`` among the artifacts, in place of what an earlier call has put there: metrics.csv,
    comparisons.csv (ours against all others), per_sample.parquet, phrases.parquet (each phrase with the confidence that
    a photo shows it), texts.parquet and about.json. Returns that folder.
    """
    ours = load_reviews(store.path("texts") / "texts.parquet")
    reviews = list(runs[0].texts)
    texts = pd.concat([_same_reviews(ours, reviews), _frame(ours, runs)], ignore_index=True)
    texts = with_references(texts)
    named = open_phrases(store).read(texts)
    grounding, truth = ground_texts(store, texts), known_truth(store)
    scores, per_sample = score_texts(texts, grounding, store.settings, truth, progress, named)
    users = next(iter(runs_of(texts).values()))["user_id"].tolist()
    options = interval_options(store.settings)
    first = proposed_system(list(dict.fromkeys(ours["system"])))
    out = store.folder / FOLDER / name
    half = out.with_name(f".{name}.unfinished")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    metric_table(scores, users, **options).to_csv(half / "metrics.csv", index=False, float_format="%.6g")
    comparison_table(scores, users, first, **options).to_csv(half / "comparisons.csv", index=False, float_format="%.6g")
    per_sample.to_parquet(half / "per_sample.parquet", index=False)
    phrase_frame(texts, named).to_parquet(half / "phrases.parquet", index=False)
    texts.to_parquet(half / "texts.parquet", index=False)
    about = {
        "systems": sorted({run.system for run in runs}),
        "reviews": len(reviews),
        "test_reviews": ours["review_id"].nunique(),
        "users": len(set(users)),
        "texts": store.contents("texts"),
        **options,
    }
    write_json(half / "about.json", about)
    shutil.rmtree(out, ignore_errors=True)
    os.replace(half, out)
    return out


def score_table(folder: str | Path, intervals: bool = False) -> pd.DataFrame:
    """The table to print: theirs, then ours, then the users' own reviews; those metrics of ``SHOWN`` that are there."""
    metrics = pd.read_csv(Path(folder) / "metrics.csv")
    theirs = json.loads((Path(folder) / "about.json").read_text(encoding="utf-8"))["systems"]
    table = wide(metrics, [name for name in SHOWN if name in set(metrics["metric"])], intervals)
    return pd.concat([table.loc[theirs], table.drop(theirs)])


def difference_table(folder: str | Path) -> pd.DataFrame:
    """Our proposed system minus each of theirs on the metrics of ``SHOWN``, with intervals; stars by Holm's p."""
    found = pd.read_csv(Path(folder) / "comparisons.csv")
    theirs = json.loads((Path(folder) / "about.json").read_text(encoding="utf-8"))["systems"]
    found = found[found["second"].isin(theirs) & found["metric"].isin(SHOWN)]
    rows = found[["value", "low", "high", "p_holm"]].itertuples(index=False)
    table = found.assign(cell=[cell(*row) for row in rows], pair=found["first"] + " − " + found["second"])
    metrics = [name for name in SHOWN if name in set(table["metric"])]
    return table.pivot(index="metric", columns="pair", values="cell").reindex(metrics).rename_axis(None, axis=1)


def extent(folder: str | Path) -> str:
    """One sentence on how much the scores stand on."""
    about = json.loads((Path(folder) / "about.json").read_text(encoding="utf-8"))
    part = f"{about['reviews']} of {about['test_reviews']} test reviews, {about['users']} users"
    if about["reviews"] == about["test_reviews"]:
        return f"{part}: all of them"
    return f"{part}: a subset, on which all systems below were scored; not to be compared with scores on all reviews"


def _same_reviews(ours: pd.DataFrame, reviews: Sequence[str]) -> pd.DataFrame:
    return ours[ours["review_id"].isin(set(reviews))]


def _frame(ours: pd.DataFrame, runs: Sequence[Submission]) -> pd.DataFrame:
    """The submitted texts with user, place, photos shown and reference of each review."""
    facts = ours.drop_duplicates("review_id").drop(columns=["system", "seed", "text"])
    rows = [
        {"system": run.system, "seed": run.seed, "review_id": review_id, "text": text}
        for run in runs
        for review_id, text in run.texts.items()
    ]
    return pd.DataFrame(rows).merge(facts, on="review_id", how="left")
