"""A small demo world, and the data stage that is built from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
from showcase_utils.demo_world import painting
from showcase_utils.demo_world.world import grow
from tests.published_files import published  # noqa: F401

SMALL = {"restaurants": 12, "users": 80, "reviews": 260, "photos": 330, "annotated_reviews": 20}


def _in_one_colour(jobs, workers=None, progress=True):
    for job in jobs:
        Image.new("RGB", (32, 24), (200, job.seed % 256, 30)).save(job.path)


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Artifacts:
    """Artifacts with fresh stages ``world`` and ``data``; what the photos show is of no matter here."""
    settings = load_settings("smoke", {f"world.{name}": number for name, number in SMALL.items()} | {"device": "cpu"})
    store = Artifacts(settings, tmp_path_factory.mktemp("artifacts"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(painting, "paint_all", _in_one_colour)
        store.make("world", lambda context: grow(context.out, **settings.world.model_dump(), progress=False))
    store.make("data", progress=False)
    return store


@pytest.fixture(scope="session")
def demo(store) -> tuple[Path, Path]:
    """The folders of both stages."""
    return store.path("world"), store.path("data")
