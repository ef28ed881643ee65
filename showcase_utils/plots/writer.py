"""The only writer of figures: a file per figure and an index that says what it shows and what made it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import filelock
from IPython.display import Image
from matplotlib.text import Text

from showcase_utils.artifacts import Artifacts
from showcase_utils.plots.style import Drawing, drawable
from showcase_utils.recipes import write_json

INDEX = "index.json"
DPI = 110


class Figures:
    """Writes the figures of one notebook: ``figures = Figures(store, "03_dpp_selection")``.

    They go to ``ROOT/<profile>/figures/NN_slug.png`` and into the ``index.json`` beside them, with the notebook, the
    profile, the caption, the alternative text and the facts of the drawing.
    """

    def __init__(self, store: Artifacts, notebook: str, dpi: int = DPI) -> None:
        self.folder = store.folder / "figures"
        self.profile = store.settings.profile
        self.notebook = notebook
        self.dpi = dpi

    def save(self, figure: Drawing, slug: str, caption: str = "", dpi: int | None = None) -> Image:
        """Writes ``figure``; what is returned shows the very file in a notebook.

        Letters that the font lacks are left out of the drawing: each would be a box and a warning in the notebook.
        Raises ``ValueError`` for a slug that is not lower-case words joined by underscores.
        """
        if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", slug):
            raise ValueError(f"slug '{slug}': use lower-case words joined by underscores")
        for text in figure.findobj(Text):
            text.set_text(drawable(text.get_text()))
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.notebook.split('_')[0]}_{slug}.png"
        half = path.with_suffix(".png.new")
        figure.savefig(half, format="png", dpi=dpi or self.dpi, metadata={"Software": None})
        os.replace(half, path)
        alt = figure.alt or caption or slug.replace("_", " ")
        entry: dict[str, Any] = {"notebook": self.notebook, "profile": self.profile, "caption": caption, "alt": alt}
        entry |= {"facts": {name: round(float(value), 6) for name, value in figure.facts.items()}}
        _edit(self.folder, lambda index: index | {path.name: entry})
        return Image(data=path.read_bytes(), format="png", alt=alt)


def stamp(folder: Path, notebook: str, facts: Mapping[str, Any]) -> None:
    """Adds ``facts``, such as the commit, to the entries of all figures of ``notebook`` in the index of ``folder``."""
    _edit(
        folder,
        lambda index: {
            name: entry | facts if entry["notebook"] == notebook else entry for name, entry in index.items()
        },
    )


def _edit(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path = folder / INDEX
    with filelock.FileLock(path.with_name(f".{INDEX}.lock")):
        index = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        write_json(path, change(index))
