"""Photos that somebody drops into the app: looked at before they are kept, in a folder that goes when the app ends."""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from showcase_utils.photos.files import check_photo

MOST_PHOTOS = 400
MOST_BYTES = 1_000_000_000
LETTERS = 60  # of a name, at most 240 bytes


class Uploads:
    """Photos under the names that their files had, so that reasons can call them by these.

    One that is dropped in again is the one that is here; another of its name gets a number, even if the first is gone.
    Beyond ``MOST_PHOTOS`` or ``MOST_BYTES`` the oldest go.
    """

    def __init__(self, max_pixels: int) -> None:
        self._folder = TemporaryDirectory(prefix="showcase-")
        self._names: dict[tuple[str, str], str] = {}  # by what a photo was called and holds, also of those that went
        self._sizes: dict[str, int] = {}  # by name, the oldest first
        self._lock = threading.Lock()
        self.max_pixels = max_pixels

    def add(self, content: bytes, called: str = "") -> str:
        """Keeps a photo, upright, as a JPEG, and gives its id: the name it was ``called``, made safe.

        Raises ``ValueError`` that says why it is none.
        """
        photo = check_photo(content, self.max_pixels, upright=True)
        if photo.status != "ok":
            raise ValueError(f"{photo.status} ({photo.note})")
        given = called, hashlib.sha256(photo.content).hexdigest()
        with self._lock:
            name = self._names.get(given) or _free(called, {one.casefold() for one in self._names.values()})
            self._names[given] = name
            if name not in self._sizes:
                self._path(name).write_bytes(photo.content)
            self._sizes[name] = len(photo.content)
            while len(self._sizes) > MOST_PHOTOS or sum(self._sizes.values()) > MOST_BYTES:
                oldest = next(iter(self._sizes))
                del self._sizes[oldest]
                self._path(oldest).unlink()
        return name

    def paths(self, names: Sequence[str]) -> list[Path]:
        """Where the photos lie; raises ``KeyError`` for one that was not dropped in, or has gone since."""
        for name in names:
            if name not in self._sizes:
                raise KeyError("A photo is not here any more: drop it in again.")
        return [self._path(name) for name in names]

    def close(self) -> None:
        """Deletes them all."""
        self._folder.cleanup()

    def _path(self, name: str) -> Path:
        return Path(self._folder.name) / name


def _free(called: str, taken: Collection[str]) -> str:
    """A file name like ``called`` without what a path could be made of, and not among ``taken``, in small letters."""
    safe = re.sub(r"[^\w .()-]+", "_", unicodedata.normalize("NFC", called)).strip(" .")[-LETTERS:] or "photo.jpg"
    stem, suffix = Path(safe).stem, Path(safe).suffix
    names = (safe if number == 1 else f"{stem} ({number}){suffix}" for number in count(1))
    return next(name for name in names if name.casefold() not in taken)
