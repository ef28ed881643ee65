"""The restaurants of the demo city: kitchen, room, prices, and a menu whose every entry can be photographed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from .scenes import Scene
from .vocabulary import AMBIENCES, AWNINGS, CUISINES, MAINS, TERRACES, TOPPINGS, VESSELS, Cuisine

Recipe = tuple[str, str, str]  # base, main, preparation

DEEP = ("bowl", "pan")  # vessel shapes that hold a liquid
NEEDS_DEEP = frozenset({"soup", "ramen", "curry", "stew", "rice bowl"})
DESSERT_VESSELS = ("white plate", "blue plate", "slate", "wooden board")
ODD_PAIRS = frozenset({  # (main or preparation, main or base) that no cook would put on a menu
    ("grilled", "egg"), ("roasted", "egg"), ("grilled", "spinach"), ("fried", "spinach"), ("smoked", "spinach"),
    ("egg", "skewers"), ("spinach", "skewers"), ("spinach", "steak plate"), ("egg", "steak plate"),
    ("mushroom", "steak plate"), ("sausage", "steak plate"), ("egg", "spring rolls"), ("spinach", "stew"),
})  # fmt: skip
DEAR_ROOMS = {"candlelit": 0.6, "elegant": 1.2, "modern": 0.3}


@dataclass(frozen=True)
class Offer:
    """One line of a menu: what it looks like, how well it is made (about 0 ± 1), how often it is ordered."""

    scene: Scene
    quality: float
    popularity: float


@dataclass(frozen=True)
class Restaurant:
    """A business; ``quality`` and ``service`` are about 0 ± 1, ``price`` 1…4, ``heat`` 0…1."""

    business_id: str
    cuisine: str
    ambience: str
    price: int
    quality: float
    service: float
    popularity: float
    heat: float
    dishes: tuple[Offer, ...]
    drinks: tuple[Offer, ...]
    desserts: tuple[Offer, ...]
    interior: Scene
    terrace: Scene | None
    storefront: Scene


def _sensible(base: str, main: str, preparation: str) -> bool:
    return (preparation, main) not in ODD_PAIRS and (main, base) not in ODD_PAIRS


def _cookbook(cuisine: Cuisine, rng: np.random.Generator) -> tuple[list[Recipe], np.ndarray]:
    """All (base, main, preparation) of a cuisine with how common each is in this city: a few classics, a long tail."""
    recipes = [recipe for recipe in product(cuisine.bases, cuisine.mains, cuisine.preparations) if _sensible(*recipe)]
    rank = rng.permutation(len(recipes))
    weight = 1.0 / (rank + 6.0) ** 0.8
    return recipes, weight / weight.sum()


def _dish(
    recipe: Recipe, cuisine: Cuisine, crockery: list[str], heat: float, guest_topping: str, rng: np.random.Generator
) -> Scene:
    base, main, preparation = recipe
    common = [name for name in cuisine.toppings if name != "chili"]
    toppings = [str(name) for name in rng.choice(common, size=int(rng.integers(1, 4)), replace=False)]
    if guest_topping and guest_topping not in toppings:
        toppings[0] = guest_topping
    if "chili" in cuisine.toppings and "chili" not in toppings and rng.random() < 0.6 * heat:
        toppings[-1] = "chili"
    fitting = [name for name in crockery if base not in NEEDS_DEEP or VESSELS[name].shape in DEEP]
    return Scene(
        "dish", base=base, main=main, preparation=preparation, toppings=tuple(toppings),
        sauce=str(rng.choice(cuisine.sauces)), vessel=str(rng.choice(fitting)),
    )  # fmt: skip


def _menu(
    cuisine: Cuisine,
    cookbook: tuple[list[Recipe], np.ndarray],
    crockery: list[str],
    heat: float,
    rng: np.random.Generator,
) -> list[Scene]:
    recipes, weight = cookbook
    size = int(rng.integers(8, 15))
    order = rng.choice(len(recipes), size=min(len(recipes), 3 * size), replace=False, p=weight)
    menu: dict[tuple[str, str], Scene] = {}  # one dish per (base, main): "the shrimp tacos" is one line of a menu
    for index in order:
        base, main, _ = recipe = recipes[index]
        if len(menu) < size and (base, main) not in menu:
            menu[base, main] = _dish(recipe, cuisine, crockery, heat, "", rng)
    if rng.random() < 0.6:  # the signature: something this kitchen borrowed from elsewhere
        main, guest = str(rng.choice(list(MAINS))), str(rng.choice(list(TOPPINGS)))
        base, preparation = str(rng.choice(cuisine.bases)), str(rng.choice(cuisine.preparations))
        if (base, main) not in menu and _sensible(base, main, preparation):
            menu[base, main] = _dish((base, main, preparation), cuisine, crockery, heat, guest, rng)
    return list(menu.values())


def _offers(scenes: list[Scene], rng: np.random.Generator) -> tuple[Offer, ...]:
    popularity = np.exp(0.8 * rng.standard_normal(len(scenes)))
    quality = rng.standard_normal(len(scenes))
    rows = zip(scenes, quality, popularity, strict=True)
    return tuple(Offer(scene, round(float(q), 4), round(float(p), 4)) for scene, q, p in rows)


def _subset(names: tuple[str, ...], low: int, rng: np.random.Generator) -> list[str]:
    size = int(rng.integers(min(low, len(names)), len(names) + 1))
    return [str(name) for name in rng.choice(names, size=size, replace=False)]


def open_restaurants(business_ids: list[str], rng: np.random.Generator) -> list[Restaurant]:
    """One restaurant per id; every cuisine is cooked somewhere once there are as many restaurants as cuisines."""
    cookbooks = {name: _cookbook(cuisine, rng) for name, cuisine in CUISINES.items()}
    names = list(CUISINES)
    share = 1.0 / (rng.permutation(len(names)) + 4.0)
    cuisines = [str(name) for name in rng.permutation(names)]
    cuisines += [str(name) for name in rng.choice(names, size=len(business_ids), p=share / share.sum())]
    restaurants = []
    for business_id, cuisine_name in zip(business_ids, cuisines, strict=False):
        cuisine = CUISINES[cuisine_name]
        ambience = str(rng.choice(list(AMBIENCES)))
        price = int(np.clip(round(1.9 + DEAR_ROOMS.get(ambience, 0.0) + 0.7 * rng.standard_normal()), 1, 4))
        heat = float(np.clip(cuisine.heat + 0.15 * rng.standard_normal(), 0.0, 1.0))
        deep = [name for name in cuisine.vessels if VESSELS[name].shape in DEEP]
        flat = [name for name in cuisine.vessels if VESSELS[name].shape not in DEEP]
        crockery = ([str(rng.choice(deep))] if deep else []) + _subset(tuple(flat), 1, rng)
        dishes = _menu(cuisine, cookbooks[cuisine_name], crockery, heat, rng)
        plate = str(rng.choice(DESSERT_VESSELS))
        restaurants.append(
            Restaurant(
                business_id=business_id,
                cuisine=cuisine_name,
                ambience=ambience,
                price=price,
                quality=round(float(0.25 * (price - 2) + 0.9 * rng.standard_normal()), 4),
                service=round(float(rng.standard_normal()), 4),
                popularity=round(float(np.exp(0.9 * rng.standard_normal())), 4),
                heat=round(heat, 4),
                dishes=_offers(dishes, rng),
                drinks=_offers([Scene("drink", drink=name) for name in _subset(cuisine.drinks, 2, rng)], rng),
                desserts=_offers(
                    [Scene("dessert", dessert=n, vessel=plate) for n in _subset(cuisine.desserts, 1, rng)], rng
                ),
                interior=Scene("interior", ambience=ambience),
                terrace=Scene("terrace", ambience=ambience, terrace=str(rng.choice(list(TERRACES))))
                if rng.random() < 0.5
                else None,
                storefront=Scene("storefront", ambience=ambience, awning=str(rng.choice(list(AWNINGS)))),
            )
        )
    return restaurants
