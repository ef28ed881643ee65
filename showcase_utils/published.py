"""The committed notebooks and figures: written by a run, and how they are known to be what the code would write today.

A published notebook holds a record in its metadata: the digests of its own cells, of every module of ours that its
cells and its stages run, of the embedded backbones, and the settings. Where the record differs from what is there now,
the notebook is out of date; a float that another processor computes differently does not count.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from showcase_utils.artifacts import STAGES
from showcase_utils.config import Settings, Speed, load_settings, marked
from showcase_utils.recipes import BACKBONES, digest, file_digests, write_json
from showcase_utils.sources import PACKAGE, code_digests, imported_modules

PROFILE = "demo"  # what the committed notebooks show
RECORD = "showcase"  # the key in a notebook's metadata
FIGURES = PACKAGE.parent / "figures"
TABLE = re.compile(r"""(?<=[#"]T_)[0-9a-f]{5}(?=[_"])""")  # pandas names each table that it draws by chance
ADDRESS = re.compile(r" at 0x[0-9a-f]+(?=>)")


def read_notebook(path: Path) -> dict[str, Any]:
    """A notebook as JSON has it; nbformat, which also validates, takes a second or more to import."""
    return json.loads(path.read_text(encoding="utf-8"))


def sources_of(notebook: Mapping[str, Any]) -> list[str]:
    """The code cells, without lines that only IPython reads."""
    cells = ("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    return ["\n".join(line for line in c.splitlines() if not line.lstrip().startswith(("%", "!"))) for c in cells]


def record_of(notebook: Mapping[str, Any], stages: Sequence[str], settings: Settings) -> dict[str, Any]:
    """What a notebook's outputs depend on: its cells, the code they and ``stages`` run, backbones, settings."""
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    modules = [module for cell in sources_of(notebook) for module in imported_modules(cell)]
    keys = {key for stage in _with_inputs(stages) for key in STAGES[stage].settings}
    files = {name: row["sha256"] for name, row in file_digests(BACKBONES).items()}
    return {
        "profile": settings.profile,
        "cells": digest(cells),
        "code": code_digests([*modules, *(STAGES[stage].module for stage in stages)]),
        "backbones": digest({name: mark for name, mark in files.items() if "/" in name and "__pycache__" not in name}),
        "settings": digest({key: _without_speed(key, settings.section(key)) for key in keys}),
    }


def outdated(folder: Path, notebooks: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The committed notebooks that the present code would write differently, and why.

    ``folder`` holds them, ``notebooks`` names the stages that each of them makes or reads.
    """
    settings = load_settings(PROFILE)
    found = {}
    for name, stages in notebooks.items():
        notebook = read_notebook(folder / f"{name}.ipynb")
        now, then = record_of(notebook, stages, settings), notebook["metadata"].get(RECORD)
        if then is None:
            found[name] = "it was never published"
        elif then != now:
            found[name] = _change(then, now)
    return found


def publish(executed: Mapping[str, Path], records: Mapping[str, dict[str, Any]], folder: Path, figures: Path) -> None:
    """Writes executed notebooks into ``folder`` and their figures beside it, without what only this run knows."""
    import nbformat

    from showcase_utils.plots.writer import stamp

    for name, path in executed.items():
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata.pop("papermill", None)
        notebook.metadata[RECORD] = records[name]
        for cell in notebook.cells:
            cell.metadata.pop("papermill", None)
            cell.metadata.pop("execution", None)
            if not cell.metadata.get("tags"):
                cell.metadata.pop("tags", None)
        _name_alike(notebook)
        nbformat.write(notebook, folder / f"{name}.ipynb")
    index = FIGURES / "index.json"
    before = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
    for old in FIGURES.glob("*"):
        if old.is_file():  # a folder in it holds pictures that no notebook draws
            old.unlink()
    shutil.copytree(figures, FIGURES, ignore=shutil.ignore_patterns(".*", "*.new"), dirs_exist_ok=True)
    for name, record in records.items():
        stamp(FIGURES, name, {"made_by": digest(record)[:16], "commit": _commit()})
    now = json.loads(index.read_text(encoding="utf-8"))  # what was not executed keeps the word of who made it
    write_json(
        index, {name: entry if entry["notebook"] in records else before.get(name, entry) for name, entry in now.items()}
    )


def _name_alike(notebook: Any) -> None:
    """Names and addresses that differ from run to run become the same in each, so that a diff shows what changed."""
    numbers: dict[str, str] = {}
    outputs = [output["data"] for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    for data in outputs:
        if "text/plain" in data:
            data["text/plain"] = ADDRESS.sub("", data["text/plain"])
        if "text/html" in data:
            data["text/html"] = TABLE.sub(
                lambda found: numbers.setdefault(found[0], f"{len(numbers):05}"), data["text/html"]
            )


def _commit() -> str:
    """The commit that was checked out, to find the way back; what wrote a figure is told by ``made_by``."""
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=PACKAGE, capture_output=True, text=True)
    return asked.stdout.strip()


def _with_inputs(stages: Sequence[str]) -> set[str]:
    return set(stages).union(*(_with_inputs(STAGES[stage].inputs) for stage in stages))


def _without_speed(section: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if f"{section}.{name}" not in marked(Speed)}


def _change(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    code = {
        name for name in then["code"].keys() | now["code"].keys() if then["code"].get(name) != now["code"].get(name)
    }
    parts = [name for name in ("profile", "cells", "backbones", "settings") if then.get(name) != now[name]]
    return "; ".join(f"{part} changed" for part in [*parts, *sorted(name.partition(".")[2] for name in code)])
