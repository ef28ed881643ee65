"""What a dish stands on: the table top, the things that lie about, and the vessel."""

from __future__ import annotations

import math

from showcase_utils.demo_world.painting.canvas import CIRCLE, WHITE, Pen, mix, shade, superellipse
from showcase_utils.demo_world.vocabulary import RGB, Vessel

WOODS: tuple[RGB, ...] = ((206, 162, 112), (150, 102, 66), (98, 66, 48), (222, 196, 158))
CLOTHS: tuple[RGB, ...] = ((196, 70, 64), (84, 124, 176), (96, 148, 104), (214, 178, 84))
PAINTS: tuple[RGB, ...] = ((96, 156, 158), (66, 84, 104), (214, 204, 190), (226, 176, 140), (120, 116, 112))
EDGE = 3.2  # table tops reach this far from the middle, past every corner of the picture


def table_top(pen: Pen) -> None:
    """A surface drawn by the pen's generator: planks, marble, checked cloth, tiles or paint."""
    rng = pen.rng
    top = pen.inner(turn=rng.choice((0.0, math.pi / 2)) + rng.uniform(-0.25, 0.25))
    rng.choice((_planks, _planks, _marble, _cloth, _tiles, _paint))(top)


def _planks(pen: Pen) -> None:
    rng, wood, width = pen.rng, pen.rng.choice(WOODS), pen.rng.uniform(0.45, 0.8)
    y = -EDGE
    while y < EDGE:
        tone = shade(wood, rng.uniform(0.9, 1.06))
        pen.area([(-EDGE, y), (EDGE, y), (EDGE, y + width), (-EDGE, y + width)], 0, tone)
        for _ in range(3):
            v, bend = y + width * rng.random(), rng.uniform(-0.06, 0.06)
            pen.path([(-EDGE, v), (-0.8, v + bend), (0.7, v - bend), (EDGE, v)], 0, shade(tone, 0.84), 0.02, 130)
        pen.path([(-EDGE, y), (EDGE, y)], 0, shade(wood, 0.6), 0.025)
        y += width


def _marble(pen: Pen) -> None:
    rng = pen.rng
    base = rng.choice(((238, 236, 232), (226, 226, 228), (74, 76, 82)))
    pen.area([(-EDGE, -EDGE), (EDGE, -EDGE), (EDGE, EDGE), (-EDGE, EDGE)], 0, base)
    vein = mix(base, (128, 124, 128), 0.5)
    for _ in range(7):
        x, y = rng.uniform(-EDGE, EDGE), rng.uniform(-1.8, 1.8)
        points = [(x - 1.2 + 0.4 * i, y + 0.22 * i + rng.uniform(-0.15, 0.15)) for i in range(7)]
        pen.path(points, 0, vein, 0.09, 45)
        pen.path(points, 0, vein, 0.025, 150)


def _cloth(pen: Pen) -> None:
    dye, step = pen.rng.choice(CLOTHS), pen.rng.uniform(0.28, 0.44)
    pen.area([(-EDGE, -EDGE), (EDGE, -EDGE), (EDGE, EDGE), (-EDGE, EDGE)], 0, (244, 240, 232))
    count = int(EDGE / step) + 1
    for i in range(-count, count, 2):
        low, high = i * step, (i + 1) * step
        pen.area([(-EDGE, low), (EDGE, low), (EDGE, high), (-EDGE, high)], 0, dye, 105)
        pen.area([(low, -EDGE), (high, -EDGE), (high, EDGE), (low, EDGE)], 0, dye, 105)


def _tiles(pen: Pen) -> None:
    rng = pen.rng
    glaze, step = rng.choice(((232, 226, 214), (176, 206, 208), (222, 190, 160))), rng.uniform(0.6, 0.85)
    pen.area([(-EDGE, -EDGE), (EDGE, -EDGE), (EDGE, EDGE), (-EDGE, EDGE)], 0, glaze)
    count = int(EDGE / step) + 1
    for i in range(-count, count + 1):
        for line in (((-EDGE, i * step), (EDGE, i * step)), ((i * step, -EDGE), (i * step, EDGE))):
            pen.path(line, 0, shade(glaze, 0.74), 0.05)
            pen.path([(x + 0.03, y + 0.03) for x, y in line], 0, shade(glaze, 1.4), 0.025, 160)


