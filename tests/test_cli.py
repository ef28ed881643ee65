import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from showcase_utils import __version__
from showcase_utils.cli import app


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOWCASE_ARTIFACTS", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(app, [*arguments])


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "train",
        "status",
        "accept",
        "explain",
        "evaluate",
        "rate",
        "download",
        "import",
        "check",
        "annotate",
        "bench",
        "backbones",
    ],
)
def test_help_of_every_command(invoke, command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert "--" in result.stdout and len(result.stdout) > 200


def test_status_of_nothing_yet(invoke):
    result = invoke("status", "--profile", "smoke")
    assert result.exit_code == 0
    assert result.stdout.count("missing") == 8


def test_unknown_key_is_a_sentence(invoke):
    result = invoke("run", "--profile", "smoke", "--set", "selection.kk=1")
    assert result.exit_code == 1
    assert "did you mean 'selection.k'" in result.stderr
    assert "Traceback" not in result.output


def test_unknown_notebook(invoke):
    result = invoke("run", "--profile", "smoke", "--from", "9")
    assert result.exit_code == 1
    assert "no notebook '9'" in result.stderr


def test_train_before_the_run_names_the_notebook(invoke):
    result = invoke("train", "--profile", "smoke")
    assert result.exit_code == 1
    assert "run notebook" in result.stderr and "Traceback" not in result.output


def test_explain_before_the_run_names_the_notebook(invoke):
    result = invoke("explain", "1", "2", "--profile", "smoke")
    assert result.exit_code == 1
    assert "run notebook" in result.stderr


def test_rating_needs_texts_and_a_key(invoke, tmp_path):
    result = invoke("rate", str(tmp_path / "sheet.html"), "--profile", "smoke")
    assert result.exit_code == 1
    assert "which 'texts' needs" in result.stderr and "run notebook 01_data_filtering first" in result.stderr
    result = invoke("rate", str(tmp_path / "sheet.html"), str(tmp_path / "answers.json"))
    assert result.exit_code == 1
    assert ".key.json" in result.stderr


def test_evaluating_a_missing_file(invoke, tmp_path):
    result = invoke("evaluate", str(tmp_path / "texts.csv"))
    assert result.exit_code == 1
    assert "texts.csv is not there" in result.stderr


def test_benchmarks_are_listed(invoke):
    result = invoke("bench")
    assert result.exit_code == 0
    assert "greedy_map" in result.stdout and "reading" in result.stdout


def test_unknown_benchmark(invoke):
    result = invoke("bench", "speed")
    assert result.exit_code == 1
    assert "no benchmark 'speed'" in result.stderr


def test_version(invoke):
    assert invoke("--version").stdout.strip() == __version__


def test_accept_refuses_what_was_never_made(invoke):
    result = invoke("accept", "selection", "--profile", "smoke")
    assert result.exit_code == 1
    assert "stage 'selection' is missing" in result.stderr


def test_status_imports_no_torch(tmp_path):
    """A look at the stages must take no longer than a look: what computes is imported where it computes."""
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom showcase_utils.cli import app\n"
        "assert CliRunner().invoke(app, ['status', '-p', 'smoke']).exit_code == 0\n"
        "print(sorted({'torch', 'transformers', 'pandas', 'nbformat', 'matplotlib'} & set(sys.modules)))"
    )
    environment = {**os.environ, "SHOWCASE_ARTIFACTS": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_path_with_brackets_is_printed_as_it_is(invoke, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOWCASE_ARTIFACTS", str(tmp_path / "[red]x[/]"))
    assert "[red]x[/]" in invoke("status", "--profile", "smoke").stdout
