"""The table of photos: for every photo of the reviews its file and whether it can be used.

| status | meaning |
|---|---|
| ``ok`` | a file that an image library opens, of a sensible size, with its end |
| ``expired`` | the address was dead; without an index (``photo_index.py``): there is no file |
| ``unreachable`` | no answer, or one that may have been passing, each time that was tried |
| ``not an image`` | something that does not open as JPEG, PNG, WebP, GIF or BMP, or is cut off |
| ``too large`` | more than 89 million pixels, or more bytes than ``download.max_bytes`` |
| ``refused`` | an address that was not asked, or an id that is not a plain name and must never become part of a path |
| ``missing`` | the index knows nothing of it: it was not asked for yet, or somebody removed the file |
| ``unchecked`` | no folder was given, nothing is known |
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image

from showcase_utils.photos.index import entries, has_index
from showcase_utils.progress import progress_bar

MAX_PIXELS = 89_478_485  # Pillow's own limit against decompression bombs
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
        self._folders: dict[str, str] = {}
        self._scan(str(folder), levels=2)

    def __len__(self) -> int:
        return len(self._folders)

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._folders

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders)

    def __getitem__(self, image_id: str) -> str:
        return f"{self._folders[image_id]}{os.sep}{image_id}.jpg"

    def add(self, path: Path) -> None:
        """Note a file that has appeared since."""
        self._folders[path.stem] = str(path.parent)

    def _scan(self, folder: str, levels: int) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".jpg") and entry.is_file():
                    self._folders[entry.name[:-4]] = folder
                elif levels and entry.is_dir(follow_symlinks=False):
                    self._scan(entry.path, levels - 1)


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
        self._told: dict[str, str | int] | None = self._read_index() if has_index(self.folder) else None

    def __len__(self) -> int:
        return len(self._files)

    def status(self, image_id: str) -> tuple[str, str]:
        """Status and path of a photo; the path is empty unless the status is ``ok``."""
        if not PLAIN_NAME.fullmatch(image_id):
            return "refused", ""
        told = None if self._told is None else self._told.get(image_id, "missing")
        if image_id not in self._files:
            if told is None:
                return "expired", ""
            return told if isinstance(told, str) else "missing", ""
        path = self._files[image_id]
        if isinstance(told, int) and told == os.stat(path).st_size:
            return "ok", path
        # What was decoded as a whole when it came is known better than a look at both ends can tell.
        status = told if told in ("not an image", "too large") else file_status(path)
        return str(status), path if status == "ok" else ""

    def _read_index(self) -> dict[str, str | int]:
        """By id: the bytes of a photo that is ``ok``, else its status."""
        found = entries(self.folder, ["image_id", "status", "bytes"])
        return {image_id: (size or 0) if status == "ok" else status for image_id, status, size in found}


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


def images_table(
    reviews: pd.DataFrame,
    folder: PhotoFolder | Path | str | None,
    urls: Mapping[str, str] | None = None,
    workers: int = 8,
    progress: bool = True,
) -> pd.DataFrame:
    """``image_id, review_id, business_id, url, path, status``, one row per photo of the reviews.

    A photo that several reviews show is listed once, with the first of them. ``urls`` are the addresses by photo
    id. ``folder=None``: nothing is checked, every status is ``unchecked``.
    """
    photos = reviews[["image_ids", "review_id", "business_id"]].explode("image_ids").dropna(subset="image_ids")
    photos = photos.rename(columns={"image_ids": "image_id"}).drop_duplicates("image_id", ignore_index=True)
    photos["url"] = [urls.get(image_id, "") for image_id in photos["image_id"]] if urls is not None else ""
    found = statuses(photos["image_id"].tolist(), folder, workers, progress)
    photos["path"] = [path for _, path in found]
    photos["status"] = [status for status, _ in found]
    return photos.astype("str")


def statuses(
    image_ids: list[str], folder: PhotoFolder | Path | str | None, workers: int = 8, progress: bool = True
) -> list[tuple[str, str]]:
    """Status and path of each photo; files are looked at side by side."""
    if folder is None:
        return [("unchecked", "")] * len(image_ids)
    files = folder if isinstance(folder, PhotoFolder) else PhotoFolder(folder)
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # file_status looks at the size itself
        some = [image_ids[begin : begin + AT_ONCE] for begin in range(0, len(image_ids), AT_ONCE)]
        found: list[tuple[str, str]] = []
        with progress_bar(total=len(image_ids), unit="photo", disable=not progress) as bar:
            for answers in pool.map(lambda ids: [files.status(image_id) for image_id in ids], some):
                found += answers
                bar.update(len(answers))
        return found
