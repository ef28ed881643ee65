"""Dishes built on bread and dough. Each painter fills the unit disc of its pen."""

from __future__ import annotations

import math

from showcase_utils.demo_world.painting.canvas import CIRCLE, Pen, Point, mix, shade, wobbly
from showcase_utils.demo_world.painting.pieces import cooked
from showcase_utils.demo_world.painting.plating import Plating
from showcase_utils.demo_world.vocabulary import RGB

TOAST: RGB = (150, 88, 36)
LETTUCE: RGB = (134, 188, 82)


def tacos(pen: Pen, dish: Plating) -> None:
    """Three folded shells lying side by side, round edge up, filled along the round edge."""
    r = 0.62
    arc = [(math.cos(a), -math.sin(a)) for a in (math.pi * i / 16 for i in range(17))]
    for x, y, turn in ((-0.44, -0.2, -0.3), (0.46, -0.14, 0.26), (0.02, 0.62, -0.05)):
        at = pen.frame(x, y, 0.04, r, turn)
        pen.polygon([at(u * 1.1 + 0.12, v * 1.1 + 0.3) for u, v in arc], (20, 10, 5), 80)
        pen.polygon([at(u * 1.04, v * 1.1 - 0.02, 0.15) for u, v in arc], shade(dish.dough, 0.7))
        ruffle = [at(u * (1.0 + 0.07 * (i % 2)), v * (1.0 + 0.07 * (i % 2)), 0.2) for i, (u, v) in enumerate(arc)]
        pen.line(ruffle, LETTUCE, 0.12)
        filling = [(0.66 * math.cos(a), -0.74 * math.sin(a)) for a in (0.42, 1.0, 1.57, 2.14, 2.72)]
        dish.mains([spot_on(x, y, turn, r * 1.2 * u, r * 1.2 * v, 0.16) for u, v in filling], 0.235)
        on_top = [(0.92 * math.cos(a), -0.96 * math.sin(a)) for a in (0.7, 1.3, 1.85, 2.45)]
        dish.toppings([spot_on(x, y, turn, r * u, r * v, 0.24) for u, v in on_top], 0.9)
        shell = [at(u * 0.98, v * 0.8 + 0.16, 0.2) for u, v in arc]
        pen.polygon([(px, py - 2) for px, py in shell], shade(dish.dough, 1.3))
        pen.polygon(shell, shade(dish.dough, 0.84))
        pen.polygon([at(u * 0.94 - 0.02, v * 0.75 + 0.12, 0.2) for u, v in arc], dish.dough)
        for u, v in ((-0.5, -0.05), (0.1, -0.35), (0.55, 0.0), (-0.1, 0.02), (-0.25, -0.35), (0.35, -0.2)):
            pen.dot(at(u, v, 0.2), 0.045, TOAST, 110, 0.032)
        for u, drop in ((-0.45, 0.1), (-0.05, 0.0), (0.38, 0.06)):
            dish.drip(at(u, -0.72, 0.25), at(u, drop, 0.2), 0.095)


