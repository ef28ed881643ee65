"""Which device the tensors live on, and how many threads a CPU gives them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from showcase_utils.config import Settings

if TYPE_CHECKING:
    import torch


def resolve_device(name: str = "auto") -> torch.device:
    """The device of a ``device`` setting: ``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Raises ``ValueError`` when the named device is not there, saying which are.
    """
    import torch  # a second or more, which commands that compute nothing need not wait for

    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    if name == "auto":
        return torch.device(there[0])
    if name.split(":")[0] not in there:
        raise ValueError(f"device '{name}' is not there: this machine has {', '.join(there)}; set device=auto")
    return torch.device(name)


def cpu_threads(settings: Settings) -> int:
    """Threads of PyTorch: the setting, else one for the embedded models and all cores for larger ones.

    Small matrices gain nothing from a second thread, and lose by an order of magnitude where another process computes
    beside them: threads that wait for each other spin.
    """
    return settings.threads or (1 if are_embedded(settings) else os.cpu_count() or 1)


def are_embedded(settings: Settings) -> bool:
    """Whether encoder and decoder are the small models that ship with the package."""
    return settings.encoding.model == settings.generation.decoder == "embedded"


def use_threads(settings: Settings) -> None:
    """Sets PyTorch's threads for this process; every command and notebook that computes calls it first."""
    import torch

    torch.set_num_threads(cpu_threads(settings))
