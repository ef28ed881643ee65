"""Photos and texts that somebody brings, as CLIP features; encoded once as long as a file does not change."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from showcase_utils.config import Settings
from showcase_utils.generation.tone import Tone
from showcase_utils.showcase.choice import is_named
from showcase_utils.showcase.material import KIND, Item, Place, Profile, Somebody, Somewhere

END = re.compile(r"(?<=[.!?…])\s+")  # of a sentence; splitting them better takes spaCy, which explaining can do without
KEPT = 20_000  # features that are remembered: 20 MB at 256 dimensions
UNREAD = np.zeros(0, np.float32)


class MaterialEncoder:
    """Encodes with the CLIP of a run, loaded at the first need; its fingerprint must be that of the run's features."""

    def __init__(self, settings: Settings, fingerprint: str) -> None:
        self.settings, self.fingerprint = settings, fingerprint
        self._clip = None
        self._lock = threading.Lock()
        self._seen: dict[tuple[object, ...], np.ndarray] = {}

    def somebody(self, profile: Profile) -> Somebody:
        """Raises ``ValueError`` that names every photo that cannot be read, and why."""
        photos = [Item(str(path), row, path=path) for path, row in self._photos(profile.files())]
        kept = [text for text in profile.texts if text.strip()]
        texts = [
            Item(f"text {n}", row, text=text)
            for n, (text, row) in enumerate(zip(kept, self.texts(kept), strict=True), 1)
        ]
        return Somebody(profile.name, profile.name, photos, texts)

    def somewhere(self, place: Place, leave_out: Sequence[str] = ()) -> Somewhere:
        """A place whose photos are all there, those that are left out unread.

        Raises as ``somebody`` does, and ``ValueError`` for a place without photos.
        """
        files = place.files()
        read = dict(self._photos([path for path in files if not is_named(str(path), leave_out)], in_place=True))
        photos = [Item(str(path), read.get(path, UNREAD), path=path) for path in files]
        if not photos:
            raise ValueError(f"{place.name}: a showcase needs at least one photo of the place")
        return Somewhere(place.name, place.name, photos)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Features of texts, (n, d)."""
        rows = self._encoded([("text", text) for text in texts], texts, "encode_texts")
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    def sentences(self, text: str, tone: Tone) -> list[Item]:
        """The sentences of a text with their features, but for those that ``tone`` finds to be complaints."""
        parts = [part for part in END.split(text.strip()) if any(map(str.isalnum, part))]
        kind = [part for part, score in zip(parts, tone.score(parts), strict=True) if score > KIND]
        return [Item(part, row, text=part) for part, row in zip(kind, self.texts(kind), strict=True)]

    def _photos(self, files: Sequence[Path], in_place: bool = False) -> list[tuple[Path, np.ndarray]]:
        wrong: dict[Path, str] = {}
        for path in files:
            try:
                with Image.open(path) as image:
                    image.load()
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                why = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
                wrong[path] = f"{path} {why}"
        if wrong:
            named = "; ".join(list(wrong.values())[:5])
            more = f", and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            end = _way_out([path.name for path in wrong][:5], in_place)
            raise ValueError(f"{len(wrong)} of {len(files)} photos: {named}{more}; {end}")
        stats = [path.stat() for path in files]
        keys = [(str(path.resolve()), s.st_size, s.st_mtime_ns) for path, s in zip(files, stats, strict=True)]
        return list(zip(files, self._encoded(keys, files, "encode_images"), strict=True))

    def _encoded(self, keys: Sequence[tuple[object, ...]], sources: Sequence, how: str) -> list[np.ndarray]:
        with self._lock:
            if len(self._seen) > KEPT:
                self._seen.clear()
            new = [number for number, key in enumerate(keys) if key not in self._seen]
            if new:
                rows = getattr(self._load(), how)([sources[number] for number in new])
                self._seen |= {keys[number]: row for number, row in zip(new, rows, strict=True)}
            return [self._seen[key] for key in keys]

    def _load(self):
        if self._clip is None:
            from showcase_utils.encoding.clip import load_clip  # open_clip, which known users and places do not need

            quick = self.settings.encoding.model_copy(update={"workers": 0})
            clip = load_clip(quick, self.settings.device)
            if clip.fingerprint != self.fingerprint:
                raise ValueError("encoding.model is another CLIP than the one of this run: run notebook 02 again")
            self._clip = clip
        return self._clip


def _way_out(names: list[str], in_place: bool) -> str:
    """What to do with photos that cannot be read, as the end of a message; only those of a place can be left out."""
    them = "it" if len(names) == 1 else "them"
    if not in_place:
        return f"take {them} out of the reader's photos"
    typed = " ".join(f"--leave-out {shlex.quote(name)}" for name in names)
    return f"take {them} out of the place's photos, or leave {them} out: {typed}, in Python leave_out={names}"
