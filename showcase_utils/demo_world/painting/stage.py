"""What rooms, terraces and storefronts share: a pen in picture fractions, furniture, plants."""

from __future__ import annotations

import math
import random

from showcase_utils.demo_world.painting.canvas import CIRCLE, WHITE, Pen, Point, mix, shade
from showcase_utils.demo_world.vocabulary import RGB, Ambience


class Stage(Pen):
    """A pen whose points are fractions of the picture: (0, 0) upper left, (1, 1) lower right."""

    def __init__(self, rng: random.Random, width: int, height: int, background: RGB) -> None:
        super().__init__(rng, width, height, background, squash=1.0, turn=0.0, zoom=1.0)
        self.zoom = rng.uniform(1.0, 1.2)
        self.centre = (0.5 + rng.uniform(-0.04, 0.04), 0.5 + rng.uniform(-0.04, 0.04))

    def at(self, u: float, v: float) -> Point:
        return (
            (0.5 + (u - self.centre[0]) * self.zoom) * self.width,
            (0.5 + (v - self.centre[1]) * self.zoom) * self.height,
        )

    def shape(self, points: list[Point], colour: RGB, alpha: int = 255) -> None:
        self.polygon([self.at(u, v) for u, v in points], colour, alpha)

    def box(self, u0: float, v0: float, u1: float, v1: float, colour: RGB, alpha: int = 255) -> None:
        corners = [self.at(u, v) for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))]
        self.brush(alpha).polygon(corners, fill=(*colour, alpha))

    def stroke(self, points: list[Point], colour: RGB, width: float, alpha: int = 255) -> None:
        self.line([self.at(u, v) for u, v in points], colour, width, alpha)

    def oval(self, u: float, v: float, ru: float, rv: float, colour: RGB, alpha: int = 255) -> None:
        self.polygon([self.at(u + ru * x, v + rv * y) for x, y in CIRCLE], colour, alpha)

    def lamp_glow(self, u: float, v: float, radius: float, colour: RGB, strength: int = 26) -> None:
        self.glow(self.at(u, v), radius, colour, strength)

    def gradient(self, v0: float, v1: float, top: RGB, bottom: RGB, steps: int = 18) -> None:
        for i in range(steps):
            a, b = v0 + (v1 - v0) * i / steps, v0 + (v1 - v0) * (i + 1) / steps
            self.box(-0.2, a - 0.002, 1.2, b + 0.002, mix(top, bottom, i / (steps - 1)))

    def boards(self, v0: float, colour: RGB, vanish: Point = (0.5, 0.2)) -> None:
        """A floor of boards running to a vanishing point."""
        self.gradient(v0, 1.2, shade(colour, 0.78), shade(colour, 1.06))
        for i in range(-9, 20):
            u = i / 10
            top = vanish[0] + (u - vanish[0]) * (v0 - vanish[1]) / (1.2 - vanish[1])
            self.stroke([(top, v0), (u, 1.2)], shade(colour, 0.72), 0.006, 190)

    def tiles(self, v0: float, colour: RGB, other: RGB, vanish: Point = (0.5, 0.2)) -> None:
        """A chequered floor in perspective."""
        self.box(-0.2, v0, 1.2, 1.2, colour)
        rows = [v0 + (1.2 - v0) * (i / 7) ** 1.6 for i in range(8)]
        for j in range(7):
            ends = []
            for v in (rows[j], rows[j + 1]):
                k = (v - vanish[1]) / (1.2 - vanish[1])
                ends.append([vanish[0] + (i / 5 - vanish[0]) * k for i in range(-6, 13)])
            for i in range(18):
                if (i + j) % 2 == 0:
                    quad = [
                        (ends[0][i], rows[j]),
                        (ends[0][i + 1], rows[j]),
                        (ends[1][i + 1], rows[j + 1]),
                        (ends[1][i], rows[j + 1]),
                    ]
                    self.shape(quad, other)


def chair(stage: Stage, u: float, v: float, k: float, wood: RGB, seat: RGB, back: bool) -> None:
    """A chair with its foot at (u, v); ``back`` shows its back rest towards us."""
    legs, top = (-0.052 * k, 0.052 * k), v - 0.25 * k
    for x in legs:
        stage.stroke([(u + x, v), (u + x, v - 0.11 * k)], shade(wood, 0.62), 0.018 * k)
    if back:
        stage.oval(u, v - 0.12 * k, 0.07 * k, 0.028 * k, seat)
        stage.shape(
            [(u - 0.065 * k, v - 0.1 * k), (u + 0.065 * k, v - 0.1 * k), (u + 0.06 * k, top), (u - 0.06 * k, top)],
            shade(wood, 0.85),
        )
        stage.shape(
            [
                (u - 0.045 * k, v - 0.12 * k),
                (u + 0.045 * k, v - 0.12 * k),
                (u + 0.042 * k, top + 0.025 * k),
                (u - 0.042 * k, top + 0.025 * k),
            ],
            seat,
        )
        return
    for x in legs:
        stage.stroke([(u + x, v - 0.1 * k), (u + x, top)], wood, 0.018 * k)
    for y in (0.0, 0.05):
        stage.stroke([(u - 0.052 * k, top + y * k), (u + 0.052 * k, top + y * k)], wood, 0.026 * k)
    stage.oval(u, v - 0.11 * k, 0.072 * k, 0.03 * k, shade(seat, 0.9))


