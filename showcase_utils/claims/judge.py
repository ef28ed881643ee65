"""A model as a rater: it answers a rating sheet's questions and saves them as a person's page does.

What it is asked is what people are asked (``human.QUESTIONS``), in prompts that are files, each text or pair on its
own, without the systems' names and in the sheet's own drawn order of A and B. ``human.read_answers`` reads the result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from string import Template

import pandas as pd

from showcase_utils.claims.human import CHOICES, JUDGE, PAIRWISE, QUESTIONS, THUMBNAIL, cards_of
from showcase_utils.claims.judges import Answer, Judge, Question
from showcase_utils.photos.thumbnails import jpeg, thumbnail
from showcase_utils.progress import progress_bar
from showcase_utils.recipes import write_json

PROMPTS = Path(__file__).with_name("prompts")
SEEN = {"likert": QUESTIONS, "pairwise": PAIRWISE}


@dataclass(frozen=True)
class Cost:
    """What a judge's answers took, those of earlier calls included; ``unanswered`` questions have no answer."""

    model: str
    prompts: str  # digest
    asked: int
    from_cache: int
    unanswered: int
    unseen: int  # questions about photos, which a model of words alone is not asked
    tokens: int
    seconds: float


def judge_sheet(
    key: Path,
    out: Path,
    texts: pd.DataFrame,
    photos: Mapping[str, Path | str],
    judge: Judge,
    store: Path,
    prompts: Path = PROMPTS,
    progress: bool = True,
) -> Cost:
    """Asks ``judge`` all of the sheet with this ``key`` and writes its answers to ``out``.

    ``texts`` and ``photos`` as for ``write_sheet``. ``prompts`` is a folder with likert.txt or pairwise.txt, in which
    $question, $first and $second stand for the question and the texts. Answers are kept in the folder ``store`` by a
    digest of model, words, photos and choices: what was asked before is not asked again.

    Raises ``ValueError`` for a key that is none, or texts that are not those of the sheet, ``OSError`` without prompts.
    """
    sheet, design, cards = cards_of(key, texts)
    prompt = Template((prompts / f"{design}.txt").read_text(encoding="utf-8"))
    store.mkdir(parents=True, exist_ok=True)
    picture = cache(lambda image_id: jpeg(thumbnail(photos[image_id], THUMBNAIL)))
    answers: dict[str, str] = {}
    taken: list[Answer] = []
    cached = unseen = 0
    for card in progress_bar(cards, desc=judge.name, disable=not progress):
        for name, question in SEEN[design].items():
            if name == "alignment" and not judge.sees:
                unseen += 1
                continue
            words = prompt.substitute(question=question, first=card.texts[0], second=card.texts[-1])
            shown = tuple(picture(image_id) for image_id in card.image_ids) if judge.sees else ()
            answer, known = _answered(judge, Question(words, shown, CHOICES[design]), store)
            taken.append(answer)
            cached += known
            if answer.value:
                answers[f"{card.item}.{name}"] = answer.value
    cost = Cost(
        model=judge.name,
        prompts=hashlib.sha256(prompt.template.encode()).hexdigest()[:16],
        asked=len(taken),
        from_cache=cached,
        unanswered=sum(not answer.value for answer in taken),
        unseen=unseen,
        tokens=sum(answer.tokens for answer in taken),
        seconds=round(sum(answer.seconds for answer in taken), 3),
    )
    write_json(out, {"sheet": sheet, "rater": f"{JUDGE}{judge.name}", "answers": answers, "cost": asdict(cost)})
    return cost


def _answered(judge: Judge, question: Question, store: Path) -> tuple[Answer, bool]:
    """The answer, and whether it was there already; one that names no choice is not kept, and asked again next time."""
    photos = [hashlib.sha256(photo).hexdigest() for photo in question.photos]
    asked = json.dumps([judge.name, question.words, photos, question.choices], ensure_ascii=False)
    file = store / f"{hashlib.sha256(asked.encode()).hexdigest()}.json"
    if file.is_file():
        return Answer(**json.loads(file.read_text(encoding="utf-8"))), True
    answer = judge.ask(question)
    if answer.value:
        write_json(file, answer._asdict())
    return answer, False
