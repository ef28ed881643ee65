"""Main ingredients, toppings, and the marks of the preparation."""

from __future__ import annotations

import math

from showcase_utils.demo_world.painting.canvas import (
    CIRCLE,
    WHITE,
    Frame,
    Pen,
    mix,
    shade,
    superellipse,
    wobbly,
)
from showcase_utils.demo_world.vocabulary import RGB, Piece

SLICE = superellipse(1.0, 0.66, 0.75)
STRIP = ((-1.05, -0.2), (-0.5, -0.36), (0.2, -0.3), (0.85, -0.36), (1.08, 0.0), (0.8, 0.34), (0.1, 0.42), (-0.6, 0.3))
CUBE = superellipse(0.78, 0.78, 0.35)
BRICK = superellipse(1.05, 0.56, 0.3)
COIN = superellipse(0.84, 0.84)
LEAF = ((-1, 0), (-0.6, -0.38), (0, -0.52), (0.6, -0.34), (1.1, 0), (0.6, 0.34), (0, 0.52), (-0.6, 0.38))
HALF_MOON = tuple((math.cos(a), 0.9 * math.sin(a) - 0.3) for a in (math.pi * i / 12 for i in range(13)))
CRESCENT = (*HALF_MOON, (-0.5, -0.02), (0.0, 0.18), (0.5, -0.02))
MUSHROOM = (
    (-1, 0.05), (-0.9, -0.45), (-0.45, -0.85), (0, -0.95), (0.45, -0.85), (0.9, -0.45), (1, 0.05), (0.7, 0.2),
    (0.3, 0.12), (0.28, 0.85), (-0.28, 0.85), (-0.3, 0.12), (-0.7, 0.2),
)  # fmt: skip
LOBES = tuple(
    (r * math.cos(a), r * math.sin(a))
    for a, r in ((math.tau * i / 15, (1.0, 0.78, 0.3, 0.3, 0.78)[i % 5]) for i in range(15))
)

# Half extents of a piece of size 1, inside which the preparation leaves its marks.
EXTENT = {
    "slices": (0.8, 0.5), "strips": (0.85, 0.3), "cubes": (0.65, 0.65), "balls": (0.62, 0.55), "rounds": (0.65, 0.6),
    "curls": (0.75, 0.6), "rings": (0.8, 0.8), "shreds": (0.7, 0.4), "leaves": (0.7, 0.4), "eggs": (0.8, 0.7),
    "wedges": (0.7, 0.4), "dots": (0.4, 0.4),
}  # fmt: skip


def cooked(colour: RGB, mark: str) -> RGB:
    """What a preparation does to the colour of an ingredient; the hue stays the ingredient's."""
    if mark == "dark":
        return mix(shade(colour, 0.74), (120, 58, 20), 0.16)
    if mark == "pale":
        return mix(colour, (255, 252, 246), 0.24)
    if mark == "crust":
        return mix(colour, (226, 158, 62), 0.28)
    if mark == "brown":
        return mix(colour, (150, 84, 34), 0.12)
    return colour


def draw_piece(
    pen: Pen, piece: Piece, where: tuple[float, float, float], size: float, angle: float, mark: str = ""
) -> None:
    """One piece at (x, y, z), about 2·size long, with the mark of its preparation on it."""
    at = pen.frame(*where, size, angle)
    PIECES[piece.shape](pen, at, piece, cooked(piece.colour, mark), size)
    if mark:
        _mark(pen, at, mark, piece, size)


