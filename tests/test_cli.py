import errno
import json
import os
import subprocess
import sys

import pytest
from rich.table import Table
from typer.testing import CliRunner

from showcase_utils import __version__, cli
from showcase_utils.artifacts import Artifacts
from showcase_utils.cli import app
from showcase_utils.terminal import PlainConsole, counted, visible_json


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
        "gallery",
        "serve",
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


def test_serve_wants_a_folder_or_a_profile(invoke, tmp_path):
    result = invoke("serve", str(tmp_path), "--profile", "smoke")
    assert result.exit_code == 1 and "not both" in result.stderr
    result = invoke("serve", "--profile", "smoke")
    assert result.exit_code == 1 and "01_data_filtering" in result.stderr


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
    assert all(name in result.stdout for name in ("greedy_map", "reading", "rehearsal"))


def test_unknown_benchmark(invoke):
    result = invoke("bench", "speed")
    assert result.exit_code == 1
    assert "no benchmark 'speed'" in result.stderr


def test_json_gives_a_terminal_no_orders_and_a_program_every_letter():
    text = "plain \x1b[2J \x7f \x9b2J \u202e é\n"
    shown = visible_json(json.dumps([text], indent=1, ensure_ascii=False))
    assert json.loads(shown) == [text]
    assert shown.isascii() is False and not {"\x1b", "\x7f", "\x9b", "\u202e"} & set(shown)


def test_version(invoke):
    assert invoke("--version").stdout.strip() == __version__


def test_accept_refuses_what_was_never_made(invoke):
    result = invoke("accept", "selection", "--profile", "smoke")
    assert result.exit_code == 1
    assert "stage 'selection' is missing: only what other code made is accepted" in " ".join(result.stderr.split())


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


HOSTILE = "[/] [red]gone[/red] :smile: \x1b]0;owned\x07 \x9b31m \u202eturned"


def test_what_is_printed_is_neither_markup_nor_an_order_to_the_terminal(capsys):
    console = PlainConsole()
    table = Table("column")
    table.add_row(HOSTILE)
    console.print(HOSTILE, table)
    printed = capsys.readouterr().out
    assert printed.count("[/] [red]gone[/red] :smile: \\x1b]0;owned\\x07 \\x9b31m \\u202eturned") == 2
    assert not set("\x1b\x07\x9b\u202e") & set(printed)


def test_the_line_of_a_run_shows_what_a_bar_says_as_it_is(capsys):
    console = PlainConsole()
    with console.status("") as status:
        cli._Running(status).progress(HOSTILE)
        assert "[red]gone[/red] :smile: \\x1b]" in status.renderable.text.plain


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "showcase: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/store/x"), "showcase: /store/x: Permission denied"),
        (KeyError("no stage 'x'"), "showcase: no stage 'x'"),
    ],
)
def test_errors_anywhere_in_a_command_are_a_sentence(invoke, monkeypatch, error, words):
    def fail(self, **unused):
        raise error

    monkeypatch.setattr(Artifacts, "statuses", fail)
    result = invoke("status", "--profile", "smoke")
    assert result.exit_code == 1
    assert result.stderr.strip() == words


@pytest.mark.parametrize("option", ["--artifacts", "--output"])
def test_a_file_where_a_folder_belongs_is_a_sentence(invoke, tmp_path, option):
    (tmp_path / "file").write_text("")
    result = invoke("run", "--profile", "smoke", option, str(tmp_path / "file"))
    assert result.exit_code == 1
    assert "file" in result.stderr and "Traceback" not in result.output and result.stderr.count("\n") == 1


def test_an_export_into_a_folder_that_holds_something_is_refused_before_anything_is_loaded(invoke, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    result = invoke("export", str(tmp_path / "full"))  # there is no run: whoever loaded one would say so
    assert result.exit_code == 1 and "not empty: name another folder" in result.output


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_hears_no_complaint(tmp_path):
    command = f"'{sys.executable}' -m showcase_utils.cli status --profile smoke --artifacts '{tmp_path}' | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "a reader is missing: USER, --history FILE or --photos FOLDER; a place is missing: BUSINESS, or"),
        ("ann", "a place is missing: BUSINESS, or --candidates FOLDER"),
        ("--history past.txt --photos mine", "a place is missing: BUSINESS, or --candidates FOLDER"),
        ("--candidates there", "a reader is missing: USER, --history FILE or --photos FOLDER"),
        ("ann fig --history past.txt", "USER ann and --history are two readers: leave one out"),
        ("ann fig --photos mine", "USER ann and --photos are two readers: leave one out"),
        ("ann fig --candidates there", "BUSINESS fig and --candidates are two places: leave one out"),
        ("fig --photos mine --candidates there", "--photos and --candidates say already who reads and where: leave"),
        ("fig --history .", "--history .: Is a directory; give a text file with a review a line, photos with --photos"),
        ("fig --history no.txt", "--history no.txt: No such file or directory; give a text file with a review a line"),
        ("fig --history photo.jpg", "--history photo.jpg: not a text in UTF-8 (invalid start byte at byte 0); give a"),
    ],
)
def test_readers_and_places_that_are_missing_or_there_twice(invoke, tmp_path, monkeypatch, line, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    result = invoke("explain", *line.split())
    assert result.exit_code == 1
    assert f"showcase: {words}" in result.stderr


def test_one_is_no_plural():
    assert [counted(number, "photo") for number in (0, 1, 1200)] == ["0 photos", "1 photo", "1,200 photos"]


@pytest.mark.parametrize("line", [["explain", "a", "b", "--html"], ["gallery"]])
def test_a_page_that_could_not_be_written_is_refused_before_anything_is_loaded(invoke, tmp_path, line, monkeypatch):
    monkeypatch.setattr("showcase_utils.artifacts.Artifacts.path", lambda self, stage: tmp_path)
    for path, words in ((tmp_path, "is a folder: give the name of a file"), (tmp_path / "no" / "a.html", "no folder")):
        result = invoke(*line, str(path))
        assert result.exit_code == 1 and words in " ".join(result.stderr.split()), result.output
