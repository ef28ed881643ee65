"""Glasses and cups: bodies of revolution seen from a low camera."""

from __future__ import annotations

import math
from collections.abc import Sequence

from showcase_utils.demo_world.painting.canvas import Pen, shade
from showcase_utils.demo_world.vocabulary import RGB

Profile = Sequence[tuple[float, ...]]  # (radius, height) from the foot to the rim


def _smooth(*knots: tuple[float, float]) -> Profile:
    """A Catmull-Rom curve through the knots."""
    ends = (knots[0], *knots, knots[-1])
    curve: list[tuple[float, ...]] = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for t in (0.0, 0.25, 0.5, 0.75):
            curve.append(tuple(
                0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t + (3 * q - p - 3 * r + s) * t**3)
                for p, q, r, s in zip(a, b, c, d, strict=True)
            ))  # fmt: skip
    return (*curve, knots[-1])


GLASSES: dict[str, Profile] = {
    "tall": ((0.3, 0.0), (0.31, 0.05), (0.42, 1.45)),
    "mug": ((0.46, 0.0), (0.48, 0.06), (0.48, 1.2)),
    "wine": (
        (0.42, 0.0),
        (0.4, 0.03),
        (0.05, 0.1),
        (0.05, 0.66),
        *_smooth((0.06, 0.68), (0.3, 0.78), (0.46, 1.0), (0.47, 1.22), (0.37, 1.6)),
    ),
    "cocktail": ((0.4, 0.0), (0.38, 0.03), (0.05, 0.1), (0.05, 0.66), (0.2, 0.76), (0.68, 1.28)),
    "cup": _smooth((0.3, 0.0), (0.36, 0.06), (0.52, 0.34), (0.58, 0.6)),
    "coconut": _smooth((0.3, 0.0), (0.52, 0.1), (0.66, 0.42), (0.62, 0.74), (0.44, 0.94)),
    "bottle": _smooth((0.3, 0.0), (0.33, 0.05), (0.33, 0.72), (0.13, 1.0), (0.12, 1.26), (0.19, 1.32)),
}
FILLED = {"tall": (0.05, 1.26), "mug": (0.08, 1.0), "wine": (0.72, 1.16), "cocktail": (0.72, 1.2)}


def silhouette(pen: Pen, profile: Profile, shrink: float = 1.0) -> list[tuple[float, float]]:
    """Pixels of a body of revolution: foot ellipse, both sides, rim ellipse."""
    foot, rim = profile[0], profile[-1]
    at = pen.frame(0, 0)
    right = [at(r * shrink, 0, h) for r, h in profile]
    left = [at(-r * shrink, 0, h) for r, h in reversed(profile)]
    top = [
        at(rim[0] * shrink * math.cos(a), -rim[0] * shrink * math.sin(a), rim[1])
        for a in (math.pi * i / 10 for i in range(1, 10))
    ]
    bottom = [
        at(-foot[0] * shrink * math.cos(a), foot[0] * shrink * math.sin(a), foot[1])
        for a in (math.pi * i / 10 for i in range(1, 10))
    ]
    return [*right, *top, *left, *bottom]


def radius_at(profile: Profile, height: float) -> float:
    for (r0, h0), (r1, h1) in zip(profile, profile[1:], strict=False):
        if h0 <= height <= h1:
            return r0 + (r1 - r0) * (height - h0) / (h1 - h0)
    return profile[-1][0]


def section(profile: Profile, low: float, high: float) -> Profile:
    """The part of a profile between two heights."""
    inside = [(r, h) for r, h in profile if low < h < high]
    return [(radius_at(profile, low), low), *inside, (radius_at(profile, high), high)]


def rounded(pen: Pen, profile: Profile, colour: RGB) -> None:
    """Bands over the front half of a body, light on the left, dark on the right."""
    at = pen.frame(0, 0)
    bands = 9
    for i in range(bands):
        a, b = math.pi * (1 - i / bands), math.pi * (1 - (i + 1) / bands)
        left = [at(r * math.cos(a), r * math.sin(a), h) for r, h in profile]
        right = [at(r * math.cos(b), r * math.sin(b), h) for r, h in reversed(profile)]
        pen.polygon(left + right, shade(colour, (0.9, 1.1, 1.16, 1.06, 1.0, 0.95, 0.88, 0.8, 0.72)[i]))


def solid(pen: Pen, profile: Profile, colour: RGB) -> None:
    """An opaque body of revolution."""
    pen.polygon(silhouette(pen, profile), shade(colour, 0.9))
    rounded(pen, profile, colour)
