"""The table of photos: for every photo of the reviews its file and whether it can be used.

| status | meaning |
|---|---|
| ``ok`` | a file that an image library opens, of a sensible size |
| ``expired`` | there is no file: the address was dead when the photos were downloaded |
| ``not an image`` | a file that does not open as JPEG, PNG, WebP, GIF or BMP |
| ``too large`` | more than 89 million pixels |
| ``refused`` | an id that is not a plain name and must never become part of a path |
| ``unchecked`` | no folder was given, nothing is known |
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image, UnidentifiedImageError
from tqdm.auto import tqdm

MAX_PIXELS = 89_478_485  # Pillow's own limit against decompression bombs
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
USABLE = ("ok", "unchecked")


class PhotoFolder:
    """The files ``{image_id}.jpg`` of a folder, lying flat or in sub-folders of at most two levels.

    Raises ``FileNotFoundError`` if the folder does not exist.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).expanduser().resolve()
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"{self.folder}: no such folder; data.images names the folder with {{image_id}}.jpg"
            )
        self._files: dict[str, str] = {}
        self._scan(str(self.folder), levels=2)

    def __len__(self) -> int:
        return len(self._files)

    def status(self, image_id: str) -> tuple[str, str]:
        """Status and path of a photo; the path is empty unless the status is ``ok``."""
        if not PLAIN_NAME.fullmatch(image_id):
            return "refused", ""
        path = self._files.get(image_id)
        if path is None:
            return "expired", ""
        status = file_status(path)
        return status, path if status == "ok" else ""

    def _scan(self, folder: str, levels: int) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".jpg") and entry.is_file():
                    self._files[entry.name[:-4]] = entry.path
                elif levels and entry.is_dir(follow_symlinks=False):
                    self._scan(entry.path, levels - 1)


def file_status(path: Path | str) -> str:
    """``ok``, ``not an image`` or ``too large``, from the header alone: pixels are not decoded."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        return "too large"
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return "not an image"
    return "ok" if width * height <= MAX_PIXELS else "too large"


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
        return list(tqdm(pool.map(files.status, image_ids), total=len(image_ids), unit="photo", disable=not progress))
