"""All notebooks over a data set whose users write scripts and are called like scripts, opened in a real browser."""

import asyncio
import contextlib
import json

import nbformat
import pytest
from nbconvert import HTMLExporter

from showcase_utils import pipeline
from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
from showcase_utils.pipeline import NOTEBOOKS
from showcase_utils.showcase import Showcases, page
from tests.faults.browser import CHROMIUM, SVG, runs_a_script_of_the_data

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A finished run over the smallest world, every text of which begins with a script, as does every id."""
    folder = tmp_path_factory.mktemp("hostile")
    world = Artifacts(load_settings("smoke"), folder / "made").make("world", progress=False)
    rows = []
    for line in (world / "image_review_all.json").read_bytes().splitlines():
        with contextlib.suppress(ValueError):  # some are damaged, as in the published file
            rows.append(json.loads(line))
    rows = [row for row in rows if isinstance(row, dict) and row.keys() >= {"review_text", "user_id", "business_id"}]
    for number, row in enumerate(rows):
        row["review_text"] = f"{SVG} {row['review_text']} {SVG}"
        row["user_id"], row["business_id"] = f"{SVG}{row['user_id']}", f"{SVG}{row['business_id']}"
        if number % 10 == 0:
            row["rating"] = f"{SVG}"  # a row that is rejected, and shown as such
    (folder / "rows.json").write_text("\n".join(map(json.dumps, rows)) + "\n")
    images = next(path for path in world.iterdir() if path.is_dir() and next(path.rglob("*.jpg"), None))
    (folder / "hostile.yaml").write_text(
        f"extends: smoke\ndata:\n  source: files\n  reviews: rows.json\n  images: {json.dumps(str(images))}\n"
    )
    pipeline.run(str(folder / "hostile.yaml"), [], str(folder / "artifacts"))
    return Artifacts(load_settings(folder / "hostile.yaml"), folder / "artifacts")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_notebook_runs_what_users_write(store, tmp_path, name):
    asyncio.set_event_loop(asyncio.new_event_loop())  # nbconvert looks for one
    notebook = nbformat.read(store.folder / "notebooks" / f"{name}.ipynb", as_version=4)
    path = tmp_path / "page.html"
    path.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    if name.startswith(("01", "04", "05", "06")):
        assert "svg onload" in path.read_text(encoding="utf-8"), "the notebook shows none of what users write"
    assert not runs_a_script_of_the_data(path)


def test_the_gallery_does_not_either(store, tmp_path):
    showcases = Showcases.load(store)
    made = showcases.explain_many(showcases.library.test_visits(4))
    (tmp_path / "page.html").write_text(page(made, SVG), encoding="utf-8")
    assert not runs_a_script_of_the_data(tmp_path / "page.html")
