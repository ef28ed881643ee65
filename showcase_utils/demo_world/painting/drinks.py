"""Drinks: a table, the room behind it, and a glass, cup, coconut or bottle."""

from __future__ import annotations

import math
import random

from showcase_utils.demo_world.painting.canvas import CIRCLE, WHITE, Pen, mix, shade
from showcase_utils.demo_world.painting.garnishes import GARNISHES
from showcase_utils.demo_world.painting.glasses import FILLED, GLASSES, radius_at, rounded, section, silhouette, solid
from showcase_utils.demo_world.painting.table import CLOTHS, WOODS, table_top
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.vocabulary import DRINKS, Drink


def paint_drink(scene: Scene, rng: random.Random, width: int, height: int) -> Pen:
    drink = DRINKS[scene.drink]
    pen = Pen(rng, width, height, (120, 100, 84), rng.uniform(0.36, 0.48), 0.0, zoom=rng.uniform(0.42, 0.48))
    table_top(pen)
    _backdrop(pen)
    low = drink.glass == "cup"
    pen.origin = (pen.width * rng.uniform(0.43, 0.57), pen.height * ((0.72 if low else 0.9) + rng.uniform(-0.03, 0.03)))
    body = pen.inner(scale=1.32 if low else 1.0)
    reach = [(0.5 * x + 0.1, 0.5 * y) for x, y in CIRCLE]
    body.shadow(reach, 0, 0.16, 30)
    PAINTERS.get(drink.glass, _glass)(body, drink)
    return pen


def _backdrop(pen: Pen) -> None:
    """The room behind the table, out of focus."""
    rng = pen.rng
    wall = rng.choice(((92, 70, 62), (66, 84, 92), (188, 164, 138), (214, 206, 196), (84, 96, 72), (58, 48, 66)))
    horizon = pen.height * rng.uniform(0.36, 0.5)
    for i in range(8):
        edge = horizon * (1 - i / 8)
        pen.polygon([(0, 0), (pen.width, 0), (pen.width, edge), (0, edge)], shade(wall, 0.8 + 0.05 * i))
    lights = rng.choice(((255, 214, 140), (255, 240, 214), (*rng.choice(CLOTHS),)))
    for _ in range(9):
        where = (rng.random() * pen.width, rng.random() * horizon * 0.9)
        r = rng.uniform(0.06, 0.17)
        pen.dot(where, r, lights, 60)
        pen.dot(where, r * 0.8, lights, 50)
    pen.line([(0, horizon), (pen.width, horizon)], shade(rng.choice(WOODS), 0.7), 0.03)


def _glass(pen: Pen, drink: Drink) -> None:
    profile = GLASSES[drink.glass]
    low, high = FILLED[drink.glass]
    rim, top = profile[-1]
    if drink.glass == "mug":
        for width, tone, alpha in ((0.15, (210, 222, 228), 200), (0.06, WHITE, 220)):
            pen.line(
                [
                    pen.point(0.46 + 0.3 * math.sin(a), 0, 0.62 + 0.36 * math.cos(a))
                    for a in (math.pi * i / 8 for i in range(9))
                ],
                tone,
                width,
                alpha,
            )
    pen.polygon(silhouette(pen, profile), (226, 236, 242), 90)
    liquid = section(profile, low, high)
    surface = liquid[-1][0] * 0.93
    pen.polygon(silhouette(pen, liquid, 0.93), drink.colour)
    at = pen.frame(0, 0)
    rounded(pen, [(0.93 * r, h) for r, h in liquid], drink.colour)
    pen.disc(0, 0, high, surface, shade(drink.colour, 1.22))
    pen.ring(0, 0, high, surface, shade(drink.colour, 0.85), 0.025)
    if drink.name in ("iced coffee", "lemonade", "mojito", "hibiscus tea"):
        for x, y, h in (
            (-0.14, 0.1, 1.16),
            (0.14, 0.02, 1.2),
            (0.02, 0.14, 0.96),
            (-0.16, 0.14, 0.74),
            (0.14, 0.14, 0.7),
        ):
            ice = pen.frame(x, y, h, 0.13, x * 3)
            pen.polygon([ice(u, 0, w) for u, w in ((-1, -1), (1, -1), (1, 1), (-1, 1))], WHITE, 95)
            pen.line([ice(-0.8, 0, 0.9), ice(0.8, 0, 0.9)], WHITE, 0.03, 170)
    if drink.name == "beer":
        for _ in range(14):
            pen.dot(
                pen.point(pen.rng.uniform(-0.36, 0.36), 0.2, pen.rng.uniform(0.1, 0.9)), 0.022, (255, 240, 190), 190
            )
    GARNISHES[drink.garnish](pen, drink, rim, top, high)
    pen.ring(0, 0, top, rim, (246, 250, 252), 0.028, 210)
    gleam = [at(-0.74 * r, 0.35 * r, h) for r, h in section(profile, max(low, 0.1), top - 0.08)]
    pen.line(gleam, WHITE, 0.07, 150)
    if drink.glass in ("wine", "cocktail"):
        pen.line([at(-0.02, 0.04, 0.1), at(-0.02, 0.04, 0.66)], WHITE, 0.03, 200)
        pen.ring(0, 0, 0.02, profile[0][0], WHITE, 0.025, 150)


