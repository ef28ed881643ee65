"""The stage ``selection``: trains the models, picks photos by every method, scores the picks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from showcase_utils.config import Selection
from showcase_utils.devices import resolve_device
from showcase_utils.selection import baselines, dpp
from showcase_utils.selection.metrics import diversity, precision_recall_f1
from showcase_utils.selection.pools import Batch, Features, Pools, build_pools
from showcase_utils.selection.profile import ProfileModel
from showcase_utils.selection.training import train_or_load

THETAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
K_RANGE = range(1, 11)  # of the curves over K
SPLITS = ("val", "test")
NONE = "none"  # the profile of methods that know no user


class Method(NamedTuple):
    """A way to choose photos: its name, the profile it reads, the seed it depends on (0 if on none)."""

    name: str
    profile: str = NONE
    seed: int = 0

    def columns(self) -> dict[str, str | int]:
        """As the first columns of every table of this stage."""
        return {"method": self.name, "profile": self.profile, "seed": self.seed}


MEDOIDS = Method("k_medoids")
Models = dict[Method, ProfileModel]
Picks = dict[Method, np.ndarray]  # (S, k) places in each sample's candidates, −1 for none


def build_selection(
    out: Path,
    s1: pd.DataFrame,
    images: pd.DataFrame,
    photos: Features,
    reviews: Features,
    settings: Selection,
    seed: int,
    device: str = "auto",
    progress: bool = True,
) -> None:
    """Write the selection stage into ``out``: models, picks for val and test, scores, curves.

    ``s1``, ``images`` frames; ``photos``, ``reviews`` feature stores. Every seed of ``settings.seeds`` is shifted by
    ``seed``. A model that is already in ``out`` is not trained again. Raises ``ValueError`` as `build_pools` does.

    Files: models/<profile>-<seed>/, models/bpr-<profile>-<seed>/ · history.csv (all training curves) ·
    selected.parquet (method, profile, seed, split, ids, ``image_ids`` in pick order) · scores.parquet (one row per
    pick list: metrics at K = k, pool and history sizes) · k_curves.csv, trade_off.csv (test, evaluable pools).
    """
    place = resolve_device(device)
    with _one_thread():
        pools = build_pools(s1, images, photos, reviews, settings.history)
        models = train_all(out / "models", out / "history.csv", pools, settings, seed, place, progress)
        seeds = [seed + s for s in settings.seeds]
        selected, scores, k_curves, trade = [], [], [], []
        for split in SPLITS:
            rows = pools.rows(split)
            picks = choose(pools, rows, models, settings.profiles, seeds, settings.k, place, progress)
            for method, chosen in picks.items():
                selected.append(_selected(pools, rows, method, chosen))
                scores.append(score(pools, rows, method, chosen, settings.k))
            if split == "test":
                rows = rows[is_evaluable(pools, rows, settings.k)]
                k_curves = _k_curves(pools, rows, models, settings.profiles, seeds, place)
                trade = _trade_off(pools, rows, models, settings, place, progress)
        pd.concat(selected, ignore_index=True).to_parquet(out / "selected.parquet", index=False)
        pd.concat(scores, ignore_index=True).to_parquet(out / "scores.parquet", index=False)
        pd.DataFrame(k_curves).to_csv(out / "k_curves.csv", index=False, float_format="%.6g")
        pd.DataFrame(trade).to_csv(out / "trade_off.csv", index=False, float_format="%.6g")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Thousands of small matrices: on a busy CPU, waiting for a second thread costs far more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train_all(
    folder: Path, curves: Path, pools: Pools, settings: Selection, seed: int, device: torch.device, progress: bool
) -> Models:
    """All learned models: a DPP per profile and seed, and BRIE's loss on the richest profile."""
    wanted = [("dpp", profile, "") for profile in settings.profiles]
    wanted.append(("bpr", max(settings.profiles, key=len), "bpr-"))
    models, tables = {}, []
    for objective, profile, prefix in wanted:
        for s in settings.seeds:
            place = folder / f"{prefix}{profile}-{seed + s}"
            model, table = train_or_load(place, pools, settings, profile, seed + s, device, objective, progress)
            models[Method(objective, profile, seed + s)] = model
            tables.append(table.assign(objective=objective, profile=profile, seed=seed + s))
    pd.concat(tables, ignore_index=True).to_csv(curves, index=False)
    return models


