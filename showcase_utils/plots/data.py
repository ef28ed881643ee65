"""Pictures of the data: what the filters drop, how reviews and photos are spread, and a page of reviews."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter
from PIL import Image, ImageOps

PALETTE = seaborn.color_palette("colorblind")
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
LOST = "0.82"
Colour = tuple[float, float, float]
Counted = tuple[np.ndarray, np.ndarray]  # values, ascending, and how often each occurs


def distributions(
    datasets: Mapping[str, pd.DataFrame],
    histories: Mapping[str, pd.Series],
    published_ratings: Mapping[int, float] | None = None,
) -> Figure:
    """Ratings, review lengths, history lengths, photos per review, per business and reviews per user.

    ``datasets`` are counts of reviews (``data.statistics.counts``) and ``histories`` the histories of some of them, by
    the same names; ``published_ratings`` are shares by rating, drawn as marks.
    """
    colours = dict(zip(datasets, PALETTE, strict=False))
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    axes = figure.subplots(2, 3)
    told = {name: _counted(known.map(len).to_numpy(dtype=np.int64)) for name, known in histories.items()}
    _ratings(axes[0, 0], _of(datasets, "rating"), colours, published_ratings)
    _lengths(axes[0, 1], _of(datasets, "words per review"), colours)
    _at_least(axes[0, 2], "reviews per user", _of(datasets, "reviews per user"), colours)
    _at_least(axes[1, 0], "history reviews per sample", told, colours)
    _at_least(axes[1, 1], "photos per review", _of(datasets, "photos per review"), colours)
    _at_least(axes[1, 2], "photos per business", _of(datasets, "photos per business"), colours)
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def cascade(waterfall: pd.DataFrame) -> Figure:
    """What each rule leaves (dark) and drops (light): ``rule, dropped, reviews, users, businesses, images``."""
    figure = Figure(figsize=(11, 0.9 + 0.55 * len(waterfall)), layout="constrained")
    axes = figure.subplots(1, 4, sharey=True)
    rules = ["\n".join(textwrap.wrap(rule, 24)) for rule in waterfall["rule"]]
    for axis, column in zip(axes, ("reviews", "users", "businesses", "images"), strict=True):
        left = waterfall[column].to_numpy()
        first = left[0] + waterfall["dropped"].iloc[0] if column == "reviews" else left[0]
        before = np.concatenate([[first], left[:-1]])
        axis.barh(rules, before - left, left=left, color=LOST, label="dropped by the rule")
        axis.barh(rules, left, color=PALETTE[0], label="left")
        for row, (now, then) in enumerate(zip(left, before, strict=True)):
            note = f"{now:,}\n(−{then - now:,})" if then > now else f"{now:,}"
            inside = now > 0.5 * max(first, 1)  # else over the grey, which is wide enough then
            axis.text(
                now + (-0.02 if inside else 0.02) * first,
                row,
                note,
                ha="right" if inside else "left",
                va="center",
                fontsize=8,
                color="white" if inside else "black",
            )
        axis.set_title(column)
        axis.set_xticks([])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    axes[0].invert_yaxis()
    return figure


def photo_status(images: pd.DataFrame) -> Figure:
    """How many photos can be used, and why the others cannot."""
    counts = images["status"].value_counts()
    figure = Figure(figsize=(8, 0.8 + 0.35 * len(counts)), layout="constrained")
    axis = figure.subplots()
    colours = [{"ok": PALETTE[2], "unchecked": LOST}.get(status, PALETTE[3]) for status in counts.index]
    axis.barh(counts.index, counts, color=colours)
    for row, count in enumerate(counts):
        axis.text(count, row, f" {count:,} ({count / counts.sum():.1%})", va="center", fontsize=9)
    axis.set_xlim(0, 1.25 * counts.max() if len(counts) else 1)
    axis.invert_yaxis()
    axis.set_title(f"What became of {counts.sum():,} photos", loc="left")
    axis.xaxis.set_major_formatter(THOUSANDS)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def review_page(reviews: pd.DataFrame, images: pd.DataFrame, photos: int = 4) -> Figure:
    """Reviews as a reader would see them: rating and words at the left, up to ``photos`` photos at the right.

    ``images`` is the table of photos; one that cannot be used is a grey box with its status.
    """
    shown = images.set_index("image_id")[["path", "status"]]
    figure = Figure(figsize=(11, 1.75 * max(len(reviews), 1)), layout="constrained")
    grid = figure.subplots(max(len(reviews), 1), photos + 1, width_ratios=[2.6] + [1] * photos, squeeze=False)
    for axis in grid.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    for row, review in zip(grid, reviews.itertuples(), strict=False):
        words = textwrap.shorten(review.text, 330, placeholder=" …")
        stars = "★" * review.rating + "☆" * (5 - review.rating)
        row[0].text(0, 1, stars, va="top", fontsize=12, color=PALETTE[1])
        row[0].text(0, 0.82, textwrap.fill(words, 58), va="top", fontsize=9, parse_math=False)  # "$5 or $6"
        for axis, image_id in zip(row[1:], review.image_ids, strict=False):
            path, status = shown.loc[image_id]
            if status == "ok":
                with Image.open(path) as photo:
                    photo.draft("RGB", (256, 256))  # a big JPEG need not be decoded in full for a small picture
                    axis.imshow(ImageOps.exif_transpose(photo).convert("RGB"))
            else:
                axis.set_facecolor(LOST)
                axis.set_box_aspect(1)
                axis.text(0.5, 0.5, status, ha="center", va="center", fontsize=9, transform=axis.transAxes)
    return figure


def _of(datasets: Mapping[str, pd.DataFrame], quantity: str) -> dict[str, Counted]:
    found = {name: counts[counts["quantity"] == quantity] for name, counts in datasets.items()}
    return {name: (counts["value"].to_numpy(), counts["times"].to_numpy()) for name, counts in found.items()}


def _counted(values: np.ndarray) -> Counted:
    return np.unique(values, return_counts=True)


def _ratings(
    axis: Axes,
    datasets: Mapping[str, Counted],
    colours: Mapping[str, Colour],
    published: Mapping[int, float] | None,
) -> None:
    stars = np.arange(1, 6)
    width = 0.8 / max(len(datasets), 1)
    for number, (name, (value, times)) in enumerate(datasets.items()):
        share = pd.Series(times / max(times.sum(), 1), index=value).reindex(stars, fill_value=0)
        axis.bar(stars + (number - (len(datasets) - 1) / 2) * width, share, width, label=name, color=colours[name])
    if published:
        axis.plot(list(published), list(published.values()), "_k", ms=18, mew=1.5, label="published file")
    axis.set_title("ratings")
    axis.set_ylabel("share of reviews")
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _lengths(axis: Axes, datasets: Mapping[str, Counted], colours: Mapping[str, Colour]) -> None:
    longest = max((lengths.max() for lengths, _ in datasets.values() if len(lengths)), default=1)
    bins = np.unique(np.round(np.geomspace(1, longest + 1, 30)))
    for name, (lengths, times) in datasets.items():
        weights = times / max(times.sum(), 1)
        axis.hist(lengths, bins, weights=weights, histtype="step", lw=1.8, label=name, color=colours[name])
        if len(lengths):
            axis.axvline(np.average(lengths, weights=times), ls=":", lw=1.2, color=colours[name])
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(THOUSANDS)
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_title("words per review (dotted: mean)")
    axis.set_ylabel("share of reviews")
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _at_least(axis: Axes, title: str, values: Mapping[str, Counted], colours: Mapping[str, Colour]) -> None:
    """The share of things with at least n: needs no bins, and a long tail stays visible on two log scales."""
    for name, (sizes, times) in values.items():
        share = times[::-1].cumsum()[::-1] / max(times.sum(), 1)
        positive = sizes > 0  # everything has at least none
        axis.step(sizes[positive], share[positive], where="pre", lw=1.8, label=name, color=colours[name])
    if axis.get_xlim()[1] > 20:
        axis.set_xscale("log")
    axis.set_yscale("log")
    axis.xaxis.set_major_formatter(THOUSANDS)
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axis.set_title(title)
    axis.set_ylabel("share with at least so many")
