"""The notebooks in order: which are up to date, and papermill over those that are not."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from showcase_utils import published
from showcase_utils.artifacts import FRESH, STAGES, Artifacts
from showcase_utils.config import Settings, absolute_overrides, load_settings
from showcase_utils.devices import are_embedded, cpu_threads
from showcase_utils.executing import Relay, RunError, execute
from showcase_utils.kernels import Kernels
from showcase_utils.progress import LOG, PROGRESS, last_line
from showcase_utils.recipes import digest, write_json
from showcase_utils.sources import PACKAGE

RUNS = "runs.json"
# For the processes of notebooks: glibc gives every large tensor back to the system when it is freed, whose next pages
# are then cleared and mapped one by one. Kept, and in huge pages, training is faster by up to a fifth.
KEEP_MEMORY = "glibc.malloc.hugetlb=1:" + ":".join(
    f"glibc.malloc.{name}={2**30}" for name in ("mmap_threshold", "trim_threshold")
)
NOTEBOOKS: dict[str, tuple[str, ...]] = {  # name -> the stages it reads; those it makes stand in artifacts.STAGES
    "01_data_filtering": (),
    "02_clip_encoding": ("data",),
    "03_dpp_selection": ("data", "features"),
    "04_contrastive_training": ("data", "features", "alignment", "selection"),
    "05_metric_evaluation": ("world", "data", "features", "alignment", "selection", "generation"),
    "06_showcase_gallery": ("data", "features", "alignment", "selection", "generation", "texts"),
}


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

    With the embedded models, a notebook begins as soon as there is what it reads, while the one before still draws;
    larger ones have machine and GPU to themselves. What is reported comes in order all the same: a notebook that fails
    ends the one that began meanwhile, and one that fails early waits for the one before.

    A second run of the same profile at the same time waits for the first. ``force`` executes fresh notebooks too
    (their stages stay as they are). ``on_progress`` gets a line a second from the bars of the cells that are running.
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
    os.environ.setdefault("GLIBC_TUNABLES", KEEP_MEMORY)
    names = chosen(start, end)
    cells: dict[str, tuple[int, int]] = {}  # notebook -> the cell that it is at, and how many it has

    def work(name: str) -> NotebookRun:
        target, record = output / f"{name}.ipynb", _records(output).get(name, {})
        if not (force or publish) and target.is_file() and record.get("key") == _key(store, name):
            return NotebookRun(name, "fresh", record["seconds"], target, _figures(store, name))
        sources = [notebooks_folder() / f"{other}.ipynb" for other in names[names.index(name) :]]
        seconds = execute(kernels, sources, target, parameters, lambda *cell: at_cell(name, *cell))
        return NotebookRun(name, "executed", seconds, target, _figures(store, name))

    def at_cell(name: str, cell: int, count: int) -> None:
        cells[name] = cell, count
        if name == names[len(results)]:
            on_cell(name, cell, count)
        if (later := relay.waiting_after(name)) and _can_begin(store, later):
            relay.begin(later)

    lock, most = filelock.FileLock(store.folder / ".run.lock"), 2 if are_embedded(settings) else 1
    with lock, watched(store.folder / PROGRESS, on_progress), Relay(work, names, most) as relay, Kernels() as kernels:
        for name in names:
            if name in cells:
                on_cell(name, *cells[name])
            result = relay.begin(name).result()
            if result.state == "executed":
                _remember(output, name, {"key": _key(store, name), "seconds": round(result.seconds, 1)})
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


def _can_begin(store: Artifacts, name: str) -> bool:
    """Whether all is there that a notebook and its stages read, but what it makes itself."""
    there = store.stages()
    made = [stage for stage in there if STAGES[stage].notebook == name]
    read = {*_stages_of(name, there), *(above for stage in made for above in store.inputs(stage))}.difference(made)
    if not all((store.folder / stage).is_dir() for stage in read):  # asked at every cell, and sooner said than the rest
        return False
    statuses = store.statuses()
    return all(statuses[stage].state == FRESH for stage in read)


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
