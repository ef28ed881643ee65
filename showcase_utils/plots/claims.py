"""Figures of the evaluation: intervals per system, trade-offs, lengths, correlations, case studies, the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from showcase_utils.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    SMALL,
    Drawing,
    dots,
    look,
    name_points,
    wrapped,
)
from showcase_utils.plots.thumbnails import Page, Photo, beside_texts

VERDICTS: dict[str, dict[str, Any]] = {  # the mark tells them apart without the colour
    "reproduced": {"color": GREEN, "marker": "o"},
    "not reproduced": {"color": RED, "marker": "X"},
    "not testable here": {"color": GREY, "marker": "o", "mfc": "white"},
}


def system_look(name: str) -> dict[str, Any]:
    """Colour and marker of a system by its kind: ours, one modality, floors, the users' own words, other papers'."""
    if name.startswith("ours"):
        return {"color": BLUE, "marker": "o"}
    if name.endswith("_gpt2"):
        return {"color": ORANGE, "marker": "s"}
    if name.startswith("floor"):
        return {"color": MUTED, "marker": "v"}
    return {"color": INK, "marker": "P"} if name == "reference" else {"color": PURPLE, "marker": "D"}


def intervals(metrics: pd.DataFrame, names: Sequence[str], columns: int = 4) -> Drawing:
    """One panel per metric, one mark with its interval per system: ``metrics`` has system, metric, value, low, high."""
    names = [name for name in names if name in set(metrics["metric"])]
    systems = list(dict.fromkeys(metrics["system"]))
    lines = -(-len(names) // columns)
    figure = Drawing(12, lines * (0.8 + 0.22 * len(systems)))
    figure.alt = f"{', '.join(names)} of {len(systems)} systems with intervals"
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        found = metrics[metrics["metric"] == name].set_index("system").reindex(systems)[["value", "low", "high"]]
        dots(
            axis, [(*row, system_look(system)) for system, row in zip(systems, found.to_numpy(), strict=True)], systems
        )
        axis.set_title(name)
        axis.xaxis.set_major_locator(MaxNLocator(4))
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    return figure


def trade_off(metrics: pd.DataFrame, across: str, up: str) -> Drawing:
    """Systems in the plane of two metrics, with both intervals: what one gains and what it costs."""
    table = metrics[metrics["metric"].isin([across, up])].pivot(index="system", columns="metric")
    there = [
        system
        for system in dict.fromkeys(metrics["system"])
        if system in table.index and table.loc[system, "value"].reindex([across, up]).notna().all()
    ]
    figure = Drawing(8, 5, f"{up} over {across} of {', '.join(there)}, with intervals")
    axis = figure.subplots()
    points = {}
    for system, style in look(there).items():
        (x, x_low, x_high), (y, y_low, y_high) = (
            table.loc[system].xs(name, level="metric")[["value", "low", "high"]] for name in (across, up)
        )
        axis.plot([x_low, x_high], [y, y], color=style["color"], alpha=0.45)
        axis.plot([x, x], [y_low, y_high], color=style["color"], alpha=0.45)
        axis.plot(x, y, ls="", color=style["color"], marker=style["marker"], ms=7)
        points[system] = (x, y)
    axis.set(xlabel=across, ylabel=up)
    axis.grid()
    name_points(axis, points)
    return figure


def lengths(texts: pd.DataFrame) -> Drawing:
    """Words per text of each system beside the users' own: what is too short, too long, or always the same length.

    Facts: the mean of each.
    """
    first = texts[texts["seed"] == texts.groupby("system")["seed"].transform("min")]
    counts = {system: run["text"].str.split().str.len() for system, run in first.groupby("system", sort=False)}
    own = first.drop_duplicates("review_id")["reference"].str.split().str.len()
    counts = {"users' own reviews": own} | {name: words for name, words in counts.items() if name != "reference"}
    top = int(max(words.max() for words in counts.values())) + 1
    figure = Drawing(10, 0.8 + 0.42 * len(counts), f"Histograms of words per text of {len(counts) - 1} systems")
    axis = figure.subplots()
    for row, (name, words) in enumerate(counts.items()):
        times, edges = np.histogram(words, bins=np.arange(top + 2) - 0.5)
        colour = system_look(name)["color"] if row else GREY
        axis.stairs(row - 0.85 * times / times.max(), edges, baseline=row, fill=True, color=colour)
        axis.plot([words.mean()] * 2, [row, row - 0.85], color="black", lw=1, ls=":")
        axis.annotate(f"mean {words.mean():.1f}", (1.01, row - 0.3), xycoords=("axes fraction", "data"), fontsize=SMALL)
        figure.facts[name] = words.mean()
    axis.set_yticks(np.arange(len(counts)) - 0.4, counts)
    axis.tick_params(axis="y", length=0)
    axis.set(ylim=(len(counts) - 0.9, -1), xlabel="words per text")
    return figure


def against_truth(per_sample: pd.DataFrame, names: Sequence[str] = ("CLIP-Align", "CLIP-Score")) -> Drawing:
    """Each metric's values over the true alignment of the same texts; a good metric climbs."""
    texts = per_sample[per_sample["system"] != "reference"].dropna(subset=["True alignment", *names])
    shares = sorted(texts["True alignment"].unique())
    figure = Drawing(10, 3.8, f"Boxes of {' and '.join(names)} by the share of photos that a text truly names")
    for axis, name in zip(figure.subplots(1, len(names)), names, strict=True):
        groups = [texts.loc[texts["True alignment"] == share, name] for share in shares]
        boxes = axis.boxplot(groups, positions=shares, widths=0.07, patch_artist=True, manage_ticks=False,
                             medianprops={"color": "black"}, flierprops={"markersize": 2, "alpha": 0.4})  # fmt: skip
        for box in boxes["boxes"]:
            box.set_facecolor(SKY)
        for share, group in zip(shares, groups, strict=True):
            axis.annotate(f"n = {len(group)}", (share, 0), (0, 3), xycoords=("data", "axes fraction"), ha="center",
                          textcoords="offset points", fontsize=SMALL, color=MUTED)  # fmt: skip
        axis.set(xlim=(-0.1, 1.1), xlabel="share of the photos that the text truly names", title=name)
        axis.margins(y=0.12)
    return figure


