"""The stage ``selection``: train what learns, choose photos by every method, score them, draw the curves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from joblib import delayed

from showcase_utils.artifacts import BuildContext
from showcase_utils.config import Selection
from showcase_utils.devices import resolve_device, use_threads
from showcase_utils.parallel import jobs_on, side_by_side
from showcase_utils.selection.choosing import Choice, choose, first_picks
from showcase_utils.selection.chosen import CHOSEN, shown_choice
from showcase_utils.selection.curves import K_RANGE, k_curves, theta_curves
from showcase_utils.selection.methods import MODELS, Method, Variant, methods_of, model_folder, open_selectors
from showcase_utils.selection.pools import Pools, open_pools
from showcase_utils.selection.scoring import is_evaluable, sameness_of_places, score, selected_ids


def build_selection(context: BuildContext) -> None:
    """Fill the stage from ``data`` and ``features``; a model that an interrupted call has left is not trained again.

    Files: models/ (a folder per trained ranker) · history.csv (all training curves) · selected.parquet (method,
    profile, seed, split, ids, ``image_ids`` in pick order) · chosen.parquet (those that are shown) · scores.parquet
    (one row per pick list: metrics at K = k, pool and history sizes) · sameness.csv (per method and place) ·
    k_scores.parquet (as scores, by k; test, pools larger than the largest) · theta_curves.csv (test, pools larger
    than k).
    Raises ``ValueError`` as `build_pools` and `methods_of` do.
    """
    use_threads(context.settings)
    settings, seed = context.settings.selection, context.settings.seed
    build(context.out, open_pools(context), settings, seed, resolve_device(context.settings.device), context.progress)


def build(
    out: Path, pools: Pools, settings: Selection, seed: int, device: str | torch.device = "cpu", progress: bool = True
) -> None:
    """`build_selection` with everything given. Every seed of ``settings.seeds`` is shifted by ``seed``."""
    methods = methods_of(settings)
    if settings.shown_method not in methods:
        shown = settings.shown_method
        raise ValueError(f"selection.shown_method = {shown}: selection.methods are {', '.join(methods)}")
    variants = [variant for method in methods.values() for variant in method.variants(settings, seed)]
    history = train(methods, variants, out / MODELS, pools, settings, device, progress)
    history.to_csv(out / "history.csv", index=False)
    selectors = open_selectors(variants, out / MODELS, settings, device)

    selected, scores = [], []
    for split in ("val", "test"):
        rows, longest = pools.rows(split), max(settings.k, *K_RANGE) if split == "test" else settings.k
        lists = choose(pools, rows, selectors, longest, device, f"choosing, {split}" if progress else "")
        short = [selector for selector in selectors if not selector.method.nested and longest > settings.k]
        choices = first_picks(lists, settings.k) | choose(pools, rows, short, settings.k, device)
        selected += [selected_ids(pools, rows, variant, choice) for variant, choice in choices.items()]
        scores += [score(pools, rows, variant, choice, settings.k) for variant, choice in choices.items()]
    table = pd.concat(selected, ignore_index=True)
    table.to_parquet(out / "selected.parquet", index=False)
    shown_choice(table, settings).to_parquet(out / CHOSEN, index=False)
    pd.concat(scores, ignore_index=True).to_parquet(out / "scores.parquet", index=False)
    _write(sameness_of_places(pools, selectors, settings.k, seed, device), out / "sameness.csv")

    large = is_evaluable(pools, rows, max(K_RANGE))
    lists = {variant: Choice(choice.picks[large]) for variant, choice in lists.items()}
    k_curves(pools, rows[large], lists, selectors, device).to_parquet(out / "k_scores.parquet", index=False)
    enough = rows[is_evaluable(pools, rows, settings.k)]
    _write(theta_curves(pools, enough, selectors, settings.k, device, progress), out / "theta_curves.csv")


def train(
    methods: dict[str, Method],
    variants: list[Variant],
    models: Path,
    pools: Pools,
    settings: Selection,
    device: str | torch.device,
    progress: bool,
) -> pd.DataFrame:
    """Train the rankers that learn; gives their epochs, by ``objective`` (the ranker's key), profile and seed.

    On a CPU several train at the same time (``settings.jobs``), each on one thread, which changes no bit of them.
    """
    wanted = {}
    for variant in variants:
        method = methods[variant.name]
        if method.ranker.learns:
            wanted[model_folder(models, method, variant)] = method.ranker, variant.profile, variant.seed
    work = [
        delayed(ranker.train)(folder, pools, settings, profile, seed, device)
        for folder, (ranker, profile, seed) in wanted.items()
    ]
    done = side_by_side(work, jobs_on(device, settings.jobs, len(work)), "models", progress)
    tables = [
        table.assign(objective=ranker.key, profile=profile, seed=seed)
        for table, (ranker, profile, seed) in zip(done, wanted.values(), strict=True)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["objective", "profile", "seed"])


def _write(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, float_format="%.6g")
