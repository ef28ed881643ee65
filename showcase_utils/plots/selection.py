"""Figures of image selection: what the kernel is, what a determinant measures, how greedy picks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from numpy.typing import NDArray

from showcase_utils.plots.style import BLUE, GREEN, GREY, HEAT, INK, MUTED, RED, SKY, Drawing, measure
from showcase_utils.plots.thumbnails import Page, Photo, at_point

Floats = NDArray[np.floating]
PICK, OWN, REST = RED, GREEN, GREY


def kernel_heatmaps(kernels: Mapping[str, Floats], own: NDArray[np.bool_], share: float = 0.96) -> Drawing:
    """Kernels [n, n] of one pool side by side, the user's own photos (``own`` [n]) first and marked.

    The diagonal q² is drawn as bars on top. The heat map below shows the rest, and its colours span the middle
    ``share`` of those values, so that a pattern shows however little they differ. Facts per kernel, ``TITLE spread``:
    that span over the median.
    """
    order, count = np.argsort(~own, kind="stable"), int(own.sum())
    figure = Drawing(5.2 * len(kernels), 5, f"Kernels of one pool of {len(own)} photos: {', '.join(kernels)}")
    axes = figure.subplots(2, len(kernels), squeeze=False, sharex=True, height_ratios=[1, 5])
    for (top, axis), (title, L) in zip(axes.T, kernels.items(), strict=True):
        shown = np.array(L, dtype=float)[np.ix_(order, order)]
        top.bar(range(len(shown)), shown.diagonal(), color=np.where(own[order], OWN, BLUE), width=0.85)
        top.set_title(title)
        top.set_ylabel("$L_{ii} = q_i^2$")
        np.fill_diagonal(shown, np.nan)
        low, middle, high = np.nanquantile(shown, [(1 - share) / 2, 0.5, (1 + share) / 2])
        figure.facts[f"{title} spread"] = (high - low) / middle if middle else np.inf
        drawn = axis.imshow(shown, cmap=HEAT, vmin=low, vmax=high, interpolation="nearest", aspect="auto")
        for line in (axis.axhline, axis.axvline):
            line(count - 0.5, color="white", lw=1.2)
        axis.set_xlabel(f"candidate photos (the first {count} are the user's own)")
        figure.colorbar(drawn, ax=axis, shrink=0.85, extend="both", label="$L_{ij}$,  $i \\ne j$")
    return figure


def volumes(sets: Mapping[str, Floats]) -> Drawing:
    """Photo vectors whose inner products are L_Y, drawn: two span an area, three a volume, both √det L_Y.

    ``sets``: title to L_Y, 2 × 2 or 3 × 3, positive definite. Facts: √det L_Y by title.
    """
    figure = Drawing(3.4 * len(sets), 3.6, f"Vectors and what they span: {', '.join(sets)}")
    reach = max(float(np.sqrt(np.diagonal(L).max())) for L in sets.values())
    for place, (title, L) in enumerate(sets.items(), start=1):
        vectors = np.linalg.cholesky(np.asarray(L))  # rows: v_i · v_j = L_ij
        figure.facts[title] = float(np.sqrt(np.linalg.det(L)))
        flat = len(vectors) == 2
        axis = figure.add_subplot(1, len(sets), place, projection=None if flat else "3d")
        (_area if flat else _volume)(axis, vectors, reach)
        axis.set_title(f"{title}\n{'area' if flat else 'volume'} {figure.facts[title]:.3f}", loc="center")
        axis.tick_params(labelbottom=False, labelleft=False, length=0)
    return figure


def _area(axis: Axes, vectors: Floats, reach: float) -> None:
    corners = np.array([[0, 0], vectors[0], vectors.sum(0), vectors[1]])
    axis.fill(*corners.T, color=SKY, alpha=0.5)
    for vector in vectors:
        axis.annotate("", vector, (0, 0), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 2})
    axis.set(xlim=(-0.1 * reach, 1.9 * reach), ylim=(-0.1 * reach, 1.3 * reach), aspect="equal")


def _volume(axis: Any, vectors: Floats, reach: float) -> None:
    a, b, c = vectors
    zero = np.zeros(3)
    corners = [(p, s, t) for s, t, other in ((a, b, c), (a, c, b), (b, c, a)) for p in (zero, other)]
    faces = [[p, p + s, p + s + t, p + t] for p, s, t in corners]
    axis.add_collection3d(Poly3DCollection(faces, facecolor=SKY, alpha=0.25, edgecolor=MUTED, lw=0.6))
    axis.quiver(*np.zeros((3, 3)), *vectors.T, color=INK, lw=2, arrow_length_ratio=0.12)
    low, high = np.minimum(vectors, 0).sum(0), np.maximum(vectors, 0).sum(0)
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]), zticklabels=[])


def greedy_steps(
    thumbnails: Sequence[Photo], picks: Sequence[int], residuals: Floats, own: NDArray[np.bool_]
) -> Drawing:
    """Greedy MAP step by step: what every photo would still add (filled) beside what it was worth alone (ring).

    ``residuals`` [k, n] log gains before each pick, nan where taken; ``thumbnails`` of the n candidates. Facts
    ``rank 1``, ``rank 2``, …: the place of each pick by what the candidates are worth alone, from 1.
    """
    alone = residuals[0]
    where = np.argsort(np.argsort(-alone, kind="stable"))
    finite = residuals[np.isfinite(residuals)]
    low, high = finite.min() - 0.3, finite.max() + 0.4
    figure = Drawing(10.5, 1.9 * len(picks) + 0.6, f"Gain of every candidate in {len(picks)} steps, and the picks")
    axes = figure.subplots(len(picks), 1, squeeze=False, sharex=True)[:, 0]
    for step, (axis, pick) in enumerate(zip(axes, picks, strict=True)):
        now = np.where(np.isfinite(residuals[step]), residuals[step], low)
        there = ~np.isnan(residuals[step])
        axis.vlines(where[there], now[there], alone[there], color=REST, lw=0.8)
        axis.scatter(where[there], alone[there], s=22, facecolors="white", edgecolors=REST, zorder=2, label="alone")
        axis.scatter(where[there & ~own], now[there & ~own], s=22, color=BLUE, zorder=3, label="other photo")
        axis.scatter(
            where[there & own], now[there & own], s=34, marker="s", color=OWN, zorder=3, label="the user's own"
        )
        axis.scatter(where[pick], now[pick], s=130, facecolors="none", edgecolors=PICK, lw=2, zorder=4, label="pick")
        figure.facts[f"rank {step + 1}"] = int(where[pick]) + 1
        axis.set(ylim=(low, high), xlim=(-1, len(alone)), ylabel="gain in log det", title=f"step {step + 1}")
        at_point(axis, thumbnails[pick], (len(alone), (low + high) / 2), (0.8, 0), 1.35, OWN if own[pick] else PICK)
    axes[-1].set_xlabel("candidates, the most relevant on the left")
    figure.legend_below(axes[0])
    return figure


def candidate_cloud(features: Floats, own: NDArray[np.bool_], chosen: Mapping[str, Sequence[int]]) -> Drawing:
    """Candidates in the plane of their two main directions, one panel per method with what it chose.

    ``features`` [n, d]; the user's own photos are squares, the chosen ones have rings, numbered in pick order. Fact
    ``variance``: the share that the plane shows.
    """
    centred = features - features.mean(0)
    left, spread, _ = np.linalg.svd(centred, full_matrices=False)
    plane = left[:, :2] * spread[:2]
    figure = Drawing(3.5 * len(chosen), 3.8, f"{len(features)} candidates in a plane; what {', '.join(chosen)} chose")
    share = figure.facts["variance"] = float((spread[:2] ** 2).sum() / (spread**2).sum())
    axes = figure.subplots(1, len(chosen), squeeze=False, sharex=True, sharey=True)
    for axis, (title, picks) in zip(axes[0], chosen.items(), strict=True):
        axis.scatter(*plane[~own].T, s=18, color=REST, label="others' photo")
        axis.scatter(*plane[own].T, s=40, color=OWN, marker="s", label="the user's own")
        axis.scatter(*plane[list(picks)].T, s=150, facecolors="none", edgecolors=PICK, lw=2, label="chosen, in order")
        for order, pick in enumerate(picks):
            shift = [(8, 6), (8, -13), (-15, 6), (-15, -13)][order % 4]  # neighbours keep their numbers apart
            axis.annotate(str(order + 1), plane[pick], xytext=shift, textcoords="offset points", color=PICK)
        axis.set(title=title, xticks=[], yticks=[])
    figure.suptitle(f"Candidates by their two main directions, {share:.0%} of the variance", x=0.01, ha="left")
    figure.legend_below(axes[0, 0])
    return figure


def showcases(rows: Sequence[tuple[str, Sequence[Photo], Sequence[Photo], Sequence[bool]]], past: int = 4) -> Page:
    """Users of one business side by side: past photos on the left, the photos chosen for them on the right.

    ``rows``: (name, past photos, chosen photos, whether each is one the user really posted). A hit has a green frame.
    """
    size, gap, k = 1.3, 0.1, max(len(chosen) for _, _, chosen, _ in rows)
    left = past * (size * 0.75 + gap) + 0.45
    page = Page(left + k * (size + gap) + 0.1, f"Past and chosen photos of {len(rows)} users of one business")
    page.words("photographed elsewhere", 0.1, 0.1, colour=MUTED)
    page.words("chosen here (green frame: really posted)", left, 0.1)
    y = 0.4
    for name, before, chosen, hits in rows:
        page.words(name, 0.1, y, colour=MUTED)
        page.photos(before[:past], 0.1, y + 0.25, size * 0.75, gap=gap)
        page.photos(chosen, left, y, size, [OWN if hit else None for hit in hits], gap=gap)
        y += size + 0.2
    return page.cut(y)


def photo_strips(strips: Mapping[str, Sequence[Photo]], own: set[str]) -> Page:
    """One row of photos per title, as for some values of θ; the paths in ``own`` get a green frame."""
    size, gap = 1.3, 0.1
    left = max(measure(title, 10) for title in strips) + 0.3
    page = Page(left + max(map(len, strips.values())) * (size + gap) + 0.1, f"Photos by row: {', '.join(strips)}")
    y = 0.1
    for title, paths in strips.items():
        page.words(title, left - 0.15, y + size / 2 - 0.08, size=10, align="right")
        page.photos(paths, left, y, size, [OWN if path in own else None for path in paths], gap=gap)
        y += size + gap
    return page.cut(y)


def theta_slider(strips: Mapping[float, Sequence[str]], size: int = 150) -> object:
    """A slider over θ that shows the photos chosen at each value, in a live notebook; elsewhere a sentence.

    Only kernels that a Jupyter server started carry JPY_SESSION_NAME: under papermill nobody could move the slider.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        return "The slider over θ appears in Jupyter; the figure above shows some of its positions."
    import ipywidgets

    frames = [ipywidgets.Image(height=size) for _ in range(max(map(len, strips.values())))]
    slider = ipywidgets.SelectionSlider(
        options=[(f"{theta:.2f}", theta) for theta in strips], value=sorted(strips)[len(strips) // 2], description="θ"
    )

    def show(change: Mapping[str, float]) -> None:
        for frame, path in zip(frames, strips[change["new"]], strict=False):
            with open(path, "rb") as file:
                frame.value = file.read()

    slider.observe(show, names="value")
    show({"new": slider.value})
    return ipywidgets.VBox([slider, ipywidgets.HBox(frames)])
