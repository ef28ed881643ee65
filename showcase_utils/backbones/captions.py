"""What stands beside a photo on a web page: alternative texts of a scene, and the bag of terms that they draw from."""

from __future__ import annotations

import numpy as np

from showcase_utils.demo_world.cameras import FILTERS, Look
from showcase_utils.demo_world.scenes import KINDS, Scene
from showcase_utils.demo_world.vocabulary import (
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

# The attributes of a scene and their values; ``toppings`` may have several at once.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "kind": KINDS, "base": tuple(BASES), "main": tuple(MAINS), "preparation": tuple(PREPARATIONS),
    "sauce": tuple(SAUCES), "vessel": tuple(VESSELS), "toppings": tuple(TOPPINGS), "drink": tuple(DRINKS),
    "dessert": tuple(DESSERTS), "ambience": tuple(AMBIENCES), "terrace": tuple(TERRACES), "awning": tuple(AWNINGS),
}  # fmt: skip
# Words for a look, and from where on they fit, in the units of ``Look``.
LOOKS: dict[str, tuple[str, float]] = {
    "warm": ("warmth", 0.03), "cold": ("warmth", -0.03), "greenish": ("tint", 0.015), "pinkish": ("tint", -0.015),
    "bright": ("exposure", 0.06), "dark": ("exposure", -0.06), "contrasty": ("contrast", 0.04),
    "flat": ("contrast", -0.04), "vivid": ("saturation", 0.06), "muted": ("saturation", -0.06),
    "sharp": ("sharpness", 0.15), "soft": ("sharpness", -0.15), "close": ("closeness", 0.07),
    "tilted": ("angle", 1.2), "slanted": ("angle", -1.2), "wide": ("aspect", 0.05), "tall": ("aspect", -0.05),
}  # fmt: skip
LEADS = ("", "", "photo of ", "a photo of ", "picture of ")
STYLES = tuple(dict.fromkeys((*LOOKS, *FILTERS)))  # a warm filter is as warm as a warm camera
TERMS: tuple[tuple[str, str], ...] = tuple(
    (field, value) for field, values in {**ATTRIBUTES, "look": STYLES}.items() for value in values
)
_TERM_AT = {term: index for index, term in enumerate(TERMS)}


def look_words(look: Look | None) -> list[str]:
    """The words that fit a look, the filter's among them; none for a photo without a signature."""
    if look is None:
        return []
    words = [word for word, (trait, limit) in LOOKS.items() if getattr(look, trait) / limit > 1.0]
    return list(dict.fromkeys(words + ([look.filter] if look.filter else [])))


def bag_of_terms(scene: Scene, look: Look | None) -> np.ndarray:
    """Which of ``TERMS`` a full caption has, [terms] of 0 and 1."""
    bag = np.zeros(len(TERMS), np.float32)
    for field, values in ATTRIBUTES.items():
        named = getattr(scene, field)
        for value in named if field == "toppings" else (named,):
            if value in values:
                bag[_TERM_AT[field, value]] = 1.0
    for word in look_words(look):
        bag[_TERM_AT["look", word]] = 1.0
    return bag


def full_caption(scene: Scene) -> str:
    """All that a scene shows, in one fixed order: the same text for the same scene."""
    if scene.kind == "dish":
        toppings = " and ".join(scene.toppings)
        return f"{scene.name} with {toppings} and {scene.sauce} {_served(scene.vessel)}"
    return _place(scene) if scene.ambience else f"{scene.name} {_served(scene.vessel)}".strip()


def caption(scene: Scene, look: Look | None, rng: np.random.Generator) -> str:
    """An alternative text: now more, now fewer of the things that are seen, in varied order; a style word at times."""
    lead = LEADS[int(rng.integers(len(LEADS)))]
    text = _dish(scene, rng) if scene.kind == "dish" else _simple(scene, rng)
    style = look_words(look)
    if style and rng.random() < 0.3:
        words = [style[i] for i in rng.permutation(len(style))[: int(rng.integers(1, 4))]]
        return f"{' '.join(words)} photo of {text}"
    return lead + text


def _dish(scene: Scene, rng: np.random.Generator) -> str:
    roll = rng.random()
    name = scene.name if roll < 0.7 else f"{scene.main} {scene.base}" if roll < 0.85 else scene.base
    toppings = [scene.toppings[i] for i in rng.permutation(len(scene.toppings))]
    if rng.random() < 0.25:
        toppings = toppings[: int(rng.integers(len(toppings)))]
    extras = toppings + ([scene.sauce] if rng.random() < 0.75 else [])
    extras = [extras[i] for i in rng.permutation(len(extras))]
    served = f" {_served(scene.vessel)}" if rng.random() < 0.6 else ""
    shape = rng.random()
    if shape < 0.15 and name == scene.name:
        name = f"{scene.base} with {scene.preparation} {scene.main}"
    if not extras:
        return name + served
    if shape > 0.85:
        return f"{name}{served}, {', '.join(extras)}"
    joint = " and " if len(extras) == 2 or rng.random() < 0.5 else ", "
    return f"{name}{' topped with ' if shape < 0.5 and extras[0] in TOPPINGS else ' with '}{joint.join(extras)}{served}"


def _simple(scene: Scene, rng: np.random.Generator) -> str:
    if scene.ambience:
        return _place(scene) if rng.random() < 0.7 else scene.name
    return f"{scene.name} {_served(scene.vessel)}".strip() if rng.random() < 0.5 else scene.name


def _place(scene: Scene) -> str:
    return {
        "interior": scene.name,
        "terrace": f"{scene.name} of a {scene.ambience} restaurant",
        "storefront": f"storefront with a {scene.name}, {scene.ambience} style",
    }[scene.kind]


def _served(vessel: str) -> str:
    if not vessel:
        return ""
    where = "in" if vessel.split()[-1] in ("bowl", "pot", "basket", "pan") else "on"
    return f"{where} {'an' if vessel[0] in 'aeiou' else 'a'} {vessel}"
