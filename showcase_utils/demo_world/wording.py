"""How things are called in a sentence: templates filled with names, articles, numbers and adjectives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from .people import Voice
from .phrases import ADJECTIVES, TEXTURES
from .places import ROOMS, STOREFRONT_NAMES, TERRACE_NAMES, TERRACE_NOUNS
from .scenes import Scene
from .small_talk import COMPANY
from .vocabulary import BASES, DESSERTS, TOPPINGS, VESSELS

PLAIN = ("good", "tasty", "nice", "fresh", "flavorful", "well seasoned")
PLAIN_SWEET = ("good", "tasty", "nice", "fresh", "well made")
PLURAL_NAMES = frozenset(name for name in (*BASES, *DESSERTS) if name.endswith("s"))
PLURAL_MAINS = {"mushroom": "mushrooms", "meatball": "meatballs"}
UNCOUNTED = frozenset({
    "pizza", "pasta", "risotto", "ramen", "curry", "soup", "stew", "paella", "beer", "red wine", "white wine",
    "iced coffee", "green tea", "bubble tea", "lemonade", "coconut water", "hibiscus tea", "sake", "chocolate cake",
    "cheesecake", "carrot cake", "matcha ice cream", "strawberry ice cream", "vanilla ice cream", "flan",
    "panna cotta", "baklava", "mango sticky rice",
})  # fmt: skip
SERVINGS = {"red wine": "glass of red wine", "white wine": "glass of white wine", "green tea": "cup of green tea",
            "sake": "bottle of sake"}  # fmt: skip
PLURAL_TOPPINGS = frozenset(name for name in TOPPINGS if name.endswith("s"))
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{([^{}]+)\}")


T = TypeVar("T")


def pick(options: Sequence[T], rng: np.random.Generator) -> T:
    return options[int(rng.random() * len(options))]


def habitual(options: Sequence[T], voice: Voice, rng: np.random.Generator) -> T:
    """One of ``options``, often one of the writer's favourites."""
    if rng.random() < 0.45:
        return options[int(pick(voice.pets, rng) * len(options))]
    return pick(options, rng)


def _article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def _plural(name: str) -> str:
    return name + ("es" if name.endswith("ch") else "s")


