"""The stage ``selection``: train what learns, choose photos by every method, score them, draw the curves."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, product
from pathlib import Path
from typing import Any

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
from showcase_utils.selection.methods import MODELS, Method, Variant, model_folder, open_selectors, runnable
from showcase_utils.selection.pools import Pools, open_pools
from showcase_utils.selection.rankers import Ranker
from showcase_utils.selection.scoring import is_evaluable, sameness_of_places, score, selected_ids

SPLITS = ("val", "test")


def build_selection(context: BuildContext) -> None:
    """Fill the stage from ``data`` and ``features``; a model that an interrupted call has left is not trained again.

    Files: models/ (a folder per trained ranker) · history.csv (all training curves) · selected.parquet (method,
    profile, seed, split, ids, ``image_ids`` in pick order) · chosen.parquet (those that are shown) · scores.parquet
    (one row per pick list: metrics at K = k, pool and history sizes) · sameness.csv (per method and place) ·
    k_scores.parquet (as scores, by k; test, pools larger than the largest) · theta_curves.csv (test, pools larger
    than k).
    Raises ``ValueError`` as `build_pools` and `runnable` do.
    """
    use_threads(context.settings)
    settings, seed = context.settings.selection, context.settings.seed
    build(context.out, open_pools(context), settings, seed, resolve_device(context.settings.device), context.progress)


def build(
    out: Path, pools: Pools, settings: Selection, seed: int, device: str | torch.device = "cpu", progress: bool = True
) -> None:
    """`build_selection` with everything given. Every seed of ``settings.seeds`` is shifted by ``seed``."""
    methods = runnable(settings)
    variants = [variant for method in methods.values() for variant in method.variants(settings, seed)]
    most = settings.training_candidates
    learned = pools if most is None else pools.narrowed(most, seed)
    history = train(methods, variants, out / MODELS, learned, settings, device, progress)
    history.to_csv(out / "history.csv", index=False)

    foreign = any(":" in name for name in settings.methods)  # it may lie where another process does not look
    jobs = 1 if foreign else jobs_on(device, settings.jobs, len(variants))
    work = [
        delayed(try_out)(pools, part, out / MODELS, settings, seed, device, progress and jobs == 1)
        for part in _shared_out(variants, methods, 2 * jobs if jobs > 1 else 1)
    ]
    tables = list(side_by_side(work, jobs, "methods", progress and jobs > 1))
    del work, pools  # at the published counts as large as what is now put together
    selected = _table(tables, "selected", product(SPLITS, variants))
    selected.to_parquet(out / "selected.parquet", index=False)
    shown_choice(selected, settings).to_parquet(out / CHOSEN, index=False)
    _table(tables, "scores", product(SPLITS, variants)).to_parquet(out / "scores.parquet", index=False)
    _table(tables, "k_scores", product(K_RANGE, variants)).to_parquet(out / "k_scores.parquet", index=False)
    _write(_table(tables, "sameness", variants), out / "sameness.csv")
    _write(_table(tables, "theta_curves", variants), out / "theta_curves.csv")


def try_out(
    pools: Pools,
    variants: list[Variant],
    models: Path,
    settings: Selection,
    seed: int,
    device: str | torch.device,
    progress: bool,
) -> dict[str, dict[Any, pd.DataFrame]]:
    """All that the stage's tables say of some methods: by table's name, by split or k and variant, or by variant."""
    selectors = open_selectors(variants, models, settings, device)
    selected, scores = {}, {}
    for split in SPLITS:
        rows, longest = pools.rows(split), max(settings.k, *K_RANGE) if split == "test" else settings.k
        lists = choose(pools, rows, selectors, longest, device, f"choosing, {split}" if progress else "")
        short = [selector for selector in selectors if not selector.method.nested and longest > settings.k]
        choices = first_picks(lists, settings.k) | choose(pools, rows, short, settings.k, device)
        for variant, choice in choices.items():
            selected[split, variant] = selected_ids(pools, rows, variant, choice)
            scores[split, variant] = score(pools, rows, variant, choice, settings.k)
    same = sameness_of_places(pools, selectors, settings.k, seed, device)
    large = is_evaluable(pools, rows, max(K_RANGE))
    lists = {variant: Choice(choice.picks[large]) for variant, choice in lists.items()}
    k_scores = k_curves(pools, rows[large], lists, selectors, device)
    enough = rows[is_evaluable(pools, rows, settings.k)]
    over_theta = theta_curves(pools, enough, selectors, settings.k, device, progress)
    return {
        "selected": selected,
        "scores": scores,
        "k_scores": k_scores,
        "sameness": _by_variant(same),
        "theta_curves": _by_variant(over_theta),
    }


def _shared_out(variants: list[Variant], methods: dict[str, Method], parts: int) -> list[list[Variant]]:
    """The variants in a number of parts; what shares a ranker, or a curve over θ, stays together."""
    together: dict[tuple[type[Ranker], str], list[Variant]] = {}
    for variant in variants:
        together.setdefault((methods[variant.name].ranker, variant.profile), []).append(variant)
    groups = list(together.values())
    return [list(chain.from_iterable(groups[part::parts])) for part in range(min(parts, len(groups)))]


def _by_variant(table: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    """The rows of each variant; a table without any stands for its columns."""
    groups = table.groupby(["method", "profile", "seed"]) if len(table) else ()
    return {Variant(*key): rows for key, rows in groups} or {None: table}


def _table(tables: list[dict[str, dict[Any, pd.DataFrame]]], name: str, keys: Iterable[Any]) -> pd.DataFrame:
    """A table of all methods, its parts in the order of ``keys``."""
    parts = {key: part for some in tables for key, part in some[name].items()}
    return pd.concat([parts[key] for key in keys if key in parts] or [parts[None]], ignore_index=True)


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
