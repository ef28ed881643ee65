"""People as judges: a rating sheet with the systems hidden and shuffled, its answers, agreement and preference.

As in the paper people judge expressiveness and visual alignment. ``write_sheet`` makes one self-contained page that
needs no server; a rater opens it, answers, and sends back the file that the page saves.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from showcase_utils.metrics.corpus import mean_metric, ratio
from showcase_utils.metrics.generated import runs_of
from showcase_utils.metrics.metric import Floats
from showcase_utils.photos.thumbnails import data_address, thumbnail
from showcase_utils.recipes import write_json
from showcase_utils.statistics.resampling import percentile_bounds, resampled_rows
from showcase_utils.statistics.significance import interval

Design = Literal["likert", "pairwise"]
QUESTIONS = {
    "expressiveness": "How expressive is the text: rich, varied, worth reading?",
    "alignment": "How well does the text say what the photos show?",
}
PAIRWISE = {"expressiveness": "Which text is more expressive?", "alignment": "Which text fits the photos better?"}
CHOICES = {"likert": ("1", "2", "3", "4", "5"), "pairwise": ("A", "same", "B")}
TEMPLATE = Path(__file__).with_name("rating_sheet.html")
THUMBNAIL = 240  # pixels
JUDGE = "judge:"  # how the name of a rater begins that is a model


def write_sheet(
    path: Path | str,
    texts: pd.DataFrame,
    photos: Mapping[str, Path | str],
    samples: int,
    seed: int,
    design: Design = "likert",
    systems: Sequence[str] = (),
) -> Path:
    """Write a rating sheet to ``path`` and its key beside it, ``NAME.key.json``; returns the key's path.

    ``texts`` as in the stage *texts*, of which ``systems`` (all if none is named), each in its first seed, are rated;
    ``photos`` maps image ids to files. Likert asks for one to five points per text, pairwise for the better of every
    two. The order of samples and of texts is drawn from ``seed``; the page names no system, so keep the key from the
    raters. The sheet's id is a digest of what it asks, so answers to another sheet are told apart.
    Raises ``ValueError`` for a sheet or key that is there already, fewer reviews than ``samples``, an unknown system,
    one system only in pairwise, or another design.
    """
    path = Path(path)
    key = path.with_suffix(".key.json")
    if there := [str(file) for file in (path, key) if file.exists()]:
        are = "is" if len(there) == 1 else "are"
        raise ValueError(
            f"{' and '.join(there)} {are} there already, and answers may belong to it: choose another name"
        )
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent} is no folder to write a sheet into")
    runs = _first_runs(texts, systems, design)
    reviews = next(iter(runs.values())).index
    if samples > len(reviews):
        raise ValueError(f"{samples} samples asked for, but there are texts for {len(reviews)} reviews only")
    generator = np.random.default_rng(seed)
    asked = []  # per sample its photos, and per card the systems in the order shown
    for place in generator.permutation(len(reviews))[:samples]:
        groups = [(system,) for system in runs] if design == "likert" else list(combinations(runs, 2))
        cards = [
            [groups[group][i] for i in generator.permutation(len(groups[group]))]
            for group in generator.permutation(len(groups))
        ]
        asked.append((reviews[place], list(next(iter(runs.values())).loc[reviews[place], "image_ids"]), cards))
    words = [
        [review_id, shown, [[(name, runs[name].loc[review_id, "text"]) for name in card] for card in cards]]
        for review_id, shown, cards in asked
    ]
    sheet = _digest([design, seed, words])
    items, blocks = {}, []
    for number, (review_id, shown, cards) in enumerate(asked, start=1):
        boxes = []
        for card in cards:
            item = _digest([sheet, review_id, sorted(card)])[:12]
            words_of = [runs[system].loc[review_id, "text"] for system in card]
            items[item] = {"review_id": review_id, "systems": card, "texts": _digest(words_of)}
            boxes.append(_card(item, words_of, design))
        pictures = "".join(
            f'<img alt="photo" src="{data_address(thumbnail(photos[image_id], THUMBNAIL))}">' for image_id in shown
        )
        blocks.append(
            f'<section><h2>{number} of {samples}</h2><div class="photos">{pictures}</div>{"".join(boxes)}</section>'
        )
    page = TEMPLATE.read_text(encoding="utf-8")
    for mark, content in {"SHEET": sheet, "TOTAL": str(len(items) * len(QUESTIONS)), "BODY": "\n".join(blocks)}.items():
        page = page.replace(f"<!--{mark}-->", content)
    facts = {"sheet": sheet, "design": design, "seed": seed, "items": items}
    write_json(key, facts)
    path.write_text(page, encoding="utf-8")
    return key


class Card(NamedTuple):
    """What a rater sees at once: one text, or two to choose from, and the photos beside them."""

    item: str
    review_id: str
    image_ids: list[str]
    texts: list[str]


def cards_of(key: Path | str, texts: pd.DataFrame) -> tuple[str, Design, list[Card]]:
    """The sheet's id, its design and its cards, from its key and the texts that it was written from.

    Raises ``ValueError`` for a file that is no key, or where a text is another one by now.
    """
    facts = _saved(Path(key), ("sheet", "design", "items"), "key of a rating sheet")
    design: Design = facts["design"]
    systems = dict.fromkeys(system for entry in facts["items"].values() for system in entry["systems"])
    runs = _first_runs(texts, list(systems), design)
    cards = []
    for item, entry in facts["items"].items():
        review_id = entry["review_id"]
        rows = [runs[system].loc[review_id] for system in entry["systems"] if review_id in runs[system].index]
        words = [row["text"] for row in rows]
        if _digest(words) != entry.get("texts"):
            raise ValueError(f"{key}: the texts are not those of the sheet: write one anew with `showcase rate`")
        cards.append(Card(item, review_id, list(rows[0]["image_ids"]), words))
    return facts["sheet"], design, cards


def _first_runs(texts: pd.DataFrame, systems: Sequence[str], design: Design) -> dict[str, pd.DataFrame]:
    if design not in CHOICES:
        raise ValueError(f"design '{design}': choose likert or pairwise")
    runs: dict[str, pd.DataFrame] = {}
    for (system, _), frame in runs_of(texts).items():
        runs.setdefault(system, frame.set_index("review_id"))
    if unknown := [name for name in systems if name not in runs]:
        raise ValueError(f"no texts of system {', '.join(unknown)}: there are {', '.join(runs)}")
    runs = {name: runs[name] for name in systems or runs}
    if design == "pairwise" and len(runs) < 2:
        raise ValueError("pairwise needs the texts of two systems or more")
    return runs


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:16]


def _card(item: str, texts: Sequence[str], design: Design) -> str:
    names = [""] if design == "likert" else ["<b>A</b> ", "<b>B</b> "]
    quotes = "".join(
        f"<blockquote>{name}{html.escape(text)}</blockquote>" for name, text in zip(names, texts, strict=True)
    )
    rows = []
    for question, words in (QUESTIONS if design == "likert" else PAIRWISE).items():
        choices = "".join(
            f'<label><input type="radio" name="{item}.{question}" value="{value}">{value}</label>'
            for value in CHOICES[design]
        )
        rows.append(f"<p>{words} <span>{choices}</span></p>")
    return f'<div class="card">{quotes}{"".join(rows)}</div>'


def read_answers(key: Path | str, files: Iterable[Path | str]) -> pd.DataFrame:
    """The saved answers of all raters, one row per judgement: rater, item, review_id, question, value, systems.

    Likert: ``system`` and ``value`` 1 to 5. Pairwise: ``system`` and ``other``, ``value`` 1 where ``system`` was
    preferred, 0 where the other, ½ for "same". Raises ``ValueError`` that names the file for a key or answers that are
    none, another sheet's answers, an unknown item, question or value, or a rater who comes twice.
    """
    facts = _saved(Path(key), ("sheet", "design", "items"), "key of a rating sheet")
    design: Design = facts["design"]
    worth = dict(zip(CHOICES[design], (1, 2, 3, 4, 5) if design == "likert" else (1.0, 0.5, 0.0), strict=True))
    rows, raters = [], set()
    for file in map(Path, files):
        saved = _saved(file, ("sheet", "answers"), "answers that a rating sheet saved")
        if saved["sheet"] != facts["sheet"]:
            raise ValueError(
                f"{file}: these answers belong to sheet {saved['sheet']}, not to {facts['sheet']} of {key}"
            )
        if not isinstance(saved["answers"], dict):
            raise ValueError(f"{file}: no answers that a rating sheet saved: 'answers' is no object")
        rater = str(saved.get("rater") or file.stem)
        if rater in raters:
            raise ValueError(f"{file}: rater '{rater}' has answered already; give each rater a name of their own")
        raters.add(rater)
        for name, value in saved["answers"].items():
            item, _, question = name.partition(".")
            if item not in facts["items"] or question not in QUESTIONS:
                raise ValueError(f"{file}: '{name}' is no question of this sheet")
            if not isinstance(value, str) or value not in worth:
                raise ValueError(f"{file}: '{value}' is no answer to '{name}'; expected {', '.join(worth)}")
            entry = facts["items"][item]
            system, *other = entry["systems"]
            score = worth[value]
            if other and other[0] < system:  # one direction per pair, whichever stood on the left
                system, other, score = other[0], [system], 1 - score
            row = {"rater": rater, "item": item, "review_id": entry["review_id"], "question": question, "value": score}
            rows.append(row | {"system": system} | ({"other": other[0]} if other else {}))
    if not rows:
        raise ValueError("the answer files hold no answers" if raters else f"{key}: name the files that raters saved")
    return pd.DataFrame(rows)


def _saved(file: Path, names: Sequence[str], what: str) -> dict[str, Any]:
    """A JSON object with some names in it. Raises ``ValueError`` for whatever else the file holds."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{file} is not there") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{file}: no {what}: {error}") from None
    if not isinstance(saved, dict):
        kind = {list: "a list", type(None): "null"}.get(type(saved), "a single value")
        raise ValueError(f"{file}: no {what}: it holds {kind}")
    if lacking := [name for name in names if name not in saved]:
        raise ValueError(f"{file}: no {what}: it lacks {', '.join(lacking)}")
    return saved


