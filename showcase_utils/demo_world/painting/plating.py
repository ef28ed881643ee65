"""Puts main ingredient, toppings and sauce on a dish: what every base has in common."""

from __future__ import annotations

import math
from collections.abc import Sequence

from showcase_utils.demo_world.painting.canvas import Pen, Point, sunflower, wobbly
from showcase_utils.demo_world.painting.pieces import draw_piece
from showcase_utils.demo_world.painting.sauces import (
    FLECKS,
    sauce_dip,
    sauce_drip,
    sauce_flecks,
    sauce_line,
    sauce_pool,
)
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.vocabulary import MAINS, PREPARATIONS, RGB, SAUCES, TOPPINGS, Base

Spot = tuple[float, float, float]  # x, y, z

# Pieces that look small or large for their nominal size.
TOPPING_SIZE = {
    "leaves": 0.2,
    "cubes": 0.13,
    "rounds": 0.17,
    "rings": 0.14,
    "strips": 0.19,
    "wedges": 0.24,
    "shreds": 0.17,
    "dots": 0.17,
}
MAIN_SIZE = {"leaves": 1.25, "cubes": 0.9, "shreds": 1.15, "strips": 1.1, "eggs": 1.1}


class Plating:
    """The parts of one dish, and how they are put down with one pen."""

    def __init__(self, pen: Pen, base: Base, scene: Scene) -> None:
        self.pen = pen
        self.rng = pen.rng
        self.dough: RGB = base.colour
        self.main = MAINS[scene.main] if scene.main else None
        self.mark = PREPARATIONS[scene.preparation] if scene.preparation else ""
        self.garnish = [TOPPINGS[name] for name in scene.toppings]
        self.sauce: RGB | None = SAUCES[scene.sauce] if scene.sauce else None
        self.fleck: RGB = FLECKS.get(scene.sauce, (0, 0, 0))
        self.main_colour: RGB = self.main.colour if self.main else base.colour

    def mains(self, spots: Sequence[Spot], size: float = 0.26, angle: float | None = None) -> None:
        """Pieces of the main ingredient, the far ones first; ``angle`` None turns each at random."""
        if self.main is None:
            return
        size *= MAIN_SIZE.get(self.main.shape, 1.0)
        for spot in sorted(spots, key=lambda s: s[1]):
            turn = self.rng.random() * math.tau if angle is None else angle + self.rng.uniform(-0.25, 0.25)
            if self.main.shape == "slices" and angle is None:
                turn = self.rng.uniform(-0.6, 0.6)
            draw_piece(self.pen, self.main, spot, size * self.rng.uniform(0.94, 1.08), turn, self.mark)

    def toppings(self, spots: Sequence[Spot], size: float = 1.0) -> None:
        """The toppings in turn over the spots."""
        for i, spot in enumerate(spots):
            if not self.garnish:
                return
            piece = self.garnish[i % len(self.garnish)]
            nominal = TOPPING_SIZE.get(piece.shape, 0.16) * size
            draw_piece(self.pen, piece, spot, nominal * self.rng.uniform(0.9, 1.12), self.rng.random() * math.tau)

    def scatter(
        self, radius: float, z: float, mains: int = 7, toppings: int = 12, size: float = 0.27, dome: float = 0.0
    ) -> None:
        """Mains and toppings side by side over a round top that rises by ``dome`` in the middle."""
        points = sunflower(self.rng, mains + toppings, radius * 0.92, 0.03)
        points.sort(key=lambda point: math.hypot(*point))
        # Every few places from the middle outwards is a main, so that no topping lies right on it.
        taken = {round((i + 0.5) * len(points) / mains * 0.85) for i in range(mains)}
        spots = [(x, y, z + dome * max(0.0, 1 - (x * x + y * y) / (radius * radius))) for x, y in points]
        self.mains([spot for i, spot in enumerate(spots) if i in taken], size)
        self.toppings([spot for i, spot in enumerate(spots) if i not in taken])

    def drizzle(
        self, rx: float, ry: float, z: float, width: float = 0.1, turns: int = 5, x: float = 0.0, y: float = 0.0
    ) -> None:
        """A zigzag of sauce across the dish."""
        points = []
        for i in range(turns * 4 + 1):
            t = i / (turns * 4)
            u = -rx + 2 * rx * t
            edge = math.sqrt(max(0.12, 1 - (u / rx) ** 2 * 0.9))
            points.append((x + u, y + ry * edge * math.sin(t * turns * math.tau / 2 + 0.8)))
        self.ribbon(points, z, width)

    def drip(self, top: Point, foot: Point, width: float = 0.1) -> None:
        """Sauce running down a side, from pixel to pixel."""
        if self.sauce is not None:
            sauce_drip(self.pen, top, foot, self.sauce, self.fleck, width)

    def ribbon(self, points: Sequence[Point], z: float, width: float = 0.1) -> None:
        """Sauce along scene points."""
        if self.sauce is not None:
            sauce_line(self.pen, points, z, self.sauce, self.fleck, width)

    def pool(self, rx: float, ry: float, z: float, x: float = 0.0, y: float = 0.0) -> None:
        if self.sauce is not None:
            sauce_pool(self.pen, x, y, z, rx, ry, self.sauce, self.fleck)

    def dip(self, x: float, y: float, z: float = 0.0, r: float = 0.32) -> None:
        if self.sauce is not None:
            sauce_dip(self.pen, x, y, z, r, self.sauce, self.fleck)

    def swirl(self, radius: float, z: float, width: float = 0.1, x: float = 0.0, y: float = 0.0) -> None:
        """A spiral of sauce on a liquid."""
        start = self.rng.random() * math.tau
        points = [
            (x + radius * i / 22 * math.cos(start + i * 0.5), y + radius * i / 22 * math.sin(start + i * 0.5))
            for i in range(4, 23)
        ]
        self.ribbon(points, z, width)

    def flecks(self, count: int, radius: float, z: float) -> None:
        """The sauce's flecks over a round surface of it."""
        if self.sauce is not None:
            spots = sunflower(self.rng, count, radius)
            sauce_flecks(self.pen, [self.pen.point(x, y, z) for x, y in spots], self.fleck)

    def toast(self, rx: float, ry: float, z: float, tone: RGB, count: int = 9, x: float = 0.0, y: float = 0.0) -> None:
        """Toasted spots on dough."""
        for _ in range(count):
            t, r = self.rng.random() * math.tau, math.sqrt(self.rng.random()) * 0.85
            spot = wobbly(self.rng, 0.3, 0.09, 0.06, 8)
            self.pen.area([(x + r * rx * math.cos(t) + u, y + r * ry * math.sin(t) + v) for u, v in spot], z, tone, 150)
