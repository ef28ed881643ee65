"""Dishes of egg, meat, potatoes, sticks and rolls. Each painter fills the unit disc of its pen."""

from __future__ import annotations

import math

from showcase_utils.demo_world.painting.canvas import CIRCLE, Pen, mix, shade, superellipse, wobbly
from showcase_utils.demo_world.painting.dishes_bread import LETTUCE, TOAST, spot_on
from showcase_utils.demo_world.painting.pieces import cooked
from showcase_utils.demo_world.painting.plating import Plating


def omelette(pen: Pen, dish: Plating) -> None:
    moon = [(0.98 * math.cos(a), -0.95 * math.sin(a) + 0.3) for a in (math.pi * i / 20 for i in range(21))]
    under = [(0.98 * math.cos(a), 0.3 * math.sin(a) + 0.3) for a in (math.pi * i / 12 for i in range(13))]
    pen.shadow([*moon, *under[::-1]], 0, 0.08)
    pen.area(under, 0.04, shade(dish.dough, 0.75))
    pen.area([(x * 0.96, y - 0.03) for x, y in under], 0.08, dish.dough)
    dish.mains([(x, 0.4 - 0.1 * x * x, 0.1) for x in (-0.68, -0.35, 0.0, 0.35, 0.68)], 0.25)
    pen.area(moon, 0.1, shade(dish.dough, 0.7))
    pen.area([(x, y - 0.03) for x, y in moon], 0.22, dish.dough)
    pen.area([(x * 0.82 - 0.03, (y - 0.3) * 0.74 + 0.18) for x, y in moon], 0.24, shade(dish.dough, 1.25))
    for x, y in ((-0.5, -0.1), (0.1, -0.36), (0.5, -0.05), (-0.1, 0.05)):
        pen.dot(pen.point(x, y, 0.24), 0.15, (214, 140, 44), 110, 0.06)
    dish.drizzle(0.72, 0.2, 0.28, 0.11, 5, 0, -0.16)
    dish.mains([(-0.36, -0.28, 0.26), (0.34, -0.26, 0.26), (-0.02, 0.06, 0.26)], 0.21)
    dish.toppings([(-0.6, 0.66, 0.05), (-0.2, 0.76, 0.05), (0.25, 0.74, 0.05), (0.62, 0.6, 0.05),
                   (-0.55, 0.02, 0.26), (0.55, 0.04, 0.26),
                   (0.02, -0.46, 0.26), (0.2, -0.1, 0.26), (-0.2, -0.08, 0.26)])  # fmt: skip


def crepe(pen: Pen, dish: Plating) -> None:
    """Two crepes folded into quarters, filling showing at the open edge."""
    for x, y, turn in ((-0.4, -0.32, -0.3), (0.22, 0.26, 0.16)):
        at = pen.frame(x, y, 0, 1.0, turn)
        fan = [
            (0.0, -0.62),
            *((1.26 * math.sin(a), 1.26 * math.cos(a) - 0.62) for a in (-0.72 + 0.12 * i for i in range(13))),
        ]
        pen.polygon([at(u + 0.07, v + 0.09) for u, v in fan], (20, 10, 5), 75)
        pen.polygon([at(u, v, 0.0) for u, v in fan], shade(dish.dough, 0.66))
        pen.polygon([at(u, v, 0.09) for u, v in fan], shade(dish.dough, 0.95))
        dish.mains(
            [spot_on(x, y, turn, u, v, 0.14) for u, v in ((-0.52, 0.3), (-0.18, 0.44), (0.18, 0.44), (0.52, 0.3))],
            0.23,
        )
        pen.polygon([at(u * 0.96, (v + 0.62) * 0.8 - 0.6, 0.2) for u, v in fan], shade(dish.dough, 0.72))
        pen.polygon([at(u * 0.94, (v + 0.62) * 0.78 - 0.6, 0.24) for u, v in fan], dish.dough)
        for radius in (0.4, 0.62, 0.82):
            arc = [
                at(radius * math.sin(a), radius * math.cos(a) - 0.58, 0.24) for a in (-0.6 + 0.2 * i for i in range(7))
            ]
            pen.line(arc, TOAST, 0.055, 100)
        zigzag = (((0.1 + 0.06 * i) * (1 if i % 2 else -1), -0.35 + 0.1 * i) for i in range(7))
        dish.ribbon([spot_on(x, y, turn, u, v, 0)[:2] for u, v in zigzag], 0.26)
    dish.toppings([(-0.75, 0.45, 0), (-0.5, 0.7, 0), (0.85, -0.2, 0), (0.72, -0.5, 0), (0.1, 0.2, 0.28),
                   (0.4, 0.5, 0.28), (-0.5, -0.3, 0.28),
                   (-0.25, 0.9, 0), (0.2, 0.42, 0.28), (0.5, -0.75, 0)])  # fmt: skip