def _paint(pen: Pen) -> None:
    rng, paint = pen.rng, pen.rng.choice(PAINTS)
    pen.area([(-EDGE, -EDGE), (EDGE, -EDGE), (EDGE, EDGE), (-EDGE, EDGE)], 0, paint)
    for _ in range(22):
        x, y = rng.uniform(-2, 2), rng.uniform(-2, 2)
        pen.path(
            [(x, y), (x + 0.7, y + rng.uniform(-0.05, 0.05))], 0, shade(paint, rng.choice((0.92, 1.07))), 0.03, 150
        )


def clutter(pen: Pen) -> None:
    """Cutlery, a napkin, a glass or a second plate at the rim of the picture; sometimes nothing."""
    rng = pen.rng
    side = rng.choice((-1, 1))
    if rng.random() < 0.35:
        _napkin(pen, side * rng.uniform(1.15, 1.3), rng.uniform(-0.2, 0.5), rng.uniform(-0.4, 0.4))
    if rng.random() < 0.5:
        (_fork if rng.random() < 0.6 else _knife)(
            pen.inner(side * rng.uniform(1.2, 1.32), 0.1, 0.02, turn=rng.uniform(-0.2, 0.2))
        )
    if rng.random() < 0.3:
        x, y = -side * rng.uniform(1.15, 1.35), -rng.uniform(0.95, 1.25)
        pen.disc(x + 0.06, y + 0.08, 0, 0.36, (20, 12, 8), 60)
        pen.disc(x, y, 0, 0.34, (226, 234, 238), 120)
        pen.disc(x, y, 0.16, 0.3, rng.choice(((206, 226, 236), (240, 196, 96), (150, 40, 60))), 190)
        pen.ring(x, y, 0.24, 0.34, WHITE, 0.035, 220)
    elif rng.random() < 0.25:
        second = pen.inner(side * 1.45, -1.35, 0, 0.8)
        _plate(second, rng.choice(((244, 242, 238), (206, 216, 222), (190, 160, 130))))


def _napkin(pen: Pen, x: float, y: float, angle: float) -> None:
    cloth = pen.inner(x, y, 0, 0.5, angle)
    dye = pen.rng.choice((*CLOTHS, (240, 236, 228)))
    square = ((-0.6, -1), (0.6, -1), (0.6, 1), (-0.6, 1))
    cloth.shadow(square, 0, 0.06)
    cloth.area(square, 0, dye)
    cloth.path([(0.1, -1), (0.1, 1)], 0, shade(dye, 0.8), 0.05)
    cloth.path([(-0.5, -0.9), (-0.5, 0.9)], 0, shade(dye, 1.3), 0.06, 170)


def _fork(pen: Pen) -> None:
    for drift, tone in ((0.03, (60, 52, 46)), (0.0, (196, 198, 204))):
        pen.path([(drift, -0.2), (drift, 0.8)], 0, tone, 0.075)
        for x in (-0.09, 0.0, 0.09):
            pen.path([(drift, -0.18), (x + drift, -0.3), (x + drift, -0.6)], 0, tone, 0.045)
    pen.path([(-0.015, -0.1), (-0.015, 0.7)], 0, (242, 244, 248), 0.025)


def _knife(pen: Pen) -> None:
    blade = ((-0.05, 0.1), (-0.05, -0.7), (0.06, -0.55), (0.06, 0.1))
    pen.area([(x + 0.03, y + 0.03) for x, y in blade], 0, (40, 34, 30), 110)
    pen.area(blade, 0, (208, 211, 217))
    pen.path([(0.0, 0.1), (0.0, 0.8)], 0, (74, 52, 40), 0.1)


# -- vessels ------------------------------------------------------------------------------------------------------


