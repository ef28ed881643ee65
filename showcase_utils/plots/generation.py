"""Figures of the generator: how it is built, what its losses do, what training makes of it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating]
COLOURS = sns.color_palette("colorblind")
PHOTO, HISTORY, TEXT, WRONG = COLOURS[0], COLOURS[2], COLOURS[1], COLOURS[3]
SPACES = {"visual": ("photos $\\hat H^V$", PHOTO, "o"), "history": ("history $\\hat H^R$", HISTORY, "s")}
SPACES |= {"target": ("texts $\\hat H^Y$", TEXT, "^"), "swapped": ("swapped texts", WRONG, "x")}


def architecture(encoder_layers: int, decoder_layers: int, width: int, features: int) -> Figure:
    """The generator as a drawing: what goes in, what attends to what, where each loss takes hold."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    axis = figure.subplots()
    axis.set(xlim=(0, 11), ylim=(0, 4.7))
    axis.axis("off")
    boxes = {
        "v": (0.1, 3.1, 1.7, 0.9, f"photos  $v$\nCLIP image, {features}", PHOTO),
        "r": (0.1, 1.0, 1.7, 0.9, f"past reviews  $r$\nCLIP text, {features}", HISTORY),
        "zv": (2.3, 3.1, 1.3, 0.9, "$Z^V = W^V v$\n+ modality", PHOTO),
        "zr": (2.3, 1.0, 1.3, 0.9, "$Z^R = W^R r$\n+ modality", HISTORY),
        "mma": (
            4.2,
            1.0,
            1.6,
            3.0,
            f"MMA\n\n{encoder_layers} layers of\nself-attention\nover both\n\nwidth {width}",
            (0.6,) * 3,
        ),
        "gpt": (
            7.0,
            1.0,
            1.9,
            3.0,
            f"GPT-2\n\n{decoder_layers} layers of\ncausal self-attention\nand cross-attention\nto $[H^V; H^R]$",
            TEXT,
        ),
        "y": (9.5, 2.8, 1.4, 0.9, "$y_t$\n$L_{CE}$", TEXT),
        "past": (7.2, 0.05, 1.5, 0.5, "$y_1 \\ldots y_{t-1}$", TEXT),
        "ccl": (6.0, 4.15, 2.3, 0.5, "$L_{CCL}$:  $\\hat H^V \\leftrightarrow \\hat H^Y$", WRONG),
        "pcl": (9.15, 1.1, 1.8, 0.8, "$L_{PCL}$:  $\\hat H^R \\leftrightarrow \\hat H^Y$\nweighted by $f(i,j)$", WRONG),
    }
    for x, y, w, h, text, colour in boxes.values():
        axis.add_patch(
            FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0.04", facecolor=(*colour, 0.22), edgecolor=colour, lw=1.6)
        )
        axis.text(x + w / 2, y + h / 2, text, ha="center", va="center", fontsize=10)
    arrows = [((1.85, 3.55), (2.25, 3.55)), ((1.85, 1.45), (2.25, 1.45)), ((3.65, 3.55), (4.15, 3.3))]
    arrows += [((3.65, 1.45), (4.15, 1.7)), ((5.85, 2.5), (6.95, 2.5)), ((8.95, 3.25), (9.45, 3.25))]
    arrows += [((7.95, 0.6), (7.95, 0.95))]
    for start, end in arrows:
        axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.25", "lw": 1.6})
    axis.text(6.4, 2.6, "$[H^V; H^R]$", ha="center", fontsize=10)
    for start, end in [((5.3, 4.05), (6.0, 4.4)), ((7.9, 4.05), (7.7, 4.15)), ((8.95, 1.5), (9.1, 1.5))]:
        axis.plot(*zip(start, end, strict=True), color=WRONG, lw=1.4, ls=":")
    axis.plot([5.0, 5.0, 10.0, 10.0], [0.95, 0.7, 0.7, 1.05], color=WRONG, lw=1.4, ls=":")
    return figure


