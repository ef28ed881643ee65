"""A small demo world, and the data stage that is built from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
from showcase_utils.demo_world.world import grow
from tests.published_files import published  # noqa: F401

SMALL = {"restaurants": 12, "users": 80, "reviews": 260, "photos": 330, "annotated_reviews": 20}


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Artifacts:
    """Artifacts with fresh stages ``world`` and ``data``."""
    settings = load_settings("smoke", {f"world.{name}": number for name, number in SMALL.items()} | {"device": "cpu"})
    store = Artifacts(settings, tmp_path_factory.mktemp("artifacts"))
    # In this process: to start others takes longer than so few photos.
    store.make("world", lambda context: grow(context.out, **settings.world.model_dump(), workers=1, progress=False))
    store.make("data", progress=False)
    return store


@pytest.fixture(scope="session")
def demo(store) -> tuple[Path, Path]:
    """The folders of both stages."""
    return store.path("world"), store.path("data")
