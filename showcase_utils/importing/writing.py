"""The files that an import writes: whole under their names, or not at all."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import IO, Any

import orjson

from showcase_utils.importing.tables import Row

REVIEWS, NAMES, REJECTS, TEXTS = "image_review_all.json", "names.json", "rejects.csv", "texts.csv"


class Writer:
    """The files of an import as a context: written beside, and renamed together if nothing went wrong."""

    def __init__(self, to: Path) -> None:
        self.to = to
        self._open: dict[str, IO[Any]] = {}

    def __enter__(self) -> Writer:
        self._rejects = csv.writer(self._file(REJECTS, "w"))
        self._rejects.writerow(["source", "line", "reason", "raw"])
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        for name, file in self._open.items():
            file.close()
            half = self.to / f".{name}.part"
            if kind is None:
                os.replace(half, self.to / name)
            else:
                half.unlink()

    def review(self, made: dict[str, Any]) -> None:
        self._file(REVIEWS, "wb").write(orjson.dumps(made) + b"\n")

    def text(self, made: dict[str, Any]) -> None:
        if TEXTS not in self._open:
            csv.writer(self._file(TEXTS, "w")).writerow(["user_id", "business_id", "rating", "text"])
        row = [made["user_id"], made["business_id"], made["rating"], made["review_text"]]
        csv.writer(self._file(TEXTS, "w")).writerow(row)

    def reject(self, row: Row, reason: str) -> None:
        self._rejects.writerow([row.source, row.line, reason, row.raw])

    def names(self, names: dict[str, dict[str, str]]) -> None:
        if any(names.values()):
            self._file(NAMES, "wb").write(orjson.dumps(names, option=orjson.OPT_INDENT_2))

    def _file(self, name: str, mode: str) -> IO[Any]:
        if name not in self._open:
            text = {} if "b" in mode else {"encoding": "utf-8", "newline": "", "errors": "backslashreplace"}
            self._open[name] = (self.to / f".{name}.part").open(mode, **text)  # type: ignore[call-overload]
        return self._open[name]
