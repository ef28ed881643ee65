"""The labelling page of a run, and the answers that come back from it."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from showcase_utils.alignment.annotations import COLUMNS, labelling_sheet, read_annotations
from showcase_utils.artifacts import Stages
from showcase_utils.data.frames import load_images, sample_reviews


def write_page(stages: Stages, out: str | Path, reviews: int, annotator: str) -> int:
    """Write the labelling page of some reviews, drawn from the stage *data*; returns how many pairs it asks.

    The same reviews for the same seed, so that several annotators label the same. Raises ``ValueError`` for a page
    that is there already: answers may belong to it.
    """
    out = Path(out)
    if out.exists():
        raise ValueError(f"{out} is there already, and answers may belong to it: choose another name")
    some = sample_reviews(stages.path("data") / "s1.parquet", reviews, stages.settings.seed, letters=(1, 600))
    images = load_images(stages, image_ids=some["image_ids"].explode().dropna().unique())
    return labelling_sheet(some, images, out, annotator)


def merge_answers(answers: Sequence[str | Path], to: str | Path) -> pd.DataFrame:
    """Put answers of any number of annotators into the one CSV that ``data.annotations`` takes.

    Answers are the CSV that the page saves, or the same rows as a JSON list. Raises ``ValueError`` that names the file
    for one that is neither, or that labels a pair a second time under one annotator's name.
    """
    to = Path(to)
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(map(Path, answers)):
            _as_csv(path, Path(folder, f"{number:06d} {path.stem}.csv"))
        labels = read_annotations(folder)
    half = to.with_name(f".{to.name}.part")
    labels.to_csv(half, index=False)
    os.replace(half, to)
    return labels


def _as_csv(path: Path, copy: Path) -> None:
    if not path.is_file():
        raise ValueError(f"{path}: no such file of answers")
    content = path.read_bytes()
    if content.lstrip()[:1] == b"<":
        raise ValueError(f"{path}: this is the page; answers are the file that its button `save` gives")
    if content.lstrip()[:1] not in (b"[", b"{"):
        copy.write_bytes(content)
        read_annotations(path)  # here, where its own name can be told
        return
    try:
        rows = json.loads(content)
        with copy.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows([row[name] for name in COLUMNS] for row in rows)
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{path}: no answers: a JSON list of objects with {', '.join(COLUMNS)} is needed") from None
