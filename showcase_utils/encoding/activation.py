"""The activation trap: OpenAI's weights were trained with QuickGELU, and give silently wrong features under GELU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
from open_clip.pretrained import get_pretrained_cfg

WEIGHT_FILES = {".safetensors", ".bin", ".pth"}  # what open_clip takes for weights in a folder


class WrongActivation(ValueError):
    """Weights under another activation than they were trained with."""


def check_activation(name: str, pretrained: str | None, config: dict[str, Any]) -> None:
    """Raises ``WrongActivation`` for weights that are known to want another activation than ``config`` has.

    A tag says how its weights were trained, and a file may by its name. Where neither does, the configuration counts:
    it is the model's own in a folder and on the hub, and the user's choice for a file.
    """
    has = bool(config.get("quick_gelu"))
    tag = get_pretrained_cfg(name, pretrained) if pretrained and ":" not in name else {}
    needs = bool(tag.get("quick_gelu")) if tag else has or any(map(_is_openais, _weight_files(name, pretrained)))
    if needs == has:
        return
    source = "going by their tag" if tag else "going by the name of their file"
    remedy = (
        f"use encoding.model={name}-quickgelu" if needs else f"use encoding.model={name.removesuffix('-quickgelu')}"
    )
    if name.startswith("local-dir:"):
        remedy = 'add "quick_gelu": true to its open_clip_config.json, or give the file another name'
    raise WrongActivation(
        f"encoding.model={name} with encoding.pretrained={pretrained}: these weights were trained "
        f"{'with' if needs else 'without'} QuickGELU, {source}: {remedy}"
    )


def _weight_files(name: str, pretrained: str | None) -> list[Path]:
    if not name.startswith("local-dir:"):
        return [Path(pretrained)] if pretrained and ":" not in name else []
    folder = Path(name.removeprefix("local-dir:"))
    if (folder / "open_clip_model.safetensors").is_file():  # open_clip's own name says nothing of who trained it
        return []
    return [file for file in folder.iterdir() if file.suffix in WEIGHT_FILES]


def _is_openais(file: Path) -> bool:
    """Whether a file is called as OpenAI calls its own (ViT-B-32.pt), or names OpenAI."""
    own = {Path(get_pretrained_cfg(model, "openai").get("url", "")).stem for model in open_clip.list_openai_models()}
    return file.stem in own or "openai" in file.name.lower()