def table(stage: Stage, u: float, v: float, k: float, room: Ambience, cloth: RGB | None, seat: RGB) -> Point:
    """A round table with its foot at (u, v) and four chairs; returns the middle of its top."""
    top = v - 0.2 * k
    stage.oval(u + 0.02, v + 0.01, 0.24 * k, 0.05 * k, (10, 6, 6), 70)
    for x in (-0.13, 0.13):
        chair(stage, u + x * k, v - 0.05 * k, k * 0.92, room.wood, seat, back=False)
    if cloth is None:
        stage.stroke([(u, v), (u, top)], shade(room.wood, 0.55), 0.035 * k)
        stage.oval(u, v, 0.07 * k, 0.018 * k, shade(room.wood, 0.5))
        stage.oval(u, top + 0.018 * k, 0.17 * k, 0.062 * k, shade(room.wood, 0.62))
        stage.oval(u, top, 0.17 * k, 0.062 * k, shade(room.wood, 1.1))
        stage.oval(u - 0.02 * k, top - 0.008 * k, 0.12 * k, 0.036 * k, shade(room.wood, 1.22))
    else:
        skirt = [
            (u - 0.17 * k, top),
            (u + 0.17 * k, top),
            (u + 0.2 * k, v - 0.03 * k),
            (u + 0.1 * k, v),
            (u, v - 0.015 * k),
            (u - 0.1 * k, v),
            (u - 0.2 * k, v - 0.03 * k),
        ]
        stage.shape(skirt, shade(cloth, 0.78))
        for x in (-0.1, 0.0, 0.1):
            stage.stroke([(u + x * k, top + 0.05 * k), (u + x * 1.15 * k, v - 0.02 * k)], shade(cloth, 0.64), 0.012 * k)
        stage.oval(u, top, 0.17 * k, 0.062 * k, cloth)
    for x in (-0.09, 0.09):
        stage.oval(u + x * k, top, 0.042 * k, 0.016 * k, (250, 248, 244))
        stage.oval(u + x * k, top, 0.026 * k, 0.009 * k, (226, 224, 220))
    for x in (-0.17, 0.17):
        chair(stage, u + x * k, v + 0.07 * k, k, room.wood, seat, back=True)
    return (u, top)


def plant(stage: Stage, u: float, v: float, k: float, pot: RGB) -> None:
    """A leafy plant in a pot standing at (u, v)."""
    rng = stage.rng
    for i in range(11):
        a = math.pi * (0.06 + 0.88 * i / 10) + rng.uniform(-0.08, 0.08)
        reach = k * rng.uniform(0.13, 0.2)
        tip = (u + reach * math.cos(a), v - 0.1 * k - 1.2 * reach * math.sin(a))
        tone = shade((60, 136, 66), rng.uniform(0.7, 1.3))
        side = (0.03 * k * math.sin(a), 0.03 * k * math.cos(a))
        mid = ((u + tip[0]) / 2, (v - 0.1 * k + tip[1]) / 2)
        stage.shape(
            [(u, v - 0.08 * k), (mid[0] - side[0], mid[1] - side[1]), tip, (mid[0] + side[0], mid[1] + side[1])], tone
        )
    stage.shape([(u - 0.06 * k, v - 0.1 * k), (u + 0.06 * k, v - 0.1 * k), (u + 0.045 * k, v), (u - 0.045 * k, v)], pot)
    stage.shape(
        [
            (u - 0.068 * k, v - 0.12 * k),
            (u + 0.068 * k, v - 0.12 * k),
            (u + 0.065 * k, v - 0.09 * k),
            (u - 0.065 * k, v - 0.09 * k),
        ],
        shade(pot, 1.2),
    )


def candle(stage: Stage, u: float, v: float, k: float) -> None:
    """A burning candle with its foot at (u, v)."""
    stage.lamp_glow(u, v - 0.1 * k, 0.17 * k, (255, 190, 90), 34)
    stage.box(u - 0.013 * k, v - 0.075 * k, u + 0.013 * k, v, (252, 240, 214))
    stage.oval(u, v - 0.098 * k, 0.013 * k, 0.026 * k, (255, 176, 50))
    stage.oval(u, v - 0.094 * k, 0.007 * k, 0.016 * k, (255, 250, 200))


def bulb_string(
    stage: Stage, u0: float, u1: float, v: float, sag: float, count: int, cord: RGB, k: float = 1.0
) -> None:
    """A sagging cord with lit bulbs."""
    points = [
        (u0 + (u1 - u0) * i / (2 * count), v + sag * 4 * (i / (2 * count)) * (1 - i / (2 * count)))
        for i in range(2 * count + 1)
    ]
    stage.stroke(points, cord, 0.008)
    for u, w in points[1::2]:
        stage.lamp_glow(u, w + 0.022 * k, 0.062 * k, (255, 214, 120), 40)
        stage.oval(u, w + 0.02 * k, 0.014 * k, 0.019 * k, (255, 236, 160))
        stage.oval(u, w + 0.018 * k, 0.007 * k, 0.01 * k, WHITE)