def cutlet(pen: Pen, dish: Plating) -> None:
    """A thick steak of the main ingredient, fanned slices of it, mash and green beans."""
    for i in range(7):
        pen.tube(
            [pen.point(-0.1 + 0.02 * i, -0.78 + 0.07 * i, 0.05), pen.point(0.8, -0.62 + 0.06 * i, 0.05)],
            0.05,
            (84, 142, 62),
        )
    pen.dome(-0.55, -0.5, 0.02, 0.42, 0.3, (250, 236, 190), 6)
    dish.pool(0.82, 0.5, 0.01, 0.02, 0.28)
    at = pen.frame(-0.12, 0.18, 0.02, 1.0, -0.12)
    steak = [(u * (0.72 + 0.12 * (u > 0)), v * 0.46 - 0.08 * u) for u, v in wobbly(dish.rng, 0.05, 1, 1, 20)]
    meat = mix(cooked(dish.main_colour, dish.mark), dish.dough, 0.2)
    pen.slab(at, steak, 0.22, meat)
    pen.line([at(u * 0.94, v * 0.94, 0.22) for u, v in steak[10:17]], shade(meat, 1.3), 0.06, 200)
    if dish.mark == "stripes":
        for u in (-0.5, -0.22, 0.06, 0.34):
            pen.line([at(u - 0.1, -0.32, 0.22), at(u + 0.16, 0.32, 0.22)], (46, 20, 10), 0.055, 235)
    dish.mains(
        [
            (0.5, 0.3, 0.12),
            (0.7, 0.42, 0.08),
            (0.3, 0.62, 0.05),
            (-0.3, 0.1, 0.26),
            (-0.02, 0.3, 0.26),
            (-0.62, 0.5, 0.04),
        ],
        0.24,
        0.4,
    )
    dish.drizzle(0.5, 0.12, 0.3, 0.09, 4, -0.2, 0.16)
    dish.toppings([(0.85, 0.05, 0.02), (-0.85, 0.1, 0.02), (0.0, 0.82, 0.02), (0.6, 0.76, 0.02),
                   (-0.5, 0.78, 0.02), (-0.4, 0.3, 0.28),
                   (-0.5, -0.48, 0.32), (0.4, -0.5, 0.1)])  # fmt: skip


def fries(pen: Pen, dish: Plating) -> None:
    pen.disc(0.05, 0.08, 0, 0.92, (20, 10, 5), 60)
    for i in range(34):
        a, r = dish.rng.random() * math.tau, 0.72 * math.sqrt(dish.rng.random())
        x, y, z = r * math.cos(a) - 0.05, r * math.sin(a), 0.02 + 0.3 * i / 34
        turn, tone = dish.rng.uniform(-1.2, 1.2), shade(dish.dough, dish.rng.uniform(0.88, 1.15))
        u, v = 0.32 * math.cos(turn), 0.32 * math.sin(turn)
        pen.tube([pen.point(x - u, y - v, z), pen.point(x + u, y + v, z)], 0.075, tone, caps=False)
    dish.drizzle(0.55, 0.4, 0.4, 0.09, 4, -0.15, -0.1)
    dish.mains(
        [
            (-0.5, -0.3, 0.36),
            (-0.1, -0.45, 0.38),
            (-0.45, 0.2, 0.36),
            (0.0, 0.0, 0.42),
            (-0.1, 0.5, 0.34),
            (0.38, -0.25, 0.36),
        ],
        0.25,
    )
    dish.toppings([(-0.3, -0.05, 0.42), (0.2, -0.5, 0.38), (0.25, 0.2, 0.4), (-0.6, 0.0, 0.36),
                   (-0.25, 0.4, 0.38), (-0.3, -0.6, 0.34), (0.6, -0.1, 0.3),
                   (0.1, 0.65, 0.3), (-0.7, 0.4, 0.28)])  # fmt: skip
    dish.dip(0.6, 0.5, 0.12, 0.36)


