"""Desserts: an outline in two colours on a plate."""

from __future__ import annotations

import math
import random

from showcase_utils.demo_world.painting.canvas import CIRCLE, WHITE, Pen, mix, shade, sunflower, superellipse, wobbly
from showcase_utils.demo_world.painting.dishes_bowl import rice
from showcase_utils.demo_world.painting.pieces import LEAF
from showcase_utils.demo_world.painting.sauces import sauce_dip
from showcase_utils.demo_world.painting.table import clutter, serve_in, table_top
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.vocabulary import DESSERTS, RGB, VESSELS, Dessert


def paint_dessert(scene: Scene, rng: random.Random, width: int, height: int) -> Pen:
    dessert = DESSERTS[scene.dessert]
    pen = Pen(
        rng, width, height, (128, 112, 96), rng.uniform(0.6, 0.74), rng.uniform(-0.3, 0.3), zoom=rng.uniform(0.43, 0.5)
    )
    pen.origin = (pen.width * rng.uniform(0.46, 0.54), pen.height * rng.uniform(0.5, 0.57))
    table_top(pen)
    clutter(pen)
    inside = serve_in(pen, VESSELS[scene.vessel or "white plate"], needs_rim=False)
    SHAPES[dessert.shape](inside, dessert)
    return pen


def _mint_sprig(pen: Pen, x: float, y: float, z: float) -> None:
    for angle in (-0.5, 0.6, 2.2):
        at = pen.frame(x + 0.1 * math.cos(angle), y + 0.1 * math.sin(angle), z, 0.16, angle)
        pen.polygon([at(u, v) for u, v in LEAF], (70, 158, 74))
        pen.line([at(-0.8, 0), at(0.8, 0)], (160, 214, 130), 0.02)


def _cake(pen: Pen, dessert: Dessert) -> None:
    """A wedge on its side: layers, icing on top, what the cake is named after."""
    at = pen.frame(0.04, 0.04, 0, 1.0, 0.12)
    wedge = ((-0.86, 0.34), (0.72, 0.5), (0.5, -0.62))
    height = 0.66
    pen.polygon([at(u + 0.12, v + 0.12) for u, v in wedge], (20, 10, 5), 90)

    def wall(low: float, high: float, tone: RGB) -> None:
        pen.polygon([at(*wedge[0], low), at(*wedge[1], low), at(*wedge[1], high), at(*wedge[0], high)], tone)
        pen.polygon(
            [at(*wedge[1], low), at(*wedge[2], low), at(*wedge[2], high), at(*wedge[1], high)], shade(tone, 0.76)
        )

    icing = dessert.accent
    if dessert.name == "cheesecake":
        wall(0.0, 0.14, icing)
        wall(0.14, height, dessert.colour)
    else:
        for i in range(3):
            wall(i * height / 3, (i + 0.76) * height / 3, dessert.colour)
            wall((i + 0.76) * height / 3, (i + 1) * height / 3, icing)
    top_tone = mix(icing, dessert.colour, 0.5) if dessert.name == "cheesecake" else icing
    pen.polygon([at(*p, height) for p in wedge], shade(top_tone, 1.0 if sum(icing) > 300 else 1.12))
    pen.line([at(*wedge[0], height), at(*wedge[1], height)], shade(top_tone, 1.3), 0.05)
    x, y = at(0.2, 0.05, height + 0.06)
    if dessert.name == "chocolate cake":
        pen.ball((x, y), 0.17, (206, 28, 46))
        pen.line([(x, y - 0.14 * pen.unit), (x + 0.08 * pen.unit, y - 0.3 * pen.unit)], (90, 120, 50), 0.03)
        for u in (-0.5, -0.2, 0.1, 0.4):
            pen.line(
                [at(u, 0.36 + 0.1 * u, height), at(u + 0.02, 0.38 + 0.1 * u, height - 0.2 - 0.1 * (u > 0))],
                shade(icing, 1.15),
                0.1,
            )
    elif dessert.name == "carrot cake":
        k = pen.unit
        pen.polygon(
            [(x - 0.22 * k, y + 0.04 * k), (x + 0.12 * k, y - 0.12 * k), (x + 0.16 * k, y + 0.06 * k)], (242, 120, 32)
        )
        for v in (-0.14, -0.02, 0.1):
            pen.line([(x + 0.13 * k, y - 0.02 * k), (x + 0.3 * k, y + v * k)], (70, 150, 60), 0.05)
        for u, w in ((-0.5, 0.1), (-0.2, 0.34), (0.2, 0.12), (0.5, 0.36), (0.0, 0.56)):
            pen.dot(at(u, 0.36 + 0.1 * (u + 0.86), w), 0.045, (150, 78, 34))
    else:
        for u, v, tone in ((0.12, 0.1, (210, 30, 54)), (0.32, -0.02, (84, 70, 150)), (0.28, 0.2, (210, 30, 54))):
            pen.ball(at(u, v, height + 0.06), 0.12, tone)
        pen.line([at(u, 0.36 + 0.1 * (u + 0.86), height - 0.02) for u in (-0.7, -0.2, 0.3, 0.7)], (190, 26, 50), 0.07)


