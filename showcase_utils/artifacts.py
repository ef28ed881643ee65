"""Stages on disk: what a notebook hands to the next one.

A stage is a folder ``ROOT/<profile>/<stage>`` with a ``manifest.json``. It appears under its name only when it is
whole, and it counts as fresh as long as its recipe is the one that made it: the settings it depends on, the contents
of its input stages and of outside files, and the code that its builder runs; and its files must be those that were
written: one whose size or time of change is another is read and compared with its sha256. Nothing in it names a place,
so a root that is moved still works.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import filelock
import platformdirs

from showcase_utils.config import Settings
from showcase_utils.recipes import MANIFEST, damage, difference, digest, file_digests, recipe_of, versions, write_json
from showcase_utils.sources import PACKAGE

FULL = 1 << 16  # bytes: with no more, a disk is full
FRESH, STALE, OTHER_CODE, DAMAGED = "fresh", "stale", "other code", "damaged"


class Stages(Protocol):
    """What reads stages, a builder or a notebook: settings, and the folder of each stage."""

    @property
    def settings(self) -> Settings: ...

    def path(self, stage: str) -> Path: ...


@dataclass(frozen=True)
class BuildContext:
    """What a builder gets: the folder to fill, the folders of its declared inputs, the settings.

    ``out`` may hold what an interrupted call has left. ``previous`` is the stage as it stood before, fresh or not, for
    long steps that reuse what is still good in it.
    """

    out: Path
    inputs: Mapping[str, Path]
    settings: Settings
    previous: Path | None = None
    progress: bool = True

    def path(self, stage: str) -> Path:
        """The folder of an input; raises ``KeyError`` for a stage that is not declared as one in ``STAGES``."""
        if stage not in self.inputs:
            raise KeyError(f"stage '{stage}' is no input here: there are {', '.join(self.inputs) or 'none'}")
        return self.inputs[stage]


Builder = Callable[[BuildContext], None]


@dataclass(frozen=True)
class Stage:
    """One step of the flow: what makes it and in which notebook, what it reads, which settings it depends on.

    ``builder`` is ``"module:function"``, so that looking at stages imports none of their code. ``settings`` are
    sections or dotted keys.
    """

    name: str
    notebook: str
    builder: str
    inputs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        return self.builder.partition(":")[0]

    def load_builder(self) -> Builder:
        return getattr(importlib.import_module(self.module), self.builder.partition(":")[2])


_SHARED = ("data", "features", "alignment", "selection")
STAGES: dict[str, Stage] = {
    name: Stage(name, notebook, f"showcase_utils.{builder}", inputs, settings)
    for name, notebook, builder, inputs, settings in (
        ("world", "01_data_filtering", "demo_world.build:build_world", (), ("world",)),
        (
            "data",
            "01_data_filtering",
            "data.build:build_data",
            ("world",),
            ("data.source", "data.reviews", "data.images", "data.min_reviews_per_user", "data.split"),
        ),
        ("features", "02_clip_encoding", "encoding.build:build_features", ("world", "data"), ("encoding",)),
        (
            "alignment",
            "02_clip_encoding",
            "alignment.build:build_alignment",
            ("world", "data", "features"),
            ("alignment", "data.annotations", "seed"),
        ),
        (
            "selection",
            "03_dpp_selection",
            "selection.build:build_selection",
            ("data", "features"),
            ("selection", "seed"),
        ),
        ("generation", "04_contrastive_training", "generation.build:build_generation", _SHARED, ("generation", "seed")),
        (
            "texts",
            "05_metric_evaluation",
            "generation.texts:build_texts",
            ("world", *_SHARED, "generation"),
            ("telling",),
        ),
        (
            "evaluation",
            "05_metric_evaluation",
            "claims.build:build_evaluation",
            ("world", *_SHARED, "texts"),
            ("evaluation", "generation.entities", "generation.spacy_model", "seed"),
        ),
    )
}


class StaleStage(RuntimeError):
    """A stage that is needed is missing or was made from something else; the message names the notebook to run."""


@dataclass(frozen=True)
class Status:
    """How a stage stands, and why.

    ``state`` is fresh, stale, other code, damaged, missing or unfinished. ``recipe`` is what would make it now, there
    where its inputs are fresh.
    """

    stage: str
    state: str
    why: str = ""
    manifest: dict[str, Any] = field(default_factory=dict, repr=False)
    recipe: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def bytes(self) -> int | None:
        return sum(row["bytes"] for row in self.manifest["files"].values()) if self.manifest else None


class Artifacts:
    """The stage folders of one run: ``Artifacts(settings).path("data")``.

    ``root`` is a folder; empty means ``$SHOWCASE_ARTIFACTS``, else ``artifacts/`` in the checkout that this package
    was imported from, else the user's cache folder. It never depends on the working directory.
    """

    def __init__(self, settings: Settings, root: str | Path = "") -> None:
        self.settings = settings
        self.root = Path(root).expanduser().resolve() if root else default_root()
        self.folder = self.root / settings.profile
        self._sound: set[tuple[str, str]] = set()  # stages, with their contents, whose files were looked at

    def __repr__(self) -> str:
        return f"Artifacts(profile={self.settings.profile!r})"

    def make(self, stage: str, build: Builder | None = None, progress: bool = True) -> Path:
        """The folder of ``stage``, made by its builder (or by ``build`` in its place) unless it is fresh.

        The folder that a builder fills outlives an interruption: the next call with the same recipe gets it again. A
        second process that wants the same stage waits, then finds it fresh. Raises ``StaleStage`` when an input of the
        stage is missing or stale, ``OSError`` when the disk is full, and what the builder raises.
        """
        locks = self.folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(locks / f"{stage}.lock"):
            for name in self.inputs(stage):
                self._need(name)
            status = self.statuses(stage)[stage]
            fingerprint = digest(status.recipe)
            final, work = self.folder / stage, self.folder / ".unfinished" / f"{stage}-{fingerprint[:16]}"
            if (work / MANIFEST).is_file():  # cut off between the last file and the change of name
                _swap(work, final)
                return final
            if status.state == FRESH:
                return final
            for other in work.parent.glob(f"{stage}-*"):
                if other != work:
                    shutil.rmtree(other)
            work.mkdir(parents=True, exist_ok=True)
            started = time.perf_counter()
            inputs = {name: self.folder / name for name in self.inputs(stage)}
            previous = final if status.manifest else None
            try:
                (build or _spec(stage).load_builder())(BuildContext(work, inputs, self.settings, previous, progress))
            except Exception as error:  # each library has an error of its own for a full disk, or makes room again
                no_room = os.strerror(errno.ENOSPC)
                if isinstance(error, OSError) or not (no_room in str(error) or shutil.disk_usage(work).free <= FULL):
                    raise
                raise OSError(errno.ENOSPC, no_room, str(work)) from error
            files = file_digests(work)
            manifest = {
                "stage": stage,
                "fingerprint": fingerprint,
                "recipe": status.recipe,
                "contents": _contents(files),
                "seconds": round(time.perf_counter() - started, 3),
                "device": _device_name(self.settings.device),
                "versions": versions(),
                "files": files,
            }
            write_json(work / MANIFEST, manifest)
            _swap(work, final)
            return final

    def path(self, stage: str) -> Path:
        """The folder of a fresh stage. Raises ``StaleStage`` otherwise, naming what to run first."""
        self._need(stage)
        return self.folder / stage

    def manifest(self, stage: str) -> dict[str, Any]:
        """The manifest of a fresh stage: recipe, seconds, device, versions, files. Raises ``StaleStage``."""
        return self._need(stage).manifest

    def contents(self, stage: str) -> str:
        """The digest of what a fresh stage contains: equal digests, equal files."""
        return self.manifest(stage)["contents"]

    def stages(self) -> list[str]:
        """The stages of this run in order; the demo world is none of them when the data are files."""
        return [name for name in STAGES if name != "world" or self.settings.data.source == "demo"]

    def statuses(self, last: str = "", verify: bool = False) -> dict[str, Status]:
        """How every stage stands (or those that ``last`` depends on, and itself), in order, in one pass.

        ``verify``: every file is read, also one whose size and time of change are those that it was written with.
        Raises ``KeyError`` for a stage that this run does not have.
        """
        found: dict[str, Status] = {}
        if last and last not in self.stages():
            raise KeyError(f"no stage '{last}' in this run: the stages are {', '.join(self.stages())}")
        wanted = self._above(last) if last else set(self.stages())
        for name in self.stages():
            if name in wanted:
                found[name] = self._status(name, found, verify)
        return found

    def accept(self, stage: str) -> None:
        """Takes a stage that other code made for fresh: somebody has looked and knows that its contents are the same.

        Raises ``StaleStage`` for a stage that differs in more than its code.
        """
        status = self.statuses(stage)[stage]
        if status.state not in {FRESH, OTHER_CODE}:
            why = f" ({status.why})" if status.why else ""
            raise StaleStage(f"stage '{stage}' is {status.state}{why}: only what other code made is accepted")
        path = self.folder / stage / MANIFEST
        write_json(path, status.manifest | {"recipe": status.recipe, "fingerprint": digest(status.recipe)})

    def forget(self, stage: str) -> None:
        """Removes a stage, finished or not, so that the next run makes it anew."""
        _spec(stage)
        for folder in [self.folder / stage, *(self.folder / ".unfinished").glob(f"{stage}-*")]:
            shutil.rmtree(folder, ignore_errors=True)

    def _need(self, stage: str) -> Status:
        """Raises ``StaleStage`` unless the stage is fresh; the advice names the first stage that must be made."""
        _spec(stage)
        statuses = self.statuses(stage)
        for name, status in statuses.items():
            if status.state == FRESH:
                continue
            number = STAGES[name].notebook.split("_")[0]
            until = STAGES[stage].notebook.split("_")[0]
            advice = f"`showcase run --profile {self.settings.source} --from {number} --to {until}`"
            if status.state == OTHER_CODE:
                advice += f", or keep it with `showcase accept {name} --profile {self.settings.source}`"
            needed = "" if name == stage else f", which '{stage}' needs,"
            why = status.why if self.folder.is_dir() else f"there is no folder {self.folder}"
            raise StaleStage(
                f"stage '{name}'{needed} of profile '{self.settings.profile}' is {status.state}"
                f"{f' ({why})' if why else ''}: run notebook {STAGES[name].notebook} first, or {advice}"
            )
        return statuses[stage]

    def _status(self, stage: str, above: Mapping[str, Status], verify: bool = False) -> Status:
        manifest = self._manifest(stage)
        behind = next((name for name in self.inputs(stage) if above[name].state != FRESH), None)
        why = f"its input '{behind}' is {above[behind].state}" if behind else ""
        recipe = None if behind else self._recipe(stage, above)
        if manifest is None:
            return Status(stage, DAMAGED, f"{MANIFEST} is not what was written", recipe=recipe)
        if not manifest:
            unfinished = any((self.folder / ".unfinished").glob(f"{stage}-*"))
            return Status(stage, "unfinished" if unfinished else "missing", recipe=recipe)
        if recipe is None:
            return Status(stage, STALE, why, manifest)
        if manifest["fingerprint"] == digest(recipe):
            why = self._damage(stage, manifest, verify)
            return Status(stage, DAMAGED if why else FRESH, why, manifest, recipe)
        state = OTHER_CODE if manifest["recipe"] | {"code": 0} == recipe | {"code": 0} else STALE
        return Status(stage, state, difference(manifest["recipe"], recipe), manifest, recipe)

    def _recipe(self, stage: str, above: Mapping[str, Status]) -> dict[str, Any]:
        spec = _spec(stage)
        inputs = {name: above[name].manifest["contents"] for name in self.inputs(stage)}
        return recipe_of(self.settings, spec.settings, inputs, spec.module)

    def inputs(self, stage: str) -> list[str]:
        """The stages that a stage reads; a vision-language model that trains also reads photos, of the demo world's."""
        there, wanted = self.stages(), list(_spec(stage).inputs)
        if stage == "generation" and self.settings.generation.vlm:
            wanted.insert(0, "world")
        return [name for name in wanted if name in there]

    def _above(self, stage: str) -> set[str]:
        """A stage and all that it depends on."""
        return {stage}.union(*(self._above(name) for name in self.inputs(stage)))

    def _manifest(self, stage: str) -> dict[str, Any] | None:
        """The manifest, empty where there is none; ``None``: it is damaged."""
        try:
            return _parsed((self.folder / stage / MANIFEST).read_bytes())
        except FileNotFoundError:
            return {}

    def _damage(self, stage: str, manifest: Mapping[str, Any], verify: bool) -> str:
        look = (stage, manifest["contents"])
        if look in self._sound and not verify:
            return ""
        why = damage(self.folder / stage, manifest["files"], self.folder / ".looked" / f"{stage}.json", verify)
        if not why:
            self._sound.add(look)
        return why


