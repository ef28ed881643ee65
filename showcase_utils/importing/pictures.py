"""The photos of somebody's folder: found by what a table calls them, named safely, and kept as JPEGs."""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from showcase_utils.config import Download
from showcase_utils.photos.files import CheckedPhoto, check_photo, quiet_about_large_pictures, read_photo
from showcase_utils.photos.folder import PLAIN_NAME
from showcase_utils.photos.index import entries
from showcase_utils.photos.store import PhotoStore
from showcase_utils.progress import progress_bar

PLUGINS = {".heic", ".heif"}  # known by their suffix, though Pillow reads them with a plugin only
NEVER = {"EPS", "WMF"}  # Pillow hands them to other programs
AT_ONCE = 32
_WEB = re.compile(r"https?://", re.IGNORECASE)
_GOOGLE = re.compile(r"/p/([A-Za-z0-9_-]{20,128})(?:=|$)")
_SEPARATORS = re.compile(r"[|;,]")


class PhotoFiles:
    """The pictures in a folder and its sub-folders, by whatever a table may call them.

    A name is looked up as a path from the folder, then as a file's name, then as one without its suffix; letter case
    does not count. A name that fits several files fits none. Nothing outside the folder is ever looked at.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._paths: dict[str, str] = {}  # folded -> relative; "" where two files share a name
        self._names: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        self._folders: dict[str, list[str]] = {}
        if folder is not None:
            self._scan(folder)
        self._shared = Counter(Path(path).stem for path in self._paths.values())

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, name: str) -> bool:
        """Whether a file is called just so, with its folders or without."""
        return bool(self._paths.get(name.lower()) or self._names.get(name.lower()))

    def find(self, name: str) -> str | None:
        """The file that is called so, as a path from the folder."""
        folded = name.strip().replace("\\", "/").removeprefix("./").lower()
        found = self._paths.get(folded) or self._names.get(folded.rpartition("/")[2])
        return found or self._stems.get(folded) or None

    def of_folder(self, name: str) -> list[str]:
        """The files of the sub-folder with this name, in the order of their names."""
        return self._folders.get(name, [])

    def image_id(self, path: str) -> str:
        """A plain name for a file: its own without suffix where that is plain and the only one, else with a digest."""
        stem = Path(path).stem
        return plain_name(stem) if self._shared[stem] == 1 else _with_digest(stem, path)

    def stamp(self, path: str) -> str:
        """What a file is told by from one import to the next: path, size and time of change."""
        facts = os.stat(self.absolute(path))
        return f"{path}#{facts.st_size}-{facts.st_mtime_ns}"

    def absolute(self, path: str) -> Path:
        """Where a file that was found lies."""
        assert self.folder is not None
        return self.folder / path

    def _scan(self, folder: Path) -> None:
        suffixes = set(Image.registered_extensions()) | PLUGINS
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            inside = Path(place).relative_to(folder).as_posix()
            for name in sorted(names):
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in suffixes and not name.startswith("."):
                    path = name if inside == "." else f"{inside}/{name}"
                    self._paths[path.lower()] = path
                    for index, key in ((self._names, name.lower()), (self._stems, stem.lower())):
                        index[key] = "" if key in index else path
                    if inside != ".":
                        self._folders.setdefault(inside.rpartition("/")[2], []).append(path)


def photo_names(value: Any, files: PhotoFiles) -> list[str]:
    """What a cell of photos names: addresses, or names of files.

    It may be a list of names or of objects with ``url`` (as Google's), such a list written as JSON or by Python, or
    names with ``|``, ``;`` or ``,`` between them; a name that has one of these in it is seen by its file.
    """
    if value is None or value != value:  # NaN, which is what an empty cell becomes
        return []
    if isinstance(value, list | tuple):
        return [name for item in value for name in _of_item(item)]
    if isinstance(value, dict):
        return _of_item(value)
    text = str(value).strip()
    if text[:1] == "[":
        try:
            return photo_names(orjson.loads(text), files)
        except ValueError:
            try:
                return photo_names(ast.literal_eval(text), files)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                pass
    if not text or text in files:
        return [text] if text else []
    parts = _SEPARATORS.split(text)
    if _WEB.match(text):  # a comma may be part of an address
        parts = re.split(r"[|;,\s]+(?=https?://)", text)
    return [part.strip() for part in parts if part.strip()]


def _of_item(item: Any) -> list[str]:
    if isinstance(item, dict):
        item = item.get("url") or item.get("id") or item.get("file")
    some = item if isinstance(item, list) else [item]
    return [one.strip() for one in some if isinstance(one, str) and one.strip()]  # what is not text names nothing


def is_address(name: str) -> bool:
    """Whether a name is the address of a photo on the web."""
    return _WEB.match(name) is not None


def id_of_address(url: str) -> str:
    """A plain name for a photo by its address: Google's own id, else the last part of the path with a digest."""
    if google := _GOOGLE.search(url):
        return google[1]
    path = url.partition("?")[0].rstrip("/")
    return _with_digest(Path(path).stem, url)


def plain_name(name: str) -> str:
    """A name that may be that of a file: itself where it is plain, else what is plain of it with a digest."""
    return name if PLAIN_NAME.fullmatch(name) else _with_digest(name, name)


def _with_digest(stem: str, whole: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem)[:80].strip("-")
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def keep_photos(store: PhotoStore, files: PhotoFiles, wanted: Mapping[str, str], progress: bool = True) -> Counter[str]:
    """Bring the files of ``wanted`` (path by image id) into a store; how many have which status.

    A photo that the store has from the same unchanged file is left alone, so an import that was cut off goes on.
    """
    known = {
        image_id: url
        for image_id, status, url in entries(store.folder, ["image_id", "status", "url"])
        if status == "ok"
    }
    counts: Counter[str] = Counter()
    todo = []
    for image_id, path in wanted.items():
        if store.status(image_id) == "ok" and known.get(image_id) == files.stamp(path):
            counts["ok"] += 1
        else:
            todo.append((image_id, path))
    for image_id, path, checked in read_photos(files, todo, progress):
        if checked.status == "ok":
            store.keep(image_id, checked.content)
        store.record(image_id, checked.status, checked.without_content(), url=files.stamp(path))
        counts[checked.status] += 1
    return counts


def read_photos(
    files: PhotoFiles, wanted: Iterable[tuple[str, str]], progress: bool = True
) -> Iterator[tuple[str, str, CheckedPhoto]]:
    """Id, path and JPEG of some photos, read by several threads."""
    wanted = list(wanted)
    Image.init()  # which knows all formats, not only the usual ones
    formats = tuple(sorted(set(Image.OPEN) - NEVER))
    limits = Download()

    def read(photo: tuple[str, str]) -> CheckedPhoto:
        content = read_photo(files.absolute(photo[1]), 10 * limits.max_bytes)  # originals are long
        if isinstance(content, CheckedPhoto):
            return content
        return check_photo(content, limits.max_pixels, formats=formats, upright=True)

    with (
        quiet_about_large_pictures(),
        ThreadPoolExecutor(4) as pool,
        progress_bar(total=len(wanted), unit="photo", desc="photos", disable=not progress) as bar,
    ):
        for begin in range(0, len(wanted), AT_ONCE):
            some = wanted[begin : begin + AT_ONCE]
            for (image_id, path), checked in zip(some, pool.map(read, some), strict=True):
                yield image_id, path, checked
                bar.update()
