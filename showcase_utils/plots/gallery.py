"""Pictures of showcases: one place for several users."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

if TYPE_CHECKING:
    from showcase_utils.showcase import Showcase

PAST, CHOSEN = 3, 3  # photos per row


def same_place(showcases: Sequence[Showcase]) -> Figure:
    """One row per user: photos of their past, a line, the photos chosen for them, and the text."""
    figure = Figure(figsize=(12, 1.9 * len(showcases) + 0.3), layout="constrained")
    heads, *axes = figure.subplots(
        len(showcases) + 1,
        PAST + CHOSEN + 2,
        squeeze=False,
        height_ratios=[0.12] + [1] * len(showcases),
        width_ratios=[0.8] * PAST + [0.12] + [1.2] * CHOSEN + [3],
    )
    for column, head in ((0, "photographed elsewhere"), (PAST + 1, "chosen here for this user"), (-1, "and written")):
        heads[column].text(0, 0, head, fontsize=10, weight="bold").set_in_layout(False)  # or it widens its column
    for axis in heads:
        axis.set_axis_off()
    for row, showcase in zip(axes, showcases, strict=True):
        for axis in row:
            axis.set_axis_off()
        for axis, path in zip(row[:PAST], showcase.past_photos, strict=False):
            _photo(axis, path)
        row[PAST].axvline(0.5, color="0.6", linewidth=1)
        for axis, path in zip(row[PAST + 1 : -1], showcase.photos, strict=False):
            _photo(axis, path)
        words = textwrap.fill(showcase.text, 38)
        row[-1].text(0, 0.5, words, va="center", fontsize=9, parse_math=False, transform=row[-1].transAxes)
        row[0].set_title(f"user …{showcase.user_id[-4:]}", fontsize=8, loc="left")
    return figure


def _photo(axis: Axes, path: Path) -> None:
    with Image.open(path) as image:
        axis.imshow(image.convert("RGB"))
