import json

import pandas as pd
import pytest

from showcase_utils.claims.report import (
    END,
    START,
    measures_tables,
    readme_table,
    report,
    texts_table,
    training_report,
    write_between_marks,
    write_report,
)
from showcase_utils.config import Generation


class Stages:
    """Stands in for a run's artifacts: one folder, whatever stage is asked for."""

    def __init__(self, settings, folder):
        self.settings, self.folder = settings, folder

    def path(self, stage):
        return self.folder


@pytest.fixture
def stages(settings, stage):
    return Stages(settings, stage)


def test_the_table_says_what_the_run_found_and_on_what_it_stands(stages):
    text = readme_table(stages)
    claims = json.loads((stages.path("evaluation") / "claims.json").read_text())
    assert "`made_up`: 24 test reviews of 12 users" in text and f"Of {len(claims)} comparisons" in text
    rows = [line for line in text.splitlines() if line.startswith(("| 1", "| 2", "| 3", "| 4", "| 5"))]
    tested = [row for row in claims if "not among generation.systems" not in (row["reason"] or "")]
    assert 0 < len(tested) < len(claims) and len(rows) == len(tested)
    first = next(row for row in claims if row["key"] == "1a")
    line = next(row for row in rows if row.startswith("| 1a "))
    assert f"{first['effect']:.3f} [{first['low']:.3f}, {first['high']:.3f}]" in line and "| reproduced |" in line
    assert "effect [95 %]" in text and "| told_two | 1.000 [1.000, 1.000]" in texts_table(stages)


def test_the_level_of_intervals_follows_the_setting(stages, settings):
    evaluation = settings.evaluation.model_copy(update={"confidence": 0.9})
    text = readme_table(Stages(settings.model_copy(update={"evaluation": evaluation}), stages.folder))
    assert "effect [90 %]" in text and "95 %" not in text


def test_on_published_files_there_is_no_table_of_what_texts_name(stages, tmp_path):
    for name in ("claims.json", "per_sample.parquet"):
        (tmp_path / name).write_bytes((stages.folder / name).read_bytes())
    metrics = pd.read_csv(stages.folder / "metrics.csv")
    metrics[metrics["metric"] == "METEOR"].to_csv(tmp_path / "metrics.csv", index=False)
    assert "truth" in texts_table(stages) and texts_table(Stages(stages.settings, tmp_path)) == ""


def test_every_measure_stands_in_one_of_the_tables(stages):
    metrics = pd.read_csv(stages.folder / "metrics.csv")
    told, others = texts_table(stages), measures_tables(stages)
    heads = [line for text in (told, others) for line in text.splitlines() if line.startswith("| system |")]
    columns = [cell.strip() for line in heads for cell in line.strip("|").split("|")[1:]]
    assert sorted(columns) == sorted(set(metrics["metric"])) and all(line.count("|") <= 8 for line in heads)
    row = metrics[(metrics["system"] == "told_two") & (metrics["metric"] == "METEOR")].iloc[0]
    line = next(line for line in others.splitlines() if line.startswith("| told_two |"))
    assert f"{row['value']:.3f} [{row['low']:.3f}" in line


def test_only_what_stands_between_the_marks_is_written(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"before\n{START}\nold\n{END}\nbehind\n", encoding="utf-8")
    assert write_between_marks(path, "new ρ\n")
    assert path.read_text(encoding="utf-8") == f"before\n{START}\nnew ρ\n{END}\nbehind\n"
    assert not write_between_marks(path, "new ρ")


@pytest.mark.parametrize("text", ["", START, END + START, f"{START}{END}{START}{END}"])
def test_a_file_without_its_marks_is_left_alone(tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="once each"):
        write_between_marks(path, "new")
    assert path.read_text(encoding="utf-8") == text


def test_a_report_goes_into_a_new_file_or_between_its_profiles_marks(stages, tmp_path):
    new, old = tmp_path / "new.md", tmp_path / "old.md"
    text = report(stages, pd.DataFrame(), ["texts", "claims"])
    assert text == f"{texts_table(stages)}\n\n{readme_table(stages)}\n"
    assert write_report(new, text, "made_up") and new.read_text(encoding="utf-8") == text
    with pytest.raises(ValueError, match="made_up:start"):
        write_report(new, text, "made_up")
    old.write_text("a\n<!-- made_up:start -->\n<!-- made_up:end -->\nb", encoding="utf-8")
    assert write_report(old, text, "made_up") and not write_report(old, text, "made_up")
    assert text in old.read_text(encoding="utf-8")


def test_training_is_told_with_its_range_over_seeds():
    rows = pd.DataFrame({"system": ["ST", "ST", "Ours"], "seed": [0, 1, 0], "val_ce": [2.0, 3.0, 1.0], "lr": 5e-4})
    rows = rows.assign(best_step=[10, 30, 1200], steps=[20, 40, 1200], parameters=1_500_000)
    text = training_report(rows, Generation())
    assert "| ST | 2.500 (2.000 to 3.000) | 20 (10 to 30) | 30 (20 to 40) | 1.5 | 0.0005 |" in text
    assert "| Ours | 1.000 | 1,200 | 1,200 |" in text and "range over the seeds" in text
