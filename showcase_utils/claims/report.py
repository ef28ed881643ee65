"""What a run found, as Markdown, and where a file shows it: between two marks, so that nobody types numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from showcase_utils.artifacts import Stages
from showcase_utils.claims.ledger import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED
from showcase_utils.claims.tables import number, percent, render
from showcase_utils.config import Generation

START, END = "<!-- claims:start -->", "<!-- claims:end -->"
TEXTS = ("<!-- texts:start -->", "<!-- texts:end -->")  # in the notebooks' README
PARTS = ("claims", "texts", "measures", "training")
NAMES = ("Right", "Details", "Dish recall", "True alignment", "Tone against", "Sentences")
WIDE = 6  # measures beside each other, as many as a page holds


def report(stages: Stages, trained: pd.DataFrame, parts: Sequence[str] = PARTS) -> str:
    """Some ``parts`` of what a run found, of ``PARTS``: the ledger, what texts name, all other measures, the training.

    ``trained`` is what ``generation.trained.training_table`` says of the run.
    """
    made = {
        "claims": lambda: readme_table(stages),
        "texts": lambda: texts_table(stages),
        "measures": lambda: measures_tables(stages),
        "training": lambda: training_report(trained, stages.settings.generation),
    }
    return "\n\n".join(text for part in parts if (text := made[part]())) + "\n"


def write_report(path: Path, text: str, name: str) -> bool:
    """Writes a report into a new file, or into one that has marks for its profile, ``<!-- NAME:start -->`` and end.

    Says whether that changed it. Raises ``ValueError`` for a file without such marks.
    """
    if path.exists():
        return write_between_marks(path, text, f"<!-- {name}:start -->", f"<!-- {name}:end -->")
    path.write_text(text, encoding="utf-8")
    return True


def training_report(rows: pd.DataFrame, settings: Generation) -> str:
    """How every system trained, a row per system: mean and range over the seeds where there are several."""
    groups = rows.groupby("system", sort=False)
    table = pd.DataFrame(
        {
            "L_CE on validation": groups["val_ce"].apply(_range),
            "best step": groups["best_step"].apply(_range),
            "steps": groups["steps"].apply(_range),
            "million parameters": (groups["parameters"].first() / 1e6).map("{:.1f}".format),
            "learning rate": groups["lr"].first().map("{:g}".format),
        }
    )
    return (
        f"Training, at most {settings.epochs} epochs, ended after {settings.patience} without a lower L_CE on "
        f"validation{', mean and range over the seeds' if rows['seed'].nunique() > 1 else ''}:\n\n"
        f"{render(table, 'markdown', 'system').strip()}"
    )


def readme_table(stages: Stages) -> str:
    """The ledger of a run with what it stands on: the results that README shows."""
    folder, settings = stages.path("evaluation"), stages.settings
    claims = pd.DataFrame(json.loads((folder / "claims.json").read_text(encoding="utf-8")))
    samples = pd.read_parquet(folder / "per_sample.parquet", columns=["review_id", "user_id", "system", "seed"])
    level = _level(stages)
    verdicts = (REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE)
    counts = [f"{(claims['verdict'] == verdict).sum()} {verdict}" for verdict in verdicts]
    seeds = [settings.seed + s for s in settings.generation.seeds]
    choices = [settings.seed + s for s in settings.selection.seeds]
    untrained = claims["reason"].str.contains("is not among generation.systems", regex=False).fillna(False)
    head = (
        f"Profile `{settings.profile}`: {samples['review_id'].nunique():,} test reviews of "
        f"{samples['user_id'].nunique():,} users; {_seeds(seeds)} of generation, {_seeds(choices)} of selection. "
        f"Intervals of {level} over users, and over seeds where there are several. Of {len(claims)} comparisons that "
        f"the paper's claims make: {', '.join(counts)}."
    )
    if untrained.any():
        head += " Those with systems that this profile does not train are left out below; `study` trains all."
    return f"{head}\n\n{render(_claim_rows(claims[~untrained], level), 'markdown', 'claim').strip()}"


def texts_table(stages: Stages) -> str:
    """What the texts of every system name beside what their photos show; empty where no truth is known."""
    metrics = pd.read_csv(stages.path("evaluation") / "metrics.csv")
    names = [name for name in NAMES if name in set(metrics["metric"])]
    head = "What the texts say beside the photos that were chosen, by the truth of the demo world (value"
    return f"{head} [{_level(stages)}]):\n\n{_by_system(metrics, names)}" if names else ""


def measures_tables(stages: Stages) -> str:
    """Every measure that ``texts_table`` leaves out, by system, in tables of ``WIDE`` columns."""
    metrics = pd.read_csv(stages.path("evaluation") / "metrics.csv")
    names = [name for name in dict.fromkeys(metrics["metric"]) if name not in NAMES]
    tables = [_by_system(metrics, names[start : start + WIDE]) for start in range(0, len(names), WIDE)]
    return "\n\n".join([f"All other measures (value [{_level(stages)}]), described in notebook 05:", *tables])


def write_between_marks(path: Path, text: str, start: str = START, end: str = END) -> bool:
    """Replaces what stands between two marks of a file; says whether that changed it.

    Raises ``ValueError`` unless each mark is there once, in order.
    """
    before = path.read_text(encoding="utf-8")
    head, found, rest = before.partition(start)
    _, also, tail = rest.partition(end)
    if not found or not also or before.count(start) + before.count(end) != 2:
        raise ValueError(f"{path}: expected '{start}' and behind it '{end}', once each")
    after = f"{head}{start}\n{text.strip()}\n{end}{tail}"
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


def _claim_rows(claims: pd.DataFrame, level: str) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "says": claims["statement"],
            "comparison": claims["comparison"],
            "on": claims["metric"],
            f"effect [{level}]": [
                effect(*row) for row in claims[["effect", "low", "high"]].astype(float).itertuples(index=False)
            ],
            "here": [
                f"{verdict}: {reason}" if verdict == NOT_TESTABLE else verdict
                for verdict, reason in zip(claims["verdict"], claims["reason"], strict=True)
            ],
        }
    )
    return rows.set_index(claims["key"].rename("claim"))


def _by_system(metrics: pd.DataFrame, names: list[str]) -> str:
    shown = metrics[metrics["metric"].isin(names)]
    cells = [effect(*row) for row in shown[["value", "low", "high"]].itertuples(index=False)]
    table = shown.assign(cell=cells).pivot(index="system", columns="metric", values="cell")
    table = table.reindex(index=list(dict.fromkeys(metrics["system"])), columns=names).fillna("–")
    return render(table, "markdown", "system").strip()


def _level(stages: Stages) -> str:
    return percent(stages.settings.evaluation.confidence)


def effect(value: float, low: float, high: float) -> str:
    """A value with its interval as tables show it; a dash for none."""
    if math.isnan(value):
        return "–"
    if math.isnan(low) or math.isnan(high):
        return number(value)
    return f"{value:.3f} [{low:.3f}, {high:.3f}]".replace("-", "−")


def _range(values: pd.Series) -> str:
    shown = "{:.3f}" if values.dtype.kind == "f" else "{:,.0f}"
    mean, low, high = (shown.format(value) for value in (values.mean(), values.min(), values.max()))
    return mean if low == high else f"{mean} ({low} to {high})"


def _seeds(seeds: list[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
