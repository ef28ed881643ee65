"""Figures of image selection's results: training, methods, curves over K and θ, strata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from showcase_utils.plots.style import (
    BLUE,
    DASHES,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PALETTE,
    PURPLE,
    RED,
    Drawing,
    dots,
    log_scale,
    look,
)

CHANCE = {"random": "X", "k_medoids": "P"}  # markers of what knows no user
TRUTH = {"oracle": "*", "informed": "*", "past": "P"}  # and of what knows more than any method could


def method_looks(methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour by what a method ranks by, marker and line by how it chooses; methods of other names follow in order.

    Blue: the paper's towers, green: our metric, orange: cosine, purple: BPR's towers, grey: knows no user, black: knows
    the truth. Circle and solid line: DPP, triangle and dashes: MMR, square and dots: the best K.
    """
    known: dict[str, dict[str, Any]] = {}
    for name in methods:
        rule = "dpp" if name.startswith("dpp") or name.endswith("_dpp") else "mmr" if name.startswith("mmr") else "top"
        marker, dash = {"dpp": ("o", "-"), "mmr": ("^", DASHES[1]), "top": ("s", DASHES[2])}[rule]
        colour = (
            ORANGE if name.endswith("_cosine") else BLUE if name == "dpp" or name.endswith("_learned") else
            GREEN if name.startswith("metric") else PURPLE if name == "bpr" else
            GREY if name in CHANCE else INK if name in TRUTH else None
        )  # fmt: skip
        if colour:
            known[name] = {"color": colour, "marker": (CHANCE | TRUTH).get(name, marker), "ls": dash}
    others = look((name for name in methods if name not in known), start=2)  # blue and orange are taken
    return {name: (known | others)[name] for name in methods}


def training_curves(history: pd.DataFrame) -> Drawing:
    """Training and validation loss per epoch, one panel per profile of the DPP; dots mark the epochs kept."""
    history = history[history["objective"] == "dpp"]
    profiles = list(dict.fromkeys(history["profile"]))
    figure = Drawing(max(3.4 * len(profiles), 6), 3.6, f"Loss of the DPP by epoch for {', '.join(profiles)}")
    axes = figure.subplots(1, len(profiles), sharey=True, squeeze=False)
    for axis, profile in zip(axes[0], profiles, strict=True):
        for place, (_, part) in enumerate(history[history["profile"] == profile].groupby("seed")):
            train, validation = ("training", "validation") if place == 0 else (None, None)
            axis.plot(part["epoch"], part["train_loss"], color=BLUE, lw=1, ls=DASHES[1], label=train)
            axis.plot(part["epoch"], part["val_loss"], color=ORANGE, lw=1.5, label=validation)
            best = part[part["best"]]
            axis.scatter(best["epoch"], best["val_loss"], color=RED, zorder=3, label="kept" if place == 0 else None)
        axis.set(title=profile, xlabel="epoch")
        axis.locator_params(axis="x", integer=True)
    axes[0, 0].set_ylabel("− log-likelihood, nats per review")
    figure.legend_below(axes[0, 0])
    return figure


def learned_similarity(history: pd.DataFrame, distances: NDArray[np.floating]) -> Drawing:
    """How different two photos count, 1 − α exp(−D / 2σ²), over D: at the start and as learned, by profile.

    Below, the distances D that candidate pairs really have. A line per seed; the legend has the first seed's α and σ.
    The scale is logarithmic, since curves that have learned "all alike" lie close together. Fact ``gap``: the largest
    difference of two learned curves.
    """
    history = history[history["objective"] == "dpp"]
    reach = np.linspace(0, max(0.2, float(np.quantile(distances, 0.999))), 200)
    figure = Drawing(8, 5.2, "How different two photos count by their distance, before and after training")
    (top, bottom) = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1])
    lines: list[tuple[str, pd.DataFrame, dict[str, Any]]] = [("start", history.iloc[:1], {"color": INK, "ls": ":"})]
    for place, (profile, part) in enumerate(history[history["best"]].groupby("profile", sort=False)):
        lines.append((profile, part, {"color": PALETTE[place % len(PALETTE)], "ls": DASHES[place % len(DASHES)]}))
    learned = []
    for label, models, style in lines:
        for number, (alpha, sigma) in enumerate(zip(models["alpha"], models["sigma"], strict=True)):
            curve = 1 - alpha * np.exp(-reach / (2 * sigma**2))
            name = None if number else f"{label}: α = {alpha:.3f}, σ = {sigma:.2f}"
            top.plot(reach, curve, lw=1.8, label=name, **style)
            learned += [curve] if label != "start" else []
    figure.facts["gap"] = float(np.ptp(learned, axis=0).max()) if learned else 0.0
    log_scale(top, "y")
    top.set(ylabel="1 − similarity", title="How different two photos count, by their distance")
    bottom.hist(distances, bins=60, color=GREY, density=True)
    bottom.set(xlabel="D = 1 − cosine of CLIP features", ylabel="pairs", yticks=[])
    figure.legend_below(top, columns=2)
    return figure