def skewers(pen: Pen, dish: Plating) -> None:
    bed = list(superellipse(0.95, 0.8, 0.7))
    pen.area([(x * 0.9, y * 0.86) for x, y in bed], 0.02, mix(LETTUCE, dish.dough, 0.2), 200)
    dish.pool(0.62, 0.5, 0.02)
    for y in (-0.52, 0.02, 0.56):
        tilt = dish.rng.uniform(-0.06, 0.06)
        pen.tube([pen.point(-1.12, y - tilt, 0.1), pen.point(1.2, y + tilt, 0.1)], 0.045, shade(dish.dough, 1.15))
        dish.mains([(u, y + tilt * u, 0.1) for u in (-0.66, -0.24, 0.18, 0.6)], 0.255, 1.35)
        dish.ribbon([(-0.75 + 0.19 * i, y + 0.09 * (1 if i % 2 else -1)) for i in range(9)], 0.3, 0.07)
    dish.toppings([(-0.45, -0.25, 0.05), (0.4, -0.28, 0.05), (0.0, 0.28, 0.05), (0.78, 0.3, 0.05),
                   (-0.75, 0.28, 0.05), (-0.02, -0.26, 0.05),
                   (0.4, 0.3, 0.05), (-0.4, 0.3, 0.05), (0.8, -0.28, 0.05)], 1.0)  # fmt: skip


def spring_rolls(pen: Pen, dish: Plating) -> None:
    for x, y, z in (
        (-0.22, -0.4, 0.1),
        (-0.18, -0.02, 0.1),
        (-0.26, 0.38, 0.1),
        (-0.16, -0.22, 0.4),
        (-0.2, 0.18, 0.4),
    ):
        start, end = pen.point(x - 0.62, y - 0.06, z), pen.point(x + 0.56, y + 0.06, z)
        pen.tube([start, end], 0.22, dish.dough)
        for t in (0.25, 0.5, 0.75):
            px, py = start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t
            pen.dot((px, py - 0.06 * pen.unit), 0.09, TOAST, 90, 0.03)
        k = pen.unit
        pen.polygon([(end[0] + u * k * 0.18, end[1] + v * k * 0.22) for u, v in CIRCLE], shade(dish.dough, 1.2))
        pen.polygon(
            [(end[0] + u * k * 0.13, end[1] + v * k * 0.17) for u, v in CIRCLE],
            shade(cooked(dish.main_colour, dish.mark), 0.95),
        )
    dish.mains(
        [
            (0.5, -0.5, 0.05),
            (0.86, -0.1, 0.05),
            (0.72, 0.26, 0.05),
            (0.1, 0.78, 0.05),
            (-0.3, 0.8, 0.05),
            (0.2, -0.76, 0.05),
        ],
        0.25,
    )
    dish.dip(0.72, 0.72, 0.02, 0.34)
    dish.toppings([(-0.4, -0.2, 0.66), (0.0, -0.22, 0.66), (-0.45, 0.18, 0.66), (0.0, 0.2, 0.66),
                   (-0.7, 0.72, 0.02), (-0.2, -0.76, 0.02), (0.85, 0.6, 0.02),
                   (0.88, -0.5, 0.02), (0.35, 0.5, 0.1)])  # fmt: skip
