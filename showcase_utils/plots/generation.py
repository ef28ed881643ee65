"""Figures of the generator: how it is built, what its losses do, what training makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.colors import to_rgba
from matplotlib.patches import FancyBboxPatch, Rectangle
from numpy.typing import NDArray

from showcase_utils.plots.style import (
    BLUE,
    DASHES,
    FAINT,
    GREEN,
    GREY,
    HEAT,
    INK,
    MARKERS,
    ORANGE,
    PALETTE,
    PURPLE,
    RED,
    SMALL,
    Drawing,
    wrapped,
)
from showcase_utils.plots.thumbnails import Page, Photo, at_point, beside_texts

Floats = NDArray[np.floating]
PHOTO, HISTORY, TEXT, WRONG = BLUE, GREEN, ORANGE, RED
SPACES = {"visual": ("photos $\\hat H^V$", PHOTO, "o"), "history": ("history $\\hat H^R$", HISTORY, "s")}
SPACES |= {"target": ("texts $\\hat H^Y$", TEXT, "^"), "swapped": ("swapped texts", WRONG, "x")}
ARROWS = (  # from, to
    ((1.85, 3.55), (2.25, 3.55)), ((1.85, 1.45), (2.25, 1.45)), ((3.65, 3.55), (4.15, 3.3)),
    ((3.65, 1.45), (4.15, 1.7)), ((5.85, 2.5), (6.95, 2.5)), ((8.95, 3.25), (9.45, 3.25)), ((7.95, 0.6), (7.95, 0.95)),
)  # fmt: skip
CONTRASTS = (  # the dotted lines that join what a contrastive loss compares
    ((5.3, 4.05), (6.0, 4.4)), ((7.9, 4.05), (7.7, 4.15)), ((8.95, 1.5), (9.1, 1.5)),
    ((5.0, 0.95), (5.0, 0.7), (10.0, 0.7), (10.0, 1.05)),
)  # fmt: skip


def architecture(encoder_layers: int, decoder_layers: int, width: int, features: int) -> Drawing:
    """The generator as a drawing: what goes in, what attends to what, where each loss takes hold."""
    figure = Drawing(11, 4.6, "Photos and past reviews pass a shared encoder to GPT-2; two losses compare their states")
    axis = figure.subplots()
    axis.set(xlim=(0, 11), ylim=(0, 4.7))
    axis.axis("off")
    mma = f"MMA\n\n{encoder_layers} layers of\nself-attention\nover both\n\nwidth {width}"
    gpt = f"GPT-2\n\n{decoder_layers} layers of\ncausal self-attention\nand cross-attention\nto $[H^V; H^R]$"
    contrast = "$L_{PCL}$:  $\\hat H^R \\leftrightarrow \\hat H^Y$\nweighted by $f(i,j)$"
    for x, y, w, h, text, colour in (
        (0.1, 3.1, 1.7, 0.9, f"photos  $v$\nCLIP image, {features}", PHOTO),
        (0.1, 1.0, 1.7, 0.9, f"past reviews  $r$\nCLIP text, {features}", HISTORY),
        (2.3, 3.1, 1.3, 0.9, "$Z^V = W^V v$\n+ modality", PHOTO),
        (2.3, 1.0, 1.3, 0.9, "$Z^R = W^R r$\n+ modality", HISTORY),
        (4.2, 1.0, 1.6, 3.0, mma, GREY),
        (7.0, 1.0, 1.9, 3.0, gpt, TEXT),
        (9.5, 2.8, 1.4, 0.9, "$y_t$\n$L_{CE}$", TEXT),
        (7.2, 0.05, 1.5, 0.5, "$y_1 \\ldots y_{t-1}$", TEXT),
        (6.0, 4.15, 2.3, 0.5, "$L_{CCL}$:  $\\hat H^V \\leftrightarrow \\hat H^Y$", WRONG),
        (9.15, 1.1, 1.8, 0.8, contrast, WRONG),
    ):
        style: dict[str, Any] = {"facecolor": to_rgba(colour, 0.22), "edgecolor": colour, "lw": 1.6}
        axis.add_patch(FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0.04", **style))
        axis.text(x + w / 2, y + h / 2, text, ha="center", va="center", fontsize=10)
    for start, end in ARROWS:
        axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.6})
    axis.text(6.4, 2.6, "$[H^V; H^R]$", ha="center", fontsize=10)
    for line in CONTRASTS:
        axis.plot(*zip(*line, strict=True), color=WRONG, lw=1.4, ls=":")
    return figure


def loss_curves(logs: Mapping[str, pd.DataFrame]) -> Drawing:
    """A panel per term of the loss: training as a thin line, validation as dots. ``logs``: title to log.csv."""
    names = {"loss": "total $L$", "ce": "$L_{CE}$", "ccl": "$L_{CCL}$", "pcl": "$L_{PCL}$"}
    there = [term for term in names if any(term in log and log[term].notna().any() for log in logs.values())]
    figure = Drawing(max(3.3 * len(there), 7), 4.2)
    figure.alt = f"Training and validation loss of {', '.join(logs)} over epochs"
    styles = _kinds(logs)
    for axis, term in zip(figure.subplots(1, len(there), squeeze=False)[0], there, strict=True):
        for title, log in logs.items():
            if term in log:
                train, val = (log[log["split"] == split] for split in ("train", "val"))
                axis.plot(*_even(train, term), lw=1.2, **(styles[title] | {"marker": ""}))
                axis.plot(val["epoch"], val[term], ms=4.5, **(styles[title] | {"ls": ""}))
        axis.set(title=names[term], xlabel="epoch")
        axis.locator_params(axis="x", integer=True)
    for title in logs:
        figure.axes[0].plot([], [], lw=1.2, ms=4.5, label=title, **styles[title])
    figure.axes[0].set_ylabel("nats (line: training, marks: validation)")
    figure.legend_below(figure.axes[0])
    return figure


def _even(train: pd.DataFrame, term: str) -> tuple[pd.Series, pd.Series]:
    """Epochs and means of a term over like many steps: the few that end an epoch count with those before them."""
    steps = train["step"].diff().fillna(train["step"])
    window = (steps >= steps.median() / 2).cumsum()
    means = (train[term] * steps).groupby(window).sum() / steps.groupby(window).sum()
    return train["epoch"].groupby(window).last(), means


def _kinds(titles: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A colour per kind of system (ours, one modality, other papers'), and a line style and marker within it."""
    found: dict[str, dict[str, Any]] = {}
    for title in titles:
        colour = BLUE if title.startswith("Ours") else ORANGE if title.endswith("GPT-2") else PURPLE
        same = sum(style["color"] == colour for style in found.values())
        found[title] = {"color": colour, "ls": DASHES[same % len(DASHES)], "marker": MARKERS[same % len(MARKERS)]}
    return found


