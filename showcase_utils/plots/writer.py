"""The only writer of figures: a file per figure and an index that says what made it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import lru_cache
from pathlib import Path

import filelock
from IPython.display import Image
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text

from showcase_utils.artifacts import PACKAGE, Artifacts

INDEX = "index.json"
FONT = "DejaVu Sans"  # matplotlib's own; has Latin, Greek, Cyrillic and Arabic letters, no emoji, no Chinese


class Figures:
    """Writes the figures of one notebook: ``figures = Figures(store, "03_dpp_selection")``.

    They go to ``ROOT/<profile>/figures/NN_slug.png`` and into the ``index.json`` beside them, with the notebook, the
    profile, the commit of the code and the caption.
    """

    def __init__(self, store: Artifacts, notebook: str, dpi: int = 110) -> None:
        self.folder = store.folder / "figures"
        self.profile = store.settings.profile
        self.notebook = notebook
        self.dpi = dpi

    def save(self, figure: Figure, slug: str, caption: str = "") -> Image:
        """Writes ``figure`` and closes it; what is returned shows the very file in a notebook.

        Letters that the font lacks are left out of the drawing: each would be a box and a warning in the notebook.
        Raises ``ValueError`` for a slug that is not lower-case words joined by underscores.
        """
        if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", slug):
            raise ValueError(f"slug '{slug}': use lower-case words joined by underscores")
        for text in figure.findobj(Text):
            text.set_text(
                "".join(letter for letter in text.get_text() if letter.isspace() or ord(letter) in _letters())
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.notebook.split('_')[0]}_{slug}.png"
        half = path.with_suffix(".png.new")
        figure.savefig(half, format="png", dpi=self.dpi, bbox_inches="tight", metadata={"Software": None})
        os.replace(half, path)
        pyplot.close(figure)
        self._enter(path.name, caption)
        return Image(data=path.read_bytes(), format="png", alt=caption or slug.replace("_", " "))

    def _enter(self, name: str, caption: str) -> None:
        path = self.folder / INDEX
        with filelock.FileLock(path.with_name(f".{INDEX}.lock")):
            index = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            index[name] = {
                "notebook": self.notebook,
                "profile": self.profile,
                "commit": commit(),
                "caption": caption,
            }
            half = path.with_name(INDEX + ".new")
            half.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            os.replace(half, path)


def drawable(text: str) -> str:
    """``text`` without the letters that matplotlib's own font lacks. For what is measured before it is saved."""
    return "".join(letter for letter in text if letter.isspace() or ord(letter) in _letters())


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())


def commit() -> str:
    """The commit of the checkout that this package was imported from, or ``unknown``."""
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(PACKAGE).parent), "rev-parse", "--short=10", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
