"""From what somebody ordered, saw and felt to the sentences of a review, in their own way of writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .city import Offer, Restaurant
from .naming import agrees, find_mentions, name_words
from .people import Person, Voice, liking
from .phrases import DESSERT, DISH, DRINK, SPICE
from .places import INTERIOR, STOREFRONT, TERRACE
from .scenes import Scene
from .small_talk import AROUND, GENERIC, GLAD_EMOJI, MISSPELLINGS, OPENERS, PRICES, SAD_EMOJI, SERVICE, WAITING
from .wording import Words, expand, habitual, pick

ASPECT_OF = {
    "dish": "food", "drink": "drinks", "dessert": "dessert", "interior": "room", "terrace": "room",
    "storefront": "room",
}  # fmt: skip
BANKS = {
    "dish": DISH, "drink": DRINK, "dessert": DESSERT, "interior": INTERIOR, "terrace": TERRACE,
    "storefront": STOREFRONT,
}  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """One sentence of a review, and what it is about.

    ``kind`` is ``photo`` (describes ``photos``, indices into the review's), ``unpictured`` (describes ``scene``, of
    which there is no photo), ``generic`` or ``other`` (service, waiting, prices, …).
    """

    text: str
    kind: str
    scene: Scene | None = None
    photos: tuple[int, ...] = ()


@dataclass(frozen=True)
class Visit:
    """What there is to write about: the order, the photos taken, and the verdict in stars."""

    person: Person
    restaurant: Restaurant
    orders: tuple[Offer, ...]
    photos: tuple[Scene, ...]
    rating: int


def _misspell(text: str, rate: float, rng: np.random.Generator) -> str:
    words = text.split(" ")
    for index, word in enumerate(words):  # what a name is made of stays whole, so that it can be found again
        if not (word.isascii() and word.isalpha() and len(word) > 3) or word.lower() in name_words():
            continue
        if rng.random() < rate * (4.0 if word in MISSPELLINGS else 1.0):
            spot = 1 + int(rng.random() * (len(word) - 2))
            slips = (
                word[:spot] + word[spot + 1] + word[spot] + word[spot + 2 :],
                word[:spot] + word[spot + 1 :],
                word[:spot] + word[spot] + word[spot:],
            )
            slip = MISSPELLINGS.get(word) or pick(slips, rng)
            words[index] = word if slip.lower() in name_words() else slip
    return " ".join(words)


def _finish(text: str, glad: bool, voice: Voice, rng: np.random.Generator) -> str:
    """Opener, slips, capitals, emoji and the closing mark, as this writer has it."""
    if rng.random() < voice.opener:
        text = habitual(OPENERS, voice, rng) + text
    if voice.typos:
        text = _misspell(text, voice.typos, rng)
    question = text.endswith("?")
    text = text.removesuffix("?")
    if voice.casing == "lower":
        text = text.lower()
    elif voice.casing == "loud" and rng.random() < 0.3:
        text = text.upper()
    elif voice.casing != "sloppy" or rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    if voice.emoji and rng.random() < voice.emoji:
        text += " " + habitual(GLAD_EMOJI if glad else SAD_EMOJI, voice, rng)
    if question:
        return text + "?"
    if rng.random() < voice.exclaim * (1.0 if glad else 0.3):
        return text + ("!!!" if voice.exclaim > 0.8 and rng.random() < 0.4 else "!")
    return text + "."


def _tier(visit: Visit, scene: Scene, quality: float, rng: np.random.Generator) -> str:
    """How a thing was liked: the visit as a whole, the match with taste, how well it was made, chance."""
    tastes = visit.person.tastes
    match = tastes.ambiences[scene.ambience] if scene.ambience else liking(tastes, scene)
    score = 0.55 * (visit.rating - 3) + 0.45 * match + 0.35 * quality + 0.4 * visit.person.voice.enthusiasm
    score += 0.4 * float(rng.standard_normal())
    return "love" if score > 1.3 else "like" if score > 0.25 else "meh" if score > -0.5 else "bad"


def _about(visit: Visit, scene: Scene, tier: str, used: set[str], rng: np.random.Generator) -> Sentence:
    voice, tastes = visit.person.voice, visit.person.tastes
    bank: Sequence[str] = BANKS[scene.kind][tier]
    if ("chili" in scene.toppings or scene.sauce == "chili sauce") and rng.random() < 0.3:
        if tastes.heat > 0.4 and tier in ("love", "like"):
            bank = SPICE["happy"]
        elif tastes.heat < 0.35:
            bank = SPICE["burnt"]
    template = _fresh(bank, voice, used, rng)
    words = Words(scene, tier, voice, rng)
    if "{vessel}" in template or "{topping}" in template or "{sauce}" in template:
        words.tail = ""  # details are named once
    text = _finish(expand(template, voice, rng, words), tier in ("love", "like"), voice, rng)
    said = [mention.scene for mention in find_mentions(text)]
    photos = tuple(i for i, photo in enumerate(visit.photos) if any(agrees(scene, photo) for scene in said))
    return Sentence(text, "photo" if photos else "unpictured", scene, photos)


def _fresh(bank: Sequence[str], voice: Voice, used: set[str], rng: np.random.Generator) -> str:
    """A template that this review has not used yet, if a few tries find one."""
    for _ in range(5):
        template = habitual(bank, voice, rng)
        if template not in used:
            break
    used.add(template)
    return template


def _mood(topic: str, visit: Visit, rng: np.random.Generator) -> str:
    """Which list of a topic's phrases fits the visit."""
    restaurant, noise = visit.restaurant, float(rng.standard_normal())
    if topic == "generic":
        score = visit.rating + 0.25 * noise
        return "great" if score > 4.4 else "good" if score > 3.4 else "mixed" if score > 2.3 else "poor"
    lean = {
        "service": restaurant.service,
        "prices": 0.7 * (visit.person.tastes.price - restaurant.price) + 0.4,
        "waiting": 0.3 * restaurant.service,
        "around": 0.5,
    }[topic]
    return "good" if 0.6 * (visit.rating - 3) + 0.7 * lean + 0.7 * noise > 0 else "bad"


