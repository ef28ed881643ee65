"""Life in the demo city, in memory: who eats where, orders what, photographs and writes what."""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np

from .cameras import DRIFT, TRAITS, Look, hand_out, look_through
from .city import Offer, Restaurant, open_restaurants
from .people import Person, attraction, liking, move_in, share_out
from .scenes import Scene
from .writing import ASPECT_OF, Sentence, Visit, write_review

RATING_SHARES = {1: 0.039, 2: 0.026, 3: 0.060, 4: 0.194, 5: 0.681}  # as in the published file
TASTE, FOCUS = 1.1, 2.0  # how much liking decides what is ordered, and a person's interests what is photographed
MOST_PHOTOS = 6
MOST_REVIEWS = 40  # per user, as long as there are restaurants enough
REPEAT_SHARE, WORDLESS_SHARE = 0.0005, 0.001  # of the reviews: second visits, and reviews without text
_PHOTO_ALPHABET = np.array(list(string.ascii_letters + string.digits + "-_"))


@dataclass(frozen=True)
class Photo:
    """One photo: ``seed`` is the painter's, the same scene looks a little different in every photo.

    ``look`` is the camera's and its owner's, ``None`` in a world without signatures.
    """

    image_id: str
    scene: Scene
    seed: int
    look: Look | None = None


@dataclass(frozen=True)
class Review:
    """One review: ``visit`` is 1 for a repeat visit, which repeats the review id too.

    ``sentences[i].photos`` are indices into ``photos``; ``text`` is the sentences joined by spaces, or ``None`` or
    empty for a review without words.
    """

    business_id: str
    user_id: str
    visit: int
    rating: int
    orders: tuple[Scene, ...]
    photos: tuple[Photo, ...]
    sentences: tuple[Sentence, ...]
    text: str | None

    @property
    def review_id(self) -> str:
        return f"{self.user_id}_{self.business_id}"


@dataclass(frozen=True)
class World:
    """A whole city: ``reviews`` in the order of their users, repeat visits last."""

    seed: int
    restaurants: tuple[Restaurant, ...]
    people: tuple[Person, ...]
    reviews: tuple[Review, ...]


def streams(seed: int) -> dict[str, np.random.Generator]:
    """An independent random generator for each part of a world's growth."""
    parts = ("ids", "city", "people", "choices", "writing", "mess", "files", "annotation", "cameras", "looks", "names")
    seeds = np.random.SeedSequence(seed).spawn(len(parts))
    return {part: np.random.default_rng(s) for part, s in zip(parts, seeds, strict=True)}


def _business_ids(count: int, rng: np.random.Generator) -> list[str]:
    return ["60" + "".join(f"{d:x}" for d in digits) for digits in rng.integers(16, size=(count, 22))]


def _user_ids(count: int, rng: np.random.Generator) -> list[str]:
    heads = rng.integers(100, 118, size=count)
    tails = rng.integers(10, size=(count, 18))
    return [f"{head}{''.join(map(str, tail))}" for head, tail in zip(heads, tails, strict=True)]


def _image_ids(count: int, rng: np.random.Generator) -> list[str]:
    tails = _PHOTO_ALPHABET[rng.integers(64, size=(count, 37))]
    heads = rng.integers(4, size=count)
    return [f"AF1Qip{'MNOP'[head]}{''.join(tail)}" for head, tail in zip(heads, tails, strict=True)]