def preferences(answers: pd.DataFrame, rounds: int = 1000, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Mean rating of each system, or share of the pairs it won, by question, with intervals over reviews."""
    sides = ["system", "other"] if "other" in answers else ["system"]
    rows = []
    for (question, *names), group in answers.groupby(["question", *sides], sort=True):
        found = interval(mean_metric(group["value"].to_numpy(float), "rating"), group["review_id"].tolist(),
                         rounds, confidence, seed)  # fmt: skip
        rows.append({"question": question, **dict(zip(sides, names, strict=True)), "value": found.value,
                     "low": found.low, "high": found.high, "judgements": len(group)})  # fmt: skip
    return pd.DataFrame(rows)


def agreement(answers: pd.DataFrame, rounds: int = 1000, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Krippendorff's ordinal α of the raters by question with intervals over items: 1 full agreement, 0 chance."""
    rows = []
    for question, group in answers.groupby("question", sort=True):
        table = group.pivot(index="item", columns="rater", values="value").to_numpy(float)
        drawn = resampled_rows(np.arange(len(table)), rounds, np.random.default_rng(seed))
        low, high = percentile_bounds(np.array([krippendorff(table[items]) for items in drawn]), confidence)
        row = {"question": question, "alpha": krippendorff(table), "low": low, "high": high}
        rows.append(row | {"raters": table.shape[1]})
    return pd.DataFrame(rows)


def krippendorff(table: Floats) -> float:
    """Krippendorff's α for ordinal values (Krippendorff 2011), items ``(n, raters)`` with ``nan`` for no answer.

    ``nan`` when no item has two answers, or when all answers are the same.
    """
    values, coded = np.unique(table[~np.isnan(table)], return_inverse=True)
    codes = np.full(table.shape, -1)
    codes[~np.isnan(table)] = coded
    counts = np.stack([(codes == v).sum(axis=1) for v in range(len(values))], axis=1).astype(float)  # (items, values)
    counts = counts[counts.sum(axis=1) > 1]
    n_answers = counts.sum(axis=1, keepdims=True)
    coincidence = (counts / (n_answers - 1)).T @ counts - np.diag((counts / (n_answers - 1)).sum(axis=0))
    margin = coincidence.sum(axis=0)
    through = np.cumsum(margin)
    low, high = np.minimum.outer(*[np.arange(len(values))] * 2), np.maximum.outer(*[np.arange(len(values))] * 2)
    between = through[high] - through[low] + margin[low]  # answers from the lower to the higher value, both included
    distance = (between - (margin[low] + margin[high]) / 2) ** 2
    np.fill_diagonal(distance, 0)
    observed, expected = (coincidence * distance).sum(), (np.outer(margin, margin) * distance).sum()
    return float(1 - ratio(np.array([(margin.sum() - 1) * observed]), np.array([expected]))[0])
