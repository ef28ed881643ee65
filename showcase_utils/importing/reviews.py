"""One row of somebody's table as a row of the published file, under the very rules that reading has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from showcase_utils.data.rows import Rejected, accept
from showcase_utils.importing.layouts import Layout
from showcase_utils.importing.pictures import PhotoFiles, id_of_address, is_address, photo_names
from showcase_utils.importing.tables import Row

EXACT = 2**53


@dataclass
class Photos:
    """The photos that rows have named: files by image id, and what was looked for in vain.

    ``from_web`` counts those of which only the address is known: they are fetched later.
    """

    files: PhotoFiles
    wanted: dict[str, str] = field(default_factory=dict)
    from_web: int = 0
    not_found: int = 0

    def entries(self, names: list[str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """The ``pics`` of a row, and the files of those that have one; names of neither file nor web are left out."""
        paths: dict[str, str] = {}
        pics: dict[str, dict[str, Any]] = {}
        for name in names:
            path = self.files.find(name) if not is_address(name) else self._downloaded(name)
            if path is not None:
                image_id = self.files.image_id(path)
                paths[image_id] = path
                pics[image_id] = {"id": image_id, "url": [name] if is_address(name) else []}
            elif is_address(name):
                self.from_web += 1
                image_id = id_of_address(name)
                pics[image_id] = {"id": image_id, "url": [name]}
            else:
                self.not_found += 1
        return list(pics.values()), paths

    def _downloaded(self, url: str) -> str | None:
        """The file of an address, called by its last part or by the id that the address gives."""
        return self.files.find(url.partition("?")[0].rpartition("/")[2]) or self.files.find(id_of_address(url))


def published_row(row: Row, layout: Layout, pics: list[dict[str, Any]]) -> dict[str, Any]:
    """A row as the published file has it. Raises ``Rejected`` with what ``data/rows.py`` says against it."""
    values = {name: row.values.get(column) for name, column in layout.columns.items()}
    made = {
        "business_id": identity(values["business"]),
        "user_id": identity(values["user"]),
        "rating": rating(values["rating"], layout.best),
        "review_text": None if _is_nothing(values["text"]) else values["text"],
        "pics": pics,
    }
    if layout.anonymous and made["user_id"] == layout.anonymous:
        raise Rejected("no user_id: nobody knows who wrote it")
    try:
        accept(orjson.dumps(made))
    except TypeError:  # a lone surrogate, or a value that is no JSON
        raise Rejected("text or id with characters that cannot be stored") from None
    return made


def names_of_photos(row: Row, layout: Layout, files: PhotoFiles) -> list[str]:
    """What a row of reviews names as its photos: its cell of photos, or the folder that is called as its review.

    A folder counts only where no cell names files, as TripAdvisor's, whose cells hold addresses.
    """
    cell = photo_names(row.values.get(layout.columns["photos"]), files) if "photos" in layout.columns else []
    key = identity(row.values.get(layout.columns.get("review", "")))
    if key and ("photos" not in layout.columns or layout.kind == "tripadvisor"):
        return files.of_folder(key) or cell
    return cell


def identity(value: Any) -> str | None:
    """An id as text, digit by digit; whole numbers that came as floats are whole again."""
    if _is_nothing(value) or isinstance(value, bool):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < EXACT else None
    return str(value).strip() if isinstance(value, str | int) else None


def rating(value: Any, best: float = 5.0) -> int | None:
    """A rating in whole stars of five: ``4``, ``"4.0"``, ``"4,5"`` (which counts as 5), or 40 of ``best`` 50."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        stars = float(str(value).replace(",", ".")) * 5 / best
    except ValueError:
        return None
    return math.floor(stars + 0.5) if math.isfinite(stars) else None


def caption_of(values: Mapping[str, Any], layout: Layout) -> str:
    """What somebody wrote under a photo; empty for nothing."""
    caption = values.get(layout.columns.get("caption", ""))
    return " ".join(caption.split()) if isinstance(caption, str) else ""


def _is_nothing(value: Any) -> bool:
    return value is None or value != value or value == ""
