"""Dishes of noodles, rice, leaves and liquids. Each painter fills the unit disc of its pen."""

from __future__ import annotations

import math

from showcase_utils.demo_world.painting.canvas import CIRCLE, WHITE, Pen, mix, shade, sunflower, superellipse, wobbly
from showcase_utils.demo_world.painting.pieces import LEAF, cooked
from showcase_utils.demo_world.painting.plating import Plating
from showcase_utils.demo_world.vocabulary import RGB

NORI: RGB = (26, 44, 40)


def liquid(pen: Pen, z: float, colour: RGB, gleam: bool = True) -> None:
    """A round surface of broth or gravy with a shaded rim."""
    pen.disc(0, 0, z, 1.0, shade(colour, 0.7))
    pen.disc(0.015, 0.03, z, 0.95, shade(colour, 0.9))
    pen.disc(-0.02, -0.01, z, 0.86, colour)
    if gleam:
        arc = [(0.84 * math.cos(t), 0.84 * math.sin(t)) for t in (3.5 + 0.17 * i for i in range(6))]
        pen.path(arc, z, WHITE, 0.04, 130)


def rice(pen: Pen, x: float, y: float, z: float, r: float, height: float, colour: RGB, grains: int = 40) -> None:
    """A heap of rice: a dome with grains."""
    pen.dome(x, y, z, r, height, shade(colour, 0.98), 8, dark=0.8)
    for _ in range(grains):
        a, k = pen.rng.random() * math.tau, math.sqrt(pen.rng.random())
        at = pen.point(x + k * r * 0.92 * math.cos(a), y + k * r * 0.92 * math.sin(a), z + height * (1 - k * k))
        pen.dot(at, 0.05, shade(colour, pen.rng.choice((0.86, 0.93, 1.3))), 220, 0.026)


def strands(pen: Pen, dish: Plating, z: float, radius: float, width: float, rings: int, wave: float) -> None:
    """A nest of noodles: arcs of varying tone around the middle."""
    for i in range(rings):
        r = radius * (1 - 0.8 * i / rings)
        start, bend = dish.rng.random() * math.tau, dish.rng.uniform(-0.12, 0.12)
        arc = []
        for j in range(15):
            a = start + j * 0.36
            k = r * (1 + wave * math.sin(j * 1.5 + i))
            arc.append(pen.point(k * math.cos(a) + bend, k * math.sin(a) - bend, z + 0.34 * radius * (1 - r / radius)))
        tone = shade(dish.dough, dish.rng.uniform(0.9, 1.1))
        pen.line([(x + 0.012 * pen.unit, y + 0.028 * pen.unit) for x, y in arc], shade(dish.dough, 0.55), width, 220)
        pen.line(arc, tone, width * 0.9)
        pen.line([(x, y - 0.016 * pen.unit) for x, y in arc], shade(tone, 1.3), width * 0.25, 200)


def chopsticks(pen: Pen, z: float) -> None:
    for drift in (0.0, 0.13):
        pen.tube(
            [pen.point(0.25 + drift, -0.95 + drift, z + 0.1), pen.point(1.5 + drift, -0.5 + drift, z)],
            0.035,
            (150, 60, 44),
        )


def pasta(pen: Pen, dish: Plating) -> None:
    pen.disc(0.05, 0.07, 0, 0.92, (20, 10, 5), 60)
    pen.disc(0, 0, 0.03, 0.86, shade(dish.dough, 0.72))
    strands(pen, dish, 0.05, 0.84, 0.1, 15, 0.04)
    dish.pool(0.56, 0.5, 0.3)
    dish.scatter(0.72, 0.26, 6, 10, 0.27, 0.1)


def noodles(pen: Pen, dish: Plating) -> None:
    """Stir-fried noodles in waves, sauce-brown, with chopsticks."""
    sauce = dish.sauce or dish.dough
    pen.disc(0.05, 0.07, 0, 0.95, (20, 10, 5), 60)
    pen.disc(0, 0, 0.03, 0.9, mix(shade(dish.dough, 0.6), sauce, 0.4))
    for i in range(13):
        y = -0.72 + 0.12 * i
        reach = 0.92 * math.sqrt(max(0.1, 1 - y * y))
        phase, tone = dish.rng.random() * 6, shade(mix(dish.dough, sauce, 0.12), dish.rng.uniform(0.88, 1.1))
        wave = [
            pen.point(
                -reach + reach * j / 9,
                y + 0.13 * math.sin(phase + j * 0.75),
                0.08 + 0.22 * (1 - y * y) * math.sin(math.pi * j / 18),
            )
            for j in range(19)
        ]
        pen.line([(x, v + 0.035 * pen.unit) for x, v in wave], shade(mix(dish.dough, sauce, 0.5), 0.5), 0.13)
        pen.line(wave, tone, 0.11)
        pen.line([(x, v - 0.02 * pen.unit) for x, v in wave], shade(tone, 1.3), 0.03, 200)
    dish.drizzle(0.74, 0.5, 0.34, 0.1, 6)
    dish.scatter(0.8, 0.3, 6, 11, 0.27, 0.06)
    chopsticks(pen, 0.35)