def default_root() -> Path:
    """Where artifacts lie unless somebody says otherwise."""
    if root := os.environ.get("SHOWCASE_ARTIFACTS"):
        return Path(root).expanduser().resolve()
    if (PACKAGE.parent / "pyproject.toml").is_file():
        return PACKAGE.parent / "artifacts"
    return Path(platformdirs.user_cache_dir("personalized-showcases"))


def _spec(stage: str) -> Stage:
    if stage not in STAGES:
        raise KeyError(f"no stage '{stage}': the stages are {', '.join(STAGES)}")
    return STAGES[stage]


@lru_cache(maxsize=16)  # each look at one stage looks at all before it, whose manifests name thousands of files
def _parsed(manifest: bytes) -> dict[str, Any] | None:
    """What is written in a manifest; ``None``: it is damaged."""
    try:
        found = json.loads(manifest)
        sizes = [row["bytes"] for row in found["files"].values()]
        whole = found["contents"] == _contents(found["files"]) and set(map(type, sizes)) <= {int}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if whole and found.keys() >= {"fingerprint", "recipe"} else None


def _device_name(name: str) -> str:
    from showcase_utils.devices import resolve_device  # torch takes seconds to import; `showcase status` needs none

    return str(resolve_device(name))


def _contents(files: Mapping[str, Mapping[str, Any]]) -> str:
    return digest({name: row["sha256"] for name, row in files.items()})


def _swap(work: Path, final: Path) -> None:
    """Moves a finished folder to its name."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    work.rename(final)
    shutil.rmtree(old, ignore_errors=True)
