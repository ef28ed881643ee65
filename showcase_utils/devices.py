"""Which device the tensors live on."""

from __future__ import annotations

import torch


def resolve_device(name: str = "auto") -> torch.device:
    """The device of a ``device`` setting: ``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Raises ``ValueError`` when the named device is not there, saying which are.
    """
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
