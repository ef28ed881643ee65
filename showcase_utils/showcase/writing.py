"""The text of a showcase, and the photo that each of its sentences rests on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from showcase_utils.data.sentences import sentence_case
from showcase_utils.generation.telling import Request, Teller
from showcase_utils.showcase.material import Item, Somebody

GOING_ON = re.compile(
    r"^(?:oh,? and|oh,? also|and|also|plus)\b,? +(?=\w)", re.IGNORECASE
)  # of what is not quoted with it


class Written(NamedTuple):
    """A text; its sentences with the place of the photo that each rests on and Φ's confidence in that.

    ``clip_align`` is the mean over the photos of their best sentence's confidence; nan without sentences.
    """

    text: str
    sentences: list[tuple[str, int, float]]
    clip_align: float


def write(
    teller: Teller,
    photos: Sequence[Sequence[Item]],
    people: Sequence[Somebody],
    places: Sequence[str],
    block: Sequence[str] = (),
    length: int | None = None,
) -> list[Written]:
    """For each set of photos what is told to its reader; no sentence has a word of ``block``.

    Of more than ``length`` sentences those are kept that the photos bear out best.
    """
    requests = [
        Request(
            rows_of(shown), rows_of(reader.texts, len(shown[0].features)), [item.text for item in reader.texts], place
        )
        for shown, reader, place in zip(photos, people, places, strict=True)
    ]
    words = "|".join(re.escape(word.strip()) for word in block if word.strip())
    blocked = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) if words else None
    written = []
    for request, told in zip(requests, teller.tell(requests), strict=True):
        kept = [each for each in told if not (blocked and blocked.search(each.sentence))]
        best = sorted(kept, key=lambda each: -each.confidence)[:length]
        kept = [each for each in kept if each in best]
        align = float("nan")
        if kept:
            rows = teller.features([each.sentence for each in kept])  # (s, d)
            pairs = np.repeat(request.photos, len(rows), axis=0), np.tile(rows, (len(request.photos), 1))
            align = float(teller.phi.score(*pairs).reshape(-1, len(rows)).max(axis=1).mean())
        sentences = [(sentence_case(GOING_ON.sub("", each.sentence)), each.photo, each.confidence) for each in kept]
        written.append(Written(" ".join(sentence for sentence, _, _ in sentences), sentences, align))
    return written


def rows_of(items: Sequence[Item], dim: int = 0) -> np.ndarray:
    """The features of some items, (n, d); ``dim`` says d where there may be none."""
    return np.stack([item.features for item in items]).astype(np.float32) if items else np.zeros((0, dim), np.float32)
