"""What sits on or in a drink: fruit, foam, straws, leaves, an umbrella."""

from __future__ import annotations

import math

from showcase_utils.demo_world.painting.canvas import Pen, shade
from showcase_utils.demo_world.painting.glasses import silhouette
from showcase_utils.demo_world.painting.pieces import HALF_MOON, LEAF
from showcase_utils.demo_world.vocabulary import Drink


def _none(pen: Pen, drink: Drink, rim: float, top: float, high: float) -> None:
    return


def _lime(pen: Pen, drink: Drink, rim: float, top: float, high: float) -> None:
    salt = [(rim * math.cos(a), rim * math.sin(a)) for a in (math.tau * i / 30 for i in range(31))]
    pen.path(salt, top, (252, 252, 250), 0.07)
    x, y = pen.point(rim * 0.86, 0.0, top + 0.06)
    pen.dot((x, y), 0.24, (86, 150, 44))
    pen.dot((x, y), 0.2, (226, 240, 180))
    for a in (0.3, 1.35, 2.4, 3.45, 4.5, 5.55):
        pen.dot((x + 0.1 * pen.unit * math.cos(a), y + 0.1 * pen.unit * math.sin(a)), 0.062, (158, 204, 74))


def _foam(pen: Pen, drink: Drink, rim: float, top: float, high: float) -> None:
    foam = (255, 250, 236)
    pen.polygon(silhouette(pen, ((rim * 0.95, high - 0.06), (rim * 0.97, top + 0.05))), shade(foam, 0.93))
    pen.disc(0, 0, top + 0.05, rim * 0.97, foam)
    for i in range(9):
        a = i * math.tau / 9
        pen.ball(pen.point(rim * 0.72 * math.cos(a), rim * 0.72 * math.sin(a), top + 0.1), 0.16, foam)
    pen.disc(0, 0, top + 0.16, rim * 0.7, (255, 253, 246))
    pen.dot(pen.point(rim * 0.7, 0.3, high + 0.02), 0.08, shade(foam, 0.97), 255, 0.15)


def _straw(pen: Pen, drink: Drink, rim: float, top: float, high: float) -> None:
    colour = pen.rng.choice(((226, 64, 70), (46, 148, 156), (250, 250, 246)))
    start, bend = pen.point(0.05, 0.05, high - 0.02), pen.point(0.26, -0.1, top + 0.42)
    pen.tube([start, bend], 0.055, colour)
    pen.tube([bend, pen.point(0.54, -0.1, top + 0.5)], 0.055, colour)
    for t in (0.2, 0.45, 0.7):
        x, y = start[0] + (bend[0] - start[0]) * t, start[1] + (bend[1] - start[1]) * t
        pen.line(
            [(x - 0.05 * pen.unit, y), (x + 0.05 * pen.unit, y - 0.05 * pen.unit)],
            (255, 220, 210) if colour[0] < 250 else (226, 64, 70),
            0.04,
        )


def _bubbles(pen: Pen, drink: Drink, rim: float, top: float, high: float) -> None:
    rng = pen.rng
    for i in range(18):
        h = 0.1 + 0.11 * (i // 4) + rng.uniform(-0.02, 0.02)
        pen.ball(pen.point(-0.23 + 0.153 * (i % 4) + rng.uniform(-0.02, 0.02), 0.24, h), 0.075, (56, 34, 28))
    pen.tube([pen.point(0.0, 0.0, high), pen.point(0.14, -0.1, top + 0.5)], 0.1, (240, 120, 160))


def _berry(pen: Pen, drink: Drink, rim: float, top: float, high: float) -> None:
    for x, y, h, r in (
        (-0.16, 0.05, 0.06, 0.22),
        (0.16, 0.05, 0.06, 0.22),
        (0.0, 0.1, 0.12, 0.22),
        (0.0, 0.0, 0.28, 0.17),
    ):
        pen.ball(pen.point(x, y, top + h), r, (255, 250, 246))
    x, y = pen.point(0.06, 0.0, top + 0.46)
    k = pen.unit
    pen.polygon(
        [
            (x + u * k, y + v * k)
            for u, v in ((-0.17, -0.08), (0.0, -0.13), (0.17, -0.08), (0.13, 0.08), (0.0, 0.22), (-0.13, 0.08))
        ],
        (222, 32, 48),
    )
    pen.polygon(
        [
            (x + u * k, y + v * k)
            for u, v in ((-0.17, -0.1), (0, -0.06), (0.17, -0.1), (0.06, -0.16), (0.0, -0.24), (-0.06, -0.16))
        ],
        (70, 150, 60),
    )
    for u, v in ((-0.06, 0.0), (0.06, 0.0), (0.0, 0.09)):
        pen.dot((x + u * k, y + v * k), 0.02, (255, 226, 150))


def _mint(pen: Pen, drink: Drink, rim: float, top: float, high: float) -> None:
    for angle, tone in (
        (0.5, (64, 150, 70)),
        (2.4, (52, 132, 62)),
        (1.5, (92, 178, 84)),
        (-0.1, (78, 164, 76)),
        (3.2, (70, 156, 72)),
    ):
        x, y = pen.point(-0.1 + 0.16 * math.cos(angle), 0.05, top + 0.12 + 0.14 * abs(math.sin(angle)))
        c, s, k = math.cos(-angle), math.sin(-angle), 0.24 * pen.unit
        pen.polygon([(x + k * (c * u - s * v), y + k * (s * u + c * v)) for u, v in LEAF], tone)
        pen.line([(x - k * c * 0.8, y - k * s * 0.8), (x + k * c * 0.8, y + k * s * 0.8)], shade(tone, 1.35), 0.02)
    if drink.name == "lemonade":
        at = (pen.point(rim * 0.85, 0, top + 0.02), pen.unit * 0.24)
        pen.polygon([(at[0][0] + u * at[1], at[0][1] - v * at[1]) for u, v in HALF_MOON], (250, 214, 60))
        pen.polygon([(at[0][0] + u * at[1] * 0.75, at[0][1] - v * at[1] * 0.75) for u, v in HALF_MOON], (255, 246, 180))
    if drink.name == "mojito":
        for h, x in ((0.5, -0.1), (0.95, 0.12), (0.25, 0.08)):
            pen.dot(pen.point(x, 0.2, h), 0.1, (96, 170, 70), 210, 0.06)


def _umbrella(pen: Pen, drink: Drink, rim: float, top: float, high: float) -> None:
    x, y = pen.point(0.32, 0.0, top + 0.34)
    k = pen.unit
    pen.line([(x, y), pen.point(0.1, 0.0, high)], (196, 150, 96), 0.035)
    arc = [(x + 0.4 * k * math.cos(a), y - 0.26 * k * math.sin(a)) for a in (math.pi * i / 8 for i in range(9))]
    for i in range(8):
        pen.polygon(
            [arc[i], arc[i + 1], (x, y - 0.34 * k)] if i in (3, 4) else [arc[i], arc[i + 1], (x, y)],
            ((250, 190, 50), (236, 70, 90))[i % 2],
        )
    pen.polygon([*arc, (x, y)], (236, 70, 90), 60)
    pen.ball(pen.point(-rim * 0.6, 0.1, top + 0.02), 0.11, (210, 24, 44))


GARNISHES = {
    "none": _none,
    "lime": _lime,
    "foam": _foam,
    "straw": _straw,
    "bubbles": _bubbles,
    "berry": _berry,
    "mint": _mint,
    "umbrella": _umbrella,
}
