"""Generated texts as evaluation wants them: one frame of runs on the same reviews, ours or somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from showcase_utils.metrics.metric import Floats

COLUMNS = ("system", "seed", "review_id", "user_id", "business_id", "image_ids", "text", "reference")
REFERENCE = "reference"  # the user's own review, as a system to compare with
Run = tuple[str, int]  # system, seed


class FeatureMap(Protocol):
    """What is asked of a feature store: unit-norm rows by id."""

    def __getitem__(self, ids: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True)
class Grounding:
    """What CLIP and Φ see in each row of a texts frame.

    ``photos[i] (p, d)``, ``sentences[i] (m, d)`` unit-norm features, ``confidence[i] (p, m)`` of Φ.
    """

    photos: list[np.ndarray]
    sentences: list[np.ndarray]
    confidence: list[np.ndarray]

    def take(self, rows: Iterable[int]) -> Grounding:
        """The grounding of some rows, in that order."""
        rows = list(rows)
        return Grounding(*([side[i] for i in rows] for side in (self.photos, self.sentences, self.confidence)))


def runs_of(texts: pd.DataFrame) -> dict[Run, pd.DataFrame]:
    """The frame cut into runs (system, seed), each sorted by review, so that row i is the same review in all.

    Raises ``ValueError`` for a missing column, a review twice in a run, a text that is none, or runs on different
    reviews.
    """
    lacking = [name for name in COLUMNS if name not in texts.columns]
    if lacking:
        raise ValueError(f"the texts lack the columns {', '.join(lacking)}")
    if texts.empty:
        raise ValueError("there are no generated texts to evaluate")
    runs: dict[Run, pd.DataFrame] = {}
    for (system, seed), frame in texts.groupby(["system", "seed"], sort=False):
        twice = frame["review_id"][frame["review_id"].duplicated()]
        if len(twice):
            raise ValueError(f"{system}, seed {seed}: review {twice.iloc[0]} has more than one text")
        absent = frame["review_id"][[not isinstance(text, str) for text in frame["text"]]]
        if len(absent):
            raise ValueError(f"{system}, seed {seed}: review {absent.iloc[0]} has no text; write an empty one")
        runs[str(system), int(seed)] = frame.sort_values("review_id", kind="stable")
    (first, reviews), *others = ((run, frame["review_id"].tolist()) for run, frame in runs.items())
    for run, found in others:
        if found != reviews:
            odd = sorted(set(found) ^ set(reviews))[0]
            raise ValueError(f"{run[0]}, seed {run[1]}, and {first[0]} were not run on the same reviews: see {odd}")
    return runs


def ground(
    texts: pd.DataFrame,
    sentences: Sequence[Sequence[str]],
    encode_texts: Callable[[list[str]], Floats],
    photos: FeatureMap,
    score: Callable[[Floats, Floats], Floats],
) -> Grounding:
    """CLIP features and Φ's confidence for every row of ``texts``; ``sentences`` are each text's.

    ``encode_texts`` maps texts to unit-norm rows ``(n, d)``, each different sentence once; ``photos`` is a feature
    store; ``score`` is Φ on paired rows, ``(n, d), (n, d) -> (n,)``.
    """
    if len(sentences) != len(texts):
        raise ValueError(f"{len(texts)} texts but the sentences of {len(sentences)}")
    place = {sentence: i for i, sentence in enumerate(dict.fromkeys(s for row in sentences for s in row))}
    width = np.asarray(photos[texts["image_ids"].iloc[0][:1]]).shape[-1]
    features = encode_texts(list(place)) if place else np.zeros((0, width), np.float32)
    of_text = [features[[place[sentence] for sentence in row]] for row in sentences]
    of_photo = [np.asarray(photos[list(image_ids)], np.float32).reshape(-1, width) for image_ids in texts["image_ids"]]
    pairs = [(np.repeat(p, len(s), axis=0), np.tile(s, (len(p), 1))) for p, s in zip(of_photo, of_text, strict=True)]
    images, words = (np.concatenate(side) for side in zip(*pairs, strict=True))
    flat = score(images, words) if len(images) else np.zeros(0, np.float32)
    ends = np.cumsum([len(pair[0]) for pair in pairs])[:-1]
    shapes = [(len(p), len(s)) for p, s in zip(of_photo, of_text, strict=True)]
    confidence = [part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True)]
    return Grounding(of_photo, of_text, confidence)


def read_generated(path: Path | str, test: pd.DataFrame, lower: bool = True) -> pd.DataFrame:
    """Somebody else's texts as a texts frame: a CSV with ``review_id`` and ``text``, or a folder of such files.

    Each file is one system, named after it; an optional column ``seed`` tells runs apart. ``test`` has one row per
    test review: review_id, user_id, business_id, image_ids (the photos shown) and reference. Texts are lower-cased
    as ours are unless ``lower`` is off. Raises ``ValueError`` that names file and line for a missing column, an
    unknown review, a review twice, or test reviews without a text.
    """
    path = Path(path)
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise ValueError(f"{path}: no CSV file with the columns review_id and text")
    known = set(test["review_id"])
    frames = []
    for file in files:
        rows = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        lacking = [name for name in ("review_id", "text") if name not in rows.columns]
        if lacking:
            raise ValueError(f"{file}: no column {' and '.join(lacking)}; the first line must name the columns")
        rows["seed"] = rows["seed"].astype(int) if "seed" in rows.columns else 0
        for line, review_id in zip(rows.index + 2, rows["review_id"], strict=True):
            if review_id not in known:
                raise ValueError(f"{file}, line {line}: review {review_id} is not a test review of this run")
        twice = rows.duplicated(["review_id", "seed"])
        if twice.any():
            line = rows.index[twice][0] + 2
            raise ValueError(f"{file}, line {line}: review {rows['review_id'][line - 2]} comes twice")
        for seed, run in rows.groupby("seed"):
            missing = known - set(run["review_id"])
            if missing:
                raise ValueError(f"{file}: seed {seed} lacks {len(missing)} test reviews, among them {min(missing)}")
        text = rows["text"].str.lower() if lower else rows["text"]
        frames.append(rows[["review_id", "seed"]].assign(system=file.stem, text=text).merge(test, on="review_id"))
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]


def with_others(texts: pd.DataFrame, path: Path | None) -> pd.DataFrame:
    """``texts`` and, where ``path`` is given, somebody else's on the same reviews and photos: see ``read_generated``.

    Raises ``ValueError`` when a file is named like a system that is there already.
    """
    if path is None:
        return texts
    first = next(iter(runs_of(texts).values()))
    others = read_generated(path, first[["review_id", "user_id", "business_id", "image_ids", "reference"]])
    taken = sorted(set(others["system"]) & set(texts["system"]))
    if taken:
        raise ValueError(f"{path}: rename {taken[0]}.csv, there is a system of that name already")
    return pd.concat([texts, others], ignore_index=True)


def with_references(texts: pd.DataFrame) -> pd.DataFrame:
    """``texts`` with the users' own reviews as one more system, ``reference``, beside the photos of the first run."""
    first = next(iter(runs_of(texts).values()))
    own = first.assign(system=REFERENCE, seed=0, text=first["reference"])
    return pd.concat([texts, own], ignore_index=True)