def burrito(pen: Pen, dish: Plating) -> None:
    """Two halves in foil, cut faces towards the lower right."""
    k = pen.unit
    for x, y in ((-0.16, -0.36), (0.02, 0.36)):
        at = pen.frame(x, y, 0.2, 1.0, 0.16)
        pen.tube([at(-0.7, 0), at(0.52, 0)], 0.31, dish.dough)
        for u, v in ((-0.2, -0.16), (0.02, 0.1), (0.22, -0.14), (0.3, 0.12), (-0.1, 0.12)):
            pen.dot(at(u, v), 0.07, TOAST, 110, 0.045)
        pen.tube([at(-0.74, 0), at(-0.3, 0)], 0.32, (196, 202, 210), caps=False)
        for u in (-0.66, -0.54, -0.42, -0.3):
            pen.line([at(u, -0.36), at(u + 0.06, -0.05), at(u - 0.03, 0.34)], (244, 247, 250), 0.03, 210)
        cx, cy = at(0.52, 0.02)
        filling = cooked(dish.main_colour, dish.mark)
        for share, tone in (
            (1.0, shade(dish.dough, 1.3)),
            (0.84, (250, 246, 234)),
            (0.6, shade(filling, 0.8)),
            (0.52, filling),
        ):
            pen.polygon([(cx + 0.23 * k * share * u, cy + 0.32 * k * share * v) for u, v in CIRCLE], tone)
    dish.mains(
        [
            (0.46, -0.22, 0.24),
            (0.66, 0.5, 0.2),
            (0.86, -0.3, 0.0),
            (0.92, 0.12, 0.0),
            (0.86, 0.62, 0.0),
            (0.4, 0.86, 0.0),
        ],
        0.25,
    )
    dish.drizzle(0.44, 0.14, 0.5, 0.1, 4, -0.06, -0.4)
    dish.drizzle(0.44, 0.14, 0.5, 0.1, 4, 0.12, 0.32)
    dish.toppings([(0.7, -0.05, 0.1), (0.98, 0.4, 0), (0.2, 0.02, 0.3), (-0.4, 0.86, 0), (0.05, 0.9, 0),
                   (-0.86, 0.1, 0), (-0.25, -0.5, 0.5),
                   (0.08, 0.24, 0.5), (0.3, -0.82, 0), (0.7, -0.62, 0), (0.1, -0.34, 0.5),
                   (-0.2, 0.38, 0.5)])  # fmt: skip


def burger(pen: Pen, dish: Plating) -> None:
    pen = dish.pen = pen.inner(y=0.24, scale=0.86)
    r = 0.74
    pen.disc(0.12, 0.16, 0, r * 1.08, (20, 10, 5), 70)
    for i in range(4):
        pen.disc(0, 0, 0.06 * i, r * (0.94 + 0.02 * i), shade(dish.dough, 0.7 + 0.1 * i))
    frill = [(x * r * (1.14 if i % 2 else 1.0), y * r * (1.14 if i % 2 else 1.0)) for i, (x, y) in enumerate(CIRCLE)]
    pen.area(frill, 0.26, shade(LETTUCE, 0.75))
    pen.area(frill, 0.3, LETTUCE)
    patty = cooked(dish.main_colour, dish.mark)
    for i in range(4):
        pen.disc(0, 0, 0.34 + 0.05 * i, r * 1.02, shade(patty, 0.62 + 0.11 * i))
    front = [0.1 + i * 0.42 for i in range(8)]
    dish.mains([(0.92 * r * math.cos(a), 0.92 * r * math.sin(a), 0.46) for a in front], 0.27)
    if dish.sauce is not None:
        pen.disc(0, 0, 0.62, r * 0.98, dish.sauce)
        for a in (0.3, 0.85, 1.4, 1.95, 2.6):
            x, y = r * math.cos(a), r * math.sin(a)
            drop = dish.rng.uniform(0.16, 0.3)
            dish.drip(pen.point(x * 0.96, y * 0.96, 0.62), pen.point(x * 1.05, y * 1.05, 0.62 - drop), 0.14)
    dish.toppings(
        [(0.92 * r * math.cos(a), 0.92 * r * math.sin(a), 0.66) for a in (0.0, 0.7, 1.25, 1.85, 2.5, 3.1)], 1.0
    )
    pen.dome(-0.02, -0.06, 0.78, r * 0.98, 0.42, dish.dough, 12)
    pen.dot(pen.point(-0.28, -0.3, 1.12), 0.14, shade(dish.dough, 1.6), 150, 0.07)
    dish.toppings([(0.98, 0.3, 0), (-0.95, 0.35, 0), (0.75, 0.8, 0), (-0.7, 0.78, 0), (0.1, 1.0, 0)], 0.95)


