"""What a showcase is made of: somebody's past and a place's photos, from a data set or from anywhere else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import UnionType

import numpy as np

from showcase_utils.names import checks_names

COPY = 0.999  # cosine from which two photos are one picture, saved twice
KIND = 0.69  # tone of what is quoted: twice as likely from a review of four or five stars as from another
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})


class _WithPhotos:
    """What has ``photos``, a folder or a list of paths, and a ``name``."""

    photos: str | Path | Sequence[str | Path]
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.photos, str | Path):
            refuse_no_list("photos", self.photos, str | Path)
        refuse_no_name(self.name)

    def files(self) -> list[Path]:
        """The photos: of a list in its order, of a folder by name.

        Raises ``FileNotFoundError`` for a folder without any, ``ValueError`` for a folder in a list.
        """
        if not isinstance(self.photos, str | Path):
            files = [Path(photo).expanduser() for photo in self.photos]
            if inner := next((path for path in files if path.is_dir()), None):
                raise ValueError(f"{inner} is a folder among photos: give it alone, photos={str(inner)!r}")
            return files
        folder = Path(self.photos).expanduser()
        if folder.is_file():
            listed = f"in Python a list takes files: photos=[{str(folder)!r}]"
            raise FileNotFoundError(f"{folder}: a file, not a folder of photos; {listed}")
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: there is no such folder")
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        if not found:
            kinds = ", ".join(sorted(SUFFIXES))
            raise FileNotFoundError(f"{folder}: no photo in this folder, none that ends in {kinds}")
        return found


@checks_names
@dataclass(frozen=True)
class Profile(_WithPhotos):
    """Somebody, by what they wrote and photographed elsewhere; either may be missing, and so may both.

    ``texts`` are reviews in their words, ``photos`` a folder, whose pictures are all taken, sub-folders' too, or a list
    of paths, ``name`` is what pages call them. Raises ``TypeError`` for what is none of these; photos that cannot be
    read are named by ``explain``.
    """

    texts: Sequence[str] = ()
    photos: str | Path | Sequence[str | Path] = ()
    name: str = "this reader"

    def __post_init__(self) -> None:
        refuse_no_list("texts", self.texts, str)
        super().__post_init__()


@checks_names
@dataclass(frozen=True)
class Place(_WithPhotos):
    """A place by its photos: a folder, whose pictures are all taken, sub-folders' too, or a list of paths.

    ``name`` is what pages call it. Raises ``TypeError`` for what is neither; photos that cannot be read, and a place
    without any, are errors of ``explain``.
    """

    photos: str | Path | Sequence[str | Path]
    name: str = "this place"


@dataclass(frozen=True)
class Item:
    """A photo or a text with its CLIP features, (d,): ``path`` or ``text``, and where it is from if that is known.

    A photo of somebody's own that is left out is not read, and has no features, (0,).
    """

    id: str
    features: np.ndarray = field(repr=False)
    text: str = ""
    path: Path | None = None
    place: str = ""  # the name of the place


@dataclass(frozen=True)
class Somebody:
    """A reader with a past that is encoded: photos and texts of other places."""

    id: str
    name: str
    photos: Sequence[Item] = ()
    texts: Sequence[Item] = ()

    @property
    def is_known(self) -> bool:
        """Whether there is a past to choose by."""
        return bool(self.photos or self.texts)


@dataclass(frozen=True)
class Somewhere:
    """A place whose photos are encoded: the candidates."""

    id: str
    name: str
    photos: Sequence[Item]

    @cached_property
    def distinct(self) -> list[Item]:
        """Its photos, of copies of one the first alone."""
        return without_copies(self.photos)


def without_copies(photos: Sequence[Item]) -> list[Item]:
    """The photos in order, of copies of one the first alone."""
    rows = np.stack([item.features for item in photos])
    copies = np.triu(rows @ rows.T > COPY, 1).any(axis=0)
    return [item for item, copy in zip(photos, copies, strict=True) if not copy]


def refuse_no_name(name: object) -> None:
    """Raises ``TypeError`` for a name that is no text."""
    if not isinstance(name, str):
        raise TypeError(f"name = {name!r}: give a text")


def refuse_no_list(name: str, value: object, kind: type | UnionType) -> None:
    """Raises ``TypeError`` for what is no list of ``kind``; also for one string, whose letters would be its members."""
    if isinstance(value, str | Path):
        raise TypeError(f"{name} = {str(value)!r}: give a list, also of one: {name}=[{str(value)!r}]")
    if not isinstance(value, Collection):
        raise TypeError(f"{name} = {value!r}: give a list")
    for member in value:
        if not isinstance(member, kind):
            raise TypeError(f"{name}: {member!r} is no text")