def _scoops(pen: Pen, dessert: Dessert) -> None:
    """Three scoops in a glass bowl with a wafer."""
    glass = (206, 222, 232)
    for i in range(8):
        pen.disc(0, 0.1, 0.05 * i, 0.4 + 0.44 * (i / 7) ** 0.6, mix(glass, WHITE, 0.1 * i), 235)
    wafer = pen.frame(0.38, -0.3, 0.6, 1.0)
    fan = [wafer(u, 0, w) for u, w in ((-0.1, -0.3), (0.14, 0.72), (0.42, 0.62), (0.24, -0.3))]
    pen.polygon(fan, dessert.accent)
    for w in (-0.05, 0.2, 0.45):
        pen.line([wafer(-0.05 + 0.26 * w, 0, w + 0.05), wafer(0.26 + 0.2 * w, 0, w)], shade(dessert.accent, 0.75), 0.03)
    for x, y, z in ((-0.34, -0.02, 0.5), (0.34, 0.02, 0.5), (0.0, 0.14, 0.86)):
        where = pen.point(x, y, z)
        frill = [
            (where[0] + u * 0.44 * pen.unit, where[1] + (0.26 + v * 0.16) * pen.unit) for u, v in wobbly(pen.rng, 0.12)
        ]
        pen.polygon(frill, shade(dessert.colour, 0.78))
        pen.ball(where, 0.42, dessert.colour)
        for _ in range(5):
            speck = (
                where[0] + pen.rng.uniform(-0.24, 0.24) * pen.unit,
                where[1] + pen.rng.uniform(-0.24, 0.24) * pen.unit,
            )
            pen.dot(speck, 0.028, shade(dessert.colour, pen.rng.choice((0.8, 1.4))))
    front = [(math.cos(a), math.sin(a)) for a in (math.pi * i / 16 for i in range(17))]
    rim = [pen.point(0.84 * x, 0.1 + 0.84 * y, 0.35) for x, y in front]
    for foot, tone, alpha in ((0.44, glass, 120), (0.6, WHITE, 60)):
        pen.polygon(rim + [pen.point(foot * x, 0.1 + foot * y, 0.02) for x, y in front[::-1]], tone, alpha)
    pen.line(rim, WHITE, 0.045, 230)
    pen.line(
        [pen.point(k * math.cos(2.3), 0.1 + k * math.sin(2.3), z) for k, z in ((0.8, 0.28), (0.56, 0.06))],
        WHITE,
        0.06,
        200,
    )
    _mint_sprig(pen, -0.05, 0.0, 1.3)


def _donut(pen: Pen, dessert: Dessert) -> None:
    dough, glaze = dessert.accent, dessert.colour
    pen.disc(0.1, 0.12, 0, 0.82, (20, 10, 5), 80)
    for i in range(5):
        pen.disc(0, 0, 0.07 * i, 0.78 + 0.05 * math.sin(i * 0.75), shade(dough, 0.68 + 0.08 * i))
    drip = wobbly(pen.rng, 0.07, 0.78, 0.78, 20)
    pen.area(drip, 0.32, shade(glaze, 0.78))
    pen.area(drip, 0.37, glaze)
    pen.path(
        [(0.58 * math.cos(a), 0.58 * math.sin(a)) for a in (3.2 + 0.2 * i for i in range(9))],
        0.39,
        shade(glaze, 1.55),
        0.1,
        200,
    )
    pen.disc(0, 0, 0.36, 0.29, shade(glaze, 0.7))
    pen.disc(0, 0.0, 0.28, 0.24, shade(dough, 0.5))
    pen.disc(0.0, 0.05, 0.16, 0.17, (120, 84, 60))
    for i, (x, y) in enumerate(sunflower(pen.rng, 26, 0.74)):
        if x * x + y * y > 0.13:
            a = pen.rng.random() * math.pi
            tone = ((255, 255, 255), (255, 214, 70), (90, 190, 220), (150, 210, 100))[i % 4]
            pen.path([(x, y), (x + 0.1 * math.cos(a), y + 0.1 * math.sin(a))], 0.38, tone, 0.045)


