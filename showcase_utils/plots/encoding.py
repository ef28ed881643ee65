"""Figures of CLIP encoding: retrieval, similarities, the alignment classifier Φ, distillation, visual diversity."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from showcase_utils.plots.writer import drawable

Floats = NDArray[np.floating]
COLOURS = sns.color_palette("colorblind")
YES, NO, GREY = COLOURS[2], COLOURS[3], (0.6, 0.6, 0.6)
THUMBNAIL = 96  # pixels


def retrieval_grid(queries: Sequence[str], photos: Sequence[Sequence[str | Path]], similarity: Floats) -> Figure:
    """Per query (a row) its nearest photos, best first. ``photos``: paths (q, k); ``similarity``: cosines (q, k)."""
    rows, columns = similarity.shape
    figure = Figure(figsize=(1.5 * columns, 1.95 * rows), layout="constrained")
    grid = figure.subfigures(rows, 1, squeeze=False)[:, 0]
    for part, query, paths, values in zip(grid, queries, photos, similarity, strict=True):
        part.suptitle(f"“{drawable(query).strip()}”", x=0.01, ha="left", fontsize=11, parse_math=False)
        for axis, path, value in zip(part.subplots(1, columns, squeeze=False)[0], paths, values, strict=True):
            _show(axis, path)
            axis.set_xlabel(f"{value:.2f}", fontsize=9, labelpad=2)
    return figure


def similarity_heatmap(
    similarity: Floats, framed: NDArray[np.bool_], photos: Sequence[str | Path], sentences: Sequence[str]
) -> Figure:
    """Cosines of photos and sentences ``(p, s)``: photos above the columns, sentences beside the rows.

    ``framed (p, s)`` marks pairs that belong together.
    """
    count, lines = similarity.shape
    figure = Figure(figsize=(4.2 + 0.95 * count, 1.6 + 0.5 * lines), layout="constrained")
    axis = figure.subplots()
    labels = [textwrap.shorten(drawable(sentence), 60, placeholder=" …") for sentence in sentences]
    sns.heatmap(
        similarity.T, ax=axis, cmap="viridis", annot=True, fmt=".2f", annot_kws={"size": 8}, yticklabels=labels,
        xticklabels=[""] * count, cbar_kws={"label": "cosine", "shrink": 0.8},
    )  # fmt: skip
    axis.tick_params(length=0)
    for column, path in enumerate(photos):
        _thumbnail(axis, path, (column + 0.5, 0), (0, 32))
    for column, row in np.argwhere(framed):
        axis.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="white", linewidth=2.5))
    axis.set_title("Which sentence goes with which photo? Framed: what people say belongs together", pad=68)
    return figure


def image_similarity(similarity: Floats, photos: Sequence[str | Path], groups: Sequence[str]) -> Figure:
    """Cosines between photos ``(n, n)``, photos of one group side by side; lines separate the groups."""
    count = len(photos)
    figure = Figure(figsize=(1.8 + 0.5 * count, 1.2 + 0.46 * count), layout="constrained")
    axis = figure.subplots()
    drawn = axis.imshow(similarity, cmap="viridis", interpolation="nearest")
    for number, path in enumerate(photos):
        _thumbnail(axis, path, (-0.5, number), (-16, 0), zoom=0.28)
        _thumbnail(axis, path, (number, count - 0.5), (0, -16), zoom=0.28)
    starts = [0, *(n for n in range(1, count) if groups[n] != groups[n - 1]), count]
    for start, end in zip(starts, starts[1:], strict=False):
        axis.axhline(end - 0.5, color="white", lw=2)
        axis.axvline(end - 0.5, color="white", lw=2)
        axis.text((start + end - 1) / 2, -0.8, groups[start], ha="center", va="bottom", fontsize=9)
    axis.set(xticks=[], yticks=[])
    axis.set_title("Bright blocks on the diagonal: photos of one group are alike", pad=24)
    figure.colorbar(drawn, ax=axis, shrink=0.8, label="cosine of CLIP features")
    return figure


def phi_curves(test: pd.DataFrame, curves: pd.DataFrame, threshold: float) -> Figure:
    """Φ on held-out pairs: precision–recall, calibration, and the confidences by label.

    ``test``: label, confidence; ``curves``: curve, x, y, n as ``alignment_curves`` gives them.
    """
    figure = Figure(figsize=(12.5, 3.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    curve = curves[curves["curve"] == "precision_recall"]
    left.plot(curve["x"], curve["y"], color=COLOURS[0])
    kept = test["confidence"] >= threshold
    hits = int((kept & (test["label"] == 1)).sum())
    left.plot(hits / (test["label"] == 1).sum(), hits / max(kept.sum(), 1), "o", color=NO, label="the chosen threshold")
    left.axhline(test["label"].mean(), color=GREY, ls=":", label="guessing")
    left.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title="Precision against recall")
    left.legend(loc="lower left", fontsize=9)
    curve = curves[curves["curve"] == "calibration"]
    middle.plot([0, 1], [0, 1], color=GREY, ls=":")
    middle.plot(curve["x"], curve["y"], "o-", color=COLOURS[0])
    middle.set(xlabel="mean confidence of a tenth of the pairs", ylabel="share that is labelled 1",
               xlim=(0, 1), ylim=(0, 1), title="Calibration: on the dotted line Φ is right about itself")  # fmt: skip
    bins = np.linspace(0, 1, 26)
    for label, colour, name in ((0, NO, "label 0"), (1, YES, "label 1")):
        right.hist(test.loc[test["label"] == label, "confidence"], bins, color=colour, alpha=0.6, label=name)
    right.axvline(threshold, color="black", lw=1, label=f"threshold {threshold:.2f}")
    right.set(xlabel="confidence of Φ", ylabel="test pairs", yscale="symlog", xlim=(0, 1), title="Confidence by label")
    right.set_ylim(bottom=0)
    right.legend(fontsize=9)
    return figure


def distillation_page(
    sentences: Sequence[Sequence[tuple[str, float]]],
    photos: Sequence[Sequence[tuple[str | Path, float]]],
    threshold: float,
) -> Figure:
    """Reviews before and after: sentences and photos with their highest confidence; what stays is bold or framed.

    One row per review: its photos on the left (at most three), its sentences on the right.
    """
    heights = [max(1.3, 0.3 + 0.28 * sum(len(_wrapped(drawable(text))) for text, _ in rows)) for rows in sentences]
    figure = Figure(figsize=(11, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(sentences), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, rows, shown in zip(parts, sentences, photos, strict=True):
        axes = part.subplots(1, 4, width_ratios=[1, 1, 1, 5.5])
        for axis in axes:
            axis.axis("off")
        for axis, (path, confidence) in zip(axes[:3], shown, strict=False):
            _show(axis, path)
            axis.set_anchor("N")
            axis.axis("on")
            axis.spines[:].set(visible=True, color=YES if confidence >= threshold else GREY, linewidth=3)
        lines = [
            (line, value, number == 0) for text, value in rows for number, line in enumerate(_wrapped(drawable(text)))
        ]
        for number, (line, value, first) in enumerate(lines):
            kept, place = value >= threshold, 1 - (number + 0.7) / max(len(lines), 1)
            style = {"transform": axes[3].transAxes, "va": "center"}
            weight, colour = ("bold", "black") if kept else ("normal", GREY)
            axes[3].text(0, place, line, fontsize=10, color=colour, fontweight=weight, parse_math=False, **style)
            if first:
                colour = YES if kept else GREY
                axes[3].text(1, place, f"{value:.2f}", fontsize=9, ha="right", color=colour, **style)
    return figure


def diversity_distributions(pairs: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Distances of photo pairs within and between, for businesses and for users; the lines are means with intervals.

    ``pairs``: kind, distance; ``summary``: mean, low, high by kind.
    """
    figure = Figure(figsize=(10.5, 3.8), layout="constrained")
    for axis, name in zip(figure.subplots(1, 2, sharex=True, sharey=True), ("business", "user"), strict=True):
        for kind, colour in ((f"intra {name}", COLOURS[0]), (f"inter {name}", COLOURS[1])):
            row = summary.loc[kind]
            label = f"{kind}: {row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            values = pairs.loc[pairs["kind"] == kind, "distance"]
            sns.kdeplot(values, ax=axis, fill=True, alpha=0.25, color=colour, label=label, cut=0)
            axis.axvline(row["mean"], color=colour, lw=1.5)
            axis.axvspan(row["low"], row["high"], color=colour, alpha=0.3, lw=0)
        axis.set(xlabel="1 − cosine of two photos", title=f"Within one {name} and between two")
        axis.set_ylim(top=axis.get_ylim()[1] * 1.25)
        axis.legend(loc="upper left", fontsize=9)
    return figure


