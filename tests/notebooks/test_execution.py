"""Every notebook executed: by papermill on the smallest world, and once more to compare what its marked cells print.

What the committed notebooks show is not executed again here, which would train every system of `demo`: their record
says whether the present code and settings would write them (`showcase_utils.published`).
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from showcase_utils import pipeline
from showcase_utils.artifacts import FRESH, Artifacts
from showcase_utils.config import load_settings
from showcase_utils.published import read_notebook

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
NAMES = list(pipeline.NOTEBOOKS)
MARK = "nbval-check-output"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def executed(artifacts):
    return {done.notebook: done for done in pipeline.run("smoke", [], str(artifacts))}


def test_all_run_and_leave_every_stage_fresh(executed, artifacts):
    assert list(executed) == NAMES
    states = Artifacts(load_settings("smoke"), artifacts).statuses()
    assert {stage: status.state for stage, status in states.items() if status.state != FRESH} == {}
    assert {done.notebook for done in executed.values() if not done.figures} == set()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_printed_to_stderr(executed, name):
    for cell in read_notebook(executed[name].path)["cells"]:
        said = ["".join(out["text"]) for out in cell.get("outputs", []) if out.get("name") == "stderr"]
        assert not said, (cell["source"], said)


def marked_cells(notebook):
    """The cells that are compared, and of the others those that give a name which one behind them reads."""
    kept, read = [], set()
    for cell in reversed([cell for cell in notebook["cells"] if cell["cell_type"] == "code"]):
        nodes = list(ast.walk(ast.parse("".join(cell["source"]))))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        imports = [name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for name in node.names]
        given = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        given |= {(name.asname or name.name).split(".")[0] for name in imports}
        if MARK in cell["metadata"].get("tags", []) or given & read:
            kept.append(cell)
            read |= {name.id for name in names if isinstance(name.ctx, ast.Load)}
    return kept[::-1]


def test_marked_cells_print_the_same_again(executed, tmp_path):
    """All in one kernel, whose imports take longer than the cells, and without drawing the figures again."""
    cells = []
    for name, done in executed.items():
        notebook = read_notebook(done.path)
        cells += [cell | {"id": f"{name}-{cell['id']}"} for cell in marked_cells(notebook)]
    path = tmp_path / "all.ipynb"
    path.write_text(json.dumps(notebook | {"cells": cells}), encoding="utf-8")
    nbval = [sys.executable, "-m", "pytest", "-p", "nbval", "--nbval-lax", "--nbval-cell-timeout=600"]
    result = subprocess.run([*nbval, path], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]


def test_a_second_run_executes_nothing(executed, artifacts):
    assert {done.state for done in pipeline.run("smoke", [], str(artifacts))} == {"fresh"}


def test_committed_notebooks_are_what_the_code_would_write():
    outdated = pipeline.outdated_notebooks()
    assert outdated == {}, "run `make notebooks`: " + "; ".join(f"{name}: {why}" for name, why in outdated.items())
