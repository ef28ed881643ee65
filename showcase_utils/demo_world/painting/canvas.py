"""A supersampled picture seen through a tilted camera: the primitives every painter of the demo world draws with.

Scene coordinates: x to the right, y towards the viewer, z up; one unit is about the radius of a plate. The camera is
orthographic: ``squash`` is the sine of its elevation (1 looks straight down), ``turn`` rotates the table under it.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from showcase_utils.demo_world.vocabulary import RGB

OVERSAMPLING = 3
Point = tuple[float, float]
Frame = Callable[..., Point]  # at(u, v, w=0): local coordinates of one piece -> pixels

WHITE: RGB = (255, 255, 255)


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """``share`` of ``b`` in ``a``."""
    red, green, blue = (int(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return red, green, blue


def shade(colour: RGB, factor: float) -> RGB:
    """Below 1 darker and a little warmer, as in lamplight; above 1 lighter (mixed with white by the excess)."""
    if factor <= 1.0:
        r, g, b = colour
        return (int(r * factor**0.9), int(g * factor), int(b * factor**1.2))
    return mix(colour, WHITE, min(1.0, factor - 1.0))


def superellipse(rx: float, ry: float, power: float = 1.0, points: int = 16) -> tuple[Point, ...]:
    """An ellipse (power 1) or a rounded rectangle (power < 1)."""

    def corner(t: float) -> float:
        return math.copysign(abs(t) ** power, t)

    angles = (2 * math.pi * i / points for i in range(points))
    return tuple((rx * corner(math.cos(a)), ry * corner(math.sin(a))) for a in angles)


def wobbly(rng: random.Random, amount: float, rx: float = 1.0, ry: float = 1.0, points: int = 24) -> list[Point]:
    """A hand-made round outline: a circle with slow waves on its radius."""
    two, three = rng.random() * math.tau, rng.random() * math.tau
    outline = []
    for i in range(points):
        a = math.tau * i / points
        r = 1.0 + amount * (0.6 * math.sin(2 * a + two) + 0.6 * math.sin(3 * a + three))
        outline.append((rx * r * math.cos(a), ry * r * math.sin(a)))
    return outline


def sunflower(rng: random.Random, count: int, radius: float, jitter: float = 0.06) -> list[Point]:
    """``count`` points spread evenly over a disc, in random order."""
    start = rng.random() * math.tau
    spots = []
    for i in range(count):
        r = radius * math.sqrt((i + 0.5) / count)
        a = start + i * 2.399963
        spots.append(
            (r * math.cos(a) + jitter * (rng.random() * 2 - 1), r * math.sin(a) + jitter * (rng.random() * 2 - 1))
        )
    rng.shuffle(spots)
    return spots


CIRCLE = superellipse(1.0, 1.0, points=24)


class Pen:
    """Draws solid, shaded things on one picture; ``inner`` gives a pen for a smaller, raised part of the scene."""

    def __init__(
        self, rng: random.Random, width: int, height: int, background: RGB, squash: float, turn: float, zoom: float
    ) -> None:
        self.rng = rng
        self.image = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), background)
        self.blending, self.covering = ImageDraw.Draw(self.image, "RGBA"), ImageDraw.Draw(self.image)
        self.width, self.height = self.image.size
        self.squash, self.turn = squash, turn
        self.lift = math.sqrt(1.0 - squash * squash)
        self.unit = zoom * min(self.width, self.height)
        self.origin = (self.width / 2, self.height / 2)

    def inner(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, scale: float = 1.0, turn: float = 0.0) -> Pen:
        """A pen on the same picture whose origin is (x, y, z) and whose unit is ``scale`` of this one's."""
        pen = copy.copy(self)
        pen.origin = self.point(x, y, z)
        pen.unit = self.unit * scale
        pen.turn = self.turn + turn
        return pen

    # -- where ------------------------------------------------------------------------------------------------
    def point(self, x: float, y: float, z: float = 0.0) -> Point:
        c, s = math.cos(self.turn), math.sin(self.turn)
        return (
            self.origin[0] + self.unit * (c * x - s * y),
            self.origin[1] + self.unit * ((s * x + c * y) * self.squash - z * self.lift),
        )

    def frame(self, x: float, y: float, z: float = 0.0, size: float = 1.0, angle: float = 0.0) -> Frame:
        """Local coordinates of a piece of ``size`` turned by ``angle``; w is its height in the same scale."""
        ox, oy = self.point(x, y, z)
        c = math.cos(angle + self.turn) * size * self.unit
        s = math.sin(angle + self.turn) * size * self.unit
        squash, up = self.squash, size * self.unit * self.lift

        def at(u: float, v: float, w: float = 0.0) -> Point:
            return (ox + c * u - s * v, oy + (s * u + c * v) * squash - w * up)

        return at

    def brush(self, alpha: int) -> ImageDraw.ImageDraw:
        """For ellipses and boxes: what is opaque need not blend. Polygons blend, or Pillow fills other pixels."""
        return self.covering if alpha == 255 else self.blending

    # -- flat things ------------------------------------------------------------------------------------------
    def polygon(self, points: Sequence[Point], colour: RGB, alpha: int = 255) -> None:
        self.blending.polygon(points, fill=(*colour, alpha))

    def line(self, points: Sequence[Point], colour: RGB, width: float, alpha: int = 255) -> None:
        """A stroke through pixels; ``width`` in scene units."""
        self.blending.line(points, fill=(*colour, alpha), width=max(1, round(width * self.unit)), joint="curve")

    def path(self, points: Sequence[Point], z: float, colour: RGB, width: float, alpha: int = 255) -> None:
        """A stroke through scene points at height z."""
        self.line([self.point(x, y, z) for x, y in points], colour, width, alpha)

    def disc(self, x: float, y: float, z: float, r: float, colour: RGB, alpha: int = 255) -> None:
        """A disc lying flat at height z."""
        px, py = self.point(x, y, z)
        rx, ry = r * self.unit, r * self.unit * self.squash
        self.brush(alpha).ellipse((px - rx, py - ry, px + rx, py + ry), fill=(*colour, alpha))

    def ring(self, x: float, y: float, z: float, r: float, colour: RGB, width: float, alpha: int = 255) -> None:
        px, py = self.point(x, y, z)
        rx, ry = r * self.unit, r * self.unit * self.squash
        pixels = max(1, round(width * self.unit))
        self.brush(alpha).ellipse((px - rx, py - ry, px + rx, py + ry), outline=(*colour, alpha), width=pixels)

    def dot(self, where: Point, rx: float, colour: RGB, alpha: int = 255, ry: float | None = None) -> None:
        """An ellipse on the picture plane; radii in scene units."""
        a, b = rx * self.unit, (rx if ry is None else ry) * self.unit
        self.brush(alpha).ellipse((where[0] - a, where[1] - b, where[0] + a, where[1] + b), fill=(*colour, alpha))

    def area(self, outline: Sequence[Point], z: float, colour: RGB, alpha: int = 255) -> None:
        """A polygon of scene points lying flat at height z."""
        self.polygon([self.point(x, y, z) for x, y in outline], colour, alpha)

    def glow(self, where: Point, radius: float, colour: RGB, strength: int = 26) -> None:
        """Light around a lamp: nested translucent discs."""
        for share in (1.0, 0.78, 0.58, 0.4, 0.25):
            self.dot(where, radius * share, colour, strength)

    def shadow(self, outline: Sequence[Point], z: float = 0.0, reach: float = 0.1, alpha: int = 26) -> None:
        """A soft shadow to the lower right of an outline, light standing at the upper left."""
        for grow, drift in ((1.09, 1.0), (1.04, 0.85), (0.99, 0.7), (0.94, 0.55)):
            self.area([(x * grow + reach * drift, y * grow + reach * drift) for x, y in outline], z, (20, 12, 8), alpha)

    # -- solid things -----------------------------------------------------------------------------------------
    def slab(self, at: Frame, outline: Sequence[Point], height: float, colour: RGB, side: RGB | None = None) -> None:
        """An outline with thickness: contact shadow, side, top and an upper-left gleam."""
        foot = [at(u, v) for u, v in outline]
        origin, top = at(0, 0), at(0, 0, height)
        rise = origin[1] - top[1]
        reach = 0.02 * self.unit
        self.polygon([(x + reach, y + reach * 1.4) for x, y in foot], (25, 12, 5), 80)
        wall = side or shade(colour, 0.68)
        self.polygon(foot, wall)
        if rise > 3:
            self.polygon([(x, y - rise * 0.5) for x, y in foot], wall)
        self.polygon([(x, y - rise) for x, y in foot], shade(colour, 0.88))
        self.polygon([(x + (top[0] - x) * 0.14 - 1, y - rise + (origin[1] - y) * 0.14 - 1) for x, y in foot], colour)

    def ball(self, where: Point, r: float, colour: RGB) -> None:
        """A shaded sphere on the picture plane."""
        reach = r * self.unit
        self.dot((where[0] + reach * 0.18, where[1] + reach * 0.3), r * 1.04, (25, 12, 5), 70)
        for size, drift, light in ((1.0, 0.0, 0.66), (0.88, 0.1, 0.85), (0.7, 0.2, 1.0), (0.42, 0.34, 1.16)):
            self.dot((where[0] - reach * drift, where[1] - reach * drift), r * size, shade(colour, light))
        self.dot((where[0] - reach * 0.4, where[1] - reach * 0.44), r * 0.14, WHITE, 170)

    def dome(
        self, x: float, y: float, z: float, r: float, height: float, colour: RGB, steps: int = 9, dark: float = 0.72
    ) -> None:
        """A round heap or bun: discs that shrink, rise and brighten from ``dark`` to the light."""
        for i in range(steps):
            t = i / (steps - 1)
            radius = r * math.cos(t * 1.35)
            drift = 0.16 * r * t
            self.disc(
                x - drift, y - drift, z + height * math.sin(t * 1.57), radius, shade(colour, dark + (1.16 - dark) * t)
            )

    def tube(self, points: Sequence[Point], r: float, colour: RGB, caps: bool = True) -> None:
        """A thick shaded stroke through pixels (a roll, a stick, a strand)."""
        reach = r * self.unit
        for drift, width, tone, alpha in (
            (0.35, 2.0, (25, 12, 5), 70),
            (0.0, 2.0, shade(colour, 0.7), 255),
            (-0.14, 1.6, colour, 255),
            (-0.42, 0.5, shade(colour, 1.3), 190),
        ):
            shifted = [(x + max(drift, 0) * reach, y + drift * reach) for x, y in points]
            self.line(shifted, tone, r * width, alpha)
            if caps and alpha == 255:
                for end in (shifted[0], shifted[-1]):
                    self.dot(end, r * width / 2, tone)