class Words:
    """The slots of a template, filled for one thing and one writer."""

    def __init__(self, scene: Scene, tier: str, voice: Voice, rng: np.random.Generator):
        self.scene, self.tier, self.voice, self.rng = scene, tier, voice, rng
        self.plural, self.core, self.tail = False, "", ""
        getattr(self, f"_name_{'treat' if scene.kind in ('drink', 'dessert') else scene.kind}")()

    def _name_dish(self) -> None:
        scene, roll, detail = self.scene, self.rng.random(), self.voice.detail
        full, short = f"{scene.preparation} {scene.main} {scene.base}", f"{scene.main} {scene.base}"
        base_only = 0.12 + 0.12 * (1.0 - detail)
        self.core = scene.base if roll < base_only else full if roll < base_only + 0.75 * detail else short
        self.plural = scene.base in PLURAL_NAMES
        self.tail = self._extras() if self.rng.random() < 0.15 + 0.4 * detail else ""

    def _extras(self) -> str:
        scene, rng = self.scene, self.rng
        toppings = list(scene.toppings)
        first = pick(toppings, rng)
        sauce = "" if scene.sauce == "curry sauce" and scene.base == "curry" else scene.sauce
        forms = [f" with {first}", f" topped with {first}", f" {self.vessel()}"]
        if len(toppings) > 1:
            forms += [f" with {toppings[0]} and {toppings[1]}"] * 2
        if sauce:
            forms += [f" with {sauce}", f" in {sauce}", f" with {first} and {sauce}"]
        return pick(forms, rng)

    def _name_treat(self) -> None:
        self.core = self.scene.name
        self.plural = self.core in PLURAL_NAMES

    def _name_interior(self) -> None:
        self.core, self.plural = habitual(ROOMS[self.scene.ambience], self.voice, self.rng)

    def _name_terrace(self) -> None:
        phrase, self.plural = habitual(TERRACE_NAMES[self.scene.terrace], self.voice, self.rng)
        self.core = phrase.replace("@", habitual(TERRACE_NOUNS, self.voice, self.rng))

    def _name_storefront(self) -> None:
        self.core = pick(STOREFRONT_NAMES, self.rng).replace("#", self.scene.awning)

    def _determiner(self) -> str:
        roll = self.rng.random()
        if roll < 0.06 and self.scene.kind != "storefront":
            return "these " if self.plural else "this "
        return "their " if roll < 0.26 else "the "

    def the(self) -> str:
        return self._determiner() + self.core + self.tail

    def name(self) -> str:
        return self.core + self.tail

    def name_det(self) -> str:
        return self.core if self.plural or self.core.endswith("decor") else _article(self.core)

    def a(self) -> str:
        return self.core if self.plural else _article(SERVINGS.get(self.core, self.core))

    def a_great(self) -> str:
        great = pick(("great", "killer", "really good", "mean"), self.rng)
        return f"{great} {self.core}" if self.plural or self.core in UNCOUNTED else f"a {great} {self.core}"

    def bare(self) -> str:
        uncounted = self.plural or self.scene.base in UNCOUNTED or self.core in UNCOUNTED
        return self.core if uncounted else _plural(self.core)

    def short(self) -> str:
        scene = self.scene
        return self._determiner() + (scene.base if self.rng.random() < 0.3 else f"{scene.main} {scene.base}")

    def base_the(self) -> str:
        return "the " + self.scene.base

    def main_the(self) -> str:
        return "the " + PLURAL_MAINS.get(self.scene.main, self.scene.main)

    def main_was(self) -> str:
        return "were" if self.scene.main in PLURAL_MAINS else "was"

    def topping(self) -> str:
        self.last_topping = pick(self.scene.toppings, self.rng)
        return self.last_topping

    def topping_was(self) -> str:
        return "were" if self.last_topping in PLURAL_TOPPINGS else "was"

    def sauce(self) -> str:
        return self.scene.sauce

    def vessel(self) -> str:
        place = "on" if VESSELS[self.scene.vessel].shape in ("plate", "board", "leaf", "slate") else "in"
        return f"{place} {_article(self.scene.vessel)}"

    def texture(self) -> str:
        return pick(TEXTURES[self.scene.preparation]["well"], self.rng)

    def broken(self) -> str:
        return pick(TEXTURES[self.scene.preparation]["badly"], self.rng)

    def adj(self) -> str:
        return habitual(ADJECTIVES[self.tier], self.voice, self.rng)

    def plain(self) -> str:
        return pick(PLAIN if self.scene.kind == "dish" else PLAIN_SWEET, self.rng)

    def is_(self) -> str:
        return "are" if self.plural else "is"

    def was(self) -> str:
        return "were" if self.plural else "was"

    def it(self) -> str:
        return "they" if self.plural else "it"

    def it_obj(self) -> str:
        return "them" if self.plural else "it"

    def fill(self, slot: str) -> str:
        if "/" in slot:
            return slot.split("/")[self.plural]
        return self.core if slot == "core" else getattr(self, "is_" if slot == "is" else slot)()


def _choose(template: str, rng: np.random.Generator) -> str:
    while "[" in template:
        template = _CHOICE.sub(lambda found: pick(found[1].split("|"), rng), template)
    return template


def expand(template: str, voice: Voice, rng: np.random.Generator, words: Words | None = None) -> str:
    def fill(found: re.Match[str]) -> str:
        if found[1] == "who":
            return habitual(COMPANY, voice, rng)
        if words is None:
            raise ValueError(f"'{template}' names things of a visit, and there is none")
        return words.fill(found[1])

    return _SLOT.sub(fill, _choose(template, rng))
