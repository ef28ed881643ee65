"""Made-up photos, each of one colour that says its number."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / f"{number}.png") for number in range(8)]
    for number, path in enumerate(paths):
        Image.new("RGB", (12, 9), (30 * number, 90, 200)).save(path)
    return paths


@pytest.fixture
def numbers():
    """The numbers of the photos that a page shows, in the order in which they were put there."""
    return lambda page: [int(photo.get_array()[0, 0, 0]) // 30 for photo in page.sheet.images]


@pytest.fixture
def words():
    """All that is written in a figure, in the order in which it was."""
    return lambda figure: " ".join(text.get_text() for axis in figure.axes for text in axis.texts)