def sandwich(pen: Pen, dish: Plating) -> None:
    pen = dish.pen = pen.inner(y=0.26, scale=0.84)
    crust, crumb = shade(dish.dough, 0.72), mix(dish.dough, (255, 248, 232), 0.45)
    for x, y, turn in ((-0.26, -0.46, 0.12), (0.2, 0.44, -0.1)):
        at = pen.frame(x, y, 0, 1.0, turn)
        corner = ((-0.88, 0.24), (0.88, 0.24), (0.0, -0.62))
        pen.polygon([at(u + 0.08, v + 0.1) for u, v in corner], (20, 10, 5), 80)

        def face(low: float, high: float, tone: RGB, bulge: float = 0.0, at=at) -> None:
            pen.polygon(
                [
                    at(-0.88, 0.24, low),
                    at(0.88, 0.24, low),
                    at(0.88, 0.24 + bulge, high),
                    at(-0.88, 0.24 + bulge, high),
                ],
                tone,
            )

        face(0.0, 0.2, crumb)
        pen.line([at(-0.88, 0.24, 0.01), at(0.88, 0.24, 0.01)], crust, 0.05)
        face(0.2, 0.58, shade(cooked(dish.main_colour, dish.mark), 0.8))
        pen.line([at(-0.88 + 0.22 * i, 0.25 + 0.04 * (i % 2), 0.22 + 0.03 * (i % 2)) for i in range(9)], LETTUCE, 0.1)
        reach = [spot_on(x, y, turn, u, 0.24, 0.38) for u in (-0.66, -0.22, 0.22, 0.66)]
        dish.mains(reach, 0.215, 0.0)
        dish.toppings([spot_on(x, y, turn, u, 0.32, 0.52) for u in (-0.46, 0.44, 0.0)], 0.85)
        dish.drip(at(-0.84, 0.28, 0.58), at(0.84, 0.28, 0.58), 0.11)
        for u, drop in ((-0.5, 0.42), (0.1, 0.46), (0.6, 0.4)):
            dish.drip(at(u, 0.3, 0.58), at(u, 0.3, drop), 0.09)
        face(0.6, 0.8, crumb)
        top = [at(u, v, 0.8) for u, v in corner]
        pen.polygon(top, crust)
        pen.polygon([at(u * 0.88, v * 0.86 - 0.01, 0.8) for u, v in corner], dish.dough)
        for u, v in ((-0.35, 0.1), (0.3, 0.06), (0.0, -0.2), (0.02, 0.12)):
            pen.dot(at(u, v, 0.8), 0.1, TOAST, 90, 0.05)
        pen.line([top[0], top[1]], shade(crust, 0.85), 0.035)
    dish.toppings([(-0.8, 0.55, 0), (-0.5, 0.85, 0), (0.85, -0.35, 0), (0.7, 0.9, 0), (-0.75, 0.2, 0), (0.9, 0.0, 0)])


def spot_on(x: float, y: float, turn: float, u: float, v: float, z: float) -> tuple[float, float, float]:
    """Scene coordinates of the local point (u, v) of something at (x, y) turned by ``turn``."""
    c, s = math.cos(turn), math.sin(turn)
    return (x + c * u - s * v, y + s * u + c * v, z)


def pizza(pen: Pen, dish: Plating) -> None:
    crust = wobbly(dish.rng, 0.03, 1.08, 1.08, 28)
    pen.shadow(crust, 0, 0.07)
    pen.area(crust, 0.02, shade(dish.dough, 0.66))
    pen.area(crust, 0.08, dish.dough)
    pen.area([(x * 0.95 - 0.01, y * 0.95 - 0.015) for x, y in crust], 0.1, shade(dish.dough, 1.12))
    for _ in range(12):
        a = dish.rng.random() * math.tau
        pen.dot(pen.point(1.0 * math.cos(a), 1.0 * math.sin(a), 0.1), 0.06, TOAST, 130, 0.04)
    sauce = dish.sauce or (216, 120, 60)
    pen.area([(x * 0.86, y * 0.86) for x, y in crust], 0.07, shade(sauce, 0.85))
    pen.area([(x * 0.83, y * 0.83) for x, y in crust], 0.07, sauce)
    for _ in range(9):
        a, r = dish.rng.random() * math.tau, 0.75 * math.sqrt(dish.rng.random())
        melt = wobbly(dish.rng, 0.25, 0.2, 0.15, 10)
        pen.area([(r * math.cos(a) + u, r * math.sin(a) + v) for u, v in melt], 0.08, (255, 236, 176), 225)
    dish.flecks(24, 0.86, 0.09)
    dish.scatter(0.84, 0.09, 8, 14, 0.25)
    for i in range(3):
        a = 0.4 + i * math.pi / 3
        pen.path(
            [(1.05 * math.cos(a), 1.05 * math.sin(a)), (-1.05 * math.cos(a), -1.05 * math.sin(a))],
            0.1,
            (110, 62, 24),
            0.022,
            150,
        )


