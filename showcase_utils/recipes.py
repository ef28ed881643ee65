"""What a stage is made from, its recipe: settings, outside files, code; compared, and put into words."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from showcase_utils.config import Added, Input, Settings, Speed, Weights, marked
from showcase_utils.sources import PACKAGE, code_digests, foreign_digests

BACKBONES = PACKAGE / "backbones"
MANIFEST = "manifest.json"
TIMING = "timing.json"  # files of this name hold seconds, so they differ from run to run and stay out of digests
SEAL = "seal.json"  # in a folder that ``seal`` has closed
PHOTO_INDEX = ("index.parquet", "journal.jsonl")  # where a folder of photos has them, they say what is in it


def recipe_of(settings: Settings, keys: Iterable[str], inputs: Mapping[str, str], module: str) -> dict[str, Any]:
    """Everything that decides what a stage contains.

    ``keys`` are the sections or dotted keys of the settings that it reads, ``inputs`` the digests of its input stages'
    contents, ``module`` that of its builder. Settings that change speed alone stay out, and so do those that came later
    while they are what was before.
    """
    chosen: dict[str, Any] = {}
    for key in keys:
        value = settings.section(key)
        chosen |= {f"{key}.{name}": item for name, item in value.items()} if isinstance(value, dict) else {key: value}
    added = {key: mark.before for key, mark in marked(Added).items()}
    chosen = {
        key: value for key, value in chosen.items() if key not in marked(Speed) and (key, value) not in added.items()
    }
    outside = {key: _stat(chosen.pop(key)) for key in marked(Input) if key in chosen}
    for key, weights in marked(Weights).items():
        if chosen.get(key) == "embedded":
            outside[key] = _embedded(BACKBONES / weights.embedded)
        elif files := _stat_model(chosen.get(key)):
            outside[key] = files
    lists = [value for value in chosen.values() if isinstance(value, list)]
    named = {str(entry).partition(":")[0] for value in lists for entry in value if ":" in str(entry)}  # module:NAME
    code = code_digests([module]) | foreign_digests(named)
    return {"settings": chosen, "outside": outside, "inputs": dict(inputs), "code": code}


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What changed between two recipes, in words."""
    words = {
        "inputs": lambda key, before, after: f"'{key}' was made anew",
        "outside": lambda key, before, after: f"the file of {key} changed",
        "settings": lambda key, before, after: f"{key} was {before!r}, is {after!r}",
    }
    changes = []
    for part, say in words.items():
        before, after = old[part], new[part]
        changed = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
        changes += [say(key, before.get(key), after.get(key)) for key in changed]
    names = [name for name, code in new["code"].items() if old["code"].get(name) != code]
    names += old["code"].keys() - new["code"].keys()
    if modules := [name.removeprefix(f"{PACKAGE.name}.") for name in names]:
        more = f" and {len(modules) - 4} more" if len(modules) > 4 else ""
        changes.append(f"code changed: {', '.join(modules[:4])}{more}")
    return "; ".join(changes)


def versions() -> dict[str, str]:
    """Of Python and of the libraries that results depend on."""
    names = ("torch", "transformers", "open_clip_torch", "numpy", "pandas", "personalized-showcases")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def digest(value: Any) -> str:
    """Of anything that JSON can say."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_digests(folder: Path) -> dict[str, dict[str, Any]]:
    """``bytes`` and ``sha256`` of every file in a folder, but manifest and timing, by relative path."""
    rows = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in {MANIFEST, TIMING}:
            rows[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
    return rows


def damage(folder: Path, files: Mapping[str, Mapping[str, Any]], memory: Path | None, thorough: bool = False) -> str:
    """Which of the ``file_digests`` of a folder do not hold any more, in words; empty: all do.

    A file of the size and time of change that it had when its digest was last right, which the file ``memory`` holds,
    is not read, unless ``thorough``.
    """
    looked = _read_json(memory) if memory else {}
    now, wrong = {}, []
    for name, row in files.items():
        try:
            facts = os.stat(f"{folder}/{name}")  # of thousands of files; making Paths takes longer than the look
        except (FileNotFoundError, NotADirectoryError):
            facts = None
        if facts is None or not stat.S_ISREG(facts.st_mode):
            wrong.append(f"{name} is gone")
            continue
        mark = [facts.st_size, facts.st_mtime_ns]
        unknown = thorough or looked.get(name) != mark
        if unknown and (mark[0] != row["bytes"] or _sha256(folder / name) != row["sha256"]):
            wrong.append(f"{name} is not what was written")
        else:
            now[name] = mark
    if memory and not wrong and now != looked:
        with suppress(OSError):  # somebody else's folder: then its files are read each time
            memory.parent.mkdir(exist_ok=True)
            write_json(memory, now)
    return "; ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")


def seal(folder: Path) -> None:
    """Says of a folder inside a stage that is being made that it is whole, and what its files are."""
    write_json(folder / SEAL, {name: row for name, row in file_digests(folder).items() if "/" not in name})


def is_intact(folder: Path) -> bool:
    """Whether a folder was sealed, and still is what it was then."""
    files = _read_json(folder / SEAL)
    return bool(files) and not damage(folder, files, memory=None)


def write_json(path: Path, value: Any) -> None:
    """Write a file of JSON, all of it or nothing."""
    half = path.with_name(f".{path.name}.new")
    half.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(half, path)


def _read_json(path: Path) -> dict[str, Any]:
    """An object; an empty one where there is none, or one that is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _embedded(folder: Path) -> list[list[str]]:
    """Name and digest of each file of a model that ships with the package, which like its code stays as it is."""
    return [[name, row["sha256"]] for name, row in file_digests(folder).items()]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stat(path: str | None) -> list[Any]:
    """Outside files are told apart by size and time of change: hashing gigabytes at every look would take minutes."""
    if path is None or not Path(path).exists():
        return []
    index = [Path(path, name) for name in PHOTO_INDEX if Path(path, name).is_file()]
    files = index or [Path(path), *sorted(Path(path).glob("*.csv"))]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _stat_model(name: str | None) -> list[Any]:
    """As ``_stat``, for a model's file or all files in its folder; nothing for a name that is neither, as of a hub."""
    if name is None:
        return []
    path = Path(name.removeprefix("local-dir:"))
    files = {file: file.relative_to(path) for file in [path, *sorted(path.rglob("*"))] if file.is_file()}
    shown = {file: inside for file, inside in files.items() if not any(part.startswith(".") for part in inside.parts)}
    return [[inside.as_posix(), file.stat().st_size, file.stat().st_mtime_ns] for file, inside in shown.items()]