TOPICS = {"generic": GENERIC, "service": SERVICE, "prices": PRICES, "waiting": WAITING, "around": AROUND}


def _small_talk(topic: str, visit: Visit, used: set[str], rng: np.random.Generator) -> Sentence:
    voice, mood = visit.person.voice, _mood(topic, visit, rng)
    text = expand(_fresh(TOPICS[topic][mood], voice, used, rng), voice, rng)
    return Sentence(_finish(text, mood in ("great", "good"), voice, rng), "generic" if topic == "generic" else "other")


def write_review(visit: Visit, rng: np.random.Generator) -> tuple[Sentence, ...]:
    """The sentences of one review, at least one; each ends with ``.``, ``!`` or ``?`` and contains none before."""
    voice = visit.person.voice
    quality = {offer.scene: offer.quality for offer in visit.orders}
    pictured = tuple(dict.fromkeys(visit.photos))
    unpictured = [offer.scene for offer in visit.orders if offer.scene not in pictured]
    tiers = {scene: _tier(visit, scene, quality.get(scene, 0.0), rng) for scene in (*pictured, *unpictured)}
    things = [(scene, 0.5 + 3.0 * voice.aspects[ASPECT_OF[scene.kind]]) for scene in pictured]
    things += [(scene, 0.25 * weight) for scene, weight in things if scene.kind == "dish"]  # a second look
    things += [(scene, 0.1 + 0.8 * voice.aspects[ASPECT_OF[scene.kind]]) for scene in unpictured]
    talk = [("generic", 1.0), ("generic", 0.7), ("generic", 0.3), ("service", 0.2 + 2.0 * voice.aspects["service"]),
            ("prices", 0.35), ("waiting", 0.3), ("around", 0.35)]  # fmt: skip
    weight = np.array([w for _, w in (*things, *talk)])
    size = min(1 + int(rng.poisson(voice.length - 1.0)), 12, len(weight))
    order = np.argsort(-(np.log(weight) + rng.gumbel(size=len(weight))), kind="stable")[:size]
    order = order[rng.permutation(size)]
    used: set[str] = set()
    written: list[tuple[float, Sentence]] = []
    for index in order:  # opinions in general frame the review, the food comes before the rest
        if index < len(things):
            scene = things[index][0]
            written.append((1.0 + rng.random(), _about(visit, scene, tiers[scene], used, rng)))
        else:
            topic = talk[index - len(things)][0]
            place = 3.0 * rng.integers(0, 2) if topic == "generic" else 1.5 + rng.random()
            written.append((float(place), _small_talk(topic, visit, used, rng)))
    return tuple(sentence for _, sentence in sorted(written, key=lambda entry: entry[0]))