def phi_variants(metrics: Mapping[str, Mapping[str, float | Sequence[float]]]) -> Figure:
    """AUC and F1 of several Φ with their intervals; ``metrics``: name to what ``alignment_metrics`` gives."""
    figure = Figure(figsize=(9, 0.8 + 0.45 * len(metrics)), layout="constrained")
    names = list(metrics)[::-1]
    for axis, key, title in zip(figure.subplots(1, 2, sharey=True), ("auc", "f1"), ("AUC", "F1"), strict=True):
        values = np.array([metrics[name][key] for name in names])
        low, high = np.array([metrics[name][f"{key}_interval"] for name in names]).T
        axis.errorbar(
            values, range(len(names)), xerr=[values - low, high - values], fmt="o", color=COLOURS[0], capsize=3
        )
        axis.set(title=f"{title} on held-out reviews", yticks=range(len(names)), yticklabels=names)
        axis.margins(y=0.3)
        axis.grid(axis="x", alpha=0.3)
    return figure


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 78) or [""]


def _pixels(path: str | Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        image.draft("RGB", (THUMBNAIL, THUMBNAIL))
        image = image.convert("RGB")
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        return np.asarray(image)


def _show(axis: Axes, path: str | Path) -> None:
    axis.imshow(_pixels(path))
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def _thumbnail(
    axis: Axes, path: str | Path, place: tuple[float, float], offset: tuple[float, float], zoom: float = 0.62
) -> None:
    """A photo beside the point ``place`` of the data, ``offset`` points away."""
    box = OffsetImage(_pixels(path), zoom=zoom)
    axis.add_artist(
        AnnotationBbox(box, place, offset, boxcoords="offset points", frameon=False, annotation_clip=False, pad=0)
    )