def user_weights(weights: Floats, histories: Sequence[str]) -> Drawing:
    """The matrix f(i,j), (B, B), and beside it the histories of the most and the least alike pair of users.

    Facts ``lowest`` and ``highest``: f of these two pairs.
    """
    apart = weights + np.diag(np.full(len(weights), np.nan))
    alike = np.unravel_index(np.nanargmin(apart), apart.shape)
    unlike = np.unravel_index(np.nanargmax(apart), apart.shape)
    figure = Drawing(12, 5, f"Matrix f(i,j) of {len(weights)} users and the histories of two pairs")
    figure.facts = {"lowest": weights[alike], "highest": weights[unlike]}
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    bar = {"shrink": 0.8, "label": "how much j's text repels i's history"}
    seaborn.heatmap(weights, ax=left, cmap=HEAT, square=True, xticklabels=5, yticklabels=5, cbar_kws=bar)
    left.set(title="$f(i,j)$", xlabel="user j", ylabel="user i")
    left.tick_params(axis="y", rotation=0)
    right.axis("off")
    place = 1.0
    for (i, j), colour, dash, what in ((alike, "white", "-", "most alike"), (unlike, RED, ":", "least alike")):
        left.add_patch(Rectangle((int(j), int(i)), 1, 1, fill=False, ec=colour, ls=dash, lw=2.2))
        frame = "white frame" if colour == "white" else "red dotted frame"
        right.text(0, place, f"{what}: f = {weights[i, j]:.2f} ({frame})", weight="bold", va="top", in_layout=False)
        place -= 0.06
        for user in (int(i), int(j)):
            lines = wrapped(f"user {user}: {histories[user]}", 5.4, SMALL, most=4)
            right.text(0, place, "\n".join(lines), va="top", fontsize=SMALL, parse_math=False, in_layout=False)
            place -= 0.042 * len(lines) + 0.04
        place -= 0.05
    return figure


