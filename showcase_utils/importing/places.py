"""Photos of which only the place is known, as Yelp's: candidates for anybody, and no trace of who took what.

No author is made up for them. They become a folder for each place with what people wrote under them, beside the texts
of people who reviewed these places: what `showcase explain --history … --candidates …` takes. A published row has an
author, so there is no row of these photos, and nothing of who photographs what can be learned from them.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from showcase_utils.importing.pictures import PhotoFiles, plain_name, read_photos
from showcase_utils.importing.writing import TEXTS
from showcase_utils.terminal import counted

CAPTIONS = "captions.csv"
SHOWN_USERS = 100  # of whom a history is written, the most active ones


class Places:
    """The photos of each place, while tables are read; ``users`` counts the texts of each user about them."""

    def __init__(self) -> None:
        self.users: Counter[str] = Counter()
        self.photos: Counter[str] = Counter()  # by status, once they are written
        self._rows: list[tuple[str, str, str, str, str]] = []
        self._businesses: set[str] = set()

    def __contains__(self, business: str) -> bool:
        return business in self._businesses

    def __len__(self) -> int:
        return len(self._businesses)

    def add(self, business: str, image_id: str, path: str, caption: str, label: str) -> None:
        """A photo of a place: its file, and what somebody wrote under it."""
        self._businesses.add(business)
        self._rows.append((business, image_id, path, caption, label))

    def write(self, to: Path, files: PhotoFiles, names: Mapping[str, str], progress: bool) -> None:
        """``places/BUSINESS/IMAGE.jpg``, ``captions.csv``, and ``histories/USER.txt`` of those who wrote most."""
        if not self._rows:
            return
        folders = {business: to / "places" / plain_name(business) for business in self._businesses}
        target = {image_id: folders[business] / f"{image_id}.jpg" for business, image_id, *_ in self._rows}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        half = to / f".{CAPTIONS}.part"
        with half.open("w", encoding="utf-8", newline="") as file:
            captions = csv.writer(file)
            captions.writerow(["image_id", "business_id", "business_name", "caption", "label", "path"])
            for business, image_id, _, caption, label in self._rows:
                path = target[image_id].relative_to(to).as_posix()
                captions.writerow([image_id, business, names.get(business, ""), caption, label, path])
        os.replace(half, to / CAPTIONS)
        missing = {image_id: path for _, image_id, path, *_ in self._rows if not target[image_id].is_file()}
        self.photos["ok"] = len(target) - len(missing)
        for image_id, _, checked in read_photos(files, missing.items(), progress):
            self.photos[checked.status] += 1
            if checked.status == "ok":
                part = target[image_id].with_suffix(".part")
                part.write_bytes(checked.content)
                os.replace(part, target[image_id])
        self._write_histories(to)

    def _write_histories(self, to: Path) -> None:
        shown = {user for user, _ in self.users.most_common(SHOWN_USERS)}
        if not shown:
            return
        (to / "histories").mkdir(exist_ok=True)
        lines: dict[str, list[str]] = {user: [] for user in shown}
        with (to / TEXTS).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["user_id"] in shown:
                    lines[row["user_id"]].append(" ".join(row["text"].split()))
        for user, texts in lines.items():
            (to / "histories" / f"{plain_name(user)}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")

    def words(self, to: Path) -> list[str]:
        """What can and what cannot be done with such photos, in sentences."""
        if not self._rows:
            return []
        said = [
            f"Of a place and of no user: {counted(len(self._rows), 'photo')}, candidates for anybody, in one folder a "
            f"place ({counted(len(self), 'place')}) in {to / 'places'}, captions in {to / CAPTIONS}. Who takes which "
            "photos cannot be learned from them, and no author was made up: no row of the published file comes of them."
        ]
        if self.users:
            said.append(
                f"{counted(self.users.total(), 'text')} about these places in {to / TEXTS}, those of the most active "
                f"users also one a line in {to / 'histories'}. With any run, such as demo's or your own: "
                f"showcase explain --history {to}/histories/USER.txt --candidates {to}/places/BUSINESS --html page.html"
            )
        return said
