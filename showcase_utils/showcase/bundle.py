"""A run as one folder that goes to another machine: all that showcases need, and a card that says what it is.

It is laid out as the stages are, with only what is read here: weights as safetensors, features as plain arrays, tables
as Parquet, the rest as JSON, photos as they were. ``bundle.json`` holds the digest of every file. It is written last,
so a folder without it is none, and one whose files are not those is refused.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import ValidationError

from showcase_utils.artifacts import Stages
from showcase_utils.config import Settings
from showcase_utils.data.frames import photo_root
from showcase_utils.devices import cpu_threads
from showcase_utils.recipes import BACKBONES, TIMING, damage, file_digests, versions, write_json

FACTS, SETTINGS, CARD, NAMES = "bundle.json", "settings.json", "README.md", "names.json"
FORMAT = 1
PHOTOS, CLIP, LOCAL = "photos", "clip", "local-dir:"
LARGE = (f"{PHOTOS}/", *(f"features/{name}/0" for name in ("photos", "reviews", "sentences")))
TABLES = (  # of the stages; beside them come the models that showcases ask for
    *("data/s1.parquet", "data/histories.parquet", "features/sentences.parquet"),
    *("features/photos", "features/reviews", "features/sentences", "alignment/scores.parquet", "alignment/phi.json"),
    *("texts/quotes.parquet", "texts/tone.parquet", "texts/bounds.json"),
)


class Contents(NamedTuple):
    """What one run's bundle is to hold beside its tables."""

    settings: Settings
    models: list[str]  # stage and folder in it: generation/ours_ce-0
    photos: set[str]  # ids
    names: Mapping[str, Mapping[str, str]]  # of businesses and users, by id
    card: str


class Bundle:
    """The stages of a saved folder, for whoever reads stages: ``Bundle(folder).path("data")``.

    Every file must be there in its length, and hold what was written. Of photos, of which there may be millions, and of
    feature shards, which are checked when they are first touched, this looks at the length alone unless ``thorough``.
    Raises ``FileNotFoundError`` for a folder that is no bundle, ``ValueError`` for one that is not whole.
    """

    def __init__(self, folder: str | Path, thorough: bool = False) -> None:
        self.folder = Path(folder).expanduser().resolve()
        files = _files(self.folder)
        short = {name: row for name, row in files.items() if not _has_length(self.folder / name, row["bytes"])}
        read = {name: row for name, row in files.items() if thorough or not name.startswith(LARGE)}
        if wrong := damage(self.folder, short | read, memory=None):
            raise ValueError(f"{self.folder} is damaged, or was not copied whole: {wrong}")
        self.settings = _placed(self.folder)
        named = pd.read_parquet(self.folder / "data" / "images.parquet", columns=["path"])["path"]
        if alien := sorted({f"{PHOTOS}/{path}" for path in named} - files.keys()):
            raise ValueError(f"{self.folder} names {len(alien)} photos that it does not hold, such as {alien[0]}")

    def path(self, stage: str) -> Path:
        """The folder of a stage; raises ``KeyError`` for one that a bundle does not hold."""
        if not (self.folder / stage).is_dir():
            raise KeyError(f"a bundle holds no stage '{stage}'")
        return self.folder / stage


def is_bundle(folder: str | Path) -> bool:
    """Whether a folder says of itself that it is a bundle, be it whole or not."""
    return (Path(folder).expanduser() / FACTS).is_file()


def write_bundle(stages: Stages, folder: str | Path, contents: Contents) -> Path:
    """Writes a bundle of a run, all of it or nothing; raises ``FileExistsError`` for a folder that holds something."""
    with _whole(folder) as work:
        for name in (*TABLES, *contents.models):
            stage, _, inside = name.partition("/")
            _copy(stages.path(stage) / inside, work / name)
        weights = stages.path("alignment") / "phi.safetensors"
        if weights.is_file():  # a cosine in Φ's place has none
            _copy(weights, work / "alignment" / weights.name)
        images = pd.read_parquet(stages.path("data") / "images.parquet")
        images = images[images["image_id"].isin(contents.photos)].drop_duplicates("image_id")
        images.to_parquet(work / "data" / "images.parquet", index=False)
        root = photo_root(stages)
        for path in images["path"]:
            _copy(Path(root or "", path), work / PHOTOS / path)
        settings = contents.settings
        if clip := _clip(settings):
            _copy(clip, work / CLIP)
            settings = settings.model_copy(
                update={
                    "threads": cpu_threads(settings),
                    "encoding": settings.encoding.model_copy(update={"model": f"{LOCAL}{CLIP}"}),
                }
            )
        write_json(work / SETTINGS, settings.model_dump(mode="json", exclude={"data", "source", "download"}))
        write_json(work / NAMES, contents.names)
        (work / CARD).write_text(contents.card, encoding="utf-8")
        write_json(work / FACTS, {"format": FORMAT, "versions": versions(), "files": file_digests(work)})
    return Path(folder).expanduser().resolve()


def copy_bundle(bundle: Bundle, folder: str | Path) -> Path:
    """A bundle once more, as ``write_bundle`` writes it."""
    with _whole(folder) as work:
        for name in (*_files(bundle.folder), FACTS):
            _copy(bundle.folder / name, work / name)
    return Path(folder).expanduser().resolve()


@contextmanager
def _whole(folder: str | Path) -> Iterator[Path]:
    """A folder to fill that takes its name when it is full, and vanishes when something goes wrong."""
    final = Path(folder).expanduser().resolve()
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise FileExistsError(f"{final} is there already, and not empty: name another folder, or remove it")
    final.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        yield work
        work.chmod(0o755)  # a temporary folder is its owner's alone
        if final.exists():
            final.rmdir()
        work.rename(final)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns(TIMING))
    else:
        shutil.copyfile(source, target)


def _has_length(path: Path, length: int) -> bool:
    return path.is_file() and path.stat().st_size == length


def _clip(settings: Settings) -> Path | None:
    """The folder of a run's CLIP; none for one that open_clip knows by name."""
    name = settings.encoding.model
    if name == "embedded":
        return BACKBONES / "clip"
    return Path(name.removeprefix(LOCAL)) if name.startswith(LOCAL) else None


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    if not is_bundle(folder):
        raise FileNotFoundError(f"{folder} is no bundle of Showcases.save, or one that was cut off: it has no {FACTS}")
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        files, written = facts["files"], facts["format"]
        inside = all(not Path(name).is_absolute() and ".." not in Path(name).parts for name in files)
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{folder} is damaged: {FACTS} is not what was written") from None
    if not inside:
        raise ValueError(f"{folder}: {FACTS} names files outside of it")
    if written != FORMAT:
        raise ValueError(f"{folder} has format {written}, and this version reads {FORMAT}: save it anew")
    return files


def _placed(folder: Path) -> Settings:
    """The settings of a bundle, with paths to where it lies now."""
    try:
        tree = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        if tree["encoding"]["model"] == f"{LOCAL}{CLIP}":
            tree["encoding"]["model"] = f"{LOCAL}{folder / CLIP}"
        data = {"source": "files", "reviews": folder / NAMES, "images": folder / PHOTOS}  # names are looked for beside
        return Settings.model_validate(tree | {"data": data})
    except (ValidationError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / SETTINGS} does not fit this version of the package: {error}") from None
