"""Pictures of the data: what the filters drop, how reviews and photos are spread, and a page of reviews."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from showcase_utils.photos.thumbnails import placeholder
from showcase_utils.plots.style import (
    BLUE,
    DASHES,
    FAINT,
    GREEN,
    ORANGE,
    PALETTE,
    RED,
    THOUSANDS,
    Drawing,
    log_scale,
    wrapped,
)
from showcase_utils.plots.thumbnails import Page

Look = dict[str, Any]
Counted = tuple[np.ndarray, np.ndarray]  # values, ascending, and how often each occurs


def distributions(
    datasets: Mapping[str, pd.DataFrame],
    histories: Mapping[str, pd.Series],
    published_ratings: Mapping[int, float] | None = None,
) -> Drawing:
    """Ratings, review lengths, history lengths, photos per review, per business and reviews per user.

    ``datasets`` are counts of reviews (``data.statistics.counts``) and ``histories`` the histories of some of them, by
    the same names; ``published_ratings`` are shares by rating, drawn as marks.
    """
    pairs = zip(datasets, PALETTE, DASHES, strict=False)
    looks: dict[str, Look] = {name: {"color": colour, "ls": dash} for name, colour, dash in pairs}
    figure = Drawing(11, 6.4, f"Six panels of how {' and '.join(datasets)} are spread")
    axes = figure.subplots(2, 3)
    known = {name: _counted(history.map(len).to_numpy(dtype=np.int64)) for name, history in histories.items()}
    _ratings(axes[0, 0], _of(datasets, "rating"), looks, published_ratings)
    _lengths(axes[0, 1], _of(datasets, "words per review"), looks)
    _at_least(axes[0, 2], "reviews per user", _of(datasets, "reviews per user"), looks)
    _at_least(axes[1, 0], "history reviews per sample", known, looks)
    _at_least(axes[1, 1], "photos per review", _of(datasets, "photos per review"), looks)
    _at_least(axes[1, 2], "photos per business", _of(datasets, "photos per business"), looks)
    figure.legend_below(axes[0, 0])
    return figure


def cascade(waterfall: pd.DataFrame) -> Drawing:
    """What each rule leaves (dark) and drops (light): ``rule, dropped, reviews, users, businesses, images``."""
    figure = Drawing(11, 0.9 + 0.6 * len(waterfall), "Bars of what each rule leaves and drops")
    axes = figure.subplots(1, 4, sharey=True)
    rules = ["\n".join(wrapped(rule, 1.8, 9)) for rule in waterfall["rule"]]
    for axis, column in zip(axes, ("reviews", "users", "businesses", "images"), strict=True):
        left = waterfall[column].to_numpy()
        first = left[0] + waterfall["dropped"].iloc[0] if column == "reviews" else left[0]
        before = np.concatenate([[first], left[:-1]])
        axis.barh(rules, before - left, left=left, color=FAINT, label="dropped by the rule")
        axis.barh(rules, left, color=BLUE, label="left")
        for row, (now, then) in enumerate(zip(left, before, strict=True)):
            note = f"{now:,}\n(−{then - now:,})" if then > now else f"{now:,}"
            inside = now > 0.5 * max(first, 1)  # else over the grey, which is wide enough then
            axis.text(
                now + (-0.02 if inside else 0.02) * first, row, note, ha="right" if inside else "left", va="center",
                color="white" if inside else "black",
            )  # fmt: skip
        axis.set_title(column)
        axis.set_xticks([])
        axis.spines["bottom"].set_visible(False)
    axes[0].invert_yaxis()
    return figure


def photo_status(images: pd.DataFrame) -> Drawing:
    """How many photos can be used, and why the others cannot."""
    counts = images["status"].value_counts()
    figure = Drawing(8, 0.8 + 0.4 * len(counts))
    figure.alt = ", ".join(f"{count:,} photos {status}" for status, count in counts.items())
    axis = figure.subplots()
    colours = [{"ok": GREEN, "unchecked": FAINT}.get(status, RED) for status in counts.index]
    axis.barh(counts.index, counts, color=colours)
    for row, count in enumerate(counts):
        axis.text(count, row, f" {count:,} ({count / counts.sum():.1%})", va="center")
    axis.set_xlim(0, 1.25 * counts.max() if len(counts) else 1)
    axis.invert_yaxis()
    axis.set_title(f"What became of {counts.sum():,} photos")
    axis.xaxis.set_major_formatter(THOUSANDS)
    return figure


def review_page(reviews: pd.DataFrame, images: pd.DataFrame, photos: int = 4) -> Page:
    """Reviews as a reader would see them: rating and words at the left, up to ``photos`` photos at the right.

    ``images`` is the table of photos; one that cannot be used is a grey square with its status.
    """
    shown = images.drop_duplicates("image_id").set_index("image_id")[["path", "status"]]
    size, words = 1.25, 5.6
    page = Page(words + photos * (size + 0.08) + 0.1, "Reviews with their stars, words and photos")
    y = 0.1
    for place, review in enumerate(reviews.itertuples()):
        if place:
            page.rule(y)
            y += 0.12
        tall = page.words("★" * review.rating + "☆" * (5 - review.rating), 0.05, y, size=12, colour=ORANGE)
        tall += page.words(review.text, 0.05, y + tall + 0.05, words - 0.4, size=10, most=6)
        found = [shown.loc[image_id] for image_id in review.image_ids[:photos]]
        pictures = [photo.path if photo.status == "ok" else placeholder(photo.status, 250) for photo in found]
        y += max(tall, page.photos(pictures, words, y, size)) + 0.12
    return page.cut(y)


def _of(datasets: Mapping[str, pd.DataFrame], quantity: str) -> dict[str, Counted]:
    found = {name: counts[counts["quantity"] == quantity] for name, counts in datasets.items()}
    return {name: (counts["value"].to_numpy(), counts["times"].to_numpy()) for name, counts in found.items()}


def _counted(values: np.ndarray) -> Counted:
    return np.unique(values, return_counts=True)


def _ratings(
    axis: Axes, datasets: Mapping[str, Counted], looks: Mapping[str, Look], published: Mapping[int, float] | None
) -> None:
    stars = np.arange(1, 6)
    width = 0.8 / max(len(datasets), 1)
    for number, (name, (value, times)) in enumerate(datasets.items()):
        share = pd.Series(times / max(times.sum(), 1), index=value).reindex(stars, fill_value=0)
        axis.bar(
            stars + (number - (len(datasets) - 1) / 2) * width, share, width, label=name, color=looks[name]["color"]
        )
    if published:
        ranks, shares = list(published), list(published.values())
        axis.plot(ranks, shares, ls="", marker="_", color="black", ms=18, mew=1.5, label="published file")
    axis.set_title("ratings")
    axis.set_ylabel("share of reviews")
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _lengths(axis: Axes, datasets: Mapping[str, Counted], looks: Mapping[str, Look]) -> None:
    longest = max((lengths.max() for lengths, _ in datasets.values() if len(lengths)), default=1)
    bins = np.unique(np.round(np.geomspace(1, longest + 1, 30))).tolist()
    for name, (lengths, times) in datasets.items():
        reviews, _ = np.histogram(lengths, bins, weights=times / max(times.sum(), 1))
        axis.stairs(reviews / np.diff(bins), bins, lw=1.8, label=name, **looks[name])  # bins hold 1, 2, 1, 1 … lengths
        if len(lengths):
            axis.axvline(np.average(lengths, weights=times), ls=":", lw=1.2, color=looks[name]["color"])
    log_scale(axis, "x")
    axis.set_title("words per review (dotted: mean)")
    axis.set_ylabel("share of reviews with so many")
    axis.yaxis.set_major_formatter(PercentFormatter(1))


def _at_least(axis: Axes, title: str, values: Mapping[str, Counted], looks: Mapping[str, Look]) -> None:
    """The share of things with at least n: needs no bins, and a long tail stays visible on two log scales."""
    for name, (sizes, times) in values.items():
        share = times[::-1].cumsum()[::-1] / max(times.sum(), 1)
        positive = sizes > 0  # everything has at least none
        axis.step(sizes[positive], share[positive], where="pre", lw=1.8, label=name, **looks[name])
    log_scale(axis, *("xy" if axis.get_xlim()[1] > 20 else "y"))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axis.set_title(title)
    axis.set_ylabel("share with at least so many")