def _sticks(pen: Pen, dessert: Dessert) -> None:
    """Churros, ridged and sugared, with a chocolate dip."""
    for x, y, z, a in (
        (-0.2, -0.5, 0.1, 0.1),
        (-0.22, -0.2, 0.1, -0.05),
        (-0.2, 0.12, 0.1, 0.08),
        (-0.24, -0.36, 0.36, -0.3),
        (-0.1, 0.0, 0.36, 0.35),
    ):
        u, v = 0.68 * math.cos(a), 0.68 * math.sin(a)
        start, end = pen.point(x - u, y - v, z), pen.point(x + u, y + v, z)
        pen.tube([start, end], 0.14, dessert.colour)
        for drift in (-0.07, 0.03):
            pen.line(
                [(start[0], start[1] + drift * pen.unit), (end[0], end[1] + drift * pen.unit)],
                shade(dessert.colour, 0.66),
                0.028,
                220,
            )
        for _ in range(16):
            t, off = pen.rng.random(), pen.rng.uniform(-0.12, 0.08) * pen.unit
            pen.dot(
                (start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t + off), 0.022, (255, 246, 226)
            )
    sauce_dip(pen, 0.5, 0.52, 0.02, 0.4, dessert.accent, shade(dessert.accent, 1.25))


def _tart(pen: Pen, dessert: Dessert) -> None:
    pen.disc(0.08, 0.1, 0, 0.92, (20, 10, 5), 80)
    flute = [
        (x * (0.94 if i % 2 else 0.86), y * (0.94 if i % 2 else 0.86))
        for i, (x, y) in enumerate(superellipse(1, 1, points=40))
    ]
    for z, k in ((0.0, 0.6), (0.1, 0.75), (0.2, 0.9), (0.26, 1.08)):
        pen.area(flute, z, shade(dessert.colour, k))
    pen.disc(0, 0, 0.24, 0.77, (255, 236, 168))
    rows = ((0.0, 1), (0.27, 6), (0.56, 12))
    fruit = (dessert.accent, (92, 150, 54), (70, 66, 150), (255, 170, 60))
    for j, (r, count) in enumerate(rows):
        for i in sorted(range(count), key=lambda i, n=count: math.sin(i * math.tau / n)):  # type: ignore[misc]
            a = i * math.tau / count
            where = pen.point(r * math.cos(a), r * math.sin(a), 0.3)
            tone = fruit[0] if j != 1 else fruit[1 + i % 3]
            pen.ball(where, 0.135, tone)
    pen.path([(0.5 * math.cos(a), 0.5 * math.sin(a)) for a in (3.4, 3.8, 4.2, 4.6)], 0.4, WHITE, 0.06, 110)


def _pudding(pen: Pen, dessert: Dessert) -> None:
    """A turned-out pudding with caramel or berry sauce running down."""
    pool = wobbly(pen.rng, 0.06, 0.9, 0.88)
    pen.area(pool, 0.01, shade(dessert.accent, 0.8))
    pen.area([(x * 0.96 - 0.01, y * 0.95 - 0.02) for x, y in pool], 0.015, dessert.accent)
    for i in range(13):
        t = i / 12
        pen.disc(0, 0, 0.06 + 0.6 * t, 0.66 - 0.16 * t, shade(dessert.colour, 0.74 + 0.24 * t))
    at = pen.frame(0, 0)
    gleam = [at(-0.42 + 0.08 * t, 0.36 - 0.06 * t, 0.1 + 0.5 * t) for t in (0, 0.5, 1.0)]
    pen.disc(0, 0, 0.66, 0.51, shade(dessert.accent, 0.85))
    for a in (0.2, 0.8, 1.35, 1.9, 2.5, 3.0):
        drop = pen.rng.uniform(0.14, 0.36)
        foot = pen.point(0.56 * math.cos(a), 0.56 * math.sin(a), 0.66 - drop)
        pen.line([pen.point(0.48 * math.cos(a), 0.48 * math.sin(a), 0.66), foot], shade(dessert.accent, 0.85), 0.15)
        pen.dot(foot, 0.08, shade(dessert.accent, 0.85))
    pen.disc(-0.01, -0.01, 0.68, 0.47, shade(dessert.accent, 1.15))
    pen.line(gleam, WHITE, 0.08, 130)
    pen.path([(0.34 * math.cos(a), 0.34 * math.sin(a)) for a in (3.4, 3.8, 4.2, 4.6)], 0.69, WHITE, 0.06, 170)
    if dessert.name == "panna cotta":
        for x, y in ((-0.12, 0.0), (0.12, 0.06), (0.02, -0.14)):
            pen.ball(pen.point(x, y, 0.76), 0.13, (196, 24, 62))
        _mint_sprig(pen, 0.24, -0.1, 0.76)


