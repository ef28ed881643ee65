"""Figures of image selection's results: training, methods, curves over K and θ, strata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import NDArray

COLOURS = sns.color_palette("colorblind")

ORDER = (
    "dpp",
    "top_k_learned",
    "mmr_learned",
    "bpr",
    "dpp_untrained",
    "top_k_cosine",
    "mmr_cosine",
    "k_medoids",
    "random",
    "oracle",
)
COLOUR_OF = dict(zip(ORDER, COLOURS, strict=True))


def training_curves(history: pd.DataFrame) -> Figure:
    """Training and validation loss per epoch, one panel per profile of the DPP; dots mark the epochs kept."""
    history = history[history["objective"] == "dpp"]
    profiles = list(dict.fromkeys(history["profile"]))
    figure = Figure(figsize=(3.4 * len(profiles), 3.2), layout="constrained")
    axes = figure.subplots(1, len(profiles), sharey=True, squeeze=False)
    for axis, profile in zip(axes[0], profiles, strict=True):
        for place, (_, part) in enumerate(history[history["profile"] == profile].groupby("seed")):
            train, validation = ("training", "validation") if place == 0 else (None, None)
            axis.plot(part["epoch"], part["train_loss"], color=COLOURS[0], lw=1, label=train)
            axis.plot(part["epoch"], part["val_loss"], color=COLOURS[1], lw=1.5, label=validation)
            best = part[part["best"]]
            axis.scatter(best["epoch"], best["val_loss"], color=COLOURS[3], zorder=3)
        axis.set(title=profile, xlabel="epoch")
        axis.locator_params(axis="x", integer=True)
    axes[0, 0].set_ylabel("− log-likelihood, nats per review")
    axes[0, 0].legend(fontsize=8)
    return figure


def learned_similarity(history: pd.DataFrame, distances: NDArray[np.floating]) -> Figure:
    """α exp(−D / 2σ²) over D, at the start and as learned, above the distances D that candidate pairs really have.

    A line per seed; the legend has the first seed's α and σ.
    """
    history = history[history["objective"] == "dpp"]
    reach = np.linspace(0, max(0.2, float(np.quantile(distances, 0.999))), 200)
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    (top, bottom) = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    lines = [("start", history.iloc[:1], {"color": "black", "ls": ":"})]
    for place, (profile, part) in enumerate(history[history["best"]].groupby("profile", sort=False)):
        lines.append((profile, part, {"color": COLOURS[place]}))
    for label, models, style in lines:
        for number, (alpha, sigma) in enumerate(zip(models["alpha"], models["sigma"], strict=True)):
            curve = alpha * np.exp(-reach / (2 * sigma**2))
            top.plot(reach, curve, label=None if number else f"{label}: α = {alpha:.3f}, σ = {sigma:.2f}", **style)
    top.set(ylabel="similarity of two photos", ylim=(0, 1), title="How alike two photos count, by their distance")
    top.legend(fontsize=8)
    bottom.hist(distances, bins=60, color="0.7", density=True)
    bottom.set(xlabel="D = 1 − cosine of CLIP features", ylabel="pairs", yticks=[])
    return figure


def method_intervals(table: pd.DataFrame) -> Figure:
    """F1, AUC and Div of every method and profile with their intervals; ``table`` as `method_table` gives it.

    The oracle is named in the title and not drawn: on its scale the others would all look alike. AUC has a dot where
    a method ranks all candidates.
    """
    shown = table.drop("oracle", level="method", errors="ignore").sort_values("f1")
    ceiling = table.xs("oracle", level="method")["f1"].iloc[0] if len(shown) < len(table) else None
    labels = [method if profile == "none" else f"{method} · {profile}" for method, profile in shown.index]
    colours = [COLOUR_OF.get(method, "grey") for method, _ in shown.index]
    figure = Figure(figsize=(12, 0.3 * len(shown) + 1), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    for axis, metric, title in zip(axes, ("f1", "auc", "diversity"), ("F1", "AUC", "Div"), strict=True):
        for place, ((_, row), colour) in enumerate(zip(shown.iterrows(), colours, strict=True)):
            axis.plot([row[f"{metric}_low"], row[f"{metric}_high"]], [place, place], color=colour, lw=2)
            axis.plot(row[metric], place, "o", color=colour)
        axis.set(title=f"{title}, mean and 95 % interval")
        axis.grid(axis="x", alpha=0.3)
    if ceiling is not None:
        axes[0].set_title(f"F1, mean and 95 % interval (oracle: {ceiling:.2f})")
    axes[1].axvline(0.5, color="0.6", lw=1, ls=":")  # chance
    axes[0].set_yticks(range(len(shown)), labels)
    return figure


def curves_over_k(curves: pd.DataFrame, methods: Sequence[str] = ORDER[:-1], profile: str = "img+text") -> Figure:
    """Precision, recall, F1 and Div over K, without the oracle; users by ``profile``. Bands: 95 % of DPP and chance."""
    shown = curves[curves["method"].isin(methods) & curves["profile"].isin([profile, "none"])]
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    axes = figure.subplots(1, 4)
    for axis, metric in zip(axes, ("precision", "recall", "f1", "diversity"), strict=True):
        for method in methods:
            line = shown[shown["method"] == method].dropna(subset=metric)
            axis.plot(line["k"], line[metric], marker=".", color=COLOUR_OF[method], label=method)
            if metric in ("f1", "diversity") and method in ("dpp", "random"):
                bounds = line[f"{metric}_low"], line[f"{metric}_high"]
                axis.fill_between(line["k"], *bounds, color=COLOUR_OF[method], alpha=0.2, lw=0)
        axis.set(title=metric, xlabel="K")
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
    return figure


def trade_off(curves: pd.DataFrame, table: pd.DataFrame, profiles: Sequence[str]) -> Figure:
    """F1 against Div as θ goes from diversity (right) to relevance (left), one panel per profile.

    ``table`` (`method_table`) adds the methods that have no θ as points; large dots mark θ = ½.
    """
    colours = {
        "dpp_learned": COLOUR_OF["dpp"],
        "mmr_learned": COLOUR_OF["mmr_learned"],
        "dpp_cosine": COLOUR_OF["dpp_untrained"],
        "mmr_cosine": COLOUR_OF["mmr_cosine"],
    }
    figure = Figure(figsize=(4 * len(profiles), 3.8), layout="constrained")
    axes = figure.subplots(1, len(profiles), sharex=True, sharey=True, squeeze=False)
    for axis, profile in zip(axes[0], profiles, strict=True):
        for method, colour in colours.items():
            part = curves[(curves["method"] == method) & (curves["profile"] == profile)]
            line = part.groupby("theta")[["f1", "diversity"]].mean()
            axis.plot(line["diversity"], line["f1"], marker=".", color=colour, label=method)
            axis.plot(line.loc[[0.5], "diversity"], line.loc[[0.5], "f1"], "o", ms=9, color=colour)
        for method, marker in (("random", "x"), ("k_medoids", "P")):
            if (method, "none") in table.index:
                row = table.loc[(method, "none")]
                axis.plot(row["diversity"], row["f1"], marker, color=COLOUR_OF[method], label=method, ls="")
        axis.set(title=f"profile {profile}", xlabel="Div")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("F1")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    return figure


def strata(tables: Mapping[str, pd.DataFrame], names: Sequence[tuple[str, str]]) -> Figure:
    """F1 with intervals per stratum for some (method, profile), one panel per table of `method_table(by=…)`."""
    figure = Figure(figsize=(5 * len(tables), 3.4), layout="constrained")
    axes = figure.subplots(1, len(tables), squeeze=False)
    for axis, (title, table) in zip(axes[0], tables.items(), strict=True):
        table = table.sort_index()
        bands = list(table.index.get_level_values(-1).unique().sort_values())
        for place, (method, profile) in enumerate(names):
            part = table.loc[(method, profile)].reindex(bands)
            x = np.arange(len(bands)) + 0.14 * (place - (len(names) - 1) / 2)
            label = method if profile == "none" else f"{method} · {profile}"
            errors = np.stack([part["f1"] - part["f1_low"], part["f1_high"] - part["f1"]]).clip(min=0)
            axis.errorbar(x, part["f1"], errors, fmt="o", ms=4, color=COLOUR_OF[method], label=label)
        counts = table.groupby(level=-1, observed=True)["samples"].first().reindex(bands)
        axis.set_xticks(range(len(bands)), [f"{band}\nn = {counts[band]}" for band in bands])
        axis.set(title=title, ylabel="F1")
    axes[0, 0].legend(fontsize=8)
    return figure
