"""How people photograph: a camera and a manner of one's own, steady over visits, whatever the taste.

Real people's photos resemble each other beyond their subject: one telephone, one way of holding it, one filter. On
six cities of TripAdvisor, closeness to the centroid of a user's past photos finds their own among the photos of a
place with an AUC of 0.546 to 0.563 (CNT in the README of BRIE, Paz-Ruza et al. 2024). ``SPREAD`` is scaled so that
the same rule reaches their mean here at signature 1: see ``benchmarks/calibrate_signature.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

AMPLITUDE = 0.49  # calibrated: scales all of SPREAD
# One standard deviation between people at signature 1, before AMPLITUDE, in the units of ``Look``.
SPREAD = {
    "warmth": 0.06, "tint": 0.03, "exposure": 0.14, "contrast": 0.09, "saturation": 0.14, "sharpness": 0.35,
    "closeness": 0.07, "angle": 2.5, "right": 0.02, "down": 0.02, "aspect": 0.08,
}  # fmt: skip
FILTERS = ("vignette", "warm", "cold", "faded")
FILTER_OWNERS = 0.4  # share of the people who have a favourite filter
DRIFT, JITTER = 0.2, 0.4  # standard deviations, of SPREAD: a step from visit to visit, and from photo to photo
FARTHEST = 2.5  # no trait of a photo lies more standard deviations away, so that all of them stay photos


@dataclass(frozen=True)
class Camera:
    """A person's: ``traits`` in standard deviations, a favourite filter or none, the share of photos that it is on."""

    traits: dict[str, float]
    filter: str
    filter_share: float


@dataclass(frozen=True)
class Look:
    """What a camera and its owner make of one photo; all zeros leave it as the place's own light has it.

    ``warmth``, ``tint``: log gains of red against blue, of green against both. ``exposure``: stops. ``contrast``,
    ``saturation``: log factors. ``sharpness``: above 0 an unsharp mask, below 0 a blur, in pixels. ``closeness``: log
    magnification, ≥ 0. ``angle``: degrees. ``right``, ``down``: where the camera points beside the middle, in
    fractions of the picture. ``aspect``: log of width over height, added to the picture's own. ``filter``: a name of
    ``FILTERS`` or empty, on with ``filter_strength``.
    """

    warmth: float = 0.0
    tint: float = 0.0
    exposure: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    sharpness: float = 0.0
    closeness: float = 0.0
    angle: float = 0.0
    right: float = 0.0
    down: float = 0.0
    aspect: float = 0.0
    filter: str = ""
    filter_strength: float = 0.0


TRAITS = tuple(field.name for field in fields(Look) if field.name in SPREAD)


def hand_out(people: int, rng: np.random.Generator) -> list[Camera]:
    """One camera per person, drawn without a look at who they are."""
    traits = rng.standard_normal((people, len(TRAITS)))
    owners = rng.random(people) < FILTER_OWNERS
    favourites = rng.integers(len(FILTERS), size=people)
    shares = rng.uniform(0.4, 0.9, size=people)
    return [
        Camera(
            {name: round(float(value), 3) for name, value in zip(TRAITS, row, strict=True)},
            FILTERS[favourite] if owner else "",
            round(float(share), 3) if owner else 0.0,
        )
        for row, owner, favourite, share in zip(traits, owners, favourites, shares, strict=True)
    ]


def look_through(camera: Camera, wander: np.ndarray, signature: float, rng: np.random.Generator) -> Look | None:
    """The look of one photo, ``None`` at signature 0; the draws from ``rng`` are the same at every strength.

    ``wander`` [traits] is how far the habits have drifted by this visit, in standard deviations.
    """
    noise, on = JITTER * rng.standard_normal(len(TRAITS)), rng.random() < camera.filter_share
    if not signature:
        return None
    deviations = np.array([camera.traits[name] for name in TRAITS]) + wander + noise
    deviations = np.clip(deviations, -FARTHEST, FARTHEST)
    strength = AMPLITUDE * signature
    values = {name: strength * SPREAD[name] * float(d) for name, d in zip(TRAITS, deviations, strict=True)}
    values["closeness"] = max(0.0, strength * SPREAD["closeness"] + values["closeness"])  # nobody shows more than all
    worn = camera.filter if on else ""
    return Look(**values, filter=worn, filter_strength=strength if worn else 0.0)