def _slices(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    rim = {"duck": (92, 40, 22), "pork": (252, 226, 210)}.get(piece.name, shade(colour, 0.8))
    pen.slab(at, SLICE, 0.3, colour, side=rim)
    if piece.name == "salmon":
        for u in (-0.55, -0.1, 0.35):
            pen.line([at(u, -0.5, 0.3), at(u + 0.22, 0.0, 0.3), at(u, 0.5, 0.3)], mix(colour, WHITE, 0.6), size * 0.11)
    elif piece.name == "duck":
        pen.line([at(u, v, 0.3) for u, v in SLICE[:9]], rim, size * 0.3)
        pen.line([at(-0.4, -0.2, 0.3), at(0.4, -0.25, 0.3)], shade(colour, 1.25), size * 0.14)
    else:
        pen.line([at(u * 0.9, v * 0.9, 0.3) for u, v in SLICE[8:15]], rim, size * 0.22)
        pen.line([at(-0.5, 0.1, 0.3), at(0.0, 0.2, 0.3), at(0.45, 0.05, 0.3)], shade(colour, 1.2), size * 0.12)


def _strips(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    if piece.name == "seaweed":
        sheet = [(u * 1.1, v * 0.32 + 0.12 * u * u) for u, v in superellipse(1, 1, 0.3)]
        pen.polygon([at(u + 0.06, v + 0.14) for u, v in sheet], (20, 12, 5), 80)
        pen.polygon([at(u, v, 0.1) for u, v in sheet], colour)
        pen.line([at(-0.9, -0.05, 0.1), at(0, -0.16, 0.1), at(0.9, -0.05, 0.1)], shade(colour, 1.3), size * 0.12, 200)
        return
    pen.slab(at, STRIP, 0.28, colour)
    grain = shade(colour, 1.22 if sum(colour) < 420 else 0.84)
    for v in (-0.14, 0.12):
        pen.line([at(-0.7, v, 0.28), at(0.0, v + 0.05, 0.28), at(0.7, v, 0.28)], grain, size * 0.08, 170)


def _cubes(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    if piece.name == "paneer":  # seared bricks, where tofu is a plain cube
        pen.slab(at, BRICK, 0.5, colour, side=(222, 150, 58))
        pen.line([at(u, v, 0.5) for u, v in BRICK], (226, 156, 62), size * 0.13)
        return
    pen.slab(at, CUBE, 0.75, colour, side=shade(colour, 0.74))
    if piece.name == "lamb":
        pen.line([at(-0.5, -0.1, 0.75), at(0.5, 0.1, 0.75)], shade(colour, 1.35), size * 0.14, 190)
    elif piece.name == "feta":
        for u, v in ((-0.3, -0.2), (0.25, 0.3), (0.3, -0.3)):
            pen.dot(at(u, v, 0.75), size * 0.1, shade(colour, 0.84))
    elif piece.name == "pumpkin":
        pen.line([at(u, 0.72, 0.2) for u in (-0.7, 0.0, 0.7)], (88, 120, 50), size * 0.26)


def _curls(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    arc = [(0.72 * math.cos(a), 0.72 * math.sin(a)) for a in (0.5 + 0.52 * i for i in range(9))]
    x, y = at(0.08, 0.12)
    pen.dot((x, y), size * 0.75, (25, 12, 5), 45)
    tail = arc[-1]
    for spread in (-0.32, 0.3):
        pen.line([at(*tail), at(tail[0] + 0.5, tail[1] + spread - 0.22)], shade(colour, 0.72), size * 0.26)
    for tone, grow, rise in ((shade(colour, 0.66), 1.0, 0.0), (colour, 0.84, 0.12)):
        for i, (u, v) in enumerate(arc):
            pen.dot(at(u, v, rise), size * grow * (0.42 - 0.025 * i), tone)
    for i in (1, 3, 5, 7):
        u, v = arc[i]
        pen.line([at(u * 0.72, v * 0.72, 0.15), at(u * 1.36, v * 1.36, 0.15)], shade(colour, 1.5), size * 0.12)


def _balls(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    pen.ball(at(0, 0, 0.4), size * 0.82, colour)
    speck = (88, 120, 40) if piece.name == "falafel" else shade(colour, 0.6)
    for u, v in ((0.3, 0.3), (-0.1, 0.45), (0.45, -0.1), (-0.4, 0.15)):
        pen.dot(at(u, v, 0.4), size * 0.1, speck)


def _rounds(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    if piece.name == "mushroom":
        pen.slab(at, MUSHROOM, 0.22, mix(colour, (250, 236, 214), 0.25), side=shade(colour, 0.6))
        pen.line([at(u, v, 0.22) for u, v in MUSHROOM[:7]], shade(colour, 0.72), size * 0.26)
        pen.line([at(-0.55, 0.05, 0.22), at(0.55, 0.05, 0.22)], shade(colour, 0.62), size * 0.14)
        return
    pen.slab(at, COIN, 0.3, colour)
    inner = {
        "eggplant": mix(colour, (226, 206, 170), 0.55), "tomatoes": shade(colour, 1.22), "pickles": mix(colour,
        (222, 226, 150), 0.5),
        "sausage": shade(colour, 1.14),
    }.get(piece.name, shade(colour, 1.15))  # fmt: skip
    share = 0.5 if piece.name == "eggplant" else 0.62
    pen.polygon([at(u * share, v * share, 0.3) for u, v in COIN], inner)
    seed = {"tomatoes": (252, 216, 120), "sausage": (252, 214, 190), "eggplant": shade(colour, 0.9)}.get(
        piece.name, shade(inner, 0.8)
    )
    for i in range(5):
        a = i * math.tau / 5
        pen.dot(at(0.36 * math.cos(a), 0.36 * math.sin(a), 0.3), size * 0.09, seed)


def _leaves(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    outline = LOBES if piece.name == "cilantro" else LEAF
    pen.polygon([at(u + 0.08, v + 0.12) for u, v in outline], (20, 12, 5), 70)
    pen.polygon([at(u, v, 0.05) for u, v in outline], shade(colour, 0.8))
    pen.polygon([at(u * 0.8 - 0.05, v * 0.75 - 0.05, 0.1) for u, v in outline], shade(colour, 1.08))
    if outline is LEAF:
        pen.line([at(-1.0, 0, 0.1), at(0.9, 0, 0.1)], shade(colour, 1.45), size * 0.1)
        if piece.name == "spinach":
            for u in (-0.4, 0.1):
                pen.line([at(u, 0, 0.1), at(u + 0.3, -0.3, 0.1)], shade(colour, 1.35), size * 0.07)
                pen.line([at(u, 0, 0.1), at(u + 0.3, 0.3, 0.1)], shade(colour, 1.35), size * 0.07)


def _rings(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    radius, width = {"squid": (0.8, 0.42), "red onions": (1.1, 0.24), "olives": (0.72, 0.5)}.get(
        piece.name, (0.72, 0.4)
    )
    outline = [at(u * radius, v * radius) for u, v in (*CIRCLE, CIRCLE[0], CIRCLE[1])]
    pen.line([(x + 0.02 * pen.unit, y + 0.03 * pen.unit) for x, y in outline], (25, 12, 5), width * size, 70)
    pen.line(outline, shade(colour, 0.72), width * size * 1.15)
    raised = [(x - 0.004 * pen.unit, y - 0.14 * size * pen.unit) for x, y in outline]
    pen.line(raised, colour, width * size)
    pen.line(raised[13:20], shade(colour, 1.4), width * size * 0.35, 200)
    if piece.name == "chili":
        pen.dot(at(0, 0, 0.1), size * 0.2, (250, 226, 160))


def _dots(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    spread, length, width = {
        "sesame": (1.0, 0.22, 0.13), "peanuts": (0.9, 0.34, 0.28), "corn": (0.8, 0.34, 0.32),
        "pomegranate": (0.85, 0.32, 0.3)
    }.get(piece.name, (0.9, 0.3, 0.25))  # fmt: skip
    for _ in range(5):
        u, v = spread * (pen.rng.random() * 2 - 1), spread * (pen.rng.random() * 2 - 1)
        x, y = at(u, v, 0.1)
        drift = 0.014 * pen.unit
        pen.dot((x + drift, y + drift), size * length, (30, 14, 6), 100, size * width)
        pen.dot((x, y), size * length, shade(colour, 0.82), 255, size * width)
        pen.dot((x - drift * 0.4, y - drift * 0.4), size * length * 0.72, shade(colour, 1.08), 255, size * width * 0.72)


def _shreds(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    crab = piece.name == "crab"
    for i in range(4 if crab else 5):
        a, v = pen.rng.random() * 1.4 - 0.7, -0.55 + 0.3 * i
        start, end = (-0.75 * math.cos(a), v - 0.4 * math.sin(a)), (0.75 * math.cos(a), v + 0.4 * math.sin(a))
        width = 0.34 if crab else 0.22
        (sx, sy), (ex, ey) = at(*start, 0.1), at(*end, 0.1)
        drift = 0.016 * pen.unit
        pen.line([(sx, sy + drift), (ex, ey + drift)], shade(colour, 0.64), width * size)
        pen.line([(sx, sy), (ex, ey)], colour, width * size)
        if crab:
            pen.line([(sx, sy - drift), ((sx + ex) / 2, (sy + ey) / 2 - drift)], (255, 232, 222), width * size * 0.5)


def _wedges(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    if piece.name == "lemon":
        pen.slab(at, HALF_MOON, 0.25, shade(colour, 0.96))
        pen.polygon([at(u * 0.82, v * 0.8, 0.25) for u, v in HALF_MOON], mix(colour, WHITE, 0.55))
        for a in (0.55, 1.57, 2.6):
            pen.line([at(0, -0.2, 0.25), at(0.62 * math.cos(a), 0.6 * math.sin(a) - 0.25, 0.25)], colour, size * 0.3)
        return
    pen.slab(at, CRESCENT, 0.3, mix(colour, (238, 236, 150), 0.3), side=(64, 92, 40))
    pen.line([at(u * 0.95, v * 0.95, 0.3) for u, v in HALF_MOON], shade(colour, 0.85), size * 0.26)


def _eggs(pen: Pen, at: Frame, piece: Piece, colour: RGB, size: float) -> None:
    outline = wobbly(pen.rng, 0.1, 1.05, 0.95, 14)
    pen.slab(at, outline, 0.12, (252, 250, 244))
    pen.ball(at(0, 0, 0.3), size * 0.56, colour)


PIECES = {
    "slices": _slices, "strips": _strips, "cubes": _cubes, "curls": _curls, "balls": _balls, "rounds": _rounds,
    "leaves": _leaves, "rings": _rings, "dots": _dots, "shreds": _shreds, "wedges": _wedges, "eggs": _eggs,
}  # fmt: skip


def _mark(pen: Pen, at: Frame, mark: str, piece: Piece, size: float) -> None:
    """Grill stripes, fried crumbs, roasted spots, smoked bark; steam is drawn over the whole dish by ``steam``."""
    a, b = EXTENT[piece.shape]
    w, rng = 0.35, pen.rng
    if mark == "stripes":
        for u in (-0.62 * a, 0.0, 0.62 * a):
            pen.line([at(u - 0.18, -b, w), at(u + 0.18, b, w)], (46, 20, 10), size * 0.17, 235)
    elif mark == "crust":
        for i in range(13):
            t = i * 2.4
            r = 0.55 + 0.75 * rng.random()
            tone = ((240, 184, 84), (202, 128, 40), (252, 214, 128))[i % 3]
            pen.dot(at(r * a * math.cos(t), r * b * math.sin(t), w), size * (0.1 + 0.08 * rng.random()), tone)
    elif mark == "brown":
        for _ in range(4):
            spot = at(a * (rng.random() * 1.7 - 0.85), b * (rng.random() * 1.7 - 0.85), w)
            pen.dot(spot, size * (0.16 + 0.12 * rng.random()), (104, 52, 18), 190, size * 0.14)
    elif mark == "dark":
        pen.line([at(a * 1.1 * u, b * 1.15 * v, w) for u, v in CIRCLE[:14]], (34, 16, 10), size * 0.2, 190)
        pen.line([at(-0.4 * a, -0.3 * b, w), at(0.3 * a, -0.4 * b, w)], (255, 226, 190), size * 0.1, 130)


def steam(pen: Pen) -> None:
    """Wisps of steam rising from the middle of a dish."""
    rng = pen.rng
    for x in (-0.45, 0.0, 0.42):
        px, py = pen.point(x + 0.1 * rng.random(), 0.0, 0.2)
        phase, height = rng.random() * 6, pen.unit * (0.85 + 0.3 * rng.random())
        wisp = [
            (px + pen.unit * 0.11 * math.sin(phase + i * 0.9) * (0.3 + i / 8), py - height * i / 9) for i in range(10)
        ]
        pen.line([(x + 0.05 * pen.unit, y) for x, y in wisp], (96, 100, 112), 0.12, 40)
        for width, alpha in ((0.26, 34), (0.17, 46), (0.09, 80)):
            pen.line(wisp, WHITE, width, alpha)
