"""Figures of CLIP features: retrieval, photos beside sentences, photos beside photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from showcase_utils.plots.style import HEAT, MUTED, SMALL, Drawing, wrapped
from showcase_utils.plots.thumbnails import Page, Photo, at_point

Floats = NDArray[np.floating]


def retrieval_grid(queries: Sequence[str], photos: Sequence[Sequence[Photo]], similarity: Floats) -> Page:
    """Per query (a row) its nearest photos, best first. ``photos``: (q, k); ``similarity``: cosines (q, k)."""
    size, gap = 1.35, 0.1
    page = Page(similarity.shape[1] * (size + gap) + gap, f"Nearest photos of {len(queries)} phrases")
    y = 0.1
    for query, found, values in zip(queries, photos, similarity, strict=True):
        y += page.words(f"“{query.strip()}”", gap, y, page.width - 2 * gap, size=11, most=1) + 0.05
        page.photos(found, gap, y, size, gap=gap)
        y += size + 0.03
        for place, value in enumerate(values):
            middle = gap + place * (size + gap) + size / 2
            page.words(f"{value:.2f}", middle, y, size=SMALL, colour=MUTED, align="center")
        y += 0.32
    return page.cut(y)


def similarity_heatmap(
    similarity: Floats, framed: NDArray[np.bool_], photos: Sequence[Photo], sentences: Sequence[str]
) -> Drawing:
    """Cosines of photos and sentences ``(p, s)``: photos above the columns, sentences beside the rows.

    ``framed (p, s)`` marks pairs that belong together. Fact ``brightest``: the number of photos whose highest cosine
    is in a framed cell.
    """
    count, lines = similarity.shape
    figure = Drawing(4.4 + 0.8 * count, 1.5 + 0.5 * lines)
    axis = figure.subplots()
    names = [wrapped(sentence, 3.6, SMALL, most=1)[0] for sentence in sentences]
    seaborn.heatmap(similarity.T, ax=axis, cmap=HEAT, annot=True, fmt=".2f", xticklabels=False, yticklabels=names,
                    cbar_kws={"label": "cosine", "shrink": 0.8, "pad": 0.01})  # fmt: skip
    axis.tick_params(axis="y", length=0, rotation=0)
    for column, photo in enumerate(photos):
        at_point(axis, photo, (column + 0.5, 0), (0, 0.36), 0.66)
    for column, row in np.argwhere(framed):
        axis.add_patch(Rectangle((column + 0.02, row + 0.02), 0.96, 0.96, fill=False, edgecolor="white", lw=2.5))
    brightest = int(framed[np.arange(count), similarity.argmax(axis=1)].sum())
    figure.facts["brightest"] = brightest
    title = f"In {brightest} of {count} columns the highest cosine is in a framed cell: what belongs together"
    axis.set_title(title, pad=56)
    figure.alt = f"Heat map of the cosines of {count} photos and {lines} sentences. {title}"
    return figure


def image_similarity(similarity: Floats, photos: Sequence[Photo], groups: Sequence[str]) -> Drawing:
    """Cosines between photos ``(n, n)``, photos of one group side by side; lines separate the groups.

    Facts ``within`` and ``between``: the mean cosine of two photos of one group, and of two groups.
    """
    count, names = len(photos), np.asarray(groups)
    figure = Drawing(2.0 + 0.36 * count, 1.4 + 0.34 * count)
    axis = figure.subplots()
    seaborn.heatmap(similarity, ax=axis, cmap=HEAT, square=True, xticklabels=False, yticklabels=False,
                    cbar_kws={"label": "cosine of CLIP features", "shrink": 0.8})  # fmt: skip
    for number, photo in enumerate(photos):
        at_point(axis, photo, (0, number + 0.5), (-0.19, 0), 0.31)
        at_point(axis, photo, (number + 0.5, count), (0, -0.19), 0.31)
    starts = [0, *(n for n in range(1, count) if groups[n] != groups[n - 1]), count]
    for start, end in zip(starts, starts[1:], strict=False):
        axis.axhline(end, color="white", lw=2)
        axis.axvline(end, color="white", lw=2)
        axis.text((start + end) / 2, -0.3, groups[start], ha="center", va="bottom")
    same = names[:, None] == names
    apart = ~np.eye(count, dtype=bool)
    figure.facts = {"within": float(similarity[same & apart].mean()), "between": float(similarity[~same].mean())}
    title = "Mean cosine of two photos: {within:.2f} in one group, {between:.2f} in two".format(**figure.facts)
    axis.set_title(title, pad=24)
    figure.alt = f"Heat map of the cosines of {count} photos in {len(starts) - 1} groups. {title}"
    return figure
