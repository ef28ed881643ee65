"""Pictures of the evaluation: intervals per system, trade-offs, lengths, correlations, case studies, the ledger."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

PALETTE = seaborn.color_palette("colorblind")
VERDICTS = {"reproduced": PALETTE[2], "not reproduced": PALETTE[3], "not testable here": (0.6, 0.6, 0.6)}
GREY = "0.55"


def intervals(metrics: pd.DataFrame, names: Sequence[str], columns: int = 4) -> Figure:
    """One panel per metric, one dot with its interval per system: ``metrics`` has system, metric, value, low, high."""
    names = [name for name in names if name in set(metrics["metric"])]
    systems = list(dict.fromkeys(metrics["system"]))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(11, rows * (0.9 + 0.27 * len(systems))), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        found = metrics[metrics["metric"] == name].set_index("system").reindex(systems)
        places = np.arange(len(systems))
        axis.hlines(places, found["low"], found["high"], color=PALETTE[0], linewidth=2)
        axis.plot(found["value"], places, "o", color=PALETTE[0], markersize=5)
        axis.set_yticks(places, systems)
        axis.set_title(name, fontsize=10)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        _plain(axis)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    axes[0, 0].invert_yaxis()  # the panels share it
    return figure


def trade_off(metrics: pd.DataFrame, across: str, up: str) -> Figure:
    """Systems in the plane of two metrics, with both intervals: what one gains and what it costs."""
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axis = figure.subplots()
    table = metrics[metrics["metric"].isin([across, up])].pivot(index="system", columns="metric")
    for number, system in enumerate(dict.fromkeys(metrics["system"])):
        if system not in table.index or table.loc[system, "value"][[across, up]].isna().any():
            continue
        x, y = (table.loc[system].xs(name, level="metric") for name in (across, up))
        colour = PALETTE[number % len(PALETTE)]
        axis.plot([x["low"], x["high"]], [y["value"]] * 2, color=colour, alpha=0.5)
        axis.plot([x["value"]] * 2, [y["low"], y["high"]], color=colour, alpha=0.5)
        axis.plot(x["value"], y["value"], "o", color=colour)
        axis.annotate(system, (x["value"], y["value"]), xytext=(6, -11 if number % 2 else 5),
                      textcoords="offset points", fontsize=9)  # fmt: skip
    axis.set_xlabel(across)
    axis.set_ylabel(up)
    _plain(axis)
    return figure


def lengths(texts: pd.DataFrame) -> Figure:
    """Words per text of each system beside the users' own: what is too short, too long, or always the same length."""
    first = texts[texts["seed"] == texts.groupby("system")["seed"].transform("min")]
    counts = {system: run["text"].str.split().str.len() for system, run in first.groupby("system", sort=False)}
    own = first.drop_duplicates("review_id")["reference"].str.split().str.len()
    counts = {"users' own reviews": own} | {name: words for name, words in counts.items() if name != "reference"}
    top = int(max(words.max() for words in counts.values())) + 1
    figure = Figure(figsize=(11, 1.0 + 0.75 * len(counts)), layout="constrained")
    axes = figure.subplots(len(counts), 1, sharex=True, squeeze=False)
    for number, (axis, (name, words)) in enumerate(zip(axes.flat, counts.items(), strict=True)):
        axis.hist(words, bins=np.arange(top + 2) - 0.5, color=GREY if number == 0 else PALETTE[0])
        axis.axvline(words.mean(), color="black", linewidth=1)
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        axis.set_yticks([])
        axis.annotate(f"mean {words.mean():.1f}", (0.99, 0.7), xycoords="axes fraction", ha="right", fontsize=8)
        _plain(axis)
    axes[-1, 0].set_xlabel("words per text")
    return figure


def against_truth(per_sample: pd.DataFrame, names: Sequence[str] = ("CLIP-Align", "CLIP-Score")) -> Figure:
    """Each metric's values over the true alignment of the same texts; a good metric climbs."""
    texts = per_sample[per_sample["system"] != "reference"].dropna(subset=["True alignment", *names])
    shares = sorted(texts["True alignment"].unique())
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(names)), names, strict=True):
        groups = [texts.loc[texts["True alignment"] == share, name] for share in shares]
        boxes = axis.boxplot(groups, positions=shares, widths=0.07, patch_artist=True, manage_ticks=False,
                             flierprops={"markersize": 2, "alpha": 0.4})  # fmt: skip
        for box in boxes["boxes"]:
            box.set_facecolor((*PALETTE[0], 0.5))
        axis.set_xlim(-0.1, 1.1)
        axis.set_xlabel("share of the photos that the text truly names")
        axis.set_title(name, fontsize=10)
        _plain(axis)
    return figure


