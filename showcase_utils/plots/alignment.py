"""Figures of alignment: the classifier Φ, distillation into GEST-s2, visual diversity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from showcase_utils.plots.style import BLUE, GREEN, GREY, INK, MUTED, ORANGE, RED, Drawing, dots
from showcase_utils.plots.thumbnails import Page, Photo


def phi_curves(test: pd.DataFrame, curves: pd.DataFrame, threshold: float) -> Drawing:
    """Φ on held-out pairs: precision–recall, calibration, and the confidences by label.

    ``test``: label, confidence; ``curves``: curve, x, y, n as ``alignment_curves`` gives them. Facts ``precision``
    and ``recall`` at the threshold, ``off_calibration``: the mean distance of the calibration curve from the diagonal.
    """
    figure = Drawing(12.5, 4.1, "Three panels on Φ: precision against recall, calibration, confidence by label")
    left, middle, right = figure.subplots(1, 3)
    curve, calibration = (curves[curves["curve"] == name] for name in ("precision_recall", "calibration"))
    kept, positive = test["confidence"] >= threshold, test["label"] == 1
    hits = (kept & positive).sum()
    figure.facts["precision"], figure.facts["recall"] = hits / max(kept.sum(), 1), hits / max(positive.sum(), 1)
    figure.facts["off_calibration"] = float(
        np.average((calibration["x"] - calibration["y"]).abs(), weights=calibration["n"])
    )
    left.plot(curve["x"], curve["y"], color=BLUE)
    left.plot(figure.facts["recall"], figure.facts["precision"], "o", color=RED, label="the chosen threshold")
    left.axhline(positive.mean(), color=GREY, ls=":", label="guessing")
    left.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title="Precision against recall")
    middle.plot([0, 1], [0, 1], color=GREY, ls=":", label="right about itself")
    middle.plot(calibration["x"], calibration["y"], "o-", color=BLUE)
    middle.set(xlabel="mean confidence of a tenth of the pairs", ylabel="share that is labelled 1",
               xlim=(0, 1), ylim=(0, 1), title="Calibration")  # fmt: skip
    _confidences(right, test, threshold)
    for axis in (left, middle, right):
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, columnspacing=1, handlelength=1.5)
    return figure


def _confidences(axis: Axes, test: pd.DataFrame, threshold: float) -> None:
    bins = np.linspace(0, 1, 26).tolist()
    for label, colour, style in ((0, ORANGE, {"histtype": "stepfilled"}), (1, BLUE, {"histtype": "step", "lw": 2})):
        values = test.loc[test["label"] == label, "confidence"]
        axis.hist(values, bins, color=colour, alpha=0.6 if label == 0 else 1, label=f"label {label}", **style)
    axis.axvline(threshold, color="black", lw=1, label=f"threshold {threshold:.2f}")
    axis.set(xlabel="confidence of Φ", ylabel="test pairs", yscale="symlog", xlim=(0, 1), title="Confidence by label")
    axis.set_ylim(bottom=0)


def phi_variants(metrics: Mapping[str, Mapping[str, Any]]) -> Drawing:
    """AUC and F1 of several Φ with their intervals; ``metrics``: name to what ``alignment_metrics`` gives."""
    figure = Drawing(9.5, 0.9 + 0.4 * len(metrics), f"AUC and F1 of {len(metrics)} forms of Φ with intervals")
    for axis, key, title in zip(figure.subplots(1, 2, sharey=True), ("auc", "f1"), ("AUC", "F1"), strict=True):
        rows = [(facts[key], *facts[f"{key}_interval"], {}) for facts in metrics.values()]
        dots(axis, rows, metrics)
        axis.set_title(f"{title} on held-out reviews")
    return figure


def distillation_page(
    sentences: Sequence[Sequence[tuple[str, float]]],
    photos: Sequence[Sequence[tuple[Photo, float]]],
    threshold: float,
) -> Page:
    """Reviews before and after: sentences and photos with their highest confidence; what stays is bold or framed.

    One row per review: its photos on the left (at most three), its sentences on the right.
    """
    page = Page(12, f"{len(sentences)} reviews; sentences and photos that Φ keeps at {threshold:.2f} stand out")
    left, width, y = 4.2, 6.8, 0.1
    for place, (rows, shown) in enumerate(zip(sentences, photos, strict=True)):
        if place:
            page.rule(y)
            y += 0.12
        frames = [GREEN if confidence >= threshold else GREY for _, confidence in shown[:3]]
        tall, line = page.photos([path for path, _ in shown[:3]], 0.05, y, 1.2, frames, gap=0.12), y
        for text, confidence in rows:
            kept = confidence >= threshold
            style: dict[str, Any] = {"weight": "bold", "colour": INK} if kept else {"colour": MUTED}
            page.words(f"{confidence:.2f}", 11.9, line, align="right", **style)
            line += page.words(text, left, line, width, **style) + 0.03
        y = max(y + tall, line) + 0.12
    return page.cut(y)


def diversity_distributions(pairs: pd.DataFrame, summary: pd.DataFrame) -> Drawing:
    """Distances of photo pairs within and between, for businesses and for users; the lines are means with intervals.

    ``pairs``: kind, distance; ``summary``: mean, low, high by kind, as the stage ``alignment`` keeps them.
    """
    figure = Drawing(10.5, 3.9, "Distances of two photos, within and between businesses and users")
    bins = np.linspace(min(0, pairs["distance"].min()), pairs["distance"].max(), 31).tolist()
    for axis, name in zip(figure.subplots(1, 2, sharex=True, sharey=True), ("business", "user"), strict=True):
        for kind, colour, dash in ((f"intra {name}", BLUE, "-"), (f"inter {name}", ORANGE, (0, (5, 2)))):
            row = summary.loc[kind]
            label = f"{kind}: {row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            values = pairs.loc[pairs["kind"] == kind, "distance"]
            axis.hist(values, bins, density=True, histtype="step", color=colour, ls=dash, lw=1.8, label=label)
            axis.axvline(row["mean"], color=colour, ls=dash, lw=1.2)
            axis.axvspan(row["low"], row["high"], color=colour, alpha=0.3, lw=0)
        axis.set(xlabel="1 − cosine of two photos", title=f"Within one {name} and between two", yticks=[])
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return figure
