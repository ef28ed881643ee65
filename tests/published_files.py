"""Small published files, written row by row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

USER = "114937200137348359038"


class Published:
    """Writes files in the two published formats under a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def row(self, **changes) -> dict:
        """A good row of ``image_review_all.json`` with some keys changed; a key set to ``...`` is left out."""
        row = {
            "business_id": "6050fa9f5b4ccec8d5cae994",
            "user_id": USER,
            "rating": 4,
            "review_text": "Yams wasn't hot everything else was.",
            "pics": [{"id": "AF1QipA", "url": ["https://lh5.googleusercontent.com/p/AF1QipA=w150"]}],
        } | changes
        return {key: value for key, value in row.items() if value is not ...}

    def lines(self, *rows: dict | bytes, end: bytes = b"\n", last_end: bool = True) -> Path:
        encoded = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path = self.folder / "image_review_all.json"
        path.write_bytes(end.join(encoded) + (end if last_end else b""))
        return path

    def splits(self, **splits: list) -> Path:
        path = self.folder / "filter_all_t.json"
        path.write_text(json.dumps(splits), encoding="utf-8")
        return path

    def photo(self, image_id: str, size: tuple[int, int] = (8, 6), form: str = "JPEG", folder: str = "images") -> Path:
        path = self.folder / folder / f"{image_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (200, 90, 30)).save(path, format=form)
        return path


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)