def loss_curves(logs: Mapping[str, pd.DataFrame]) -> Figure:
    """A panel per term of the loss: training as a thin line, validation as dots. ``logs``: title to log.csv."""
    names = {"loss": "total $L$", "ce": "$L_{CE}$", "ccl": "$L_{CCL}$", "pcl": "$L_{PCL}$"}
    there = [term for term in names if any(term in log and log[term].notna().any() for log in logs.values())]
    figure = Figure(figsize=(3.2 * len(there), 3.9), layout="constrained")
    for axis, term in zip(figure.subplots(1, len(there), squeeze=False)[0], there, strict=True):
        for colour, (title, log) in zip(COLOURS, logs.items(), strict=False):
            if term in log:
                train, val = (log[log["split"] == split] for split in ("train", "val"))
                axis.plot(train["epoch"], train[term], color=colour, lw=1, label=title)
                axis.plot(val["epoch"], val[term], "o", color=colour, ms=5)
        axis.set(title=names[term], xlabel="epoch")
        axis.locator_params(axis="x", integer=True)
    figure.axes[0].set_ylabel("nats (line: training, dots: validation)")
    handles, titles = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=min(len(logs), 5), fontsize=8)
    return figure


def user_weights(weights: Floats, histories: Sequence[str], wrap: int = 46) -> Figure:
    """The matrix f(i,j), (B, B), and beside it the histories of the most and the least alike pair of users."""
    apart = weights + np.diag(np.full(len(weights), np.nan))
    alike = np.unravel_index(np.nanargmin(apart), apart.shape)
    unlike = np.unravel_index(np.nanargmax(apart), apart.shape)
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    drawn = left.imshow(weights, cmap="viridis", interpolation="nearest")
    left.set(title="$f(i,j)$: how much user $j$'s text repels user $i$'s history", xlabel="user j", ylabel="user i")
    figure.colorbar(drawn, ax=left, shrink=0.8)
    right.axis("off")
    place = 1.0
    for (i, j), colour, what in ((alike, TEXT, "most alike"), (unlike, WRONG, "least alike")):
        left.add_patch(FancyBboxPatch((j - 0.5, i - 0.5), 1, 1, boxstyle="square,pad=0.1", fill=False, ec=colour, lw=2))
        right.text(0, place, f"{what}: f = {weights[i, j]:.2f}", color=colour, weight="bold", va="top")
        place -= 0.06
        for user in (i, j):
            lines = textwrap.wrap(f"user {user}: {histories[user]}", wrap * 2)[:4]
            right.text(0, place, "\n".join(lines), va="top", fontsize=8, parse_math=False)
            place -= 0.05 * len(lines) + 0.03
        place -= 0.05
    return figure