def taste_bars(table: pd.DataFrame) -> Figure:
    """Share of the picks that the user likes, per method, between all candidates and the oracle (``taste_table``)."""
    figure = Figure(figsize=(9, 1.2 + 0.3 * len(table)), layout="constrained")
    axis = figure.subplots()
    axis.hlines(table["picks"], table["low"], table["high"], color=PALETTE[0], linewidth=2)
    axis.plot(table["value"], table["picks"], "o", color=PALETTE[0])
    for value, name in ((table["chance"].mean(), "all candidates"), (table["oracle"].mean(), "oracle")):
        axis.axvline(value, color="black", linestyle="--", linewidth=1)
        axis.annotate(name, (value, 1), xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points",
                      ha="center", fontsize=8)  # fmt: skip
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xlabel("share of the photos whose appeal to the user is above zero")
    _plain(axis)
    return figure


def case_studies(
    cases: pd.DataFrame, systems: Sequence[str], paths: Mapping[str, str | Path], photos: int = 3
) -> Figure:
    """Photos beside what the user wrote and what each system wrote: one band per review of ``pick_cases``."""
    blocks = [_case_text(case, systems) for _, case in cases.iterrows()]
    heights = [max(2.0, 0.3 + 0.165 * (1 + block.count("\n"))) for block in blocks]  # inches: eight points a line
    figure = Figure(figsize=(11, sum(heights)), layout="constrained")
    widths = [1] * photos + [5 - photos / 2]
    axes = figure.subplots(len(cases), photos + 1, squeeze=False, width_ratios=widths, height_ratios=heights)
    for row, (_, case), block in zip(axes, cases.iterrows(), blocks, strict=True):
        for axis in row:
            axis.set_axis_off()
        for axis, image_id in zip(row, list(case["image_ids"])[:photos], strict=False):
            with Image.open(paths[image_id]) as image:
                axis.imshow(image.convert("RGB"))
        row[0].set_title(f"{case['place']}: {case['value']:.2f}", fontsize=9, loc="left")
        place = {"va": "top", "transform": row[-1].transAxes}
        row[-1].text(0, 0.98, block, fontsize=8, family="monospace", parse_math=False, **place)
    return figure


def _case_text(case: pd.Series, systems: Sequence[str]) -> str:
    lines = [("user", case["reference"]), *((system, case[system]) for system in systems)]
    return "\n".join(
        textwrap.fill(f"{name}: {textwrap.shorten(words, 220, placeholder=' …')}", 78, subsequent_indent="      ")
        for name, words in lines
    )


def ledger(claims: pd.DataFrame) -> Figure:
    """Every claim with its verdict and its relative effect: the interval of first − second over second's size."""
    figure = Figure(figsize=(11, 0.8 + 0.3 * len(claims)), layout="constrained")
    axis = figure.subplots()
    for place, (_, claim) in enumerate(claims.iterrows()):
        colour = VERDICTS[claim["verdict"]]
        if pd.notna(claim["relative_low"]):
            axis.plot([claim["relative_low"], claim["relative_high"]], [place] * 2, color=colour, linewidth=2)
            axis.plot(claim["relative"], place, "o", color=colour, markersize=5)
        else:
            axis.plot(0, place, "x", color=colour, markersize=5)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_xscale("symlog", linthresh=0.2)
    labels = [f"{key}  {statement} ({metric})" for key, statement, metric in
              zip(claims["key"], claims["statement"], claims["metric"], strict=True)]  # fmt: skip
    axis.set_yticks(np.arange(len(claims)), labels, fontsize=8)
    for label, verdict in zip(axis.get_yticklabels(), claims["verdict"], strict=True):
        label.set_color(VERDICTS[verdict])
    axis.invert_yaxis()
    axis.set_xlabel("effect relative to the other side (linear within ±0.2); × = not testable here")
    for verdict, colour in VERDICTS.items():
        axis.plot([], [], "o", color=colour, label=f"{verdict}: {(claims['verdict'] == verdict).sum()}")
    figure.legend(loc="outside upper right", ncols=3, fontsize=8, frameon=False)
    _plain(axis)
    return figure


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
