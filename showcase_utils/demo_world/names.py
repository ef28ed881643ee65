"""What the restaurants and the people of a city are called; the published files have ids only."""

from __future__ import annotations

from itertools import product

import numpy as np

from .visits import World

_FIRST = (
    "Copper", "Silver", "Golden", "Amber", "Ivory", "Velvet", "Crooked", "Hidden", "Little", "Old", "Merry", "Quiet",
    "Wandering", "Hungry", "Blue", "Crimson", "Salted", "Wild", "Sunny", "Lucky", "Humble", "Honest", "Midnight",
    "Morning",
)  # fmt: skip
_SECOND = (
    "Fork", "Spoon", "Kettle", "Lantern", "Table", "Oven", "Ladle", "Fig", "Olive", "Fox", "Heron", "Swan", "Harbor",
    "Garden", "Corner", "Cellar", "Bell", "Anchor", "Maple", "Clover",
)  # fmt: skip
_STREETS = ("Elm", "Mill", "Station", "Chapel", "River", "Market", "Bridge", "Castle", "Orchard", "Canal")
_PATTERNS = ("The {} {}", "{} {}", *(f"The {{}} {{}} on {street} Street" for street in _STREETS))
_GIVEN = (
    "Ada", "Aisha", "Alba", "Amir", "Anna", "Anton", "Aya", "Ben", "Bruno", "Carla", "Cem", "Chloe", "Clara", "Daan",
    "Dana", "Diego", "Elif", "Elena", "Emil", "Emma", "Eva", "Farid", "Felix", "Finn", "Grace", "Hana", "Hugo", "Ida",
    "Ines", "Iris", "Ivan", "Jamal", "Jana", "Jonas", "Juan", "Kai", "Kofi", "Lara", "Leo", "Lina", "Luca", "Lucy",
    "Maja", "Malik", "Marco", "Maya", "Mei", "Milan", "Mina", "Nadia", "Nils", "Nina", "Noah", "Nora", "Olga", "Omar",
    "Oscar", "Paula", "Pedro", "Priya", "Ravi", "Rosa", "Ruth", "Sam", "Sana", "Sofia", "Tariq", "Tess", "Theo",
    "Tomas", "Uma", "Vera", "Victor", "Yara", "Yuki", "Zoe",
)  # fmt: skip


def _restaurants(count: int, rng: np.random.Generator) -> list[str]:
    """``count`` different names: the plainest pattern first, longer ones once a city has used it up."""
    names: list[str] = []
    pairs = list(product(_FIRST, _SECOND))
    while len(names) < count:
        round_, pattern = divmod(len(names) // len(pairs), len(_PATTERNS))
        tail = f" {round_ + 1}" if round_ else ""  # a city of more than 5,000 restaurants begins to count
        names += [_PATTERNS[pattern].format(*pairs[i]) + tail for i in rng.permutation(len(pairs))]
    return names[:count]


def display_names(world: World, rng: np.random.Generator) -> dict[str, dict[str, str]]:
    """``{"businesses": {id: name}, "users": {id: name}}``; businesses' names are unique.

    No name tells a cuisine, a taste or a camera: they are drawn by number.
    """
    restaurants = _restaurants(len(world.restaurants), rng)
    given = rng.integers(len(_GIVEN), size=len(world.people))
    initials = rng.integers(26, size=len(world.people))
    people = [f"{_GIVEN[g]} {chr(ord('A') + i)}." for g, i in zip(given, initials, strict=True)]
    return {
        "businesses": {r.business_id: name for r, name in zip(world.restaurants, restaurants, strict=True)},
        "users": {p.user_id: name for p, name in zip(world.people, people, strict=True)},
    }
