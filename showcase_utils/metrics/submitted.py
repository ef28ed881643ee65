"""Somebody else's texts: a CSV with ``review_id`` and ``text``, or a folder of such files, checked line by line.

Nothing heavy is imported here, so that a mistake in a file is named at once.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

WANTED = ("review_id", "text")


@dataclass(frozen=True)
class Submission:
    """One run of one system: its name (the file's), its seed, and its texts by review id."""

    system: str
    seed: int
    texts: dict[str, str]


def read_submissions(path: str | Path, known: Collection[str], taken: Collection[str] = ()) -> list[Submission]:
    """The runs in a file or a folder of files, one system each; an optional column ``seed`` tells runs apart.

    ``known`` are the test reviews, of which a subset will do; ``taken`` the systems that are there already. Texts are
    lower-cased, as ours are. Raises ``ValueError`` that names file and line for what cannot be scored: a missing
    column, an unknown review, a review twice, a blank text, a seed that is no number; also for runs on different
    reviews.
    """
    path = Path(path)
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise ValueError(f"{path}: no CSV file with the columns review_id and text")
    runs = [run for file in files for run in _read(file, frozenset(known))]
    for run in runs:
        if run.system in taken:
            raise ValueError(f"{path}: rename {run.system}.csv, there is a system of that name already")
        if odd := run.texts.keys() ^ runs[0].texts.keys():
            raise ValueError(
                f"{path}: {run.system}, seed {run.seed}, and {runs[0].system}, seed {runs[0].seed}, have texts for "
                f"different reviews, see {min(odd)}: give both the same reviews, or evaluate one file at a time"
            )
    return runs


def _read(file: Path, known: frozenset[str]) -> list[Submission]:
    runs: dict[int, dict[str, str]] = {}
    lines: dict[tuple[int, str], int] = {}
    unknown: list[tuple[int, str]] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            lacking = [name for name in WANTED if name not in (reader.fieldnames or ())]
            if lacking:
                raise ValueError(f"{file}: no column {' and '.join(lacking)}; the first line must name the columns")
            end = reader.line_num
            for row in reader:
                line, end = end + 1, reader.line_num  # a quoted text may run over several lines
                seed, review_id, text = _row(file, line, row)
                if review_id not in known:
                    unknown.append((line, review_id))
                    continue
                if before := lines.get((seed, review_id)):
                    raise ValueError(f"{file}, line {line}: review {review_id} comes twice, first in line {before}")
                lines[seed, review_id] = line
                runs.setdefault(seed, {})[review_id] = text.lower()
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not a CSV file in UTF-8: {error}") from None
    if unknown:
        line, review_id = unknown[0]
        more = f" ({len(unknown)} such lines, also {', '.join(i for _, i in unknown[1:4])})" if unknown[1:] else ""
        raise ValueError(f"{file}, line {line}: review '{review_id}' is not a test review of this run{more}")
    if not runs:
        raise ValueError(f"{file}: there are no texts in it")
    return [Submission(file.stem, seed, texts) for seed, texts in sorted(runs.items())]


def _row(file: Path, line: int, row: dict[str, str]) -> tuple[int, str, str]:
    if None in row or None in row.values():  # how csv marks too many and too few
        raise ValueError(f"{file}, line {line}: more or fewer values than the first line has columns; quote the texts")
    seed = (row.get("seed") or "0").strip()
    if not seed.isdecimal():
        raise ValueError(f"{file}, line {line}: seed '{seed}' is not a number")
    if not row["text"].strip():
        raise ValueError(f"{file}, line {line}: review {row['review_id']} has a blank text: leave the line out")
    return int(seed), row["review_id"].strip(), row["text"].strip()