def method_intervals(table: pd.DataFrame, k: int) -> Drawing:
    """F1@k, AUC and Div@k of every method and profile with intervals; ``table`` as `method_table` gives it.

    The oracle is named in the title and not drawn: on its scale the others would all look alike. AUC has a dot where
    a method ranks all candidates.
    """
    shown = table.drop("oracle", level="method", errors="ignore").sort_values("f1", ascending=False)
    labels = [method if profile == "none" else f"{method} · {profile}" for method, profile in shown.index]
    styles = method_looks([method for method, _ in shown.index])
    figure = Drawing(12, 0.24 * len(shown) + 1, f"F1@{k}, AUC and Div@{k} of {len(shown)} methods with intervals")
    axes = figure.subplots(1, 3, sharey=True)
    for axis, metric, title in zip(axes, ("f1", "auc", "diversity"), (f"F1@{k}", "AUC", f"Div@{k}"), strict=True):
        numbers = shown[[metric, f"{metric}_low", f"{metric}_high"]].to_numpy()
        dots(axis, [(*row, styles[method]) for row, (method, _) in zip(numbers, shown.index, strict=True)], labels)
        axis.set_title(title)
    if len(shown) < len(table):
        axes[0].set_title(f"F1@{k} (oracle: {table.xs('oracle', level='method')['f1'].iloc[0]:.2f})")
    axes[1].axvline(0.5, color=MUTED, lw=1, ls=":")
    axes[1].set_title("AUC (dotted: chance)")
    return figure


def curves_over_k(curves: pd.DataFrame, methods: Sequence[str] = (), profile: str = "img+text") -> Drawing:
    """Precision, recall, F1 and Div over K, without the oracle; users by ``profile``. Bands: 95 % of DPP and chance."""
    names = [name for name in methods or dict.fromkeys(curves["method"]) if name != "oracle"]
    shown = curves[curves["method"].isin(names) & curves["profile"].isin([profile, "none"])]
    figure = Drawing(13, 3.9, f"Four metrics of {len(names)} methods for several K")
    axes = figure.subplots(1, 4)
    for axis, metric in zip(axes, ("precision", "recall", "f1", "diversity"), strict=True):
        for method, style in method_looks(names).items():
            line = shown[shown["method"] == method].dropna(subset=metric)
            strong = method in ("dpp", "random")
            axis.plot(line["k"], line[metric], ms=5, lw=2.2 if strong else 1.1, label=method, **style)
            if metric in ("f1", "diversity") and strong:
                bounds = line[f"{metric}_low"], line[f"{metric}_high"]
                axis.fill_between(line["k"], *bounds, color=style["color"], alpha=0.2, lw=0)
        axis.set(title=metric, xlabel="K")
        axis.grid()
    figure.legend_below(axes[0], columns=9)
    return figure


