"""The people of the demo city: what they like and how they write."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from .cameras import Camera
from .city import Restaurant
from .scenes import Scene
from .vocabulary import AMBIENCES, CUISINES, DESSERTS, DRINKS, MAINS, PREPARATIONS, SAUCES, TOPPINGS

ASPECTS = ("food", "drinks", "dessert", "room", "service")
CASINGS = ("normal", "lower", "sloppy", "loud")
INGREDIENTS = (*MAINS, *TOPPINGS, *SAUCES, *PREPARATIONS, *DRINKS, *DESSERTS)


@dataclass(frozen=True)
class Tastes:
    """Weights of about 0 ± 1 by name; ``heat`` 0…1 is how hot it may be, ``price`` the level that feels right."""

    cuisines: dict[str, float]
    ingredients: dict[str, float]
    ambiences: dict[str, float]
    heat: float
    price: float


@dataclass(frozen=True)
class Voice:
    """A way of writing. ``aspects`` sum to 1; ``pets`` point at the favourite entries of any list of phrases."""

    length: float  # sentences per review, on average
    enthusiasm: float  # −1 … 1: shifts every verdict a little
    aspects: dict[str, float]
    detail: float  # 0…1: how much of a dish's name is spelled out
    typos: float  # share of misspelled words
    casing: str
    exclaim: float
    emoji: float
    opener: float
    pets: tuple[float, ...]


@dataclass(frozen=True)
class Person:
    """A user who writes ``visits`` reviews."""

    user_id: str
    tastes: Tastes
    voice: Voice
    visits: int
    camera: Camera


def _weights(names: Collection[str], rng: np.random.Generator) -> dict[str, float]:
    draws = rng.standard_normal(len(names))
    return {name: round(float(value), 3) for name, value in zip(names, draws, strict=True)}


def _tastes(rng: np.random.Generator) -> Tastes:
    return Tastes(
        cuisines=_weights(CUISINES, rng),
        ingredients=_weights(INGREDIENTS, rng),
        ambiences=_weights(AMBIENCES, rng),
        heat=round(float(rng.beta(1.5, 1.5)), 3),
        price=round(float(rng.uniform(1.0, 3.6)), 3),
    )


def _voice(rng: np.random.Generator) -> Voice:
    aspects = rng.dirichlet([2.2, 0.7, 0.6, 0.9, 1.0])
    return Voice(
        length=round(float(1.2 + rng.gamma(2.0, 2.0)), 3),
        enthusiasm=round(float(np.tanh(0.5 * rng.standard_normal())), 3),
        aspects={name: round(float(value), 3) for name, value in zip(ASPECTS, aspects, strict=True)},
        detail=round(float(rng.beta(2.0, 1.5)), 3),
        typos=round(float(rng.uniform(0.01, 0.04)), 3) if rng.random() < 0.25 else 0.0,
        casing=CASINGS[int(rng.choice(4, p=[0.64, 0.18, 0.13, 0.05]))],
        exclaim=round(float(rng.beta(0.8, 1.2)), 3),
        emoji=round(float(rng.uniform(0.1, 0.5)), 3) if rng.random() < 0.1 else 0.0,
        opener=round(float(rng.uniform(0.0, 0.3)), 3),
        pets=tuple(round(float(value), 4) for value in rng.uniform(0.0, 0.999, 4)),
    )


def share_out(reviews: int, users: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """How many reviews each user writes, [users]: half write one, the rest 2…``most`` with a heavy tail.

    They sum to ``reviews``, which those bounds must allow.
    """
    urge = rng.pareto(1.6, size=users - users // 2)
    target = reviews - users // 2

    def at(scale: float) -> np.ndarray:
        return np.minimum(most, 2 + np.floor(scale * urge)).astype(int)

    low, high = 0.0, 1.0
    while at(high).sum() <= target and high < 1e9:
        high *= 2.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if at(middle).sum() <= target else (low, middle)
    active = at(low)
    while (left := target - int(active.sum())) > 0:
        active[rng.permutation(np.flatnonzero(active < most))[:left]] += 1
    return rng.permutation(np.concatenate([np.ones(users // 2, dtype=int), active]))


def move_in(user_ids: list[str], visits: np.ndarray, cameras: list[Camera], rng: np.random.Generator) -> list[Person]:
    """One person per id, ``visits[i]`` reviews and one camera each; tastes and voice are drawn."""
    newcomers = zip(user_ids, visits, cameras, strict=True)
    return [Person(uid, _tastes(rng), _voice(rng), int(n), camera) for uid, n, camera in newcomers]


def liking(tastes: Tastes, scene: Scene) -> float:
    """How much somebody likes what a dish, drink or dessert is made of, about 0 ± 1."""
    weight = tastes.ingredients
    if scene.kind == "drink":
        return weight[scene.drink]
    if scene.kind == "dessert":
        return weight[scene.dessert]
    parts = 1.5 * weight[scene.main] + 0.7 * weight[scene.preparation] + 0.7 * weight[scene.sauce]
    parts += sum(weight[name] for name in scene.toppings) / len(scene.toppings)
    chili = ("chili" in scene.toppings) + (scene.sauce == "chili sauce")
    return parts / 2.1 + 1.6 * (tastes.heat - 0.5) * chili


def attraction(people: list[Person], restaurants: list[Restaurant]) -> np.ndarray:
    """Log-weight of every (person, restaurant), [people, restaurants]: popularity plus match of tastes."""
    cuisine = np.array([[p.tastes.cuisines[r.cuisine] for r in restaurants] for p in people])
    ambience = np.array([[p.tastes.ambiences[r.ambience] for r in restaurants] for p in people])
    price = np.array([[abs(p.tastes.price - r.price) for r in restaurants] for p in people])
    too_hot = np.array([[max(0.0, r.heat - p.tastes.heat) for r in restaurants] for p in people])
    popularity = np.log([r.popularity for r in restaurants])
    return popularity + 1.2 * cuisine + 0.5 * ambience - 0.4 * price - 1.5 * too_hot