def flatbread(pen: Pen, dish: Plating) -> None:
    shape = [(x * (1.16 - 0.2 * x), y * 0.84) for x, y in wobbly(dish.rng, 0.06, 1, 1, 24)]
    pen.shadow(shape, 0, 0.07)
    pen.area(shape, 0.02, shade(dish.dough, 0.68))
    pen.area(shape, 0.08, dish.dough)
    pen.area([(x * 0.9 - 0.02, y * 0.88 - 0.02) for x, y in shape], 0.08, shade(dish.dough, 1.2))
    dish.toast(1.0, 0.76, 0.08, TOAST, 13)
    dish.drizzle(0.92, 0.56, 0.1, 0.11, 6)
    dish.mains(
        [
            (x, y, 0.1)
            for x, y in (
                (-0.68, 0.05),
                (-0.32, -0.36),
                (-0.25, 0.3),
                (0.12, -0.02),
                (0.42, -0.38),
                (0.5, 0.32),
                (0.8, 0.0),
            )
        ],
        0.25,
    )
    dish.toppings([(u * 0.96, v * 0.56, 0.14) for u, v in _ring_spots(dish, 12)])


def _ring_spots(dish: Plating, count: int) -> list[Point]:
    start = dish.rng.random() * math.tau
    return [
        (
            (0.45 + 0.5 * (i % 2)) * math.cos(start + i * math.tau / count),
            (0.45 + 0.5 * (i % 2)) * math.sin(start + i * math.tau / count),
        )
        for i in range(count)
    ]


def pita(pen: Pen, dish: Plating) -> None:
    """Two pockets, round side down, filling bursting out of the straight edge on top."""
    for x, y, turn in ((-0.48, -0.2, -0.22), (0.46, 0.22, 0.2)):
        at = pen.frame(x, y, 0.1, 1.0, turn)
        moon = [(0.62 * math.cos(a), 0.98 * math.sin(a) - 0.1) for a in (math.pi * i / 16 for i in range(17))]
        back = [(0.62 * math.cos(a), -0.42 * math.sin(a) - 0.1) for a in (math.pi * i / 10 for i in range(11))]
        pen.polygon([at(u + 0.08, v + 0.1) for u, v in moon], (20, 10, 5), 80)
        pen.polygon([at(u, v, 0.12) for u, v in back], shade(dish.dough, 0.78))
        pen.line(
            [at(u, -0.22 + 0.05 * (i % 2), 0.15) for i, u in enumerate((-0.5, -0.3, -0.1, 0.1, 0.3, 0.5))], LETTUCE, 0.2
        )
        dish.mains(
            [
                spot_on(x, y, turn, u, v, 0.26)
                for u, v in ((-0.38, -0.26), (0.0, -0.4), (0.38, -0.26), (-0.18, -0.12), (0.2, -0.12))
            ],
            0.25,
        )
        dish.toppings(
            [
                spot_on(x, y, turn, u, v, 0.34)
                for u, v in ((-0.28, -0.42), (0.22, -0.42), (0.42, -0.12), (-0.42, -0.12), (0.02, -0.2))
            ],
            0.95,
        )
        pen.polygon([at(u, v) for u, v in moon], shade(dish.dough, 0.72))
        pen.polygon([at(u * 0.97, v * 0.96, 0.1) for u, v in moon], dish.dough)
        pen.polygon([at(u * 0.8 - 0.04, v * 0.8, 0.1) for u, v in moon], shade(dish.dough, 1.22))
        for u, v in ((-0.2, 0.3), (0.2, 0.2), (0.05, 0.55), (-0.32, 0.1), (0.3, 0.45)):
            pen.dot(at(u, v, 0.1), 0.07, TOAST, 110, 0.045)
        for u, drop in ((-0.4, 0.2), (-0.12, 0.38), (0.16, 0.26), (0.42, 0.2)):
            dish.drip(at(u, -0.16, 0.16), at(u, drop, 0.12), 0.13)
