"""A published notebook is known to be what the present code would write, or said to be out of date."""

import json
import shutil

import pandas as pd
import pytest

from showcase_utils import published, recipes
from showcase_utils.config import load_settings
from tests.small_notebooks import code, prose, write_notebook

STAGES = ["data", "features"]
CELLS = ["from showcase_utils.alignment import phi", "%matplotlib inline\nprint(1)"]


def write(path, cells=CELLS, **metadata):
    write_notebook(path, prose("# One"), *map(code, cells), **metadata)


def record(path, *overrides):
    return published.record_of(published.read_notebook(path), STAGES, load_settings("demo", list(overrides)))


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An executed notebook with a figure, published into a folder: (folder, executed notebook)."""
    folder, executed, figures = tmp_path / "notebooks", tmp_path / "run" / "01_one.ipynb", tmp_path / "run" / "figures"
    folder.mkdir()
    figures.mkdir(parents=True)
    write(executed, papermill={"duration": 1})
    (figures / "01_page.png").write_bytes(b"png")
    (figures / "index.json").write_text(json.dumps({"01_page.png": {"notebook": "01_one", "caption": "a page"}}))
    (tmp_path / "figures" / "screens").mkdir(parents=True)
    (tmp_path / "figures" / "screens" / "app.jpg").write_bytes(b"jpeg")
    (tmp_path / "figures" / "01_old.png").write_bytes(b"png")
    monkeypatch.setattr(published, "FIGURES", tmp_path / "figures")
    published.publish({"01_one": executed}, {"01_one": record(executed)}, folder, figures)
    return folder


def test_what_was_just_published_is_up_to_date(house):
    assert published.outdated(house, {"01_one": STAGES}) == {}
    assert "papermill" not in published.read_notebook(house / "01_one.ipynb")["metadata"]


def test_what_only_one_run_knows_is_not_published(house, tmp_path):
    def published_one(value):
        tables = [pd.DataFrame({"a": [value]}).style.hide(axis="index") for _ in range(2)]
        data = [{"text/html": table.to_html(), "text/plain": repr(table)} for table in tables]
        outputs = [{"output_type": "display_data", "data": one, "metadata": {}} for one in data]
        path = tmp_path / "01_one.ipynb"
        write_notebook(path, code("1") | {"outputs": outputs})
        published.publish({"01_one": path}, {"01_one": record(path)}, house, house.parent / "run" / "figures")
        return published.read_notebook(house / "01_one.ipynb")["cells"]

    one = published_one("T_0a1b2 at 0x12")
    assert published_one("T_0a1b2 at 0x12") == one != published_one("T_0a1b3 at 0x12")
    html = ["".join(output["data"]["text/html"]) for output in one[0]["outputs"]]
    assert all('id="T_0000' in table and "T_0a1b2 at 0x12" in table for table in html) and html[0] != html[1]
    assert one[0]["outputs"][0]["data"]["text/plain"] == ["<pandas.io.formats.style.Styler object>"]


def test_figures_say_what_made_them(house):
    entry = json.loads((house.parent / "figures" / "index.json").read_text())["01_page.png"]
    assert entry["notebook"] == "01_one" and len(entry["made_by"]) == 16


def test_figures_of_notebooks_that_were_not_executed_keep_the_word_of_who_made_them(house):
    run, index = house.parent / "run", house.parent / "figures" / "index.json"
    before = json.loads(index.read_text())["01_page.png"]
    (run / "figures" / "02_page.png").write_bytes(b"png")
    entries = {f"{name[:2]}_page.png": {"notebook": name, "caption": "a page"} for name in ("01_one", "02_two")}
    (run / "figures" / "index.json").write_text(json.dumps(entries))
    write(run / "02_two.ipynb")
    published.publish({"02_two": run / "02_two.ipynb"}, {"02_two": {"cells": "new"}}, house, run / "figures")
    now = json.loads(index.read_text())
    assert now["01_page.png"] == before and now["02_page.png"]["made_by"] != before["made_by"]


def test_old_figures_go_and_what_no_notebook_draws_stays(house):
    left = sorted(str(path.relative_to(house.parent)) for path in (house.parent / "figures").rglob("[!.]*.*"))
    assert left == ["figures/01_page.png", "figures/index.json", "figures/screens/app.jpg"]


def test_an_edited_cell_is_seen_and_edited_prose_is_not(house):
    path = house / "01_one.ipynb"
    notebook = published.read_notebook(path)
    notebook["cells"][0]["source"] = "# Another"
    path.write_text(json.dumps(notebook))
    assert published.outdated(house, {"01_one": STAGES}) == {}
    notebook["cells"][2]["source"] = "print(2)"
    path.write_text(json.dumps(notebook))
    assert published.outdated(house, {"01_one": STAGES}) == {"01_one": "cells changed"}


@pytest.mark.parametrize("module", ["alignment.phi", "encoding.build", "data.build"])
def test_other_code_of_a_cell_or_a_stage_is_named(house, monkeypatch, module):
    digests = recipes.code_digests
    edited = f"showcase_utils.{module}"
    monkeypatch.setattr(
        published, "code_digests", lambda names: {n: "new" if n == edited else d for n, d in digests(names).items()}
    )
    assert published.outdated(house, {"01_one": STAGES}) == {"01_one": f"{module} changed"}


def test_other_weights_are_seen_and_bytecode_is_not(house, tmp_path, monkeypatch):
    backbones = tmp_path / "backbones"
    shutil.copytree(published.BACKBONES, backbones, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(published, "BACKBONES", backbones)
    (backbones / "__pycache__").mkdir()
    (backbones / "__pycache__" / "card.cpython-311.pyc").write_bytes(b"compiled")
    assert published.outdated(house, {"01_one": STAGES}) == {}
    (backbones / "gpt2" / "model.safetensors").write_bytes(b"others")
    assert "backbones" in published.outdated(house, {"01_one": STAGES})["01_one"]


def test_a_notebook_that_nothing_published_is_out_of_date(tmp_path):
    write(tmp_path / "01_one.ipynb")
    assert published.outdated(tmp_path, {"01_one": STAGES}) == {"01_one": "it was never published"}


def test_settings_count_where_a_stage_above_reads_them_and_change_more_than_speed(tmp_path):
    path = tmp_path / "01_one.ipynb"
    write(path)
    assert record(path, "encoding.workers=7", "selection.k=9", "threads=3") == record(path)
    assert record(path, "world.seed=9") != record(path)
    assert record(path, "encoding.dtype=float32") != record(path)
