"""Photos that somebody drops into the app: looked at before they are kept, in a folder that goes when the app ends."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from showcase_utils.photos.files import check_photo

MOST_PHOTOS = 400
MOST_BYTES = 1_000_000_000


class Uploads:
    """Photos by the digest of what they hold; what their files were called plays no part.

    Beyond ``MOST_PHOTOS`` or ``MOST_BYTES`` the oldest go.
    """

    def __init__(self, max_pixels: int) -> None:
        self._folder = TemporaryDirectory(prefix="showcase-")
        self._sizes: dict[str, int] = {}  # by id, the oldest first
        self._lock = threading.Lock()
        self.max_pixels = max_pixels

    def add(self, content: bytes) -> str:
        """Keeps a photo, upright, as a JPEG, and gives its id. Raises ``ValueError`` that says why it is none."""
        photo = check_photo(content, self.max_pixels, upright=True)
        if photo.status != "ok":
            raise ValueError(f"{photo.status} ({photo.note})")
        name = f"{hashlib.sha256(photo.content).hexdigest()[:32]}.jpg"
        with self._lock:
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