def serve_in(pen: Pen, vessel: Vessel, needs_rim: bool) -> Pen:
    """Draws the vessel; returns the pen of its inside, where radius 1 is the room for food.

    Food that needs a rim, on something without one, stands in a small cream bowl on top of it.
    """
    inside = VESSELS[vessel.shape](pen, vessel.colour)
    if needs_rim and vessel.shape in ("board", "basket", "leaf", "slate"):
        return _bowl(inside.inner(scale=0.98), (238, 226, 204))
    return inside


def _plate(pen: Pen, colour: RGB) -> Pen:
    pen.shadow(CIRCLE, 0, 0.13)
    pen.disc(0, 0.0, 0.02, 1.0, shade(colour, 0.62))
    pen.disc(0, 0, 0.08, 1.0, shade(colour, 0.93))
    pen.disc(-0.01, -0.01, 0.085, 0.97, colour)
    pen.ring(0, 0, 0.085, 0.9, shade(colour, 0.86 if sum(colour) > 600 else 1.25), 0.025)
    pen.disc(0, 0, 0.07, 0.79, shade(colour, 0.86))
    pen.disc(0.02, 0.025, 0.05, 0.76, shade(colour, 0.97))
    gleam = [(0.94 * math.cos(t), 0.94 * math.sin(t)) for t in (3.5 + 0.15 * i for i in range(7))]
    pen.path(gleam, 0.09, mix(colour, WHITE, 0.75), 0.045, 220)
    return pen.inner(z=0.06, scale=0.82)


def _bowl(pen: Pen, colour: RGB) -> Pen:
    pen.shadow([(0.86 * x, 0.86 * y) for x, y in CIRCLE], 0, 0.2)
    for i in range(6):
        t = i / 5
        pen.disc(0, 0, 0.5 * t, 0.62 + 0.38 * t**0.55, shade(colour, 0.58 + 0.32 * t))
    pen.disc(0, 0, 0.52, 1.0, shade(colour, 1.1))
    pen.disc(0.01, 0.01, 0.51, 0.93, shade(colour, 0.6))
    pen.disc(0.02, 0.03, 0.46, 0.89, shade(colour, 0.8))
    gleam = [(0.965 * math.cos(t), 0.965 * math.sin(t)) for t in (3.4 + 0.15 * i for i in range(8))]
    pen.path(gleam, 0.53, mix(colour, WHITE, 0.7), 0.04, 220)
    return pen.inner(z=0.42, scale=0.88)


def _pan(pen: Pen, colour: RGB) -> Pen:
    handle = pen.inner(turn=pen.rng.choice((-0.6, 0.4, 2.6, 3.6)))
    outline = ((0.9, -0.13), (1.7, -0.1), (1.8, 0.0), (1.7, 0.1), (0.9, 0.13))
    handle.shadow(outline, 0, 0.1)
    handle.area(outline, 0.1, shade(colour, 0.8))
    handle.path([(1.0, -0.06), (1.68, -0.05)], 0.1, shade(colour, 1.35), 0.04)
    pen.shadow(CIRCLE, 0, 0.14)
    for i in range(4):
        pen.disc(0, 0, 0.07 * i, 0.92 + 0.027 * i, shade(colour, 0.7 + 0.1 * i))
    pen.disc(0, 0, 0.21, 1.0, shade(colour, 1.28))
    pen.disc(0, 0, 0.21, 0.95, shade(colour, 0.55))
    pen.disc(0.01, 0.02, 0.1, 0.9, shade(colour, 0.9))
    return pen.inner(z=0.1, scale=0.86)


