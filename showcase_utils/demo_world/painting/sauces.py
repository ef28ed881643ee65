"""Sauces: ribbons, drips, puddles and cups, with the flecks by which sauces of like colour are told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from showcase_utils.demo_world.painting.canvas import WHITE, Pen, Point, mix, shade, sunflower, wobbly
from showcase_utils.demo_world.vocabulary import RGB

FLECKS: dict[str, RGB] = {
    "tomato sauce": (40, 110, 40),  # basil
    "pesto": (236, 218, 156),  # pine nuts
    "cream sauce": (64, 58, 52),  # pepper
    "teriyaki sauce": (196, 120, 50),  # caramel
    "curry sauce": (156, 44, 14),  # paprika oil
    "yogurt sauce": (84, 146, 76),  # dill
    "black bean sauce": (116, 96, 86),  # beans
    "salsa verde": (246, 248, 220),  # seeds
    "chili sauce": (255, 208, 96),  # seeds
    "mustard": (96, 56, 12),  # grains
    "tahini": (186, 74, 34),  # paprika
    "beet sauce": (252, 204, 230),  # cream
}


def sauce_flecks(pen: Pen, places: Sequence[Point], fleck: RGB, size: float = 0.044) -> None:
    """Flecks near the given pixels."""
    for x, y in places:
        drift = size * pen.unit
        at = (x + pen.rng.uniform(-drift, drift), y + pen.rng.uniform(-drift, drift))
        pen.dot(at, size, fleck, 255, size * 0.8)


def sauce_line(pen: Pen, points: Sequence[Point], z: float, colour: RGB, fleck: RGB, width: float = 0.1) -> None:
    """A ribbon of sauce through scene points: dark edge, body, gleam."""
    pixels = [pen.point(x, y, z) for x, y in points]
    drift = 0.022 * pen.unit
    pen.line([(x + drift * 0.5, y + drift) for x, y in pixels], shade(colour, 0.55), width * 1.12, 170)
    pen.line(pixels, colour, width)
    for end in (pixels[0], pixels[-1]):
        pen.dot(end, width * 0.62, colour)
    pen.line([(x - drift * 0.6, y - drift * 0.9) for x, y in pixels], mix(colour, WHITE, 0.5), width * 0.22, 190)
    sauce_flecks(pen, pixels[1::2], fleck)


def sauce_drip(pen: Pen, top: Point, foot: Point, colour: RGB, fleck: RGB, width: float) -> None:
    """A run of sauce down a side, from pixel to pixel, ending in a drop."""
    pen.line([top, foot], colour, width)
    pen.dot(foot, width * 0.62, colour)
    for t in (0.35, 0.95):
        sauce_flecks(pen, [(top[0] + (foot[0] - top[0]) * t, top[1] + (foot[1] - top[1]) * t)], fleck)


def sauce_pool(pen: Pen, x: float, y: float, z: float, rx: float, ry: float, colour: RGB, fleck: RGB) -> None:
    """A puddle of sauce with a glossy edge."""
    outline = wobbly(pen.rng, 0.08, rx, ry)
    pen.area([(x + u, y + v + 0.02) for u, v in outline], z, shade(colour, 0.7))
    pen.area([(x + u * 0.97, y + v * 0.96) for u, v in outline], z, colour)
    pen.path([(x + u * 0.8, y + v * 0.8) for u, v in outline[9:14]], z, mix(colour, WHITE, 0.55), 0.035, 190)
    spots = sunflower(pen.rng, 16, 0.86)
    sauce_flecks(pen, [pen.point(x + u * rx, y + v * ry, z) for u, v in spots], fleck)


def sauce_dip(pen: Pen, x: float, y: float, z: float, r: float, colour: RGB, fleck: RGB) -> None:
    """A small white cup of sauce."""
    pen.disc(x + 0.06, y + 0.08, z, r * 1.05, (20, 10, 5), 70)
    for i in range(4):
        pen.disc(x, y, z + 0.05 * i, r * (0.86 + 0.045 * i), shade((238, 236, 232), 0.74 + 0.07 * i))
    top = z + 0.2
    pen.disc(x, y, top, r, (250, 249, 246))
    pen.disc(x, y, top - 0.02, r * 0.86, shade(colour, 0.72))
    pen.disc(x, y + r * 0.05, top - 0.03, r * 0.8, colour)
    arc = [(x + r * 0.5 * math.cos(t), y + r * 0.5 * math.sin(t)) for t in (3.4, 3.8, 4.2, 4.6)]
    pen.path(arc, top, mix(colour, WHITE, 0.6), 0.04, 200)
    spots = sunflower(pen.rng, 7, r * 0.62, 0.02)
    sauce_flecks(pen, [pen.point(x + u, y + v + r * 0.05, top - 0.03) for u, v in spots], fleck)
