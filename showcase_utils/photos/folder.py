"""A folder of photos: for each id its file, and whether it can be used.

| status | meaning |
|---|---|
| ``ok`` | a file that an image library opens, of a sensible size, with its end |
| ``expired`` | the address was dead; without an index (``index.py``): there is no file |
| ``unreachable`` | no answer, or one that may have been passing, each time that was tried |
| ``not an image`` | something that does not open as JPEG, PNG, WebP, GIF or BMP, or is cut off |
| ``too large`` | more than 50 million pixels, or more bytes than ``download.max_bytes`` |
| ``refused`` | an address that was not asked, or an id that is not a plain name and must never become part of a path |
| ``missing`` | the index knows nothing of it: it was not asked for yet, or somebody removed the file |
| ``unchecked`` | no folder was given, nothing is known |
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pandas as pd
from PIL import Image

from showcase_utils.photos.index import entries, has_index
from showcase_utils.progress import progress_bar

MAX_PIXELS = 50_000_000  # 200 MB as RGBA, which a PNG of 150 kB may hold
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
USABLE = ("ok", "unchecked")
AT_ONCE = 64  # photos that a thread looks at before it hands them back: a hand-over costs more than a look


class JpegFiles:
    """Which ``{image_id}.jpg`` lie in a folder or in its sub-folders of at most two levels: a path for each id.

    Millions of ids must fit: paths are put together when they are asked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self._folders: dict[str, str] = {}  # of each photo: "", or "ab/cd/"
        self._scan("", levels=2)

    def __len__(self) -> int:
        return len(self._folders)

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._folders

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders)

    def __getitem__(self, image_id: str) -> str:
        return f"{self.folder}/{self.relative(image_id)}"

    def relative(self, image_id: str) -> str:
        """The path of a photo from the folder, the same on every machine."""
        return f"{self._folders[image_id]}{image_id}.jpg"

    def add(self, path: Path) -> None:
        """Note a file that has appeared since."""
        inside = path.parent.relative_to(self.folder).as_posix()
        self._folders[path.stem] = "" if inside == "." else f"{inside}/"

    def _scan(self, inside: str, levels: int) -> None:
        with os.scandir(f"{self.folder}/{inside}") as entries:
            for entry in entries:
                if entry.name.endswith(".jpg") and entry.is_file():
                    self._folders[entry.name[:-4]] = inside
                elif levels and entry.is_dir(follow_symlinks=False):
                    self._scan(f"{inside}{entry.name}/", levels - 1)


class PhotoFolder:
    """The photos of a folder, and what its index knows of them if ``showcase download`` has made one.

    A file that is as long as the index says is ``ok`` without being opened; any other is looked at.
    Raises ``FileNotFoundError`` if the folder does not exist.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).expanduser().resolve()
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"{self.folder}: no such folder; data.images names the folder with {{image_id}}.jpg"
            )
        self._files = JpegFiles(self.folder)
        self._index: dict[str, str | int] | None = self._read_index() if has_index(self.folder) else None

    def __len__(self) -> int:
        return len(self._files)

    def statuses(self, image_ids: Sequence[str], workers: int = 8) -> list[tuple[str, str]]:
        """``status`` of each photo; files are looked at side by side."""
        with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # file_status looks at the size itself
            some = [image_ids[begin : begin + AT_ONCE] for begin in range(0, len(image_ids), AT_ONCE)]
            return list(chain.from_iterable(pool.map(lambda ids: list(map(self.status, ids)), some)))

    def status(self, image_id: str) -> tuple[str, str]:
        """Status and path of a photo; the path is one from the folder, empty unless the status is ``ok``."""
        if not PLAIN_NAME.fullmatch(image_id):
            return "refused", ""
        noted = None if self._index is None else self._index.get(image_id, "missing")
        if image_id not in self._files:
            if noted is None:
                return "expired", ""
            return noted if isinstance(noted, str) else "missing", ""
        path = self._files[image_id]
        if isinstance(noted, int) and noted == os.stat(path).st_size:
            return "ok", self._files.relative(image_id)
        # What was decoded as a whole when it came is known better than a look at both ends can tell.
        status = str(noted) if noted in ("not an image", "too large") else file_status(path)
        return status, self._files.relative(image_id) if status == "ok" else ""

    def _read_index(self) -> dict[str, str | int]:
        """By id: the bytes of a photo that is ``ok``, else its status."""
        rows = entries(self.folder, ["image_id", "status", "bytes"])
        return {image_id: (size or 0) if status == "ok" else status for image_id, status, size in rows}


def damaged_photos(folder: Path | str, progress: bool = True, workers: int = 8) -> list[str]:
    """The photos of a store whose files are gone, or not the bytes that the index tells of: ``path: what is wrong``.

    Every file is read, for a flipped bit changes neither its length nor, on a failing disk, its time of change. What
    the index has no digest of is not looked at. Raises ``FileNotFoundError`` and ``ValueError`` as the index does.
    """
    files = PhotoFolder(folder)._files
    rows = entries(Path(folder).expanduser(), ["image_id", "status", "sha256"])
    noted = [(image_id, sha256) for image_id, status, sha256 in rows if status == "ok" and sha256]

    def wrong(row: tuple[str, str]) -> str:
        image_id, sha256 = row
        if image_id not in files:
            return f"{image_id}.jpg: gone"
        try:
            with open(files[image_id], "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            return f"{files.relative(image_id)}: {error.strerror}"
        return "" if found == sha256 else f"{files.relative(image_id)}: not what was stored"

    with ThreadPoolExecutor(workers) as pool:
        looked = progress_bar(pool.map(wrong, noted), total=len(noted), unit=" photos", disable=not progress)
        return [words for words in looked if words]


def file_status(path: Path | str) -> str:
    """``ok``, ``not an image`` or ``too large``, from the header and the end of the file.

    Pixels are decoded only if the file does not end as its format does: it may be cut off, or just have a trailer.
    """
    try:
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                return "too large"
            end = ENDS.get(image.format or "")
            if end is None or not _ends_with(path, end):
                image.load()
    except Image.DecompressionBombError:
        return "too large"
    except Exception:  # decoders meet damaged bytes with errors of every kind; none may end a long run
        return "not an image"
    return "ok"


def _ends_with(path: Path | str, end: bytes) -> bool:
    with open(path, "rb") as file:
        file.seek(-len(end), os.SEEK_END)
        return file.read() == end


def usable_ids(images: pd.DataFrame) -> frozenset[str]:
    """Ids of the photos that reviews may keep: those that are ``ok``, and those that nobody has looked at."""
    return frozenset(images.loc[images["status"].isin(USABLE), "image_id"])
