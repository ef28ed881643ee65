"""Labelled (sentence, photo) pairs: reading them, agreement, the vote, and a sheet to label one's own.

Paper, section 3: annotators labelled about 1,000 reviews, 9,930 pairs, split 8:1:1.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from showcase_utils.artifacts import Stages
from showcase_utils.data.sentences import split_sentences
from showcase_utils.photos.thumbnails import data_address, read_thumbnail

COLUMNS = ["review_id", "sentence", "image_id", "annotator", "label"]
PAIR = ["review_id", "sentence", "image_id"]
SPLITS = ("train", "val", "test")
THUMBNAIL = 240  # pixels


def find_annotations(stages: Stages) -> pd.DataFrame | None:
    """The labels of this run: those of the demo world, or of ``data.annotations``; ``None`` where nobody labelled."""
    settings = stages.settings.data
    path = stages.path("world") / "annotations.csv" if settings.source == "demo" else settings.annotations
    return None if path is None else read_annotations(path)


def read_annotations(path: str | Path) -> pd.DataFrame:
    """The labels of a CSV with columns review_id, sentence, image_id, annotator, label (1: the sentence describes it).

    ``path`` may also be a folder of such files, one per annotator. Raises ``ValueError`` that names the file for one
    that is missing, empty, not UTF-8 or without a column, and the line too for a record with too few or too many
    fields, a label other than 0 or 1, an empty field, or a second label by one annotator for one pair.
    """
    path = Path(path)
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"no .csv file in the folder {path}: put there what the annotators saved")
    frame = pd.concat([_read(file) for file in files], ignore_index=True)
    for wrong, what in (
        (~frame["label"].isin(["0", "1"]), "label {label!r} is neither 0 nor 1"),
        ((frame[COLUMNS] == "").any(axis=1), "an empty field"),
        (frame.duplicated([*PAIR, "annotator"]), "annotator {annotator!r} labels this pair a second time"),
    ):
        if wrong.any():
            row = frame[wrong].iloc[0]
            raise ValueError(f"{row['file']}, line {row['line']}: {what.format(**row)}")
    return frame[COLUMNS].assign(label=frame["label"].astype(np.int64))


def _read(path: Path) -> pd.DataFrame:
    """One file's labels as text, each with its file and the line on which it starts; every field is accounted for."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if missing := [name for name in COLUMNS if name not in header]:
                raise ValueError(f"{path.name}: no column {', '.join(missing)}; needed are {', '.join(COLUMNS)}")
            rows, line = [], reader.line_num + 1
            for fields in reader:
                if fields and len(fields) != len(header):
                    raise ValueError(
                        f"{path.name}, line {line}: {len(fields)} fields for {len(header)} columns; a sentence with a "
                        'comma or a quote stands in quotes: "Good, ""really"" good"'
                    )
                if fields:
                    record = dict(zip(header, fields, strict=True))
                    rows.append((path.name, line, *(record[name] for name in COLUMNS)))
                line = reader.line_num + 1
    except FileNotFoundError:
        raise ValueError(f"no annotations in {path}: data.annotations names the CSV, or a folder of them") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8 ({error.reason}): save it as 'CSV UTF-8'") from None
    except csv.Error as error:
        raise ValueError(f"{path.name}, line {reader.line_num}: not valid CSV: {error}") from None
    if not rows:
        raise ValueError(f"{path.name}: no labels")
    return pd.DataFrame(rows, columns=["file", "line", *COLUMNS])


def majority_vote(annotations: pd.DataFrame) -> pd.DataFrame:
    """One row per pair: review_id, sentence, image_id, votes, positive, label; 1 needs more than half of the votes."""
    pairs = annotations.groupby(PAIR, sort=False)["label"].agg(votes="size", positive="sum").reset_index()
    return pairs.assign(label=(2 * pairs["positive"] > pairs["votes"]).astype(np.int64))


def fleiss_kappa(pairs: pd.DataFrame) -> float:
    """Fleiss' κ (1971) of two categories over the pairs with at least two votes; 1 agreement, 0 chance.

    κ = (P̄ − P̄_e) / (1 − P̄_e). Pairs may have different numbers of votes. ``nan`` if all votes are the same or
    no pair has two.
    """
    rated = pairs[pairs["votes"] > 1]
    n, positive = rated["votes"].to_numpy(float), rated["positive"].to_numpy(float)
    agreement = (positive * (positive - 1) + (n - positive) * (n - positive - 1)) / (n * (n - 1))
    share = positive.sum() / n.sum() if len(n) else np.nan
    chance = share**2 + (1 - share) ** 2
    return float((agreement.mean() - chance) / (1 - chance)) if chance < 1 else float("nan")


