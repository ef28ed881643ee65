"""The one layout of photos: pages that are measured in inches, and small photos beside the axes of a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from PIL import Image

from showcase_utils.photos.thumbnails import thumbnail
from showcase_utils.plots.style import BODY, INK, MUTED, Drawing, measure, wrapped

Photo = str | Path | Image.Image
PIXELS = 220  # per inch of photo: more than a figure's own resolution, so that nothing is enlarged twice


class Page(Drawing):
    """A sheet of photos and words. All places and sizes are inches from the top left corner; ``cut`` ends it."""

    def __init__(self, width: float, alt: str = "") -> None:
        super().__init__(width, 1, alt, constrained=False)
        self.width = width
        self.sheet = self.add_axes((0, 0, 1, 1))
        self.sheet.set_axis_off()

    def photo(self, photo: Photo, x: float, y: float, size: float, frame: str | None = None) -> tuple[float, float]:
        """A photo in the middle of a square of ``size``, in a frame of a colour; returns its own top left corner."""
        image = photo if isinstance(photo, Image.Image) else thumbnail(photo, round(size * PIXELS))
        width, height = size * np.array(image.size) / max(image.size)
        x, y = x + (size - width) / 2, y + (size - height) / 2
        shape = FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.05", fill=False,
                               ec=frame or "none", lw=2.5)  # fmt: skip
        self.sheet.add_patch(shape)
        drawn = self.sheet.imshow(np.asarray(image), extent=(x, x + width, y + height, y), aspect="auto",
                                  interpolation="lanczos")  # fmt: skip
        drawn.set_clip_path(shape)
        return x, y

    def photos(
        self, photos: Sequence[Photo], x: float, y: float, size: float, frames: Sequence[str | None] = (),
        columns: int = 99, gap: float = 0.08,
    ) -> float:  # fmt: skip
        """Photos in rows of ``columns``, each in its own square; returns the height that they take."""
        for place, photo in enumerate(photos):
            row, column = divmod(place, columns)
            frame = frames[place] if frames else None
            self.photo(photo, x + column * (size + gap), y + row * (size + gap), size, frame)
        return -(-len(photos) // columns) * (size + gap) - gap if photos else 0

    def words(
        self, text: str, x: float, y: float, width: float = 99, size: float = BODY, colour: str = INK,
        weight: str = "normal", most: int = 99, align: str = "left",
    ) -> float:  # fmt: skip
        """Text that wraps at ``width``, its top at ``y``; returns the height that it takes."""
        pitch = 1.35 * size / 72
        lines = wrapped(text, width, size, weight, most)
        for number, line in enumerate(lines):
            self.sheet.text(x, y + number * pitch + size / 72, line, fontsize=size, color=colour, fontweight=weight,
                            va="baseline", ha=align, parse_math=False)  # fmt: skip
        return len(lines) * pitch

    def table(self, rows: Sequence[tuple[str, str]], x: float, y: float, width: float, size: float = BODY) -> float:
        """Names in grey at the left and a text beside each; returns the height that they take."""
        indent = max(measure(name, size) for name, _ in rows) + 0.15
        start = y
        for name, text in rows:
            self.words(name, x, y, size=size, colour=MUTED)
            y += self.words(text or "–", x + indent, y, width - indent, size) + 0.03
        return y - start

    def badge(self, number: int, x: float, y: float, colour: str, radius: float = 0.11) -> None:
        """A disc with a number, its centre at ``(x, y)``."""
        self.sheet.add_patch(Circle((x, y), radius, fc=colour, ec="white", lw=1.2, zorder=5))
        self.sheet.text(x, y, str(number), color="white", fontsize=72 * radius * 1.1, fontweight="bold", ha="center",
                        va="center_baseline", zorder=6)  # fmt: skip

    def panel(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A coloured ground behind what is put there."""
        self.sheet.add_patch(Rectangle((x, y), width, height, fc=colour, ec="none", zorder=-1))

    def rule(self, y: float, colour: str = "#dddddd") -> None:
        """A thin line across the page."""
        self.sheet.plot([0, self.width], [y, y], color=colour, lw=0.8)

    def cut(self, height: float) -> Page:
        """Ends the page at ``height``."""
        self.set_size_inches(self.width, height)
        self.sheet.set(xlim=(0, self.width), ylim=(height, 0), aspect="auto")
        return self


def beside_texts(
    rows: Sequence[tuple[Sequence[Photo], Sequence[tuple[str, str]]]], titles: Sequence[str] = (), size: float = 1.25,
    most: int = 3, width: float = 12, alt: str = "",
) -> Page:  # fmt: skip
    """A page of samples: at most ``most`` photos at the left, at the right named texts about them."""
    page, y = Page(width, alt), 0.1
    left = most * (size + 0.08) + 0.15
    for place, (photos, texts) in enumerate(rows):
        if place:
            page.rule(y)
            y += 0.12
        if titles:
            y += page.words(titles[place], 0.05, y, weight="bold") + 0.04
        tall = page.photos(photos[:most], 0.05, y, size)
        y += max(tall, page.table(texts, left, y, width - left - 0.05)) + 0.12
    return page.cut(y)


def at_point(
    axis: Axes, photo: Photo, point: tuple[float, float], offset: tuple[float, float], size: float, frame: str = ""
) -> None:
    """A photo of ``size`` inches beside a point of the data; its centre is ``offset`` inches from there."""
    image = photo if isinstance(photo, Image.Image) else thumbnail(photo, round(size * PIXELS))
    box = OffsetImage(np.asarray(image), zoom=72 * size / max(image.size), interpolation="lanczos")
    axis.add_artist(
        AnnotationBbox(
            box, point, (72 * offset[0], 72 * offset[1]), boxcoords="offset points", frameon=bool(frame),
            bboxprops={"edgecolor": frame or "none", "linewidth": 2.5}, annotation_clip=False, pad=0.1 if frame else 0,
        )
    )  # fmt: skip
