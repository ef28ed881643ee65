"""Independent pieces of work side by side on the cores of one machine, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from joblib import Parallel, cpu_count, parallel_config

from showcase_utils.progress import progress_bar


def jobs_on(device: str | torch.device, wanted: int, tasks: int) -> int:
    """How many of ``tasks`` run at once: ``wanted``, or one per core where that is 0; one on anything but a CPU."""
    if torch.device(device).type != "cpu":
        return 1
    return max(1, min(wanted or cpu_count(), tasks))


def side_by_side(
    tasks: Sequence[Any], jobs: int, desc: str, progress: bool = True, threads: int = 1, ordered: bool = True
) -> Iterator[Any]:
    """The results of joblib's ``delayed`` calls, with a bar that counts them.

    ``jobs`` = 1 makes them here, one after the other. ``threads`` are those of each process. Not ``ordered``, results
    come as they are finished. An error in a task is raised here.
    """
    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=threads if jobs > 1 else None):
        done = Parallel(return_as="generator" if ordered else "generator_unordered")(tasks)
        yield from progress_bar(done, desc=desc, total=len(tasks), disable=not progress)
