"""The notebooks in order: which are up to date, and papermill over those that are not."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from showcase_utils import published
from showcase_utils.artifacts import FRESH, STAGES, Artifacts
from showcase_utils.config import Settings, absolute_overrides, load_settings
from showcase_utils.devices import cpu_threads
from showcase_utils.extras import extra
from showcase_utils.kernels import KERNEL, Kernels
from showcase_utils.progress import LOG, PROGRESS, last_line
from showcase_utils.recipes import digest, write_json
from showcase_utils.sources import PACKAGE

RUNS = "runs.json"
MENDABLE = {"OSError", "PermissionError", "FileNotFoundError", "SettingsError", "StaleStage", "MissingExtra"}
NOTEBOOKS: dict[str, tuple[str, ...]] = {  # name -> the stages it reads; those it makes stand in artifacts.STAGES
    "01_data_filtering": (),
    "02_clip_encoding": ("data",),
    "03_dpp_selection": ("data", "features"),
    "04_contrastive_training": ("data", "features", "alignment", "selection"),
    "05_metric_evaluation": ("world", "data", "features", "alignment", "selection", "generation"),
    "06_showcase_gallery": ("data", "features", "alignment", "selection", "generation", "texts"),
}


class RunError(RuntimeError):
    """A run that cannot start or a notebook that failed; the message says where and why."""


@dataclass(frozen=True)
class NotebookRun:
    """What became of one notebook: ``state`` is executed or fresh."""

    notebook: str
    state: str
    seconds: float
    path: Path
    figures: tuple[str, ...]


def describe_run(settings: Settings) -> str:
    """One line that a reader checks first: profile, device, interpreter, the versions that matter.

    Sets what holds for the kernel that calls it, as every notebook does first: PyTorch's threads, and that dollars in
    tables are dollars, not mathematics.
    """
    import pandas as pd
    import torch

    from showcase_utils.devices import resolve_device, use_threads

    use_threads(settings)
    pd.set_option("display.html.use_mathjax", False, "styler.html.mathjax", False)
    device = resolve_device(settings.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type}, {os.cpu_count()} cores"
    return (
        f"profile {settings.profile} · {name} · Python {platform.python_version()} · "
        f"torch {torch.__version__.split('+')[0]} · transformers {importlib.metadata.version('transformers')}"
    )


def notebooks_folder() -> Path:
    """Where the numbered notebooks lie. Raises ``RunError`` when this is not a checkout."""
    folder = PACKAGE.parent / "notebooks"
    if not folder.is_dir():
        raise RunError("the notebooks are not here: clone the repository and install it with `pip install -e .`")
    return folder


def chosen(start: str | None, end: str | None) -> list[str]:
    """The notebooks from ``start`` to ``end``, given by number or name. Raises ``RunError`` for an unknown one."""
    names = list(NOTEBOOKS)
    first = _index(start, names) if start else 0
    last = _index(end, names) if end else len(names) - 1
    if first > last:
        raise RunError(f"--from {start} comes after --to {end}")
    return names[first : last + 1]


def run(
    profile: str,
    overrides: list[str],
    root: str = "",
    *,
    start: str | None = None,
    end: str | None = None,
    output: Path | None = None,
    force: bool = False,
    publish: bool = False,
    on_cell: Callable[[str, int, int], None] = lambda notebook, cell, cells: None,
    on_progress: Callable[[str], None] = lambda line: None,
    on_done: Callable[[NotebookRun], None] = lambda done: None,
) -> list[NotebookRun]:
    """Executes the notebooks that are not up to date, each in a process of its own, in order.

    A second run of the same profile at the same time waits for the first. ``force`` executes fresh notebooks too
    (their stages stay as they are). ``on_progress`` gets a line a second from the bars of the cell that is running.
    ``publish`` writes the executed notebooks and figures into the checkout; then no override is allowed, since the
    committed notebooks show a profile as it ships.

    Raises ``RunError`` naming notebook and cell when a cell fails, ``SettingsError`` for settings that cannot be used.
    """
    settings = load_settings(profile, overrides)
    if publish and (overrides or profile != published.PROFILE or root):
        raise RunError("--publish writes the committed notebooks: it goes with profile demo, without overrides")
    store = Artifacts(settings, root)
    output = (output or store.folder / "notebooks").expanduser().resolve()
    output.mkdir(parents=True, exist_ok=True)
    parameters = {} if publish else _parameters(overrides, store)
    results: list[NotebookRun] = []
    os.environ.setdefault("OMP_NUM_THREADS", str(cpu_threads(settings)))
    names = chosen(start, end)
    with filelock.FileLock(store.folder / ".run.lock"), Kernels() as kernels:
        for name in names:
            target = output / f"{name}.ipynb"
            record = _records(output).get(name, {})
            if not (force or publish) and target.is_file() and record.get("key") == _key(store, name):
                result = NotebookRun(name, "fresh", record["seconds"], target, _figures(store, name))
            else:
                with watched(store.folder / PROGRESS, on_progress):
                    seconds = _execute(kernels, names[len(results) :][:2], target, parameters, on_cell)
                _remember(output, name, {"key": _key(store, name), "seconds": round(seconds, 1)})
                result = NotebookRun(name, "executed", seconds, target, _figures(store, name))
            on_done(result)
            results.append(result)
    if publish:
        executed = {result.notebook: result.path for result in results}
        records = {name: _record(store, name, path) for name, path in executed.items()}
        published.publish(executed, records, notebooks_folder(), store.folder / "figures")
        if store.statuses()["evaluation"].state == FRESH:
            from showcase_utils.claims.report import TEXTS, readme_table, texts_table, write_between_marks

            write_between_marks(PACKAGE.parent / "README.md", readme_table(store))
            write_between_marks(notebooks_folder() / "README.md", texts_table(store), *TEXTS)
    return results


def outdated_notebooks() -> dict[str, str]:
    """The committed notebooks that `make notebooks` would write differently today, and why; see ``published``."""
    return published.outdated(notebooks_folder(), {name: _stages_of(name, list(STAGES)) for name in NOTEBOOKS})


@contextmanager
def watched(place: Path, on_progress: Callable[[str], None], every: float = 1.0) -> Iterator[None]:
    """Kernels that are started inside write their bars into ``place``, whose last line is handed on while they run."""
    ended = threading.Event()

    def look() -> None:
        before = ""
        while not ended.wait(every):
            line = last_line(place)
            if line and line != before:
                on_progress(line)
            before = line

    place.unlink(missing_ok=True)
    watcher = threading.Thread(target=look, daemon=True)
    outside = os.environ.get(LOG)
    os.environ[LOG] = str(place)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        place.unlink(missing_ok=True)
        if outside is None:
            del os.environ[LOG]
        else:
            os.environ[LOG] = outside


def _execute(
    kernels: Kernels,
    names: Sequence[str],
    target: Path,
    parameters: dict[str, Any],
    on_cell: Callable[[str, int, int], None],
) -> float:
    """Executes the first of ``names``; the kernel of the second, if there is one, starts meanwhile."""
    started = time.perf_counter()
    name, (source, *following) = names[0], [notebooks_folder() / f"{name}.ipynb" for name in names]
    manager = kernels.start(source)
    for later in following:
        kernels.start(later)
    with warnings.catch_warnings(), extra("notebooks", "running the notebooks"):
        warnings.simplefilter("ignore")  # papermill's own imports warn of things that no user can mend
        import papermill
    unknown = set(parameters) - set(papermill.inspect_notebook(str(source)))
    if unknown:
        raise RunError(f"{name} has no parameter {', '.join(sorted(unknown))}: its parameters cell is damaged")
    cells = len(published.read_notebook(source)["cells"]) + bool(parameters)  # papermill adds a cell for them
    half = target.with_suffix(".unfinished.ipynb")
    try:
        papermill.execute_notebook(
            str(source),
            str(half),
            parameters=parameters,
            kernel_name=KERNEL,
            km=manager,
            start_timeout=600,  # seconds: what it imports takes long on a machine that is busy
            progress_bar=False,
            request_save_on_cell_execute=False,  # twice a cell, all figures; a notebook that fails is written anyway
            on_cell_start=lambda cell, cell_index, **_: on_cell(name, cell_index + 1, cells),
        )
    except papermill.PapermillExecutionError as error:
        where = f"{name} failed in cell {error.cell_index} [{error.exec_count}]: {error.ename}: {error.evalue}\n"
        trace = "" if error.ename in MENDABLE else re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback)) + "\n"
        raise RunError(f"{where}{trace}The notebook as far as it came: {half}") from None
    finally:
        kernels.stop(source)
    os.replace(half, target)
    return time.perf_counter() - started


def _index(name: str, names: list[str]) -> int:
    for position, full in enumerate(names):
        if full == name or full.split("_")[0] == name.zfill(2):
            return position
    raise RunError(f"no notebook '{name}': the notebooks are {', '.join(names)}")


def _parameters(overrides: list[str], store: Artifacts) -> dict[str, Any]:
    return {
        "profile": store.settings.source,
        "overrides": ";".join(absolute_overrides(overrides)),
        "artifacts": str(store.root),
    }


def _stages_of(name: str, there: list[str]) -> list[str]:
    """The stages that a notebook makes, then those that it reads."""
    made = [stage for stage in there if STAGES[stage].notebook == name]
    return [*made, *(stage for stage in NOTEBOOKS[name] if stage in there)]


def _key(store: Artifacts, name: str) -> str:
    """What an executed notebook shows depends on: cells, code, settings, what it made and read. Empty: out of date."""
    statuses = store.statuses()
    stages = _stages_of(name, list(statuses))
    if any(statuses[stage].state != FRESH for stage in stages):
        return ""
    contents = {stage: statuses[stage].manifest["contents"] for stage in stages}
    return digest([_record(store, name, notebooks_folder() / f"{name}.ipynb"), contents])


def _record(store: Artifacts, name: str, path: Path) -> dict[str, Any]:
    return published.record_of(published.read_notebook(path), _stages_of(name, list(STAGES)), store.settings)


def _records(output: Path) -> dict[str, Any]:
    try:
        return json.loads((output / RUNS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _remember(output: Path, name: str, record: dict[str, Any]) -> None:
    write_json(output / RUNS, _records(output) | {name: record})


def _figures(store: Artifacts, name: str) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in (store.folder / "figures").glob(f"{name.split('_')[0]}_*.png")))