def _draw(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """``size`` distinct indices, drawn one after another in proportion to exp(weights) (Gumbel top-k)."""
    return np.argsort(-(weights + rng.gumbel(size=weights.shape)), kind="stable")[:size]


def _order(person: Person, restaurant: Restaurant, rng: np.random.Generator) -> tuple[Offer, ...]:
    aspects = person.voice.aspects
    courses = (
        (restaurant.dishes, 1 + int(rng.choice(3, p=[0.4, 0.4, 0.2]))),
        (restaurant.drinks, int(rng.random() < 0.3 + aspects["drinks"])),
        (restaurant.desserts, int(rng.random() < 0.15 + aspects["dessert"])),
    )
    chosen: list[Offer] = []
    for offers, size in courses:
        weights = np.array([np.log(o.popularity) + TASTE * liking(person.tastes, o.scene) for o in offers])
        chosen += [offers[i] for i in _draw(weights, size, rng)]
    return tuple(chosen)


def _photograph(
    person: Person, restaurant: Restaurant, orders: tuple[Offer, ...], size: int, rng: np.random.Generator
) -> tuple[Scene, ...]:
    """``size`` photos of what was ordered and of the place; more than there are things means second shots."""
    things = [offer.scene for offer in orders] + [restaurant.interior, restaurant.storefront]
    things += [restaurant.terrace] if restaurant.terrace else []
    habit = {"dish": 0.6, "drink": -0.3, "dessert": 0.2, "interior": -0.9, "terrace": -0.9, "storefront": -1.8}
    weights = np.array([habit[t.kind] + FOCUS * person.voice.aspects[ASPECT_OF[t.kind]] for t in things])
    shots = [things[i] for i in _draw(weights, size, rng)]
    if size > 1 and rng.random() < 0.08:
        shots[-1] = shots[0]
    return tuple(shots + [shots[0]] * (size - len(shots)))


def _photo_counts(owners: np.ndarray, people: int, photos: int, rng: np.random.Generator) -> np.ndarray:
    """Photos per review, [reviews], 1…6 and ``photos`` in all; some people take many, most take one."""
    reviews = len(owners)
    zeal = rng.gamma(1.2, 1.0, size=people)[owners]
    counts = np.minimum(MOST_PHOTOS, 1 + rng.poisson(zeal * max(0, photos - reviews) / zeal.sum()))
    target = int(np.clip(photos, reviews, MOST_PHOTOS * reviews))
    while (missing := target - int(counts.sum())) != 0:
        able = np.flatnonzero(counts < MOST_PHOTOS if missing > 0 else counts > 1)
        counts[rng.permutation(able)[: abs(missing)]] += np.sign(missing)
    return counts


def _satisfaction(person: Person, restaurant: Restaurant, orders: tuple[Offer, ...], rng: np.random.Generator) -> float:
    tastes = person.tastes
    liked = np.mean([liking(tastes, offer.scene) for offer in orders])
    made = np.mean([offer.quality for offer in orders])
    place = 0.4 * tastes.cuisines[restaurant.cuisine] + 0.25 * tastes.ambiences[restaurant.ambience]
    return float(
        0.8 * restaurant.quality + 0.5 * liked + 0.4 * made + place + 0.4 * restaurant.service
        + 0.3 * person.voice.enthusiasm + 0.8 * rng.standard_normal()
    )  # fmt: skip


def _stars(satisfaction: np.ndarray) -> np.ndarray:
    """Ratings 1…5 by rank of satisfaction, in the shares of the published file."""
    rank = np.argsort(np.argsort(satisfaction, kind="stable"), kind="stable")
    borders = np.cumsum(list(RATING_SHARES.values()))[:-1] * len(satisfaction)
    return 1 + np.searchsorted(borders, rank, side="right")


def _most_reviews(restaurants: int) -> int:
    return max(2, min(MOST_REVIEWS, restaurants * 3 // 4))


def _check(restaurants: int, users: int, reviews: int, photos: int) -> None:
    most = (users - users // 2) * _most_reviews(restaurants) + users // 2
    if restaurants < 2 or users < 2:
        raise ValueError(f"a city needs 2 restaurants and 2 users at least, got {restaurants} and {users}")
    if not users + (users + 1) // 2 <= reviews <= most:
        raise ValueError(
            f"reviews={reviews} does not fit users={users}, restaurants={restaurants}: half of the users write one "
            f"review, the others 2 to {_most_reviews(restaurants)}, so ask for {users + (users + 1) // 2} to {most}"
        )
    if not reviews <= photos <= MOST_PHOTOS * reviews:
        raise ValueError(f"photos={photos} must lie between {reviews} and {MOST_PHOTOS * reviews} (1 to 6 per review)")


def imagine(seed: int, restaurants: int, users: int, reviews: int, photos: int, signature: float = 1.0) -> World:
    """A city in memory: same arguments, same world. Repeat visits (0.05 %, one at least) come on top of ``reviews``.

    ``signature`` is how much of its maker a photo shows: 0 nothing, 1 as much as on real review sites; nothing but
    the looks depends on it. Raises ``ValueError`` for counts that no such city can have.
    """
    _check(restaurants, users, reviews, photos)
    rng = streams(seed)
    city = open_restaurants(_business_ids(restaurants, rng["ids"]), rng["city"])
    counts = share_out(reviews, users, _most_reviews(restaurants), rng["people"])
    people = move_in(_user_ids(users, rng["ids"]), counts, hand_out(users, rng["cameras"]), rng["people"])

    choices, mess = rng["choices"], rng["mess"]
    pull = attraction(people, city)
    trips = [(u, int(r), 0) for u, person in enumerate(people) for r in _draw(pull[u], person.visits, choices)]
    again = mess.choice(len(trips), size=max(1, round(REPEAT_SHARE * reviews)), replace=False)
    trips += [(*trips[i][:2], 1) for i in again]

    orders = [_order(people[u], city[r], choices) for u, r, _ in trips]
    pleased = [_satisfaction(people[u], city[r], orders[i], choices) for i, (u, r, _) in enumerate(trips)]
    stars = _stars(np.array(pleased))
    shots = _photo_counts(np.array([u for u, _, _ in trips]), users, photos + len(again), choices)
    image_ids = iter(_image_ids(int(shots.sum()), rng["ids"]))
    seeds = iter(choices.integers(2**32, size=int(shots.sum())).tolist())
    wordless = set(mess.choice(reviews, size=max(2, round(WORDLESS_SHARE * reviews)), replace=False).tolist())

    told = []
    wander = np.zeros((users, len(TRAITS)))
    for index, (u, r, visit) in enumerate(trips):
        scenes = _photograph(people[u], city[r], orders[index], int(shots[index]), choices)
        wander[u] += DRIFT * rng["looks"].standard_normal(len(TRAITS))
        looks = [look_through(people[u].camera, wander[u], signature, rng["looks"]) for _ in scenes]
        sentences: tuple[Sentence, ...] = ()
        text: str | None = None if index % 2 else ""
        if index not in wordless:
            about = Visit(people[u], city[r], orders[index], scenes, int(stars[index]))
            sentences = write_review(about, rng["writing"])
            text = " ".join(sentence.text for sentence in sentences)
        told.append(
            Review(
                business_id=city[r].business_id,
                user_id=people[u].user_id,
                visit=visit,
                rating=int(stars[index]),
                orders=tuple(offer.scene for offer in orders[index]),
                photos=tuple(
                    Photo(next(image_ids), scene, next(seeds), look) for scene, look in zip(scenes, looks, strict=True)
                ),
                sentences=sentences,
                text=text,
            )
        )
    return World(seed, tuple(city), tuple(people), tuple(told))