def split_by_review(pairs: pd.DataFrame, seed: int, shares: Sequence[float] = (0.8, 0.1, 0.1)) -> pd.DataFrame:
    """``pairs`` with a column ``split`` (train, val, test): all pairs of one review are on the same side.

    Raises ``ValueError`` when there are fewer than three reviews.
    """
    reviews = np.sort(pairs["review_id"].unique())
    if len(reviews) < len(SPLITS):
        raise ValueError(f"{len(reviews)} annotated reviews cannot be split into {', '.join(SPLITS)}")
    order = np.random.default_rng(seed).permutation(reviews)
    ends = np.cumsum(shares)[:-1] / np.sum(shares) * len(order)
    ends = np.clip(np.round(ends).astype(int), [1, 2], [len(order) - 2, len(order) - 1])
    side = dict(zip(order, np.repeat(SPLITS, np.diff([0, *ends, len(order)])), strict=True))
    return pairs.assign(split=pairs["review_id"].map(side))


def labelling_sheet(reviews: pd.DataFrame, images: pd.DataFrame, path: str | Path, annotator: str) -> int:
    """Writes an HTML page for labelling the (sentence, photo) pairs of ``reviews``; returns the number of pairs.

    The page holds the photos itself and needs no network: tick the sentences that describe the photo, then "save"
    gives a CSV that ``read_annotations`` reads, several annotators' together when they lie in one folder. A photo
    that cannot be read is left out, and the page names it.
    """
    paths = images[images["status"] == "ok"].drop_duplicates("image_id").set_index("image_id")["path"]
    blocks, unread, count = [], [], 0
    for (review_id, image_ids), sentences in zip(
        reviews[["review_id", "image_ids"]].itertuples(index=False), split_sentences(reviews["text"]), strict=True
    ):
        unique = list(dict.fromkeys(sentences))  # a pair is labelled once, however often the review repeats a sentence
        for image_id in (key for key in dict.fromkeys(image_ids) if key in paths.index):
            try:
                photo = data_address(read_thumbnail(paths[image_id], THUMBNAIL))
            except Exception:  # Pillow's plugins raise nearly anything on a broken file
                unread.append(image_id)
                continue
            ticks = "".join(
                f'<label><input type="checkbox" data-review="{_escaped(review_id)}" '
                f'data-image="{_escaped(image_id)}"><span>{_escaped(sentence)}</span></label>'
                for sentence in unique
            )
            count += len(unique)
            blocks.append(f'<section><img src="{photo}"><div>{ticks}</div></section>')
    note = f"<p>{len(unread)} photos could not be read: {_escaped(', '.join(unread))}</p>" if unread else ""
    parts = {"ANNOTATOR": _escaped(annotator), "NOTE": note, "SECTIONS": "\n".join(blocks)}
    page = re.sub("|".join(parts), lambda match: parts[match[0]], _PAGE)
    Path(path).write_text(page, encoding="utf-8", newline="")
    return count


def _escaped(text: str) -> str:
    return html.escape(text).replace("\r", "&#13;")  # which a browser would read as a line feed


_PAGE = """<!doctype html><meta charset="utf-8"><title>Which sentences describe the photo?</title>
<style>body{font:16px sans-serif;max-width:900px;margin:auto}
section{display:flex;align-items:flex-start;gap:1em;margin:1em 0;border-bottom:1px solid #ccc;padding-bottom:1em}
label{display:block;margin:.4em 0}header{position:sticky;top:0;
background:#fff;padding:1em 0}</style>
<header>Tick every sentence that describes something the photo shows.
Annotator <input id="who" value="ANNOTATOR"> <button onclick="save()">save</button></header>
NOTE
SECTIONS
<script>
const quoted = text => '"' + text.replaceAll('"', '""') + '"';
function save() {
  const rows = [...document.querySelectorAll('input[type=checkbox]')].map(box => [
    box.dataset.review, box.nextSibling.textContent, box.dataset.image,
    document.getElementById('who').value, box.checked ? '1' : '0'].map(quoted).join(','));
  const link = document.createElement('a');
  const lines = ['review_id,sentence,image_id,annotator,label', ...rows, ''];
  link.href = URL.createObjectURL(new Blob([lines.join('\\n')]));
  link.download = 'annotations.csv';
  link.click();
}
</script>
"""
