"""Why a photo was chosen: which of the reader's photos and reviews pulled it and how much, in numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from showcase_utils.alignment.phi import Phi
from showcase_utils.selection.showing import Shown
from showcase_utils.showcase.material import Item, Somebody
from showcase_utils.showcase.pulls import NOTICED, heading, named, source, sources
from showcase_utils.showcase.result import PastItem, PhotoReason

Sentences = Callable[[Item], Sequence[Item]]


class Choice(NamedTuple):
    """What was chosen from, what was chosen (as items of the pool), and the method's numbers for all of the pool.

    ``usual`` are ids of what a reader without a past gets, ``pinned`` of what had to be shown.
    """

    pool: Sequence[Item]
    photos: Sequence[Item]
    numbers: Shown
    usual: set[str]
    pinned: set[str]


def reasons(somebody: Somebody, choice: Choice, sentences: Sentences, phi: Phi) -> list[PhotoReason]:
    """A reason for each chosen photo. ``sentences`` gives those of a review that are no complaint, with features."""
    rows = {item.id: row for row, item in enumerate(choice.pool)}
    relevance, chosen = choice.numbers.relevance, [rows[item.id] for item in choice.photos]
    found = []
    for place, (row, photo) in enumerate(zip(chosen, choice.photos, strict=True)):
        better = np.flatnonzero(relevance > relevance[row])
        past = _past(somebody, choice.numbers, row)
        past = _quoted(past, float(relevance[row]), photo, somebody.texts, sentences, phi)
        standing = _standing(
            somebody.is_known,
            past,
            float(relevance[row]),
            len(better),
            len(set(better.tolist()) - set(chosen)),
            len(choice.pool),
            photo.id in choice.pinned,
        )
        if len(choice.photos) == len(choice.pool):
            everything = (
                "All photos of the place are shown." if len(choice.pool) > 1 else "The place has no other photo."
            )
            standing = everything if place == 0 else ""
        found.append(
            PhotoReason(
                relevance=float(relevance[row]),
                variety=_variety(choice.photos, place),
                past=past,
                words=words_of(past, float(relevance[row]), standing, photo.text),
                standing=standing,
                rank=len(better) + 1,
                candidates=len(choice.pool),
                usual=photo.id in choice.usual,
            )
        )
    return found


def words_of(past: Sequence[PastItem], relevance: float, standing: str, caption: str) -> str:
    """A photo's reason for people: what it shows, what of the past speaks for it, how it stands among the others."""
    parts = [f"Another guest wrote of it: “{caption}”"] if caption else []
    if items := named(past, relevance):
        parts.append(f"{heading(items)} {', '.join(map(_pull, sources(items)))}.")
    return " ".join(filter(None, [*parts, standing]))


def _pull(group: Sequence[PastItem]) -> str:
    share = f"{sum(item.share for item in group):.0%}"
    quote = next((item.quote for item in group if item.quote), "")
    if group[0].kind == "photo":
        return f"{source(group)} ({share}{f'; you wrote there: “{quote}”' if quote else ''})"
    return f"{source(group)}{f' “{quote}”' if quote else ''} ({share})"


def _standing(
    known: bool, past: Sequence[PastItem], relevance: float, better: int, passed: int, candidates: int, pinned: bool
) -> str:
    """How a photo stands among the ``candidates``: ``better`` match the past better, ``passed`` of them are not shown.

    Where it can be split, relevance is the logarithm of how many times likelier the photo is this reader's.
    """
    if pinned:
        return "It is here because it was pinned."
    if not known:
        return "Nothing is known of the reader, so nothing personal speaks for it: variety decides."
    if not past:
        return "The method that chose it does not say what of your past speaks for it."
    photos = "a photo" if passed == 1 else f"{passed} photos"
    over = f"{photos} that {'fits' if passed == 1 else 'fit'} you better {'was' if passed == 1 else 'were'} passed over"
    if relevance < NOTICED:
        nothing = "too little in your past speaks for it"
        return f"It is here for variety: {nothing}{f', and {over}' if passed else ''}."
    times = math.exp(min(relevance, 20.0))
    likely = f"only {times - 1:.0%} likelier yours than a stranger's"
    if times >= 1.2:
        likely = f"{times:.1f} times as likely yours as a stranger's"
    match = "the best match" if not better else f"the {_ordinal(better + 1)} best match"
    return f"Of {candidates} photos here {match} with your past: {likely}.{f' For variety, {over}.' if passed else ''}"


def _past(somebody: Somebody, numbers: Shown, row: int) -> tuple[PastItem, ...]:
    """The items of the past by how much each pulled, the strongest first; none where the method can't say."""
    if numbers.photos is None or numbers.texts is None:
        return ()
    items = [("photo", item) for item in somebody.photos] + [("review", item) for item in somebody.texts]
    pulls = np.concatenate([numbers.photos[row], numbers.texts[row]])
    shares = pulls.clip(min=0) / max(pulls.clip(min=0).sum(), 1e-12)
    found = [
        PastItem(kind, item.id, float(pull), float(share), item.place, item.text, item.path)
        for (kind, item), pull, share in zip(items, pulls, shares, strict=True)
    ]
    return tuple(sorted(found, key=lambda item: -item.pull))


def _quoted(
    past: tuple[PastItem, ...],
    relevance: float,
    photo: Item,
    texts: Sequence[Item],
    sentences: Sentences,
    phi: Phi,
) -> tuple[PastItem, ...]:
    """The past with a quote beside each item that is named, none of them twice.

    Of a review that is its sentence nearest to ``photo``, by the cosine of CLIP features. A photo of the past goes with
    the review of its place, if Φ finds a sentence there that describes ``photo``.
    """
    quotes: dict[str, str] = {}
    for item in named(past, relevance):
        own = [text for text in texts if text.id == item.id or item.kind == "photo" and text.place == item.place != ""]
        offered = [one for text in own for one in sentences(text) if one.text not in quotes.values()]
        if not offered:
            continue
        rows = np.stack([one.features for one in offered])
        near = rows @ photo.features
        if item.kind == "photo":
            near = phi.score(np.repeat(photo.features[None], len(rows), axis=0), rows)
        if item.kind == "review" or near.max() >= phi.threshold:
            quotes[item.id] = offered[int(near.argmax())].text
    return tuple(replace(item, quote=quotes.get(item.id, "")) for item in past)


def _variety(photos: Sequence[Item], place: int) -> float:
    if place == 0:
        return 1.0
    return float(1 - max(photos[place].features @ before.features for before in photos[:place]))


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