def joint_space(before: Mapping[str, Floats], after: Mapping[str, Floats], lines: int = 60) -> Figure:
    """The joint space before and after training in one projection (PCA of both): a line joins a text to its photos.

    ``before`` and ``after`` map visual, history, target to unit rows (n, h). Both panels have the same axes.
    """
    rows = np.concatenate([part for space in (before, after) for part in space.values()])
    mean = rows.mean(axis=0)
    axes = np.linalg.svd(rows - mean, full_matrices=False)[2][:2]  # (2, h)
    figure = Figure(figsize=(10.5, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for panel, title, space in zip(panels, ("before training", "after training"), (before, after), strict=True):
        points = {name: (part - mean) @ axes.T for name, part in space.items()}
        if {"visual", "target"} <= points.keys():
            for a, b in zip(points["visual"][:lines], points["target"][:lines], strict=True):
                panel.plot(*zip(a, b, strict=True), color="0.8", lw=0.6, zorder=0)
        for name, part in points.items():
            label, colour, marker = SPACES[name]
            panel.scatter(*part.T, s=12, color=colour, marker=marker, alpha=0.6, label=label, linewidths=0.8)
        panel.set(title=title, xlabel="first component")
    panels[0].set_ylabel("second component")
    panels[1].legend(fontsize=9)
    return figure


def alignment_uniformity(points: pd.DataFrame) -> Figure:
    """Arrows from before to after training: left is closer pairs, down is a space used more evenly.

    ``points``: pair, when (before, after), alignment, uniformity.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axis = figure.subplots()
    for colour, (pair, two) in zip(COLOURS, points.groupby("pair", sort=False), strict=False):
        before, after = (
            two[two["when"] == when][["alignment", "uniformity"]].to_numpy()[0] for when in ("before", "after")
        )
        axis.annotate("", after, before, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2})
        axis.plot(*before, "o", color=colour, mfc="white", ms=8)
        axis.plot(*after, "o", color=colour, ms=8, label=pair)
    axis.set(
        xlabel="alignment: mean squared distance of pairs",
        ylabel="uniformity: log mean Gaussian potential",
        title="Open circle: before training. Full: after",
    )
    axis.legend()
    return figure


def word_attention(weights: pd.DataFrame, photos: Sequence[str | Path]) -> Figure:
    """Where each word of a text looks: words along the bottom, photos (shown beside their rows) and reviews up."""
    figure = Figure(figsize=(max(7, 0.42 * len(weights) + 2.4), 0.8 * len(weights.columns) + 1.8), layout="constrained")
    left, axis = figure.subplots(1, 2, width_ratios=(1, 7))
    drawn = axis.imshow(weights.to_numpy().T, aspect="auto", cmap="viridis", interpolation="nearest")
    axis.set_xticks(range(len(weights)), [word.strip() for word in weights.index], rotation=60, ha="right", fontsize=9)
    axis.set_yticks(range(len(weights.columns)), list(weights.columns))
    axis.set_title("cross-attention, mean over layers and heads")
    figure.colorbar(drawn, ax=axis, pad=0.01)
    rows = len(weights.columns)
    left.set(xlim=(0, 1), ylim=(rows, 0))
    left.axis("off")
    for row, path in enumerate(photos):
        _thumbnail(left.inset_axes((0, row + 0.03, 1, 0.94), transform=left.transData), path)
    return figure


def samples(
    rows: Sequence[tuple[Sequence[str | Path], Mapping[str, str]]], most_photos: int = 3, wrap: int = 84
) -> Figure:
    """Photos at the left, at the right what each system wrote of them. ``rows``: photo paths, title to text."""
    lines = max(sum(len(textwrap.wrap(text, wrap)) or 1 for text in texts.values()) for _, texts in rows)
    figure = Figure(figsize=(11, len(rows) * max(1.4, 0.2 * lines + 0.25)), layout="constrained")
    grid = figure.subplots(len(rows), most_photos + 1, squeeze=False, width_ratios=[1] * most_photos + [6])
    for panels, (photos, texts) in zip(grid, rows, strict=True):
        for panel in panels[:most_photos]:
            panel.axis("off")
        for panel, path in zip(panels, photos[:most_photos], strict=False):
            _thumbnail(panel, path)
        panels[-1].axis("off")
        height = 1.0
        for title, text in texts.items():
            wrapped = textwrap.wrap(text, wrap) or ["–"]
            panels[-1].text(0, height, title, weight="bold", va="top", fontsize=8.5)
            panels[-1].text(0.17, height, "\n".join(wrapped), va="top", fontsize=8.5, parse_math=False)
            height -= 0.95 * len(wrapped) / lines
    return figure


def through_training(
    texts: pd.DataFrame, photos: Mapping[str, Sequence[str | Path]], references: Mapping[str, str], most_epochs: int = 6
) -> Figure:
    """What a system writes of a few samples as it learns: their photos, a text per epoch, the reference.

    ``texts``: epoch (0 is before training), review_id, text; the others by review id. Of more than ``most_epochs``
    epochs those at equal distances are shown, the first and the last among them.
    """
    epochs = np.unique(texts["epoch"])
    epochs = epochs[np.unique(np.linspace(0, len(epochs) - 1, most_epochs).round().astype(int))]
    rows = []
    for review_id, own in texts.groupby("review_id", sort=False):
        said = own.set_index("epoch")["text"]
        titles = {f"after epoch {epoch}" if epoch else "before training": said[epoch] for epoch in epochs}
        rows.append((photos[review_id], titles | {"reference": references[review_id]}))
    return samples(rows)


def _thumbnail(axis: Axes, path: str | Path) -> None:
    with Image.open(path) as image:
        axis.imshow(np.asarray(image.convert("RGB")))
    axis.axis("off")
