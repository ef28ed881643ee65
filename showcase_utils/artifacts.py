"""Stages on disk: what a notebook hands to the next one.

A stage is a folder ``ROOT/<profile>/<stage>`` with a ``manifest.json``. It appears under its name only when it is
whole, and it counts as fresh as long as its recipe (the settings it depends on, the seed, the contents of its
input stages and of outside files) is the one that made it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from showcase_utils.config import Settings

PACKAGE = Path(__file__).parent
BACKBONES = PACKAGE / "backbones"
MANIFEST = "manifest.json"
TIMING = "timing.json"  # files of this name hold seconds, so they differ from run to run and stay out of digests


@dataclass(frozen=True)
class Stage:
    """One step of the flow: the notebook that makes it, what it reads, which settings it depends on."""

    name: str
    notebook: str
    inputs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("world", "01_data_filtering", (), ("world",)),
        Stage("data", "01_data_filtering", ("world",), ("data",)),
        Stage("features", "02_clip_encoding", ("data",), ("encoding",)),
        Stage("alignment", "02_clip_encoding", ("world", "data", "features"), ("alignment", "seed")),
        Stage("selection", "03_dpp_selection", ("data", "features"), ("selection", "seed")),
        Stage(
            "generation",
            "04_contrastive_training",
            ("data", "features", "alignment", "selection"),
            ("generation", "seed"),
        ),
        Stage("texts", "05_metric_evaluation", ("data", "features", "alignment", "selection", "generation"), ()),
        Stage(
            "evaluation",
            "05_metric_evaluation",
            ("world", "data", "features", "alignment", "selection", "texts"),
            ("evaluation", "seed"),
        ),
    )
}
OUTSIDE = {  # settings that name files which a stage reads and no stage made
    "data": ("data.reviews", "data.images", "data.annotations"),
    "alignment": ("data.annotations", "alignment.pretrained"),
    "evaluation": ("evaluation.others",),
}
MODELS = {  # settings that may name a folder or file of weights, which can change under the same name
    "features": ("encoding.model", "encoding.pretrained"),
    "alignment": ("alignment.pretrained",),
    "generation": ("generation.decoder", "generation.spacy_model"),
    "evaluation": ("evaluation.bertscore_model",),
}
INDIFFERENT = {  # settings that change how fast, never what
    "encoding.workers",
    "encoding.engine",
    "encoding.actors",
    "selection.jobs",
    "generation.jobs",
}
NEUTRAL = {  # values at which a stage is the one made before there was the setting
    "encoding.compile": False,
    "selection.kernel_lr": None,
    "generation.lrs": {},
    "generation.accumulation": 1,
    "generation.compile": False,
}
PHOTO_INDEX = ("index.parquet", "journal.jsonl")  # where a folder of photos has them, they say what is in it
EMBEDDED = {"encoding.model": "clip", "generation.decoder": "gpt2", "evaluation.bertscore_model": "gpt2"}


class StaleStage(RuntimeError):
    """A stage that is needed is missing or was made from something else; the message names the notebook to run."""


@dataclass(frozen=True)
class Status:
    """How a stage stands: ``state`` is fresh, stale, missing or unfinished; ``why`` says what changed."""

    stage: str
    notebook: str
    state: str
    why: str = ""
    seconds: float | None = None
    device: str | None = None
    bytes: int | None = None


class Artifacts:
    """The stage folders of one run: ``Artifacts(settings).path("data")``.

    ``root`` is a folder; empty means ``$SHOWCASE_ARTIFACTS``, else ``artifacts/`` in the checkout that this package
    was imported from, else the user's cache folder. It never depends on the working directory.
    """

    def __init__(self, settings: Settings, root: str | Path = "") -> None:
        self.settings = settings
        self.root = Path(root).expanduser().resolve() if root else default_root()
        self.folder = self.root / settings.profile

    def __repr__(self) -> str:
        return f"Artifacts(profile={self.settings.profile!r})"

    def make(self, stage: str, build: Callable[..., None], *args: Any, **kwargs: Any) -> Path:
        """The folder of ``stage``, made by ``build(out, *args, **kwargs)`` unless it is fresh.

        ``out`` outlives an interruption: the next call with the same recipe gets it again, so that ``build`` can go
        on where it was cut off. A second process that wants the same stage waits, then finds it fresh.

        Raises ``StaleStage`` when an input of the stage is missing or stale.
        """
        locks = self.folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(locks / f"{stage}.lock"):
            recipe = self.recipe(stage)
            fingerprint = _digest(recipe)
            final, work = self.folder / stage, self.folder / ".unfinished" / f"{stage}-{fingerprint[:16]}"
            if (work / MANIFEST).is_file():  # cut off between the last file and the change of name
                _swap(work, final)
            if self._manifest(stage).get("fingerprint") == fingerprint:
                return final
            for other in work.parent.glob(f"{stage}-*"):
                if other != work:
                    shutil.rmtree(other)
            work.mkdir(parents=True, exist_ok=True)
            device = _device_name(self.settings.device)
            started = time.perf_counter()
            build(work, *args, **kwargs)
            files = _file_digests(work)
            manifest = {
                "stage": stage,
                "fingerprint": fingerprint,
                "recipe": recipe,
                "contents": _digest({name: row["sha256"] for name, row in files.items()}),
                "seconds": round(time.perf_counter() - started, 3),
                "device": device,
                "versions": _versions(),
                "files": files,
            }
            _write_json(work / MANIFEST, manifest)
            _swap(work, final)
            return final

    def path(self, stage: str) -> Path:
        """The folder of a fresh stage. Raises ``StaleStage`` otherwise, naming the notebook to run."""
        status = self.status(stage)
        if status.state != "fresh":
            number = status.notebook.split("_")[0]
            raise StaleStage(
                f"stage '{stage}' of profile '{self.settings.profile}' is {status.state}"
                f"{f' ({status.why})' if status.why else ''}: run notebook {status.notebook} first, "
                f"or `showcase run --profile {self.settings.profile} --from {number} --to {number}`"
            )
        return self.folder / stage

    def previous(self, stage: str) -> Path | None:
        """The folder of ``stage`` as it stands, fresh or not: a long step may take over what is still good in it."""
        return self.folder / stage if self._manifest(stage) else None

    def manifest(self, stage: str) -> dict[str, Any]:
        """The manifest of a fresh stage: recipe, seconds, device, versions, files. Raises ``StaleStage``."""
        return json.loads((self.path(stage) / MANIFEST).read_text(encoding="utf-8"))

    def stages(self) -> list[str]:
        """The stages of this run in order; the demo world is none of them when the data are files."""
        return [name for name in STAGES if name != "world" or self.settings.data.source == "demo"]

    def status(self, stage: str) -> Status:
        """How ``stage`` stands, without making anything."""
        spec = _spec(stage)
        manifest = self._manifest(stage)
        facts: dict[str, Any] = {
            "seconds": manifest.get("seconds"),
            "device": manifest.get("device"),
            "bytes": sum(row["bytes"] for row in manifest["files"].values()) if manifest else None,
        }
        if not manifest:
            unfinished = any((self.folder / ".unfinished").glob(f"{stage}-*"))
            return Status(stage, spec.notebook, "unfinished" if unfinished else "missing")
        for name in self._inputs(stage):
            above = self.status(name)
            if above.state != "fresh":
                return Status(stage, spec.notebook, "stale", f"its input '{name}' is {above.state}", **facts)
        recipe = self.recipe(stage)
        if manifest["fingerprint"] != _digest(recipe):
            return Status(stage, spec.notebook, "stale", _difference(manifest["recipe"], recipe), **facts)
        return Status(stage, spec.notebook, "fresh", **facts)

    def recipe(self, stage: str) -> dict[str, Any]:
        """Everything that decides what ``stage`` contains. Raises ``StaleStage`` when an input is not fresh."""
        spec = _spec(stage)
        settings = {key: self.settings.section(key) for key in spec.settings}
        for key in INDIFFERENT:
            section, _, name = key.partition(".")
            if section in settings:
                settings[section].pop(name, None)
        for key, value in NEUTRAL.items():
            section, _, name = key.partition(".")
            if section in settings and settings[section][name] == value:
                del settings[section][name]
        embedded = {
            key: _file_digests(BACKBONES / folder)
            for key, folder in EMBEDDED.items()
            if key.split(".")[0] in settings and self.settings.section(key) == "embedded"
        }
        inputs = {}
        for name in self._inputs(stage):
            self.path(name)
            inputs[name] = self._manifest(name)["contents"]
        outside = {key: _stat(self.settings.section(key)) for key in OUTSIDE.get(stage, ())}
        outside |= {key: files for key in MODELS.get(stage, ()) if (files := _stat_model(self.settings.section(key)))}
        return {"settings": settings, "embedded": embedded, "inputs": inputs, "outside": outside}

    def fingerprint(self, stage: str) -> str:
        """The digest of a stage's recipe."""
        return _digest(self.recipe(stage))

    def contents(self, stage: str) -> str:
        """The digest of what a fresh stage contains: equal digests, equal files."""
        return self.manifest(stage)["contents"]

    def forget(self, stage: str) -> None:
        """Removes a stage, finished or not, so that the next run makes it anew."""
        _spec(stage)
        for folder in [self.folder / stage, *(self.folder / ".unfinished").glob(f"{stage}-*")]:
            shutil.rmtree(folder, ignore_errors=True)

    def _inputs(self, stage: str) -> list[str]:
        there = self.stages()
        return [name for name in _spec(stage).inputs if name in there]

    def _manifest(self, stage: str) -> dict[str, Any]:
        try:
            return json.loads((self.folder / stage / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}


def default_root() -> Path:
    """Where artifacts lie unless somebody says otherwise."""
    if place := os.environ.get("SHOWCASE_ARTIFACTS"):
        return Path(place).expanduser().resolve()
    if (PACKAGE.parent / "pyproject.toml").is_file():
        return PACKAGE.parent / "artifacts"
    return Path(platformdirs.user_cache_dir("personalized-showcases"))


def _spec(stage: str) -> Stage:
    if stage not in STAGES:
        raise KeyError(f"no stage '{stage}': the stages are {', '.join(STAGES)}")
    return STAGES[stage]


def _device_name(name: str) -> str:
    from showcase_utils.devices import resolve_device  # torch takes seconds to import; `showcase status` needs none

    return str(resolve_device(name))


def _versions() -> dict[str, str]:
    names = ("torch", "transformers", "open_clip_torch", "numpy", "pandas", "personalized-showcases")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _file_digests(folder: Path) -> dict[str, dict[str, Any]]:
    rows = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in {MANIFEST, TIMING}:
            with path.open("rb") as file:
                sha = hashlib.file_digest(file, "sha256").hexdigest()
            rows[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": sha}
    return rows


def _stat(path: str | None) -> list[Any]:
    """Outside files are told apart by size and time of change: hashing gigabytes at every look would take minutes."""
    if path is None or not Path(path).exists():
        return []
    index = [Path(path, name) for name in PHOTO_INDEX if Path(path, name).is_file()]
    files = index or [Path(path), *sorted(Path(path).glob("*.csv"))]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _stat_model(name: str | None) -> list[Any]:
    """As ``_stat``, for a model's file or all files in its folder; nothing for a name that is neither, as of a hub."""
    if name is None or name == "embedded":  # the embedded ones are told apart by their contents
        return []
    path = Path(name.removeprefix("local-dir:"))
    files = {file: file.relative_to(path) for file in [path, *sorted(path.rglob("*"))] if file.is_file()}
    shown = {file: inside for file, inside in files.items() if not any(part.startswith(".") for part in inside.parts)}
    return [[inside.as_posix(), file.stat().st_size, file.stat().st_mtime_ns] for file, inside in shown.items()]


def _difference(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> str:
    changes = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if prefix == "" and key == "inputs":
            changes += [f"'{name}' was made anew" for name in after if before.get(name) != after[name]]
        elif prefix == "" and key == "embedded":
            changes.append("the embedded backbone changed")
        elif prefix == "" and key == "outside":
            names = sorted(before.keys() | after.keys())
            changes += [f"the file of {name} changed" for name in names if before.get(name) != after.get(name)]
        elif isinstance(before, dict) and isinstance(after, dict):
            changes.append(_difference(before, after, f"{prefix}{key}." if prefix or key != "settings" else "."))
        else:
            changes.append(f"{(prefix + key).lstrip('.')} was {before!r}, is {after!r}")
    return "; ".join(changes)


def _write_json(path: Path, value: Any) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(fresh, path)


def _swap(work: Path, final: Path) -> None:
    old = final.with_name(f".replaced-{final.name}")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    work.rename(final)
    shutil.rmtree(old, ignore_errors=True)
