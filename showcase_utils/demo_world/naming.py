"""Finds the names of the demo world in text: which dishes, drinks, desserts and places a sentence names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

from .places import ROOM_NOUNS, STOREFRONT_NOUNS, TERRACE_NOUNS
from .scenes import Scene
from .vocabulary import (
    AMBIENCES,
    AWNINGS,
    BASES,
    DESSERTS,
    DRINKS,
    MAINS,
    PREPARATIONS,
    SAUCES,
    TERRACES,
    TOPPINGS,
    VESSELS,
)

CORE = ("base", "main", "preparation", "drink", "dessert", "ambience", "terrace", "awning")  # what a name is made of
_SPELLINGS = {"river view": ("view of the river",), "colorful": ("colourful",), "candlelit": ("candle lit",)}
_PARTS = re.compile(r"[.!?]+|[^.!?]+")


@dataclass(frozen=True)
class Mention:
    """A name found in text: a ``Scene`` that holds only what was said, and where, ``text[start:end]``."""

    scene: Scene
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class _Token:
    role: str
    name: str
    start: int
    end: int


def _named(token: _Token) -> dict[str, Any]:
    return {token.role: token.name}


def _forms(name: str) -> set[str]:
    """A name with its singular and plural."""
    stem = {name, name[:-2] if name.endswith("oes") else name, name[:-1] if name.endswith("s") else name}
    return {form for word in stem for form in (word, word + "s", word + "es")}


@cache
def _lexicon() -> tuple[re.Pattern[str], dict[str, tuple[str, str]]]:
    tables: dict[str, Iterable[str]] = {
        "base": BASES, "main": MAINS, "topping": TOPPINGS, "sauce": SAUCES, "vessel": VESSELS, "drink": DRINKS,
        "dessert": DESSERTS, "feature": TERRACES,
    }  # fmt: skip
    words: dict[str, tuple[str, str]] = {}
    for role, table in tables.items():
        for name in table:
            for form in set().union(*(_forms(spelling) for spelling in (name, *_SPELLINGS.get(name, ())))):
                words.setdefault(form, (role, name))
    plain: dict[str, Iterable[str]] = {"preparation": PREPARATIONS, "ambience": AMBIENCES, "awning": AWNINGS}
    for role, table in plain.items():
        for name in table:
            words.update({spelling: (role, name) for spelling in (name, *_SPELLINGS.get(name, ()))})
    for role, nouns in {"room": ROOM_NOUNS, "outside": TERRACE_NOUNS, "front": STOREFRONT_NOUNS}.items():
        words.update({form: (role, noun) for noun in nouns for form in _forms(noun)})
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b"), words


@cache
def name_words() -> frozenset[str]:
    """Every single word of any name, in singular and plural."""
    return frozenset(word for phrase in _lexicon()[1] for word in phrase.split())


def _tokens(text: str) -> list[_Token]:
    pattern, words = _lexicon()
    return [_Token(*words[found[0]], found.start(), found.end()) for found in pattern.finditer(text)]


def _dishes(tokens: list[_Token], lowered: str) -> list[tuple[Scene, int, int]]:
    """Preparation, main and base that stand side by side make one dish; so does "the shrimp in the curry"."""
    found: list[tuple[Scene, int, int]] = []
    rank = {"preparation": 0, "main": 1, "base": 2}
    previous: _Token | None = None
    for token in tokens:
        if token.role not in rank:
            previous = None
            continue
        gap = lowered[previous.end : token.start] if previous else None
        adjacent = previous is not None and rank[previous.role] < rank[token.role] and gap in (" ", "-")
        inside = previous is not None and (previous.role, token.role) == ("main", "base")
        inside = inside and gap in (" in the ", " on the ", " in my ", " on my ")
        if adjacent or inside:
            scene, start, _ = found.pop()
            found.append((replace(scene, **_named(token)), start, token.end))
        else:
            found.append((Scene("dish", **_named(token)), token.start, token.end))
        previous = token
    return [entry for entry in found if entry[0].base or entry[0].main]


def _with_details(dish: Scene, tokens: list[_Token]) -> Scene:
    details = {role: [t.name for t in tokens if t.role == role] for role in ("topping", "sauce", "vessel")}
    return replace(
        dish,
        toppings=tuple(dict.fromkeys(details["topping"])),
        sauce=(details["sauce"] or [""])[0],
        vessel=(details["vessel"] or [""])[0],
    )


def _in_sentence(lowered: str) -> list[tuple[Scene, int, int]]:
    tokens = _tokens(lowered)
    if not tokens:
        return []
    found = _dishes(tokens, lowered)
    if len(found) == 1:  # toppings, sauce and vessel belong to the only dish of a sentence
        scene, start, end = found[0]
        found = [(_with_details(scene, tokens), start, end)]
    for token in tokens:
        if token.role in ("drink", "dessert"):
            found.append((Scene(token.role, **_named(token)), token.start, token.end))
    by_role = {token.role: token for token in reversed(tokens)}  # the first of each role
    if outside := by_role.get("outside"):
        feature = by_role.get("feature", outside)
        name = feature.name if feature.role == "feature" else ""
        start, end = min(outside.start, feature.start), max(outside.end, feature.end)
        found.append((Scene("terrace", terrace=name), start, end))
    elif "ambience" in by_role and "room" in by_role:
        style, noun = by_role["ambience"], by_role["room"]
        span = min(style.start, noun.start), max(style.end, noun.end)
        found.append((Scene("interior", ambience=style.name), *span))
    for colour, front in pairwise(tokens):
        if colour.role == "awning" and front.role == "front" and front.start - colour.end <= 10:
            found.append((Scene("storefront", awning=colour.name), colour.start, front.end))
    return sorted(found, key=lambda entry: entry[1:])


def find_mentions(text: str) -> list[Mention]:
    """Every name of the demo world in ``text``, in order; case does not matter, singular and plural are the same."""
    mentions = []
    for part in _PARTS.finditer(text):
        for scene, start, end in _in_sentence(part[0].lower()):
            start, end = part.start() + start, part.start() + end
            mentions.append(Mention(scene, text[start:end], start, end))
    return mentions


def agrees(said: Scene, shown: Scene) -> bool:
    """Whether all that a mention names (toppings, sauce and vessel aside) is what ``shown`` shows."""
    same = all(getattr(said, field) in ("", getattr(shown, field)) for field in CORE)
    return said.kind == shown.kind and same


def names(text: str, scene: Scene) -> bool:
    """Whether ``text`` names what ``scene`` shows; "the tacos" names every photo of tacos."""
    return any(agrees(mention.scene, scene) for mention in find_mentions(text))
