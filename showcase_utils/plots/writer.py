"""The only writer of figures: a file per figure and an index that says what made it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import filelock
from IPython.display import Image
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

from showcase_utils.artifacts import PACKAGE, Artifacts

INDEX = "index.json"
FIRST_EMOJI = 0x1F000


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

        Raises ``ValueError`` for a slug that is not lower-case words joined by underscores.
        """
        if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", slug):
            raise ValueError(f"slug '{slug}': use lower-case words joined by underscores")
        for text in figure.findobj(Text):  # matplotlib's own font has no emoji
            text.set_text("".join(letter for letter in text.get_text() if ord(letter) < FIRST_EMOJI))
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