def _slab_of(pen: Pen, colour: RGB, outline: list[tuple[float, float]], height: float) -> None:
    pen.shadow(outline, 0, 0.12)
    pen.area(outline, 0.0, shade(colour, 0.5))
    pen.area(outline, height * 0.5, shade(colour, 0.62))
    pen.area(outline, height, colour)
    pen.path(outline[len(outline) // 2 : len(outline) * 3 // 4 + 1], height, shade(colour, 1.3), 0.03, 200)


def _board(pen: Pen, colour: RGB) -> Pen:
    outline = list(superellipse(1.16, 0.94, 0.3, 24))
    handle = [(1.05, -0.16), (1.5, -0.13), (1.6, 0.0), (1.5, 0.13), (1.05, 0.16)]
    _slab_of(pen, colour, handle, 0.1)
    _slab_of(pen, colour, outline, 0.1)
    pen.disc(1.46, 0, 0.11, 0.06, shade(colour, 0.4))
    for _ in range(7):
        y, bend = pen.rng.uniform(-0.8, 0.8), pen.rng.uniform(-0.07, 0.07)
        pen.path([(-1.08, y), (-0.3, y + bend), (0.4, y - bend), (1.08, y)], 0.11, shade(colour, 0.82), 0.025, 170)
    return pen.inner(z=0.11, scale=0.86)


def _slate(pen: Pen, colour: RGB) -> Pen:
    rng = pen.rng
    outline = [
        (x + rng.uniform(-0.02, 0.02), y + rng.uniform(-0.02, 0.02)) for x, y in superellipse(1.16, 0.96, 0.12, 28)
    ]
    _slab_of(pen, colour, outline, 0.06)
    for _ in range(9):
        x, y = rng.uniform(-0.95, 0.6), rng.uniform(-0.85, 0.85)
        pen.path(
            [(x, y), (x + rng.uniform(0.2, 0.5), y + 0.05)], 0.06, shade(colour, rng.choice((0.8, 1.15))), 0.025, 160
        )
    return pen.inner(z=0.06, scale=0.86)


def _basket(pen: Pen, colour: RGB) -> Pen:
    """A woven basket lined with checked paper."""
    weave = (190, 138, 82)
    outline = list(superellipse(1.08, 0.96, 0.55, 24))
    pen.shadow(outline, 0, 0.15)
    for i in range(5):
        grown = [(x * (0.86 + 0.035 * i), y * (0.86 + 0.035 * i)) for x, y in outline]
        pen.area(grown, 0.08 * i, shade(weave, 0.55 + 0.09 * i if i % 2 else 0.7 + 0.07 * i))
    pen.path([*outline, outline[0]], 0.34, shade(weave, 1.1), 0.07)
    zigzag = [(x * (1.1 if i % 2 else 0.9), y * (1.1 if i % 2 else 0.9)) for i, (x, y) in enumerate(outline)]
    pen.area(zigzag, 0.36, (250, 246, 240))
    paper = pen.inner(z=0.3, turn=0.4)
    for i in range(-3, 3):
        for j in range(-3, 3):
            if (i + j) % 2 == 0 and abs(i + 0.5) + abs(j + 0.5) < 5:
                low, top = i * 0.31, j * 0.28
                paper.area(
                    [(low, top), (low + 0.31, top), (low + 0.31, top + 0.28), (low, top + 0.28)], 0.03, colour, 235
                )
    return pen.inner(z=0.26, scale=0.8)


def _leaf(pen: Pen, colour: RGB) -> Pen:
    tip = 1.55
    outline = [
        (tip * math.cos(t) * (1 - 0.08 * math.sin(t) ** 2), 0.98 * math.sin(t))
        for t in (math.tau * i / 28 for i in range(28))
    ]
    pen.shadow(outline, 0, 0.08)
    pen.area(outline, 0.02, shade(colour, 0.7))
    pen.area([(x * 0.975, y * 0.96 - 0.015) for x, y in outline], 0.04, colour)
    for i in range(-6, 7):
        x = i * 0.22
        reach = 0.9 * math.sqrt(max(0.0, 1 - (x / tip) ** 2))
        for side in (-1, 1):
            pen.path([(x, 0), (x + 0.16, side * reach)], 0.04, shade(colour, 1.18 if i % 2 else 0.86), 0.035, 200)
    pen.path([(-tip, 0), (tip * 1.05, 0)], 0.045, shade(colour, 1.45), 0.06)
    return pen.inner(z=0.05, scale=0.84)


VESSELS = {
    "plate": _plate,
    "bowl": _bowl,
    "pan": _pan,
    "board": _board,
    "slate": _slate,
    "basket": _basket,
    "leaf": _leaf,
}
