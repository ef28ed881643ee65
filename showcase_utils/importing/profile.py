"""The profile that an import leaves beside its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from showcase_utils.config import profile_names

START = {"embedded": "demo", "gest": "gest"}


def write_profile(to: Path, reviews: str, backbones: str, hosts: Sequence[str] = ()) -> Path:
    """A profile for the files in ``to``, called as that folder; one that is there stays as somebody left it.

    ``backbones`` are one of ``START``: ``embedded``, the small models of the package, or ``gest``, those of the paper.
    """
    name = to.resolve().name or "own"
    path = to / f"{name if name not in profile_names() else f'{name}-own'}.yaml"
    if not path.exists():
        path.write_text(_text(reviews, backbones, hosts), encoding="utf-8")
    return path


def _text(reviews: str, backbones: str, hosts: Sequence[str]) -> str:
    lines = [
        "# Written by `showcase import`, yours from now on. Paths are relative to this file.",
        f"extends: {START[backbones]}",
        "data:",
        "  source: files",
        f"  reviews: {reviews}",
        "  images: photos",
        "  # annotations: annotations.csv   # of `showcase annotate`; without labels Φ is the cosine of CLIP",
    ]
    if backbones == "embedded":
        lines += ["selection:", "  seeds: [0]   # more show what is chance; each trains anew"]
    if hosts:
        lines += ["download:", f"  hosts: [{', '.join(hosts)}]", "  suffix: ''"]
    return "\n".join(lines) + "\n"
