"""Figures of image selection: what the kernel is, what a determinant measures, how greedy picks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating]
COLOURS = sns.color_palette("colorblind")
PICK, OWN, REST = COLOURS[3], COLOURS[2], (0.6, 0.6, 0.6)


def kernel_heatmaps(kernels: Mapping[str, Floats], own: NDArray[np.bool_], share: float = 0.98) -> Figure:
    """Kernels [n, n] of one pool side by side, the user's own photos (``own`` [n]) first and marked.

    The colour scale of each ends at the quantile ``share`` of its entries.
    """
    order = np.argsort(~own, kind="stable")
    figure = Figure(figsize=(5 * len(kernels), 4.4), layout="constrained")
    axes = figure.subplots(1, len(kernels), squeeze=False)
    for axis, (title, L) in zip(axes[0], kernels.items(), strict=True):
        shown = np.asarray(L)[np.ix_(order, order)]
        drawn = axis.imshow(shown, cmap="viridis", vmin=0, vmax=np.quantile(shown, share), interpolation="nearest")
        last = own.sum() - 0.5
        axis.axhline(last, color="white", lw=0.8)
        axis.axvline(last, color="white", lw=0.8)
        axis.set(title=title, xlabel=f"candidate photos (the first {own.sum()} are the user's own)", ylabel="")
        figure.colorbar(drawn, ax=axis, shrink=0.85, extend="max", label="$L_{ij}$")
    return figure


def volumes(sets: Mapping[str, Floats]) -> Figure:
    """Photo vectors whose inner products are L_Y, drawn: two span an area, three a volume, both √det L_Y.

    ``sets``: title to L_Y, 2 × 2 or 3 × 3, positive definite.
    """
    figure = Figure(figsize=(3.3 * len(sets), 3.6), layout="constrained")
    reach = max(float(np.sqrt(np.diagonal(L).max())) for L in sets.values())
    for place, (title, L) in enumerate(sets.items(), start=1):
        vectors = np.linalg.cholesky(np.asarray(L))  # rows: v_i · v_j = L_ij
        flat = len(vectors) == 2
        axis = figure.add_subplot(1, len(sets), place, projection=None if flat else "3d")
        size = np.sqrt(np.linalg.det(L))
        if flat:
            corners = np.array([[0, 0], vectors[0], vectors.sum(0), vectors[1]])
            axis.fill(*corners.T, color=COLOURS[0], alpha=0.3)
            for vector in vectors:
                axis.annotate("", vector, (0, 0), arrowprops={"arrowstyle": "-|>", "color": PICK, "lw": 2})
            axis.set(xlim=(-0.1 * reach, 1.9 * reach), ylim=(-0.1 * reach, 1.3 * reach), aspect="equal")
        else:
            a, b, c = vectors
            faces = [[p, p + s, p + s + t, p + t] for p, s, t in _faces(a, b, c)]
            axis.add_collection3d(Poly3DCollection(faces, facecolor=COLOURS[0], alpha=0.15, edgecolor="grey", lw=0.5))
            axis.quiver(*np.zeros((3, 3)), *vectors.T, color=PICK, lw=2, arrow_length_ratio=0.12)
            low, high = np.minimum(vectors, 0).sum(0), np.maximum(vectors, 0).sum(0)
            axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
        axis.set_title(f"{title}\n{'area' if flat else 'volume'} {size:.3f}", fontsize=10)
        axis.tick_params(labelbottom=False, labelleft=False)
    return figure


def greedy_steps(thumbnails: Sequence[str], picks: Sequence[int], residuals: Floats, own: NDArray[np.bool_]) -> Figure:
    """Greedy MAP step by step: what every photo would still add (filled) beside what it was worth alone (ring).

    ``residuals`` [k, n] log gains before each pick, nan where taken; ``thumbnails`` paths of the n candidates.
    """
    alone = residuals[0]
    order = np.argsort(-alone, kind="stable")
    where = np.argsort(order)
    finite = residuals[np.isfinite(residuals)]
    low, high = finite.min() - 0.3, finite.max() + 0.4
    figure = Figure(figsize=(10, 2.2 * len(picks)), layout="constrained")
    axes = figure.subplots(len(picks), 2, width_ratios=[6, 1], squeeze=False)
    for step, pick in enumerate(picks):
        axis, photo = axes[step]
        now = np.where(np.isfinite(residuals[step]), residuals[step], low)
        there = ~np.isnan(residuals[step])
        axis.vlines(where[there], now[there], alone[there], color=REST, lw=0.8)
        axis.scatter(where[there], alone[there], s=22, facecolors="white", edgecolors=REST, zorder=2)
        axis.scatter(where[there & ~own], now[there & ~own], s=22, color=COLOURS[0], zorder=3, label="others' photo")
        axis.scatter(where[there & own], now[there & own], s=22, color=OWN, zorder=3, label="the user's own")
        axis.scatter(where[pick], now[pick], s=130, facecolors="none", edgecolors=PICK, lw=2, zorder=4, label="pick")
        axis.set(ylim=(low, high), ylabel="gain in log det", title=f"step {step + 1}")
        show_photo(photo, thumbnails[pick], OWN if own[pick] else PICK)
    axes[0, 0].legend(loc="lower left", fontsize=8, ncols=3)
    axes[-1, 0].set_xlabel("candidates, the most relevant on the left")
    return figure


def candidate_cloud(features: Floats, own: NDArray[np.bool_], chosen: Mapping[str, Sequence[int]]) -> Figure:
    """Candidates in the plane of their two main directions, one panel per method with what it chose.

    ``features`` [n, d]; the user's own photos are squares, the chosen ones have rings, numbered in pick order.
    """
    centred = features - features.mean(0)
    left, spread, _ = np.linalg.svd(centred, full_matrices=False)
    plane = left[:, :2] * spread[:2]
    share = float((spread[:2] ** 2).sum() / (spread**2).sum())
    figure = Figure(figsize=(3.3 * len(chosen), 3.4), layout="constrained")
    axes = figure.subplots(1, len(chosen), squeeze=False, sharex=True, sharey=True)
    for axis, (title, picks) in zip(axes[0], chosen.items(), strict=True):
        axis.scatter(*plane[~own].T, s=18, color=REST)
        axis.scatter(*plane[own].T, s=36, color=OWN, marker="s")
        axis.scatter(*plane[list(picks)].T, s=150, facecolors="none", edgecolors=PICK, lw=2)
        for order, pick in enumerate(picks, start=1):
            axis.annotate(str(order), plane[pick], xytext=(7, 6), textcoords="offset points", color=PICK, fontsize=9)
        axis.set_title(title, fontsize=10)
    figure.suptitle(f"Candidates by their two main directions ({share:.0%} of the variance); squares: the user's own")
    return figure


def showcases(rows: Sequence[tuple[str, Sequence[str], Sequence[str], Sequence[bool]]], past: int = 4) -> Figure:
    """Users of one business side by side: past photos on the left, the photos chosen for them on the right.

    ``rows``: (name, paths of past photos, paths of chosen photos, whether each is one the user really posted). A hit
    has a green frame.
    """
    k = max(len(chosen) for _, _, chosen, _ in rows)
    figure = Figure(figsize=(1.25 * (past + k) + 0.4, 1.45 * len(rows) + 0.3), layout="constrained")
    axes = figure.subplots(len(rows), past + 1 + k, width_ratios=[1] * past + [0.25] + [1] * k, squeeze=False)
    for line, (name, before, chosen, hits) in zip(axes, rows, strict=True):
        for axis in line:
            axis.set_axis_off()
        for axis, path in zip(line, before[:past], strict=False):
            show_photo(axis, path)
        for axis, path, hit in zip(line[past + 1 :], chosen, hits, strict=False):
            show_photo(axis, path, OWN if hit else REST)
        line[0].set_title(name, loc="left", fontsize=9)
    axes[0, past + 1].set_title("chosen for this user", loc="left", fontsize=9)
    return figure


def photo_strips(strips: Mapping[str, Sequence[str]], own: set[str]) -> Figure:
    """One row of photos per title, as for some values of θ; the paths in ``own`` get a green frame."""
    width = max(len(paths) for paths in strips.values())
    figure = Figure(figsize=(1.6 * width + 1.2, 1.6 * len(strips)), layout="constrained")
    axes = figure.subplots(len(strips), width, squeeze=False)
    for line, (title, paths) in zip(axes, strips.items(), strict=True):
        for axis in line:
            axis.set(xticks=[], yticks=[], frame_on=False)
        for axis, path in zip(line, paths, strict=False):
            show_photo(axis, path, OWN if path in own else REST)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
    return figure


def theta_slider(strips: Mapping[float, Sequence[str]], size: int = 150) -> object:
    """A slider over θ that shows the photos chosen at each value, in a live notebook; elsewhere a sentence.

    Only kernels that a Jupyter server started carry JPY_SESSION_NAME: under papermill nobody could move the slider.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        return "The slider over θ appears when this notebook runs in Jupyter; the figure above shows its positions."
    import ipywidgets

    frames = [ipywidgets.Image(width=size, height=size) for _ in range(max(map(len, strips.values())))]
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


def show_photo(axis: Axes, path: str, frame: tuple[float, float, float] | None = None) -> None:
    """A photo without axes, in a coloured frame if one is given."""
    with Image.open(path) as image:
        axis.imshow(image.convert("RGB"))
    axis.set_axis_on()
    axis.set(xticks=[], yticks=[], frame_on=True)
    for spine in axis.spines.values():
        spine.set(visible=frame is not None, color=frame or "white", linewidth=3)


def _faces(a: Floats, b: Floats, c: Floats) -> list[tuple[Floats, Floats, Floats]]:
    """The six faces of the box that a, b, c span, as (corner, side, side)."""
    zero = np.zeros(3)
    return [(p, s, t) for s, t, other in ((a, b, c), (a, c, b), (b, c, a)) for p in (zero, other)]