def relevance_against_diversity(curves: pd.DataFrame, table: pd.DataFrame, profiles: Sequence[str], k: int) -> Drawing:
    """F1@k against Div@k as θ goes from diversity (right) to relevance (left), one panel per profile.

    ``table`` (`method_table`) adds the methods that have no θ as points; large marks are θ = ½.
    """
    styles = method_looks([*dict.fromkeys(curves["method"]), "random", "k_medoids"])
    figure = Drawing(4.2 * len(profiles), 4.2, f"F1@{k} against Div@{k} as θ varies, by method and profile")
    axes = figure.subplots(1, len(profiles), sharex=True, sharey=True, squeeze=False)
    for axis, profile in zip(axes[0], profiles, strict=True):
        for method, style in styles.items():
            part = curves[(curves["method"] == method) & (curves["profile"] == profile)]
            line = part.groupby("theta")[["f1", "diversity"]].mean()
            if len(line):
                axis.plot(line["diversity"], line["f1"], ms=4, label=method, **style)
                axis.plot(*line.loc[0.5, ["diversity", "f1"]], ms=10, **style)
            elif (method, "none") in table.index:
                row = table.loc[(method, "none")]
                axis.plot(row["diversity"], row["f1"], ms=8, label=method, **(style | {"ls": ""}))
        axis.set(title=f"profile {profile}", xlabel=f"Div@{k}")
        axis.grid()
    axes[0, 0].set_ylabel(f"F1@{k}")
    figure.legend_below(axes[0, 0], columns=8)
    return figure


def strata(tables: Mapping[str, pd.DataFrame], names: Sequence[tuple[str, str]], k: int) -> Drawing:
    """F1@k with intervals per stratum for some (method, profile), one panel per table of `method_table(by=…)`."""
    figure = Drawing(5.5 * len(tables), 3.8, f"F1@{k} of {len(names)} methods {' and '.join(tables)}")
    axes = figure.subplots(1, len(tables), squeeze=False)
    styles = method_looks([method for method, _ in names])
    for axis, (title, table) in zip(axes[0], tables.items(), strict=True):
        table = table.sort_index()
        bands = list(table.index.get_level_values(-1).unique().sort_values())
        for place, (method, profile) in enumerate(names):
            part = table.loc[(method, profile)].reindex(bands)
            x = np.arange(len(bands)) + 0.14 * (place - (len(names) - 1) / 2)
            label = method if profile == "none" else f"{method} · {profile}"
            errors = np.stack([part["f1"] - part["f1_low"], part["f1_high"] - part["f1"]]).clip(min=0)
            axis.errorbar(x, part["f1"], errors, ms=5, label=label, **(styles[method] | {"ls": ""}))
        counts = table.groupby(level=-1, observed=True)["samples"].first().reindex(bands)
        axis.set_xticks(range(len(bands)), [f"{band}\nn = {counts[band]}" for band in bands])
        axis.set(title=title, ylabel=f"F1@{k}")
    figure.legend_below(axes[0, 0])
    return figure


def dose_response(table: pd.DataFrame, chance: Mapping[str, float]) -> Drawing:
    """What each method finds as people's photos get more personal: a panel per metric, strength along the bottom.

    ``table``: strength (1 is the default), method, metric, value, low, high; ``chance`` by metric is dotted.
    """
    metrics, names = list(dict.fromkeys(table["metric"])), list(dict.fromkeys(table["method"]))
    figure = Drawing(5 * len(metrics), 4.2, f"{', '.join(metrics)} of {', '.join(names)} by the strength of signatures")
    axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    strengths = sorted(table["strength"].unique())
    near = 0.012 * (strengths[-1] - strengths[0])
    for axis, metric in zip(axes, metrics, strict=True):
        axis.axhline(chance[metric], color=MUTED, ls=":", lw=1)
        for number, (method, style) in enumerate(method_looks(names).items()):
            line = table[(table["metric"] == metric) & (table["method"] == method)].sort_values("strength")
            x = line["strength"] + near * (number - (len(names) - 1) / 2)  # intervals side by side, not one on another
            axis.vlines(x, line["low"], line["high"], color=style["color"], lw=1.5)
            axis.plot(x, line["value"], ms=6, label=method, **style)
        axis.set(title=metric, xlabel="strength of people's signatures (1: the default)", xticks=strengths)
    figure.legend_below(axes[0], columns=6)
    return figure