def _cup(pen: Pen, drink: Drink) -> None:
    """A cup on its saucer: handled and tall-rimmed for coffee, without a handle for tea."""
    rng, profile = pen.rng, GLASSES["cup"]
    tea = drink.garnish == "none"
    china = (
        rng.choice(((120, 144, 150), (86, 92, 100), (150, 108, 84)))
        if tea
        else rng.choice(((248, 246, 242), (240, 228, 208)))
    )
    for h, r, k in ((0.0, 0.86, 0.7), (0.04, 0.88, 0.94), (0.045, 0.8, 1.0)):
        pen.disc(0, 0, h, r, shade(china if not tea else (170, 128, 84), k))
    if not tea:
        pen.line(
            [
                pen.point(0.5 + 0.24 * math.sin(a), 0, 0.36 + 0.19 * math.cos(a))
                for a in (math.pi * i / 8 for i in range(9))
            ],
            shade(china, 0.86),
            0.1,
        )
    lifted = pen.inner(z=0.05)
    solid(lifted, profile, china)
    rim, top = profile[-1]
    lifted.disc(0, 0, top, rim, shade(china, 1.1))
    lifted.disc(0, 0, top - 0.02, rim * 0.9, shade(drink.colour, 0.7))
    lifted.disc(0, 0.02, top - 0.04, rim * 0.86, drink.colour)
    if tea:
        lifted.path(
            [(rim * 0.6 * math.cos(a), rim * 0.6 * math.sin(a)) for a in (3.4, 3.8, 4.2, 4.6)],
            top - 0.04,
            WHITE,
            0.04,
            190,
        )
        wisp = [pen.point(0.1 * math.sin(i * 0.8), 0, top + 0.15 + 0.09 * i) for i in range(9)]
        pen.line(wisp, WHITE, 0.12, 50)
        pen.line(wisp, WHITE, 0.06, 70)
        return
    cream = (255, 246, 230)
    for scale, tone in ((0.62, cream), (0.48, drink.colour), (0.34, cream)):
        heart = [
            (scale * rim * u, scale * rim * v)
            for u, v in (
                (0, 0.95),
                (-0.75, 0.1),
                (-0.8, -0.45),
                (-0.4, -0.75),
                (0, -0.4),
                (0.4, -0.75),
                (0.8, -0.45),
                (0.75, 0.1),
            )
        ]
        lifted.area(heart, top - 0.04, tone)


def _coconut(pen: Pen, drink: Drink) -> None:
    rng, profile = pen.rng, GLASSES["coconut"]
    solid(pen, profile, drink.colour)
    for _ in range(26):
        a, h = rng.uniform(0.2, 2.9), rng.uniform(0.1, 0.8)
        r = radius_at(profile, h)
        start = (r * math.cos(a), r * math.sin(a))
        pen.line(
            [pen.point(*start, h), pen.point(start[0] * 0.96, start[1], h + 0.12)],
            shade(drink.colour, rng.choice((0.7, 1.3))),
            0.02,
            180,
        )
    rim, top = profile[-1]
    pen.disc(0, 0, top, rim, shade(drink.colour, 0.8))
    pen.disc(0, 0, top, rim * 0.92, (252, 250, 244))
    pen.disc(0, 0, top - 0.03, rim * 0.68, (222, 232, 234))
    GARNISHES["straw"](pen, drink, rim, top, top - 0.06)


def _bottle(pen: Pen, drink: Drink) -> None:
    """A porcelain sake bottle with two small cups."""
    side = pen.rng.choice((-1, 1))
    china, blue = drink.colour, (52, 84, 150)
    body = pen.inner(x=-0.22 * side)
    solid(body, GLASSES["bottle"], china)
    for h, r in ((0.16, 0.33), (0.62, 0.33)):
        body.path([(r * math.cos(a), r * math.sin(a)) for a in (math.pi * i / 8 for i in range(9))], h, blue, 0.06)
    for x in (-0.16, 0.0, 0.16):
        body.path([(x, 0.32), (x + 0.07, 0.32)], 0.4, blue, 0.05)
        body.line([body.point(x, 0.32, 0.34), body.point(x + 0.03, 0.32, 0.5)], blue, 0.04)
    body.disc(0, 0, 1.32, 0.19, shade(china, 1.2))
    body.disc(0, 0, 1.31, 0.13, (90, 96, 110))
    for x, y in ((0.46 * side, 0.2), (0.62 * side, -0.32)):
        cup = pen.inner(x, y)
        cup.disc(0.05, 0.05, 0, 0.24, (20, 12, 8), 80)
        solid(cup, ((0.14, 0.0), (0.2, 0.1), (0.24, 0.26)), china)
        cup.disc(0, 0, 0.26, 0.24, shade(china, 1.3))
        cup.disc(0, 0, 0.25, 0.19, mix(china, (170, 200, 220), 0.6))
        cup.ring(0, 0, 0.25, 0.1, blue, 0.03)


PAINTERS = {"cup": _cup, "coconut": _coconut, "bottle": _bottle}
