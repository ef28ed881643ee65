import csv
import json

import pytest
from PIL import Image

from showcase_utils.importing.run import import_tables


class Shelf:
    """A folder in which tables and photos are made up, and an import of them."""

    def __init__(self, folder):
        self.folder, self.images, self.to = folder, folder / "images", folder / "mine"

    def csv(self, name, rows, delimiter=",", encoding="utf-8"):
        path = self.folder / name
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
        return path

    def lines(self, name, rows):
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def photo(self, name, colour=(200, 90, 30), size=(8, 6), mode="RGB", **options):
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, colour).save(path, **options)
        return path

    def bring(self, kind, *paths, images=True, **options):
        folder = self.images if images and self.images.exists() else None
        return import_tables(kind, list(paths), folder, self.to, progress=False, **options)

    @property
    def rows(self):
        return [json.loads(line) for line in (self.to / "image_review_all.json").read_text().splitlines()]

    @property
    def rejects(self):
        with (self.to / "rejects.csv").open(encoding="utf-8", newline="") as file:
            return [(row["line"], row["reason"]) for row in csv.DictReader(file)]


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def review(**changes):
    """A row of somebody's own CSV."""
    return {
        "visitor": "vera",
        "garden": "kew",
        "stars": "5",
        "comment": "Roses everywhere.",
        "pictures": "a.jpg",
    } | changes


MAP = {"user": "visitor", "business": "garden", "text": "comment", "photos": "pictures"}