def soup_noodles(pen: Pen, dish: Plating) -> None:
    broth = mix((206, 138, 70), dish.sauce or (206, 138, 70), 0.3)
    liquid(pen, 0.0, broth)
    for i in range(7):
        x = 0.18 + 0.1 * i
        low = 0.8 * math.sqrt(max(0.05, 1 - x * x))
        wave = [pen.point(x + 0.05 * math.sin(j * 1.1 + i * 0.7), -low + 2 * low * j / 12, 0.06) for j in range(13)]
        pen.line([(u + 0.02 * pen.unit, v + 0.02 * pen.unit) for u, v in wave], shade(broth, 0.6), 0.09)
        pen.line(wave, shade(dish.dough, dish.rng.uniform(0.95, 1.15)), 0.085)
    for _ in range(8):
        x, y = dish.rng.uniform(-0.8, 0.1), dish.rng.uniform(-0.7, 0.7)
        pen.ring(x, y, 0.0, dish.rng.uniform(0.04, 0.08), (250, 214, 140), 0.016, 190)
    dish.swirl(0.34, 0.05, 0.09, -0.42, 0.4)
    dish.mains(
        [
            (-0.6, -0.2, 0.08),
            (-0.3, -0.52, 0.08),
            (-0.2, -0.08, 0.08),
            (0.1, 0.3, 0.1),
            (-0.52, 0.3, 0.08),
            (0.14, -0.62, 0.1),
        ],
        0.28,
    )
    dish.toppings([(-0.05, 0.68, 0.08), (0.42, 0.55, 0.14), (0.5, -0.5, 0.14), (0.72, 0.1, 0.14),
                   (0.45, 0.05, 0.14), (-0.75, 0.1, 0.06), (-0.3, 0.62, 0.06),
                   (-0.5, -0.62, 0.06), (0.25, 0.78, 0.1), (0.3, -0.2, 0.14)])  # fmt: skip
    chopsticks(pen, 0.2)


def soup(pen: Pen, dish: Plating) -> None:
    broth = mix(dish.dough, dish.sauce or dish.dough, 0.45)
    liquid(pen, 0.0, broth)
    for _ in range(12):
        x, y = dish.rng.uniform(-0.7, 0.7), dish.rng.uniform(-0.7, 0.7)
        pen.ring(x, y, 0.0, dish.rng.uniform(0.04, 0.09), shade(broth, 1.4), 0.018, 150)
    dish.flecks(14, 0.85, 0.0)
    dish.swirl(0.72, 0.0, 0.1)
    dish.scatter(0.84, 0.02, 6, 8, 0.28)
    spoon = [pen.point(0.55, -0.2, 0.1), pen.point(1.3, -0.85, 0.4)]
    pen.line([(x + 3, y + 4) for x, y in spoon], (30, 16, 10), 0.09, 90)
    pen.line(spoon, (206, 208, 214), 0.09)
    pen.line(spoon, (246, 248, 250), 0.03)


def curry(pen: Pen, dish: Plating) -> None:
    """Half gravy, half rice."""
    gravy = mix(dish.dough, dish.sauce or dish.dough, 0.45)
    liquid(pen, 0.0, gravy)
    rice(pen, -0.46, -0.26, 0.02, 0.52, 0.34, (250, 248, 240), 34)
    dish.flecks(14, 0.85, 0.0)
    dish.swirl(0.5, 0.03, 0.1, 0.36, 0.24)
    dish.mains(
        [
            (0.5, -0.42, 0.05),
            (0.15, -0.02, 0.05),
            (0.66, 0.06, 0.05),
            (0.36, 0.46, 0.05),
            (-0.12, 0.52, 0.05),
            (-0.55, 0.44, 0.05),
        ],
        0.28,
    )
    dish.toppings([(-0.5, -0.3, 0.36), (-0.25, -0.5, 0.26), (0.4, 0.16, 0.05), (0.12, 0.72, 0.05),
                   (0.1, -0.7, 0.05), (-0.3, 0.22, 0.06), (0.78, 0.36, 0.05),
                   (-0.68, -0.1, 0.2), (0.35, -0.15, 0.05)])  # fmt: skip


