"""What holds for every notebook, checked without a kernel."""

import ast
import json
import re
from pathlib import Path

import pytest

from showcase_utils.artifacts import STAGES
from showcase_utils.pipeline import NOTEBOOKS
from showcase_utils.published import PROFILE, read_notebook

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
PARAMETERS = {"profile": "demo", "overrides": "", "artifacts": ""}
NAMES = list(NOTEBOOKS)


def read(name):
    return read_notebook(FOLDER / f"{name}.ipynb")


def source_of(cell):
    return "".join(cell["source"])


def code_cells(name):
    return [cell for cell in read(name)["cells"] if cell["cell_type"] == "code"]


def tree_of(cell):
    return ast.parse(re.sub(r"^\s*[%!].*$", "pass", source_of(cell), flags=re.M))


def test_every_notebook_is_listed_and_every_listed_one_is_there():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


def test_names_are_numbered_in_order():
    assert [name.split("_")[0] for name in NAMES] == [f"{number:02}" for number in range(1, len(NAMES) + 1)]
    assert {stage.notebook for stage in STAGES.values()} <= set(NAMES)


def test_readme_index_names_every_notebook():
    text = (FOLDER / "README.md").read_text()
    assert [name for name in NAMES if f"({name}.ipynb)" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_begins_with_its_title_and_runs_the_right_kernel(name):
    notebook = read(name)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["cells"][0]["cell_type"] == "markdown"
    assert source_of(notebook["cells"][0]).startswith("# ")


@pytest.mark.slow
def test_valid():
    import nbformat  # two seconds to import

    for name in NAMES:
        nbformat.validate(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4))


@pytest.mark.parametrize("name", NAMES)
def test_one_parameters_cell_of_literals(name):
    tagged = [cell for cell in code_cells(name) if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == code_cells(name)[:1]
    found = {}
    for node in tree_of(tagged[0]).body:
        assert isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name), ast.unparse(node)
        found[node.targets[0].id] = ast.literal_eval(node.value)
    assert found == PARAMETERS


def test_texts_are_shown_by_the_table_that_escapes_them():
    """pandas' Styler hands texts to the browser as HTML; the one that is used bare shows numbers alone."""
    bare = [(name, source_of(cell)) for name in NAMES for cell in code_cells(name) if ".style." in source_of(cell)]
    assert [(name, source.count(".style.")) for name, source in bare] == [("01_data_filtering", 1)]
    assert 'table.style.format("{:,.0f}"' in bare[0][1]


@pytest.mark.parametrize("name", NAMES)
def test_no_definitions(name):
    for cell in code_cells(name):
        for node in ast.walk(tree_of(cell)):
            assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda), source_of(
                cell
            )


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_thin(name):
    lines = [len([line for line in source_of(cell).splitlines() if line.strip()]) for cell in code_cells(name)]
    assert max(lines) <= 25
    assert sorted(lines)[len(lines) // 2] <= 8


@pytest.mark.parametrize("name", NAMES)
def test_executed_in_order_and_clean(name):
    cells = code_cells(name)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", source_of(cell)
            assert output.get("name") != "stderr", output.get("text", "")[:300]


@pytest.mark.parametrize("name", NAMES)
def test_no_place_of_one_machine(name):
    text = json.dumps(read(name))
    assert not re.search(r"(?<![\w.:/])/(?:work|root|home|tmp|opt|Users)/", text)
    assert "papermill" not in read(name)["metadata"]


@pytest.mark.parametrize("name", NAMES)
def test_some_cells_are_compared(name):
    marked = [cell for cell in code_cells(name) if "nbval-check-output" in cell["metadata"].get("tags", [])]
    assert marked, "mark at least one cell whose output is the same on every machine"
    for cell in marked:
        text = "".join("".join(output.get("text", "")) for output in cell["outputs"])
        assert text.strip(), "a marked cell prints something"


def test_every_published_figure_is_in_the_index():
    figures = ROOT / "figures"
    index = json.loads((figures / "index.json").read_text())
    assert sorted(index) == sorted(path.name for path in figures.iterdir() if path.suffix in {".png", ".svg"})
    for name, entry in index.items():
        assert entry["notebook"] in NOTEBOOKS and name.startswith(entry["notebook"].split("_")[0]), name
        assert entry["profile"] == PROFILE
        assert entry["caption"]