def grounding_quality(table: pd.DataFrame) -> Drawing:
    """How well scores of phrases find hallucinated dishes: AUC with its interval, over all texts and by system.

    ``table`` is ``found_in_truth``'s. Facts: the AUC of each score over all texts.
    """
    table = table.sort_values("system", key=lambda system: system != "all", kind="stable")
    whole = (table["system"] == "all").to_numpy()
    names = [row.score if row.system == "all" else row.system for row in table.itertuples()]
    figure = Drawing(9, 1.2 + 0.25 * len(table), "AUC of finding a hallucinated dish, by score and by system")
    axis = figure.subplots()
    styles = [{"color": INK} if row.system == "all" else system_look(row.system) for row in table.itertuples()]
    rows = zip(table["value"], table["low"], table["high"], styles, strict=True)
    dots(axis, rows, names)
    axis.axhline(whole.sum() - 0.5, color=MUTED, lw=0.8)
    axis.axvline(0.5, color=INK, ls="--", lw=1)
    axis.annotate("chance", (0.5, 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
                  ha="center", fontsize=SMALL)  # fmt: skip
    axis.set_xlabel("AUC of finding dishes, drinks and desserts that no shown photo has")
    figure.facts = dict(zip(table.loc[whole, "score"], table.loc[whole, "value"], strict=True))
    return figure


def taste_bars(table: pd.DataFrame) -> Drawing:
    """Share of the picks that the user likes, per method, between all candidates and the best that a pool allows.

    ``table`` is ``taste_table``'s.
    """
    figure = Drawing(9, 1.2 + 0.25 * len(table))
    axis = figure.subplots()
    dots(axis, [(row.value, row.low, row.high, {}) for row in table.itertuples()], table["picks"])
    figure.facts = {"all candidates": table["chance"].mean(), "best possible": table["best_liked"].mean()}
    for name, value in figure.facts.items():
        axis.axvline(value, color=INK, ls="--", lw=1)
        axis.annotate(f"{name} {value:.2f}", (value, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                      textcoords="offset points", ha="center" if value < 0.9 else "right", fontsize=SMALL)  # fmt: skip
    axis.set(xlim=(0, 1.02), xlabel="share of the photos whose appeal to the user is above zero")
    figure.alt = f"Share of liked photos of {len(table)} methods, between chance and the best possible"
    return figure


def case_studies(cases: pd.DataFrame, systems: Sequence[str], paths: Mapping[str, Photo], photos: int = 3) -> Page:
    """Photos beside what the user wrote and what each system wrote: one band per review of ``pick_cases``."""
    rows = [
        (
            [paths[image_id] for image_id in list(case["image_ids"])[:photos]],
            [("the user", case["reference"]), *((system, case[system]) for system in systems)],
        )
        for _, case in cases.iterrows()
    ]
    titles = [f"{case['place']}: {case['value']:.2f}" for _, case in cases.iterrows()]
    return beside_texts(rows, titles, most=photos, alt=f"Case studies: {', '.join(titles)}")


def ledger(claims: pd.DataFrame) -> Drawing:
    """Every claim with its verdict and its relative effect: the interval of first − second over second's size.

    Facts: the number of claims of each verdict.
    """
    figure = Drawing(12, 1.3 + 0.3 * len(claims))
    axis = figure.subplots()
    axis.axvline(0, color=INK, lw=0.8)
    numbers = claims[["relative", "relative_low", "relative_high"]].astype(float)
    labels = ["\n".join(wrapped(f"{claim.key}  {claim.statement} ({claim.metric})", 5.2, SMALL, most=2))
              for claim in claims.itertuples()]  # fmt: skip
    dots(axis, [(*row, VERDICTS[verdict]) for row, verdict in
                zip(numbers.to_numpy(), claims["verdict"], strict=True)], labels)  # fmt: skip
    for row in np.flatnonzero(numbers["relative"].isna()):  # at the edge, where it cannot be taken for no effect
        axis.plot(
            0.015, row, transform=axis.get_yaxis_transform(), ms=5.5, ls="", **VERDICTS[claims["verdict"].iloc[row]]
        )
    reach = np.nanmax(np.abs(numbers.to_numpy()), initial=1.0)
    axis.set_xscale("symlog", linthresh=0.2)
    steps = [step for step in (0.1, 1, 10, 100, 1000) if step <= 3 * reach]
    axis.xaxis.set_major_locator(FixedLocator([*(-step for step in steps if step <= 1), 0, *steps]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+g} %" if value else "0"))
    axis.set_xlabel("effect relative to the other side (linear within ±20 %)")
    for verdict, style in VERDICTS.items():
        figure.facts[verdict] = int((claims["verdict"] == verdict).sum())
        axis.plot([], [], ls="", label=f"{verdict}: {figure.facts[verdict]}", **style)
    figure.legend_below(axis)
    figure.alt = "The claims by verdict: " + ", ".join(f"{count} {name}" for name, count in figure.facts.items())
    return figure