def stew(pen: Pen, dish: Plating) -> None:
    """Thick and chunky, bubbling at the rim."""
    gravy = mix(dish.dough, dish.sauce or dish.dough, 0.25)
    liquid(pen, 0.0, gravy, gleam=False)
    for _ in range(26):
        a, r = dish.rng.random() * math.tau, math.sqrt(dish.rng.random()) * 0.88
        pen.ball(
            pen.point(r * math.cos(a), r * math.sin(a), 0.02),
            dish.rng.uniform(0.06, 0.12),
            shade(gravy, dish.rng.uniform(0.8, 1.12)),
        )
    for x, y in sunflower(dish.rng, 4, 0.6):
        at = pen.frame(x, y, 0.02, 0.18, dish.rng.random() * 3)
        pen.slab(at, superellipse(0.9, 0.7, 0.6), 0.5, (228, 190, 110))
    dish.swirl(0.66, 0.08, 0.11)
    dish.scatter(0.9, 0.08, 8, 9, 0.26)


def grain_bowl(pen: Pen, dish: Plating) -> None:
    pen.disc(0, 0, 0, 0.98, shade(dish.dough, 0.75))
    rice(pen, 0, 0, 0.0, 0.96, 0.26, dish.dough, 90)
    dish.drizzle(0.62, 0.3, 0.24, 0.1, 5, 0.0, 0.02)
    dish.mains(
        [
            (-0.62, -0.22, 0.12),
            (-0.3, -0.5, 0.14),
            (0.06, -0.3, 0.24),
            (-0.3, -0.1, 0.24),
            (0.22, -0.62, 0.12),
            (-0.6, 0.2, 0.14),
            (0.5, -0.5, 0.12),
        ],
        0.28,
    )
    dish.toppings([(0.55, -0.2, 0.18), (0.4, 0.16, 0.24), (0.7, 0.14, 0.14), (0.1, 0.32, 0.24), (0.38, 0.5, 0.16),
                   (-0.12, 0.58, 0.16), (0.12, 0.7, 0.1),
                   (-0.4, 0.52, 0.14), (-0.14, 0.16, 0.26), (0.62, 0.42, 0.12)])  # fmt: skip


def mound(pen: Pen, dish: Plating) -> None:
    """Risotto: a creamy spread heap, sauce around it."""
    dish.pool(0.96, 0.92, 0.01)
    spread = wobbly(dish.rng, 0.06, 0.78, 0.76)
    pen.area(spread, 0.03, shade(dish.dough, 0.72))
    pen.area(spread, 0.1, shade(dish.dough, 0.92))
    pen.area([(x * 0.86 - 0.03, y * 0.84 - 0.04) for x, y in spread], 0.16, dish.dough)
    for _ in range(60):
        a, k = dish.rng.random() * math.tau, 0.72 * math.sqrt(dish.rng.random())
        at = pen.point(k * math.cos(a), k * math.sin(a), 0.15)
        pen.dot(at, 0.055, shade(dish.dough, dish.rng.choice((0.84, 1.4))), 210, 0.032)
    dish.scatter(0.68, 0.18, 6, 9, 0.26)


def paella(pen: Pen, dish: Plating) -> None:
    """A flat bed of yellow rice, mains like the hands of a clock."""
    pen.disc(0, 0, 0.02, 1.02, shade(dish.dough, 0.68))
    pen.disc(-0.01, -0.01, 0.05, 0.98, dish.dough)
    for _ in range(90):
        a, k = dish.rng.random() * math.tau, 0.96 * math.sqrt(dish.rng.random())
        tone = shade(dish.dough, dish.rng.choice((0.72, 0.86, 1.35)))
        pen.dot(pen.point(k * math.cos(a), k * math.sin(a), 0.05), 0.055, tone, 210, 0.03)
    dish.swirl(0.9, 0.07, 0.09)
    for i in range(9):
        a = i * math.tau / 9
        dish.mains([(0.66 * math.cos(a), 0.66 * math.sin(a), 0.08)], 0.24, a)
    dish.mains([(0.0, 0.02, 0.08)], 0.26)
    dish.toppings([(0.36 * math.cos(a), 0.36 * math.sin(a), 0.1) for a in (0.4 + i * math.tau / 5 for i in range(5))])
    dish.toppings(
        [(0.9 * math.cos(a), 0.9 * math.sin(a), 0.1) for a in (0.3 + i * math.tau / 8 for i in range(8))], 0.9
    )


