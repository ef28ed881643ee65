"""``showcase evaluate`` from the file to the table; grounding and truth stand in for models and worlds."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from showcase_utils.artifacts import Artifacts
from showcase_utils.claims import submission
from showcase_utils.cli import app
from showcase_utils.metrics.generated import REFERENCE, Grounding
from tests.claims.conftest import named


@pytest.fixture
def run(tmp_path, monkeypatch, texts, truth, tiny_gpt2):
    """A run that has texts, and a call of the command on a file with some content."""
    stage = tmp_path / "texts"
    stage.mkdir()
    kept = texts[texts["system"].isin(["ours_ce", "ours_pc2l"]) & (texts["seed"] == 0)]
    kept.to_parquet(stage / "texts.parquet", index=False)

    def ground(stages, frame):
        rng = np.random.default_rng(0)
        photos = [rng.normal(size=(2, 3)) for _ in range(len(frame))]
        return Grounding(photos, [rng.normal(size=(1, 3))] * len(frame), [np.full((2, 1), 0.5)] * len(frame))

    class Reader:
        def read(self, frame):
            return named(frame)

    monkeypatch.setattr(Artifacts, "path", lambda self, name: stage)
    monkeypatch.setattr(Artifacts, "contents", lambda self, name: "digest")
    monkeypatch.setattr(submission, "ground_texts", ground)
    monkeypatch.setattr(submission, "open_phrases", lambda stages: Reader())
    monkeypatch.setattr(submission, "known_truth", lambda stages: truth)
    settings = ["-s", f"evaluation.bertscore_model={tiny_gpt2}", "-s", "evaluation.bootstrap=20"]

    def call(content, *options):
        path = tmp_path / "theirs.csv"
        path.write_text(content, encoding="utf-8")
        arguments = ["evaluate", str(path), "-p", "smoke", "-a", str(tmp_path / "artifacts"), *settings, *options]
        return CliRunner().invoke(app, arguments)

    return call


def test_a_subset_is_scored_beside_ours_on_the_same_reviews_and_says_that_it_is_one(run, tmp_path):
    own = tmp_path / "artifacts" / "smoke" / "evaluation"
    own.mkdir(parents=True)
    (own / "metrics.csv").write_text("the run's own")
    rows = "".join(f"r{i:02d},the tacos were so great\n" for i in range(6))
    result = run("review_id,text\n" + rows)
    assert result.exit_code == 0, result.output
    assert "6 of 24 test reviews, 3 users: a subset" in result.stdout
    first = [line.split()[0] for line in result.stdout.splitlines() if line.strip()]
    start = first.index("theirs")
    assert first[start : start + 4] == ["theirs", "ours_ce", "ours_pc2l", REFERENCE]
    assert "ours_pc2l − theirs" in result.stdout
    folder = tmp_path / "artifacts" / "smoke" / "evaluate" / "theirs"
    samples = pd.read_parquet(folder / "per_sample.parquet")
    assert samples.groupby("system")["review_id"].nunique().eq(6).all()
    assert json.loads((folder / "about.json").read_text())["reviews"] == 6
    assert (own / "metrics.csv").read_text() == "the run's own"
    assert sorted(path.name for path in (tmp_path / "artifacts" / "smoke").iterdir()) == ["evaluate", "evaluation"]


def test_all_reviews_are_no_subset_and_a_name_can_be_given(run, tmp_path):
    result = run("review_id,text\n" + "".join(f"r{i:02d},good\n" for i in range(24)), "--name", "second")
    assert "24 of 24 test reviews, 12 users: all of them" in result.stdout
    assert (tmp_path / "artifacts" / "smoke" / "evaluate" / "second" / "metrics.csv").is_file()


def test_what_is_wrong_with_the_file_is_said_without_a_traceback(run, tmp_path):
    result = run("review_id,text\nr00,good\nr01,\n")
    assert result.exit_code == 1 and "line 3: review r01 has a blank text" in result.stderr
    assert not (tmp_path / "artifacts" / "smoke" / "evaluate").exists()


def test_files_are_checked_before_anything_heavy_is_imported(tmp_path):
    (tmp_path / "theirs.csv").write_text("review_id,text\nzz,good\n")
    pd.DataFrame({"review_id": ["r00"], "system": ["ours"]}).to_parquet(tmp_path / "texts.parquet")
    code = f"""
import sys
from pathlib import Path
from showcase_utils import artifacts, cli
artifacts.Artifacts.path = lambda self, stage: Path({str(tmp_path)!r})
try:
    cli.app(["evaluate", {str(tmp_path / "theirs.csv")!r}, "-p", "smoke"])
except SystemExit:
    print({{"torch", "pandas", "transformers", "nbformat", "matplotlib"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "review 'zz' is not a test review" in done.stderr
    assert done.stdout.strip() == "set()"
