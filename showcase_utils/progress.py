"""Progress bars that are seen: in the terminal, in a live notebook, or through `showcase run`.

A notebook that is executed in batch must store no bar, so its cells ask for none. The driver then names a file in the
environment (`LOG`), and the bars of that notebook's kernel write their latest line there for it to show.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import tqdm.auto
from tqdm import tqdm as Bar

LOG = "SHOWCASE_PROGRESS"
PROGRESS = ".progress"  # the file's name, in the profile's folder of artifacts


def progress_bar(*arguments: Any, disable: bool = False, **options: Any) -> Bar:
    """A tqdm bar; one that is disabled goes to the file in the environment variable ``LOG``, if there is one."""
    place = os.environ.get(LOG)
    if disable and place:
        return Bar(*arguments, file=_LastLine(Path(place)), mininterval=1.0, ascii=False, ncols=80, **options)
    return tqdm.auto.tqdm(*arguments, disable=disable, **options)


def last_line(place: Path) -> str:
    """What was written last, or nothing: that a bar is just being written is no error."""
    try:
        return place.read_text(encoding="utf-8", errors="ignore").strip()
    except FileNotFoundError:
        return ""


class _LastLine:
    """A text file that holds one line, the last that was written."""

    encoding = "utf-8"

    def __init__(self, place: Path) -> None:
        self.place = place

    def write(self, text: str) -> None:
        if line := text.strip():
            self.place.write_text(line, encoding="utf-8")

    def flush(self) -> None:
        """Every line is on disk already."""
