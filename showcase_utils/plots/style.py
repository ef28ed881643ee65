"""One look for all figures: colours that colour-blind readers can tell apart, sizes of text, habits of axes.

Importing this module sets matplotlib's defaults. No colour stands alone: what it tells apart, a marker, a line style
or a label tells apart too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import LoadFlags
from matplotlib.ticker import FuncFormatter, NullLocator
from matplotlib.transforms import Bbox

# Okabe and Ito's colours in seaborn's "colorblind" form, without its yellow and pink, which are too pale on white.
BLUE, ORANGE, GREEN, RED, PURPLE, BROWN, SKY = PALETTE = (
    "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#8c613c", "#56b4e9",
)  # fmt: skip
INK, MUTED, GREY, FAINT = "#222222", "#666666", "#a0a0a0", "#d0d0d0"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
HEAT = "viridis"
TITLE, BODY, SMALL = 11, 9.5, 8.5  # points
FONT = "DejaVu Sans"  # matplotlib's own; has Latin, Greek, Cyrillic and Arabic letters, no emoji, no Chinese
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")

matplotlib.rcParams.update(
    {
        "font.family": FONT,
        "text.hinting": "none",  # text is then as wide at every resolution as ``measure`` says
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "font.size": BODY,
        "axes.titlesize": TITLE,
        "axes.titlelocation": "left",
        "axes.labelsize": BODY,
        "axes.edgecolor": MUTED,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=PALETTE),
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "grid.color": FAINT,
        "grid.linewidth": 0.6,
        "figure.titlesize": TITLE,
    }
)


class Drawing(Figure):
    """A figure, in inches, that says what it shows.

    ``alt`` tells who cannot see it what is on it; ``facts`` are the numbers that the prose beside it may cite.
    """

    def __init__(self, width: float, height: float, alt: str = "", constrained: bool = True) -> None:
        super().__init__(figsize=(width, height), layout="constrained" if constrained else None)
        self.alt = alt
        self.facts: dict[str, float] = {}

    def legend_below(self, axis: Axes, columns: int = 5) -> None:
        """The legend of ``axis`` under all panels, where it covers no data."""
        handles, labels = axis.get_legend_handles_labels()
        self.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), columns))


def look(names: Iterable[str], start: int = 0) -> dict[str, dict[str, Any]]:
    """A colour, a marker and a line style per name, in the order of the palette from its place ``start`` on."""
    return {
        name: {
            "color": PALETTE[number % len(PALETTE)],
            "marker": MARKERS[number % len(MARKERS)],
            "ls": DASHES[number % len(DASHES)],
        }
        for number, name in enumerate(dict.fromkeys(names), start)
    }


def log_scale(axis: Axes, *sides: str) -> None:
    """Logarithmic scales on ``"x"``, ``"y"``, with plain numbers and without the many small ticks, slow to draw."""
    for side in sides:
        axis.set(**{f"{side}scale": "log"})
        getattr(axis, f"{side}axis").set_minor_locator(NullLocator())
        getattr(axis, f"{side}axis").set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def dots(axis: Axes, rows: Iterable[tuple[float, float, float, Mapping[str, Any]]], labels: Iterable[str]) -> None:
    """One row per entry, the first on top: its interval as a line and its value as a mark.

    ``rows``: value, low, high, and the marker's and colour's keywords; a ``nan`` leaves the row empty.
    """
    labels = list(labels)
    for place, (value, low, high, style) in enumerate(rows):
        style = {key: style[key] for key in ("color", "marker", "mfc") if key in style}
        axis.plot([low, high], [place, place], color=style.get("color", BLUE), lw=2, solid_capstyle="butt")
        axis.plot(value, place, **({"color": BLUE, "marker": "o"} | style), ms=5.5, ls="")
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    axis.set_axisbelow(True)


def name_points(axis: Axes, points: Mapping[str, tuple[float, float]], size: float = BODY) -> None:
    """Writes each name beside its point, where it covers neither a point nor another name.

    Call it last: it lays the figure out to know where the points are. Names that find no place near their point move
    away and get a thin line to it.
    """
    figure: Any = axis.figure
    figure.draw_without_rendering()
    dpi = figure.dpi
    centres = {name: axis.transData.transform(point) * 72 / dpi for name, point in points.items()}  # points
    frame = axis.get_window_extent()
    taken = [Bbox([centre - 4, centre + 4]) for centre in centres.values()]
    for name, centre in sorted(centres.items(), key=lambda item: -item[1][1]):
        box, shift = _free_place(centre, measure(name, size) * 72, size, taken, frame.width, frame.x0 * 72 / dpi, dpi)
        taken.append(box)
        line = {"arrowstyle": "-", "color": GREY, "lw": 0.7, "shrinkA": 0, "shrinkB": 3}
        axis.annotate(
            name, points[name], xytext=shift, textcoords="offset points", fontsize=size, va="bottom", ha="left",
            annotation_clip=False, arrowprops=line if np.hypot(*shift) > 30 + measure(name, size) * 72 else None,
        )  # fmt: skip


def _free_place(
    centre: np.ndarray, width: float, height: float, taken: list[Bbox], frame: float, left: float, dpi: float
) -> tuple[Bbox, tuple[float, float]]:
    """The nearest free box for a name around its point, and its offset from there; all in points."""
    right = left + frame * 72 / dpi
    best = None
    for away in (5, 12, 20, 30, 42, 56):
        for dx, dy in (
            (away, away - height / 2), (away, -away - height / 2), (-away - width, away - height / 2),
            (-away - width, -away - height / 2), (-width / 2, away), (-width / 2, -away - height),
        ):  # fmt: skip
            box = Bbox.from_bounds(centre[0] + dx, centre[1] + dy, width, height)
            if box.x0 < left or box.x1 > right:
                continue
            best = best or (box, (dx, dy))
            if not any(box.overlaps(other) for other in taken):
                return box, (dx, dy)
    return best or (Bbox.from_bounds(centre[0], centre[1], width, height), (5, 5))


def drawable(text: str) -> str:
    """``text`` without the letters that matplotlib's own font lacks: each would be a box and a warning."""
    return "".join(letter for letter in text if letter.isspace() or ord(letter) in _letters())


@lru_cache(maxsize=8192)
def measure(text: str, size: float, weight: str = "normal") -> float:
    """The width of ``text`` in inches, set in ``size`` points."""
    font = get_font(findfont(FontProperties(family=FONT, weight=weight)))
    font.set_size(size, 72)
    font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    return font.get_width_height()[0] / 64 / 72


def wrapped(text: str, inches: float, size: float, weight: str = "normal", most: int = 99) -> list[str]:
    """The lines of ``text`` set in ``size`` points, none wider than ``inches``; at most ``most``, then "…"."""
    lines = [""]
    for word in _words(text, inches, size, weight):
        longer = f"{lines[-1]} {word}".strip()
        if measure(longer, size, weight) <= inches:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1].rstrip(".,") + " …"]


def _words(text: str, inches: float, size: float, weight: str) -> Iterable[str]:
    """The words of ``text``; one that is wider than ``inches``, such as an address, in pieces."""
    for word in drawable(text).split():
        while len(word) > 1 and measure(word, size, weight) > inches:
            cut = max(1, int(len(word) * inches / measure(word, size, weight)) - 1)
            yield word[:cut]
            word = word[cut:]
        yield word


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())