def _squares(pen: Pen, dessert: Dessert) -> None:
    """Baklava: lozenges of layered pastry with a green nut heap each."""
    for x, y in ((0.0, -0.5), (-0.52, -0.05), (0.52, -0.02), (0.0, 0.42)):
        at = pen.frame(x, y, 0, 0.5, 0.05)
        lozenge = ((-1.0, 0.0), (0.0, -0.78), (1.0, 0.0), (0.0, 0.78))
        pen.polygon([at(u + 0.14, v + 0.2) for u, v in lozenge], (20, 10, 5), 80)
        for i in range(7):
            pen.polygon([at(u, v, 0.09 * i) for u, v in lozenge], shade(dessert.colour, 0.6 if i % 2 else 0.96))
        pen.polygon([at(u, v, 0.62) for u, v in lozenge], shade(dessert.colour, 1.08))
        pen.polygon([at(u * 0.8 - 0.06, v * 0.8 - 0.06, 0.62) for u, v in lozenge], shade(dessert.colour, 1.3))
        for _ in range(14):
            u, v = pen.rng.uniform(-0.36, 0.36), pen.rng.uniform(-0.26, 0.26)
            pen.dot(at(u, v, 0.72 + 0.2 * pen.rng.random()), 0.05, shade(dessert.accent, pen.rng.uniform(0.75, 1.3)))


def _sticky_rice(pen: Pen, dessert: Dessert) -> None:
    """A heap of white rice beside a fan of mango slices."""
    rice(pen, -0.4, 0.0, 0.02, 0.56, 0.46, dessert.colour, 46)
    for i in range(6):
        at = pen.frame(0.34 + 0.04 * i, -0.6 + 0.24 * i, 0.02 + 0.01 * i, 0.5, -0.3 + 0.1 * i)
        pen.slab(at, superellipse(1.0, 0.42, 0.8), 0.3, dessert.accent, side=(236, 128, 20))
        pen.line([at(-0.7, -0.12, 0.3), at(0.6, -0.12, 0.3)], (255, 218, 120), 0.05)
    pen.path([(-0.75 + 0.1 * i, 0.1 * (1 if i % 2 else -1)) for i in range(8)], 0.44, (255, 252, 240), 0.08)
    for i in range(9):
        pen.dot(pen.point(-0.62 + 0.06 * i, 0.06 * math.sin(i * 2), 0.46), 0.035, (60, 52, 44), 255, 0.022)
    _mint_sprig(pen, -0.55, -0.3, 0.42)


def _cookies(pen: Pen, dessert: Dessert) -> None:
    """Macarons in two colours: shells, a foot, a cream line."""
    spots = (
        (-0.42, -0.5, 0.0),
        (0.42, -0.48, 0.0),
        (-0.62, 0.12, 0.0),
        (0.04, 0.02, 0.0),
        (0.64, 0.18, 0.0),
        (-0.26, 0.58, 0.0),
        (0.36, 0.66, 0.0),
    )
    tones = (dessert.colour, dessert.accent)
    for i, (x, y, z) in enumerate(spots):
        tone = tones[i % 2]
        mac = pen.inner(x, y, z, 0.33)
        mac.disc(0.2, 0.26, 0, 1.0, (20, 10, 5), 80)
        for w, r, t in ((0.0, 0.96, shade(tone, 0.72)), (0.2, 1.0, shade(tone, 0.84)),
        (0.4, 0.98, shade(tone, 0.95)), (0.5, 0.9, (255, 250, 240)),
                        (0.65, 0.9, (255, 250, 240)), (0.75, 1.0, shade(tone, 0.8)),
                        (0.9, 1.0, shade(tone, 0.92)), (1.1, 0.92, tone),
                        (1.22, 0.74, shade(tone, 1.18))):  # fmt: skip
            mac.disc(0, 0, w, r, t)
        mac.polygon([mac.point(u * 0.3 - 0.3, v * 0.2 - 0.3, 1.25) for u, v in CIRCLE], WHITE, 110)


SHAPES = {
    "cake": _cake, "scoops": _scoops, "donut": _donut, "sticks": _sticks, "tart": _tart, "pudding": _pudding,
    "squares": _squares, "sticky_rice": _sticky_rice, "cookies": _cookies,
}  # fmt: skip
