"""Executing notebooks by papermill, each in a process of its own, the next one while the one before still draws."""

from __future__ import annotations

import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from showcase_utils.extras import extra
from showcase_utils.kernels import KERNEL, Kernels
from showcase_utils.published import read_notebook

MENDABLE = {"OSError", "PermissionError", "FileNotFoundError", "SettingsError", "StaleStage", "MissingExtra"}
T = TypeVar("T")


class RunError(RuntimeError):
    """A run that cannot start or a notebook that failed; the message says where and why."""


class Relay(Generic[T]):
    """Calls ``work`` with each of ``names`` in order, ``most`` at once, each call in a thread.

    A name begins when it is asked for, or earlier where somebody calls ``begin``. Leaving the context waits for the
    calls that have begun, and begins no other.
    """

    def __init__(self, work: Callable[[str], T], names: Sequence[str], most: int) -> None:
        self._work, self._names, self._begun = work, names, list[Future[T]]()
        self._pool, self._lock = ThreadPoolExecutor(most), threading.Lock()

    def begin(self, name: str) -> Future[T]:
        """The result to come; the call begins, after those of the names before it, unless it has begun."""
        with self._lock:
            for earlier in self._names[len(self._begun) : self._names.index(name) + 1]:
                self._begun.append(self._pool.submit(self._work, earlier))
        return self._begun[self._names.index(name)]

    def waiting_after(self, name: str) -> str:
        """What comes next after ``name``, if it has not begun; empty otherwise."""
        place = self._names.index(name) + 1
        return self._names[place] if len(self._begun) == place < len(self._names) else ""

    def __enter__(self) -> Relay[T]:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def execute(
    kernels: Kernels,
    sources: Sequence[Path],
    target: Path,
    parameters: dict[str, Any],
    on_cell: Callable[[int, int], None],
) -> float:
    """Executes the first of ``sources``; the kernel of the second, if there is one, starts meanwhile.

    Gives the seconds. Raises ``RunError`` with notebook and cell where one fails.
    """
    started = time.perf_counter()
    source, name = sources[0], sources[0].stem
    manager = kernels.start(source)
    for later in sources[1:2]:
        kernels.start(later)
    with warnings.catch_warnings(), extra("notebooks", "running the notebooks"):
        warnings.simplefilter("ignore")  # papermill's own imports warn of things that no user can mend
        import papermill
    unknown = set(parameters) - set(papermill.inspect_notebook(str(source)))
    if unknown:
        raise RunError(f"{name} has no parameter {', '.join(sorted(unknown))}: its parameters cell is damaged")
    cells = len(read_notebook(source)["cells"]) + bool(parameters)  # papermill adds a cell for them
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
            on_cell_start=lambda cell, cell_index, **_: on_cell(cell_index + 1, cells),
        )
    except papermill.PapermillExecutionError as error:
        where = f"{name} failed in cell {error.cell_index} [{error.exec_count}]: {error.ename}: {error.evalue}\n"
        trace = "" if error.ename in MENDABLE else re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback)) + "\n"
        raise RunError(f"{where}{trace}The notebook as far as it came: {half}") from None
    finally:
        kernels.stop(source)
    os.replace(half, target)
    return time.perf_counter() - started