def joint_space(before: Mapping[str, Floats], after: Mapping[str, Floats], lines: int = 60) -> Drawing:
    """The joint space before and after training in one projection (PCA of both): a line joins a text to its photos.

    ``before`` and ``after`` map visual, history, target to unit rows (n, h). Both panels have the same axes. Facts
    ``before`` and ``after``: the mean distance of a text to its photos, in the space itself and not in the plane.
    """
    rows = np.concatenate([part for space in (before, after) for part in space.values()])
    mean = rows.mean(axis=0)
    axes = np.linalg.svd(rows - mean, full_matrices=False)[2][:2]  # (2, h)
    figure = Drawing(10.5, 5.2, "Photos, histories and texts as points, before and after training")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for panel, title, space in zip(panels, ("before training", "after training"), (before, after), strict=True):
        points = {name: (part - mean) @ axes.T for name, part in space.items()}
        if {"visual", "target"} <= points.keys():
            figure.facts[title.split()[0]] = np.linalg.norm(space["visual"] - space["target"], axis=1).mean()
            for a, b in zip(points["visual"][:lines], points["target"][:lines], strict=True):
                panel.plot(*zip(a, b, strict=True), color=FAINT, lw=0.6, zorder=0)
        for name, part in points.items():
            label, colour, marker = SPACES[name]
            panel.scatter(*part.T, s=12, color=colour, marker=marker, alpha=0.6, label=label, linewidths=0.8)
        panel.set(title=title, xlabel="first component")
    panels[0].set_ylabel("second component")
    figure.legend_below(panels[0])
    return figure


def alignment_uniformity(points: pd.DataFrame) -> Drawing:
    """Arrows from before to after training: left is closer pairs, down is a space used more evenly.

    ``points``: pair, when (before, after), alignment, uniformity.
    """
    figure = Drawing(7, 4.6, "Arrows from before to after training in the plane of alignment and uniformity")
    axis = figure.subplots()
    for colour, mark, (pair, two) in zip(PALETTE, MARKERS, points.groupby("pair", sort=False), strict=False):
        before, after = (
            two[two["when"] == when][["alignment", "uniformity"]].to_numpy()[0] for when in ("before", "after")
        )
        axis.annotate("", after, before, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2})
        axis.plot(*before, mark, color=colour, mfc="white", ms=8)
        axis.plot(*after, mark, color=colour, ms=8, label=pair)
    axis.set(
        xlabel="alignment: mean squared distance of pairs",
        ylabel="uniformity: log mean Gaussian potential",
        title="Open: before training. Full: after",
    )
    figure.legend_below(axis)
    return figure


def word_attention(weights: pd.DataFrame, photos: Sequence[Photo]) -> Drawing:
    """Where each word of a text looks: words along the bottom, photos (shown beside their rows) and reviews up.

    ``weights``: a row per word, a column per photo and then per review. Fact ``photos``: the share of all attention
    that the photos get.
    """
    words, rows = weights.shape
    cell = min(0.45, 3.6 / rows)
    figure = Drawing(max(6.5, 0.32 * words + 2.6), cell * rows + 1.6)
    axis = figure.subplots()
    labels = [*[""] * len(photos), *weights.columns[len(photos) :]]
    seaborn.heatmap(weights.T, ax=axis, cmap=HEAT, xticklabels=True, yticklabels=labels, cbar_kws={"pad": 0.01})
    axis.set_xticklabels(weights.index.str.strip(), rotation=60, ha="right", rotation_mode="anchor")
    axis.tick_params(length=0)
    axis.tick_params(axis="y", rotation=0)
    axis.set(xlabel="", ylabel="")
    for row, photo in enumerate(photos):
        at_point(axis, photo, (0, row + 0.5), (-0.5 * cell - 0.04, 0), cell * 0.92)
    figure.facts["photos"] = weights.iloc[:, : len(photos)].to_numpy().sum() / weights.to_numpy().sum()
    axis.set_title(f"cross-attention, mean over layers and heads; photos get {figure.facts['photos']:.0%} of it")
    figure.alt = f"Heat map of attention from {words} words to {len(photos)} photos and {rows - len(photos)} reviews"
    return figure


def samples(rows: Sequence[tuple[Sequence[Photo], Mapping[str, str]]], most_photos: int = 3) -> Page:
    """Photos at the left, at the right what each system wrote of them. ``rows``: photo paths, title to text."""
    alt = f"{len(rows)} samples: photos and the texts about them"
    return beside_texts([(photos, list(texts.items())) for photos, texts in rows], most=most_photos, alt=alt)


def through_training(
    texts: pd.DataFrame, photos: Mapping[str, Sequence[Photo]], references: Mapping[str, str], most_epochs: int = 6
) -> Page:
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
