"""Kernels that are ready when their notebook is: each starts and imports while the notebook before it runs.

Several threads may start and stop them.
"""

from __future__ import annotations

import ast
import threading
from pathlib import Path
from typing import Any

from showcase_utils.artifacts import STAGES
from showcase_utils.extras import extra
from showcase_utils.published import read_notebook, sources_of

KERNEL = "python3"
QUIET = "--log-level=ERROR"  # every kernel warns that loopback is not encrypted


class Kernels:
    """A process per notebook: memory of a GPU outlives a cell, but no process."""

    def __init__(self) -> None:
        self._started: dict[Path, Any] = {}
        self._lock, self._over = threading.RLock(), False

    def start(self, notebook: Path) -> Any:
        """The kernel manager of a notebook, in whose folder it runs; started by the first call, which does not wait.

        Raises ``RuntimeError`` after the end of the context: a run that was interrupted starts nothing.
        """
        with self._lock:
            if self._over:
                raise RuntimeError(f"{notebook.stem} came too late: the run has ended")
            if notebook not in self._started:
                with extra("notebooks", "running the notebooks"):
                    from jupyter_client import AsyncKernelManager
                    from jupyter_core.utils import run_sync
                manager = AsyncKernelManager(kernel_name=KERNEL)
                arguments = [QUIET, f"--IPKernelApp.code_to_run={warm_up(notebook)}"]
                run_sync(manager.start_kernel)(cwd=str(notebook.parent), extra_arguments=arguments)
                self._started[notebook] = manager
            return self._started[notebook]

    def stop(self, notebook: Path) -> None:
        """Ends the process of a notebook, unless somebody has."""
        from jupyter_core.utils import run_sync

        with self._lock:
            if manager := self._started.pop(notebook, None):
                run_sync(manager.shutdown_kernel)(now=True)

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._over = True
            for notebook in list(self._started):
                self.stop(notebook)


def warm_up(notebook: Path) -> str:
    """What the cells and their stages import, in a function: a cell that forgets an import must fail."""
    nodes = [node for cell in sources_of(read_notebook(notebook)) for node in ast.parse(cell).body]
    imports = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    imports += [f"import {stage.module}" for stage in STAGES.values() if stage.notebook == notebook.stem]
    return "\n    ".join(["def _warm_up():", "pass", *imports]) + "\n_warm_up()\ndel _warm_up"
