"""Notebook 01 over files in the published formats, with the profile that the README shows."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from showcase_utils import pipeline
from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
from showcase_utils.data.frames import load_reviews
from showcase_utils.data.gest import photos_named
from showcase_utils.photos.files import check_photo
from showcase_utils.photos.store import PhotoStore
from showcase_utils.published import read_notebook

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ROWS = 600


def readme_profile() -> str:
    """The lines of the README's profile for the published files."""
    (lines,) = re.findall(r"```yaml\n(# mine\.yaml.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert lines.count("\n") <= 10
    return lines


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with small files in both formats, like a folder that ``showcase download`` has filled."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gest_like

    gest_like.write(tmp_path / "image_review_all.json", ROWS)
    gest_like.write_splits(tmp_path / "filter_all_t.json", ROWS)
    return tmp_path


@pytest.fixture
def run(folder):
    """Notebook 01 with a profile: what its cells printed, and the folder of the data stage."""

    def run(profile: str) -> tuple[str, Path]:
        (folder / "mine.yaml").write_text(profile, encoding="utf-8")
        (done,) = pipeline.run(str(folder / "mine.yaml"), ["device=cpu"], str(folder / "artifacts"), end="01")
        assert done.state == "executed" and len(done.figures) == 4
        cells = read_notebook(done.path)["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output.get("name") == "stderr"]
        store = Artifacts(load_settings(folder / "mine.yaml", ["device=cpu"]), folder / "artifacts")
        return "".join("".join(output.get("text", "")) for output in outputs), store.path("data")

    return run


def test_the_profile_of_the_readme(run, folder):
    photos = photos_named(folder / "image_review_all.json", progress=False)["image_id"].to_pylist()
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 90, 30)).save(buffer, "JPEG")
    fates = ("ok", "ok", "expired", "unreachable")
    with PhotoStore(folder / "photos") as store:
        for number, image_id in enumerate(photos[:-3]):  # the last three have not been asked for
            status = fates[number % len(fates)]
            if status == "ok":
                store.keep(image_id, buffer.getvalue())
            store.record(image_id, status, check_photo(buffer.getvalue(), 10**6) if status == "ok" else None)
    printed, data = run(readme_profile())
    assert f"{ROWS} rows = {ROWS} accepted + 0 rejected; {len(photos)} photos" in printed
    statuses = pd.read_parquet(data / "images.parquet", columns=["status"])["status"].value_counts().to_dict()
    assert statuses.keys() == {*fates, "missing"} and statuses["missing"] == 3
    s1 = load_reviews(data / "s1.parquet")
    assert 0 < len(s1) < ROWS and f"{ROWS} reviews read, {len(s1)} in GEST-s1" in printed


def test_the_file_of_splits_without_photos(run, folder):
    profile = readme_profile().replace("image_review_all.json", "filter_all_t.json")
    printed, data = run(re.sub(r"^  images:.*\n", "", profile, flags=re.M))
    assert f"{ROWS} reviews read, {ROWS} in GEST-s1" in printed
    assert re.search(r"^GEST-s2 +\d+ +600 ", printed, re.M)
    published = json.loads((folder / "filter_all_t.json").read_text())
    splits = load_reviews(data / "s1.parquet")["split"].value_counts().to_dict()
    assert splits == {name: len(rows) for name, rows in published.items()}