@torch.no_grad()
def choose(
    pools: Pools,
    rows: np.ndarray,
    models: Models,
    profiles: tuple[str, ...],
    seeds: list[int],
    k: int,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> Picks:
    """Picks of every method for some rows, each (len(rows), k), −1 where a pool has fewer."""
    place = {row: position for position, row in enumerate(rows.tolist())}
    generators = {s: torch.Generator().manual_seed(s) for s in seeds}
    picks: Picks = {}
    for chunk in tqdm(list(pools.chunks(rows)), desc="choosing", disable=not progress):
        batch = pools.batch(chunk, device)
        where = [place[row] for row in chunk.tolist()]
        for method, indices in _all_methods(batch, models, profiles, generators, k):
            table = picks.setdefault(method, np.full((len(rows), k), -1, dtype=np.int64))
            table[where] = indices.cpu().numpy()
    return picks


def _all_methods(
    batch: Batch, models: Models, profiles: tuple[str, ...], generators: dict[int, torch.Generator], k: int
) -> Iterator[tuple[Method, Tensor]]:
    present, features = batch.present, batch.features
    for seed, generator in generators.items():
        yield Method("random", NONE, seed), baselines.random_picks(present, k, generator)
    yield MEDOIDS, baselines.k_medoids(features, present, k)
    for profile in profiles:
        cosine = baselines.cosine_relevance(batch, profile)
        yield Method("top_k_cosine", profile), baselines.top_k(cosine, present, k)
        yield Method("mmr_cosine", profile), baselines.mmr(cosine, features, present, k, theta=0.5)
    for (objective, profile, seed), model in models.items():
        relevance = model(batch)
        if objective == "bpr":
            yield Method("bpr", profile, seed), baselines.top_k(relevance, present, k)
            continue
        cosine = baselines.standardised(baselines.cosine_relevance(batch, profile), present)
        untrained = dpp.kernel(dpp.trade_off(cosine, 0.5), features, model.alpha, model.sigma)
        learned = dpp.kernel(dpp.trade_off(relevance, 0.5), features, model.alpha, model.sigma)
        yield Method("dpp_untrained", profile, seed), dpp.greedy_map(untrained, k, present, check=False)
        yield Method("top_k_learned", profile, seed), baselines.top_k(relevance, present, k)
        yield Method("mmr_learned", profile, seed), baselines.mmr(relevance, features, present, k, theta=0.5)
        yield Method("dpp", profile, seed), dpp.greedy_map(learned, k, present, check=False)
    yield Method("oracle"), baselines.oracle(batch, k)


def is_evaluable(pools: Pools, rows: np.ndarray, k: int) -> np.ndarray:
    """Pools with more than k candidates: with fewer there is nothing to choose, so they stay out of the tables."""
    return pools.samples["candidates"].to_numpy()[rows] > k


def score(pools: Pools, rows: np.ndarray, method: Method, picks: np.ndarray, k: int) -> pd.DataFrame:
    """One row per sample: metrics of the first k picks, and what the strata are made of."""
    frame = pools.samples.iloc[rows].reset_index(drop=True)
    accuracy = precision_recall_f1(picks, [pools.relevant[row] for row in rows], k)
    for place, (name, value) in enumerate(method.columns().items()):
        frame.insert(place, name, value)
    frame["evaluable"] = is_evaluable(pools, rows, k)
    frame["precision"], frame["recall"], frame["f1"] = (metric.per_sample for metric in accuracy)
    if k > 1:
        sets = [_features(pools, row, places[:k]) for row, places in zip(rows, picks, strict=True)]
        frame["diversity"] = diversity(sets, k).per_sample
    else:
        frame["diversity"] = np.nan  # one photo has no pair
    return frame


def _features(pools: Pools, row: int, places: np.ndarray) -> np.ndarray:
    return pools.features[pools.candidates[row][places[places >= 0]]]


def _selected(pools: Pools, rows: np.ndarray, method: Method, picks: np.ndarray) -> pd.DataFrame:
    frame = pools.samples.iloc[rows][["review_id", "user_id", "business_id", "split"]].reset_index(drop=True)
    for place, (name, value) in enumerate(method.columns().items()):
        frame.insert(place, name, value)
    frame["image_ids"] = [pools.ids(row, places) for row, places in zip(rows, picks, strict=True)]
    return frame


def _k_curves(
    pools: Pools, rows: np.ndarray, models: Models, profiles: tuple[str, ...], seeds: list[int], device: torch.device
) -> list[dict]:
    """Every method's means for each K. The first picks of a longer list are the shorter list, but for k-medoids."""
    longest = choose(pools, rows, models, profiles, seeds, max(K_RANGE), device, progress=False)
    curves = []
    for k in K_RANGE:
        longest[MEDOIDS] = _medoids(pools, rows, k, device)
        for method, picks in longest.items():
            curves.append({**method.columns(), "k": k, **_means(score(pools, rows, method, picks, k))})
    return curves


def _medoids(pools: Pools, rows: np.ndarray, k: int, device: torch.device) -> np.ndarray:
    place = {row: position for position, row in enumerate(rows.tolist())}
    picks = np.full((len(rows), k), -1, dtype=np.int64)
    for chunk in pools.chunks(rows):
        batch = pools.batch(chunk, device)
        picks[[place[row] for row in chunk.tolist()]] = baselines.k_medoids(batch.features, batch.present, k).cpu()
    return picks


@torch.no_grad()
def _trade_off(
    pools: Pools, rows: np.ndarray, models: Models, settings: Selection, device: torch.device, progress: bool
) -> list[dict]:
    """Relevance against diversity as θ goes from 0 to almost 1: one row per method, profile, seed and θ."""
    place = {row: position for position, row in enumerate(rows.tolist())}
    picks: dict[tuple[Method, float], np.ndarray] = {}
    for chunk in tqdm(list(pools.chunks(rows)), desc="trade-off", disable=not progress):
        batch = pools.batch(chunk, device)
        where, present, features = [place[row] for row in chunk.tolist()], batch.present, batch.features
        for method, model in models.items():
            if method.name != "dpp":
                continue
            similarity = dpp.kernel(torch.ones_like(present, dtype=features.dtype), features, model.alpha, model.sigma)
            cosine = baselines.standardised(baselines.cosine_relevance(batch, method.profile), present)
            for relevance, ending in ((model(batch), "learned"), (cosine, "cosine")):
                for theta in THETAS:
                    quality = dpp.trade_off(relevance, theta)
                    L = quality.unsqueeze(-1) * similarity * quality.unsqueeze(-2)
                    ours = dpp.greedy_map(L, settings.k, present, check=False)
                    theirs = baselines.mmr(relevance, features, present, settings.k, theta)
                    for name, indices in ((f"dpp_{ending}", ours), (f"mmr_{ending}", theirs)):
                        empty = np.full((len(rows), settings.k), -1, dtype=np.int64)
                        picks.setdefault((method._replace(name=name), theta), empty)[where] = indices.cpu().numpy()
    return [
        {**method.columns(), "theta": theta, **_means(score(pools, rows, method, table, settings.k))}
        for (method, theta), table in picks.items()
    ]


def _means(frame: pd.DataFrame) -> dict[str, float]:
    return frame[["precision", "recall", "f1", "diversity"]].mean().to_dict()
