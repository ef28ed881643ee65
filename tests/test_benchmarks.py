"""`showcase bench --all` on small benchmarks of the test's own, and the table that the real ones have written."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from showcase_utils import cli

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
GOOD = """
from summary import Row, as_fast, store

def rows(report):
    theirs = Row("theirs", as_fast(report["ratio"]), "at least 2")
    return "ten | eleven", [theirs, Row("another", as_fast("not installed"))]

if __name__ == "__main__":
    store("good", {"ratio": 4.1875}, rows({"ratio": 4.1875}), ("numpy", "no-such-peer"))
"""
BAD = GOOD.partition("if __name__")[0] + "if __name__ == '__main__':\n    raise SystemExit('no such city')\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A checkout with two benchmarks, one of which fails, and one that takes hours."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "summary.py").write_bytes((BENCHMARKS / "summary.py").read_bytes())
    (folder / "bench_good.py").write_text(GOOD, encoding="utf-8")
    (folder / "bench_bad.py").write_text(BAD, encoding="utf-8")
    (folder / "rehearsal.py").write_text("raise SystemExit('hours')", encoding="utf-8")
    marks = "<!-- benchmarks:start -->\nold\n<!-- benchmarks:end -->"
    (folder / "README.md").write_text(f"# Head\n\n{marks}\n\nWhat caps it.\n", encoding="utf-8")
    monkeypatch.setattr(cli, "PACKAGE", tmp_path / "showcase_utils")
    return folder


def bench(*arguments):
    return CliRunner().invoke(cli.app, ["bench", *arguments])


@pytest.mark.slow
def test_all_goes_on_when_one_fails_says_so_and_writes_the_table(folder, capfd):
    result = bench("--all")
    assert result.exit_code == 1 and "failed: bad;" in result.stderr
    assert [line for line in result.stdout.splitlines() if " of " in line] == ["1 of 2: bad", "2 of 2: good"]
    printed = capfd.readouterr()
    assert "no such city" in printed.err and "hours" not in printed.err
    assert "theirs: 4.19 times as fast (goal: at least 2)" in printed.out

    measured = json.loads((folder / "results" / "good.json").read_text(encoding="utf-8"))["measured"]
    assert set(measured) == {"date", "machine", "load", "versions"} and set(measured["versions"]) == {"python", "numpy"}
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert "old" not in lines and lines[0] == "# Head" and lines[-1] == "What caps it."
    assert r"| `good`, ten \| eleven | theirs | 4.19 times as fast | at least 2 |" in lines
    assert "|  | another | not installed |  |" in lines
    assert f"| `good` | {measured['date']} | {measured['machine']} | {measured['load']} |" in lines


@pytest.mark.slow
def test_all_that_works_ends_well(folder, capfd):
    (folder / "bench_bad.py").unlink()
    result = bench("--all")
    assert result.exit_code == 0 and "failed" not in result.output
    (folder / "README.md").write_text("no marks", encoding="utf-8")
    result = bench("--all")
    assert result.exit_code == 1 and "failed: the table" in result.stderr


def test_all_takes_nothing_beside_it(folder):
    for arguments in (("good", "--all"), ("--all", "--pairs", "3")):
        result = bench(*arguments)
        assert result.exit_code == 1 and "give nothing beside it" in result.stderr
    assert not (folder / "results").exists()


@pytest.mark.slow
def test_the_readme_says_what_the_stored_results_say(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import summary

    start, end = summary.MARKS
    written = (BENCHMARKS / "README.md").read_text(encoding="utf-8").partition(start)[2].partition(end)[0]
    assert written.strip() == summary.tables().strip(), "run `python benchmarks/summary.py`"
    scripts = {path.stem.removeprefix("bench_") for path in BENCHMARKS.glob("bench_*.py")}
    assert all(written.count(f"| `{name}`") == 2 for name in scripts), "each stands in the table and below it"