def rolls(pen: Pen, dish: Plating) -> None:
    """Two rows of maki, the main ingredient in the middle of each."""
    heart = cooked(dish.main_colour, dish.mark)
    spots = [(x, y) for y in (-0.5, 0.08) for x in (-0.72, -0.24, 0.24, 0.72)]
    for x, y in spots:
        at = pen.frame(x, y, 0.0, 0.25)
        pen.polygon([at(u * 1.05 + 0.25, v * 1.05 + 0.3) for u, v in CIRCLE], (20, 10, 5), 80)
        for w in (0.0, 0.5, 1.0):
            pen.polygon([at(u, v, w) for u, v in CIRCLE], shade(NORI, 0.8 + 0.3 * w))
        pen.polygon([at(u * 0.86, v * 0.86, 1.0) for u, v in CIRCLE], dish.dough)
        pen.polygon([at(u * 0.5, v * 0.5, 1.0) for u, v in CIRCLE], shade(heart, 0.8))
        pen.polygon([at(u * 0.46 - 0.04, v * 0.46 - 0.05, 1.0) for u, v in CIRCLE], heart)
    dish.drizzle(0.9, 0.14, 0.3, 0.08, 6, 0, -0.5)
    dish.mains([(x, y, 0.28) for x, y in spots[1::2]], 0.21)
    dish.mains([(-0.62, 0.64, 0.02), (-0.2, 0.7, 0.02), (0.2, 0.62, 0.02)], 0.25)
    dish.toppings([(x + 0.05, y - 0.02, 0.32) for x, y in spots[::2]], 0.95)
    dish.toppings([(-0.4, 0.46, 0.02), (0.42, 0.44, 0.02), (-0.05, 0.46, 0.02), (0.9, -0.2, 0.02), (-0.92, -0.2, 0.02)])
    dish.dip(0.68, 0.62, 0.0, 0.3)


def dumplings(pen: Pen, dish: Plating) -> None:
    """Pleated crescents in a wheel around the dip, the main ingredient peeping out."""
    crescent = [(math.cos(a), 0.62 * math.sin(a) - 0.2) for a in (math.pi * i / 14 for i in range(15))]
    for i in sorted(range(6), key=lambda i: math.sin(i * math.tau / 6 + 0.5)):
        a = i * math.tau / 6 + 0.5
        x, y = 0.64 * math.cos(a), 0.62 * math.sin(a)
        at = pen.frame(x, y, 0.02, 0.4, a - math.pi / 2)
        pen.slab(at, [*crescent, (-0.4, -0.42), (0.4, -0.42)], 0.45, dish.dough)
        for u in (-0.75, -0.45, -0.15, 0.15, 0.45, 0.75):
            v = 0.62 * math.sqrt(1 - u * u) - 0.2
            pen.line([at(u, v, 0.4), at(u * 0.72, v - 0.3, 0.5)], shade(dish.dough, 0.72), 0.035)
        pen.line([at(u, v + 0.02, 0.45) for u, v in crescent], shade(dish.dough, 1.5), 0.03)
        dish.mains([(x * 0.86, y * 0.86, 0.24)], 0.215, a + math.pi / 2)
    dish.toppings([(0.98 * math.cos(a), 0.96 * math.sin(a), 0.02) for a in (0.02 + i * math.tau / 6 for i in range(6))])
    dish.toppings(
        [(0.5 * math.cos(a), 0.48 * math.sin(a), 0.1) for a in (1.05 + i * math.tau / 3 for i in range(3))], 0.9
    )
    dish.dip(0.0, -0.02, 0.02, 0.3)


def salad(pen: Pen, dish: Plating) -> None:
    pen.disc(0.03, 0.06, 0, 0.96, shade(dish.dough, 0.45))
    for i in range(40):
        r = 0.9 * math.sqrt(1 - i / 44)
        a = i * 2.399963
        at = pen.frame(r * math.cos(a), r * math.sin(a), 0.04 + 0.22 * i / 40, 0.3, a + dish.rng.uniform(-0.7, 0.7))
        tone = mix(shade(dish.dough, dish.rng.uniform(0.75, 1.15)), (188, 216, 110), 0.3 * (i % 3 == 0))
        ruffle = [(u * (1.1 if j % 2 else 0.94), v * (1.5 if j % 2 else 1.15)) for j, (u, v) in enumerate(LEAF)]
        pen.polygon([at(u + 0.08, v + 0.14) for u, v in ruffle], (16, 36, 10), 90)
        pen.polygon([at(u, v) for u, v in ruffle], tone)
        pen.line([at(-0.9, 0), at(0.7, 0)], shade(tone, 1.4), 0.03)
    dish.drizzle(0.66, 0.46, 0.3, 0.1, 5)
    dish.scatter(0.84, 0.22, 7, 13, 0.27, 0.1)
