"""README's section on one's own data, walked line by line on gardens and museums whose visitors write scripts."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from showcase_utils.config import load_settings
from showcase_utils.generation.systems import SYSTEMS
from showcase_utils.pipeline import NOTEBOOKS
from tests.faults.browser import CHROMIUM, SVG, runs_a_script_of_the_data
from tests.gardens import plant

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Your own data\n")[2].partition("\n## ")[0]
COMMANDS = [line.partition("  #")[0].strip() for line in re.search(r"```\n(.*?)```", SECTION, re.S)[1].splitlines()]
PROFILE = re.search(r"```yaml\n(.*?)```", SECTION, re.S)[1]
ONCE = "  epochs: 1\n  jobs: 1\n"  # seventy reviews are not learned from, and a second process takes longer to start
QUICK = PROFILE.replace("selection:\n", f"selection:\n{ONCE}  metric_epochs: 1\n")
# two systems, of which one is contrasted, fill all tables and figures; each of the four has tests of its own
QUICK = re.sub(r"generation:\n.*", f"generation:\n{ONCE}  systems: [img_gpt2, ours_pc2l]", QUICK)
QUICK += "evaluation:\n  bootstrap: 100\n"


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A folder as a reader has it, and what runs a line of README in it."""
    folder = tmp_path_factory.mktemp("walk")
    plant(folder, script=SVG)
    environment = os.environ | {"SHOWCASE_ARTIFACTS": str(folder / "artifacts"), "OMP_NUM_THREADS": "1"}
    environment |= {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}

    def run(command):
        program, *arguments = shlex.split(command)
        assert program == "showcase"
        done = subprocess.run(
            [sys.executable, "-m", "showcase_utils.cli", *arguments],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=1800,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    run.folder = folder
    return run


def test_the_screen_has_the_five_steps():
    assert [shlex.split(command)[1] for command in COMMANDS] == ["import", "check", "run", "explain", "gallery"]
    assert len(PROFILE.strip().splitlines()) in range(10, 13)


@pytest.mark.slow
def test_from_a_csv_through_all_notebooks(walk):
    said = walk(COMMANDS[0])
    assert "reviews.csv" in said and (walk.folder / "gardens" / "image_review_all.json").is_file()
    written = load_settings(walk.folder / "gardens" / "gardens.yaml")
    (walk.folder / "gardens" / "gardens.yaml").write_text(PROFILE, encoding="utf-8")
    ours = load_settings(walk.folder / "gardens" / "gardens.yaml")
    assert written.data == ours.data and written.selection == ours.selection
    assert set(ours.generation.systems) <= SYSTEMS.keys()
    (walk.folder / "gardens" / "gardens.yaml").write_text(QUICK, encoding="utf-8")
    row = {"user_id": SVG, "business_id": SVG, "rating": SVG, "review_text": SVG, "pics": []}  # shown as rejected
    with (walk.folder / "gardens" / "image_review_all.json").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    checked = walk(COMMANDS[1])
    assert "next  showcase run" in checked and "no labels" in checked
    assert "GEST-s1   70 reviews of 14 users, 6 places" in checked
    walk(COMMANDS[2])
    phi = json.loads((walk.folder / "artifacts" / "gardens" / "alignment" / "metrics.json").read_text())
    assert phi["compared_pairs"] > 0 and "cosine" in phi["variant"].lower()
    assert int(walk("showcase annotate page.html --profile gardens/gardens.yaml").split()[0]) > 100
    assert "data:image/jpeg" in (walk.folder / "page.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_from_a_run_to_a_page_and_a_gallery(walk):
    walk(COMMANDS[3])
    page = (walk.folder / "vera.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") >= 3 and "kew" in page
    walk(COMMANDS[4])
    gallery = (walk.folder / "gallery.html").read_text(encoding="utf-8")
    assert gallery.count('<article class="showcase"') >= 2 and "http://" not in gallery and "https://" not in gallery


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_notebook_runs_what_visitors_write(walk, tmp_path, name):
    import nbformat
    from nbconvert import HTMLExporter

    asyncio.set_event_loop(asyncio.new_event_loop())  # nbconvert looks for one
    path = walk.folder / "artifacts" / "gardens" / "notebooks" / f"{name}.ipynb"
    page = HTMLExporter().from_notebook_node(nbformat.read(path, as_version=4))[0]
    if name.startswith(("01", "04", "05", "06")):
        assert "svg onload" in page, "the notebook shows none of what visitors write"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    assert not runs_a_script_of_the_data(tmp_path / "page.html")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("name", ["page", "vera", "gallery"])
def test_no_page_does_either(walk, name):
    assert not runs_a_script_of_the_data(walk.folder / f"{name}.html")
