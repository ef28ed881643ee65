"""Does a text run the place down? By the demo world's own tables of what its writers say of good and of bad things.

The tables are cut into fragments between the names of things: "{the} {was} too sweet for me" gives "was too sweet for
me". A fragment that only tables of dislike hold speaks against the place, one that only tables of liking hold speaks
for it; what stands in both says nothing. The longest such fragment decides for its sentence, so that "not too sweet"
is no complaint. On real data there are no such tables, and nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from showcase_utils.demo_world.phrases import ADJECTIVES, DESSERT, DISH, DRINK, SPICE, TEXTURES
from showcase_utils.demo_world.places import INTERIOR, STOREFRONT, TERRACE
from showcase_utils.demo_world.small_talk import AROUND, GENERIC, OPENERS, PRICES, SERVICE, WAITING
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.metric import Metric

BANKS = (DISH, DRINK, DESSERT, SPICE, INTERIOR, TERRACE, STOREFRONT, GENERIC, SERVICE, PRICES, WAITING, AROUND)
FOR, AGAINST = {"love", "like", "happy", "great", "good"}, {"meh", "bad", "burnt", "mixed", "poor"}
FORMS = {"was": "was|were", "is": "is|are", "it": "it|they", "it_obj": "it|them"}
_SLOT = re.compile(r"\{([^{}]+)\}")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SENTENCE = re.compile(r"[^.!?]+")
GAP = "\0"  # where the name of a thing or of somebody stood


def tone_against(texts: Sequence[str]) -> Metric:
    """Share of the texts with a sentence that the world's writers use only of what they did not like, 0 to 1."""
    against = [any(verdict(sentence) < 0 for sentence in _SENTENCE.findall(text.lower())) for text in texts]
    variant = "texts with a sentence that the demo world's tables hold only for what was not liked, 0–1"
    return mean_metric(np.array(against, np.float64), variant)


def verdict(sentence: str) -> int:
    """1 for a lower-case sentence that speaks for the place, −1 for one that speaks against it, 0 for neither."""
    pattern, signs = _lexicon()
    words = _without_opener(sentence.strip())
    found = [match[0] for match in pattern.finditer(words)]
    if words in signs and " " not in words:  # "average": a table's whole sentence of one word
        found.append(words)
    return signs[max(found, key=len)] if found else 0


@cache
def _lexicon() -> tuple[re.Pattern[str], Mapping[str, int]]:
    """A pattern of all fragments, and which way each speaks."""
    sides: dict[str, set[int]] = {}
    for bank in BANKS:
        for tier, templates in bank.items():
            if tier not in FOR | AGAINST:
                raise ValueError(f"a table of the demo world has the tier '{tier}', which is neither for nor against")
            for template in templates:
                for fragment in _fragments(template, tier):
                    sides.setdefault(fragment, set()).add(1 if tier in FOR else -1)
    signs = {fragment: (found.pop() if len(found) == 1 else 0) for fragment, found in sides.items()}
    several = sorted((fragment for fragment in signs if " " in fragment), key=lambda words: (-len(words), words))
    first = sorted(fragment for fragment in signs if " " not in fragment and fragment in _openings())
    longest_first = "|".join(map(re.escape, several))
    return re.compile(rf"\b(?:{longest_first})(?!\w)|^(?:{'|'.join(map(re.escape, first))})(?= )"), signs


def _fragments(template: str, tier: str) -> Iterator[str]:
    """The words between the names of things in all ways to fill a template of a tier, lower-case."""
    for words in _filled(template, tier):
        for fragment in words.split(GAP):
            if fragment.strip(" ,"):
                yield fragment.strip(" ,").lower()


def _filled(template: str, tier: str) -> Iterator[str]:
    """All ways to fill a template: choices, verbs in both numbers, and the adjectives of the tier."""
    texture = {"love": "well", "like": "well", "bad": "badly"}.get(tier, "")
    slots = {
        "adj": "|".join(ADJECTIVES.get(tier, ("",))),
        "plain": "good|tasty|nice|fresh|flavorful|well seasoned|well made",
        **dict.fromkeys(("texture", "broken"), "|".join(w for t in TEXTURES.values() for w in t.get(texture, ()))),
        **dict.fromkeys(("topping_was", "main_was"), FORMS["was"]),
        **FORMS,
    }

    def choice(slot: re.Match[str]) -> str:
        return f"[{slot[1].replace('/', '|') if '/' in slot[1] else slots.get(slot[1], GAP)}]"

    yield from _choices(_SLOT.sub(choice, template))


def _choices(text: str) -> Iterator[str]:
    """``a [b|c]`` -> ``a b``, ``a c``; choices may nest."""
    if not (inner := _CHOICE.search(text)):
        yield text
        return
    for option in inner[1].split("|"):
        yield from _choices(text[: inner.start()] + option + text[inner.end() :])


@cache
def _openings() -> frozenset[str]:
    """Single words that may stand for their template where a sentence begins: "skip the soup"."""
    words = (
        words.split(GAP)[0].strip(" ,").lower()
        for bank in BANKS
        for tier, templates in bank.items()
        for template in templates
        for words in _filled(template, tier)
    )
    return frozenset(word for word in words if word and " " not in word)


def _without_opener(sentence: str) -> str:
    for opener in sorted(set(OPENERS), key=len, reverse=True):
        if opener and sentence.startswith(opener):
            return sentence[len(opener) :]
    return sentence
