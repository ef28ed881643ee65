"""The stage ``selection``: trains the models, picks photos by every method, scores the picks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from torch import Tensor

from showcase_utils.config import Selection
from showcase_utils.devices import resolve_device
from showcase_utils.progress import progress_bar
from showcase_utils.selection import baselines, dpp
from showcase_utils.selection.metrics import auc, diversity, precision_recall_f1
from showcase_utils.selection.pools import Batch, Features, Pools, build_pools
from showcase_utils.selection.profile import ProfileModel
from showcase_utils.selection.tables import method_table
from showcase_utils.selection.training import HISTORY, train_or_load

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


class Choice(NamedTuple):
    """What a method chose for S samples: ``picks`` (S, k), places in each sample's candidates, −1 for none.

    ``relevance``, per sample (n,), is what a method ranks all candidates by; ``None`` where it ranks none.
    """

    picks: np.ndarray
    relevance: list[np.ndarray] | None = None


Choices = dict[Method, Choice]


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
    pick list: metrics at K = k, pool and history sizes) · k_curves.csv (test, pools with more than the largest K
    candidates) · trade_off.csv (test, pools with more than k).
    """
    place = resolve_device(device)
    with _one_thread():
        pools = build_pools(s1, images, photos, reviews, settings.history)
        models = train_all(out / "models", out / "history.csv", pools, settings, seed, place, progress)
        selected, scores = [], []
        for split in SPLITS:
            rows = pools.rows(split)
            for method, choice in choose(pools, rows, models, settings, seed, place, progress).items():
                selected.append(_selected(pools, rows, method, choice.picks))
                scores.append(score(pools, rows, method, choice, settings.k))
        rows = pools.rows("test")
        k_curves = _k_curves(pools, rows[is_evaluable(pools, rows, max(K_RANGE))], models, settings, seed, place)
        trade = _trade_off(pools, rows[is_evaluable(pools, rows, settings.k)], models, settings, place, progress)
        pd.concat(selected, ignore_index=True).to_parquet(out / "selected.parquet", index=False)
        pd.concat(scores, ignore_index=True).to_parquet(out / "scores.parquet", index=False)
        k_curves.to_csv(out / "k_curves.csv", index=False, float_format="%.6g")
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
    """All learned models: a DPP per profile and seed, and BRIE's loss on the richest profile.

    On a CPU several train at the same time (``settings.jobs``), each on one thread, which changes no bit of them.
    """
    wanted = [Method("dpp", profile, seed + s) for profile in settings.profiles for s in settings.seeds]
    wanted += [Method("bpr", max(settings.profiles, key=len), seed + s) for s in settings.seeds]
    arguments = {
        method: (folder / _name(method), pools, settings, method.profile, method.seed, device, method.name)
        for method in wanted
    }
    missing = [method for method in wanted if not (folder / _name(method) / HISTORY).is_file()]
    jobs = min(settings.jobs or cpu_count(), len(missing)) if device.type == "cpu" else 1
    if jobs > 1:
        with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
            each = (delayed(train_or_load)(*arguments[method], progress=False) for method in missing)
            done = Parallel(return_as="generator_unordered")(each)
            for _ in progress_bar(done, desc="models", total=len(missing), disable=not progress):
                pass
    models, tables = {}, []
    for method in wanted:
        models[method], table = train_or_load(*arguments[method], progress=progress)
        tables.append(table.assign(objective=method.name, profile=method.profile, seed=method.seed))
    pd.concat(tables, ignore_index=True).to_csv(curves, index=False)
    return models


def _name(method: Method) -> str:
    """The folder of a trained model."""
    return f"{'bpr-' if method.name == 'bpr' else ''}{method.profile}-{method.seed}"


@torch.no_grad()
def choose(
    pools: Pools,
    rows: np.ndarray,
    models: Models,
    settings: Selection,
    seed: int,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> Choices:
    """What every method chooses for some rows: ``settings.k`` photos each, fewer where a pool has fewer."""
    place = {row: position for position, row in enumerate(rows.tolist())}
    generators = {seed + s: torch.Generator().manual_seed(seed + s) for s in settings.seeds}
    choices: Choices = {}
    for chunk in progress_bar(list(pools.chunks(rows)), desc="choosing", disable=not progress):
        batch = pools.batch(chunk, device)
        where = [place[row] for row in chunk.tolist()]
        for method, indices, relevance in _all_methods(batch, models, settings, generators):
            if method not in choices:
                empty = np.full((len(rows), settings.k), -1, dtype=np.int64)
                choices[method] = Choice(empty, None if relevance is None else [np.empty(0)] * len(rows))
            choices[method].picks[where] = indices.cpu().numpy()
            if relevance is not None:
                for position, row, values in zip(where, chunk, relevance.cpu().numpy(), strict=True):
                    choices[method].relevance[position] = values[: len(pools.candidates[row])]
    return choices


def _all_methods(
    batch: Batch, models: Models, settings: Selection, generators: dict[int, torch.Generator]
) -> Iterator[tuple[Method, Tensor, Tensor | None]]:
    """Every method with its picks (B, k) and, where it ranks all candidates, the relevance (B, n)."""
    present, features, k = batch.present, batch.features, settings.k
    for seed, generator in generators.items():
        yield Method("random", NONE, seed), baselines.random_picks(present, k, generator), None
    yield MEDOIDS, baselines.k_medoids(features, present, k), None
    for profile in settings.profiles:
        cosine = baselines.cosine_relevance(batch, profile)
        yield Method("top_k_cosine", profile), baselines.top_k(cosine, present, k), cosine
        yield Method("mmr_cosine", profile), baselines.mmr(cosine, features, present, k, theta=0.5), None
        quality = dpp.trade_off(baselines.standardised(cosine, present), 0.5)
        L = dpp.kernel(quality, features, settings.alpha, settings.sigma)
        yield Method("dpp_untrained", profile), dpp.greedy_map(L, k, present, check=False), None
    for (objective, profile, seed), model in models.items():
        relevance = model(batch)
        if objective == "bpr":
            yield Method("bpr", profile, seed), baselines.top_k(relevance, present, k), relevance
            continue
        learned = dpp.kernel(dpp.trade_off(relevance, 0.5), features, model.alpha, model.sigma)
        yield Method("top_k_learned", profile, seed), baselines.top_k(relevance, present, k), relevance
        yield Method("mmr_learned", profile, seed), baselines.mmr(relevance, features, present, k, theta=0.5), None
        yield Method("dpp", profile, seed), dpp.greedy_map(learned, k, present, check=False), relevance
    yield Method("oracle"), baselines.oracle(batch, k), None


def is_evaluable(pools: Pools, rows: np.ndarray, k: int) -> np.ndarray:
    """Pools with more than k candidates: with fewer there is nothing to choose, so they stay out of the tables."""
    return pools.samples["candidates"].to_numpy()[rows] > k


def score(pools: Pools, rows: np.ndarray, method: Method, choice: Choice, k: int) -> pd.DataFrame:
    """One row per sample: metrics of the first k picks, AUC of the relevance, and what the strata are made of."""
    frame = pools.samples.iloc[rows].reset_index(drop=True)
    picks, relevant = choice.picks, [pools.relevant[row] for row in rows]
    accuracy = precision_recall_f1(picks, relevant, k)
    for place, (name, value) in enumerate(method.columns().items()):
        frame.insert(place, name, value)
    frame["evaluable"] = is_evaluable(pools, rows, k)
    frame["precision"], frame["recall"], frame["f1"] = (metric.per_sample for metric in accuracy)
    if k > 1:
        sets = [_features(pools, row, places[:k]) for row, places in zip(rows, picks, strict=True)]
        frame["diversity"] = diversity(sets, k).per_sample
    else:
        frame["diversity"] = np.nan  # one photo has no pair
    frame["auc"] = np.nan if choice.relevance is None else auc(choice.relevance, relevant).per_sample
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
    pools: Pools, rows: np.ndarray, models: Models, settings: Selection, seed: int, device: torch.device
) -> pd.DataFrame:
    """Every method's means and intervals for each K, on the same pools throughout.

    The first picks of a longer list are the shorter list, but for k-medoids.
    """
    longest = settings.model_copy(update={"k": max(K_RANGE)})
    choices = choose(pools, rows, models, longest, seed, device, progress=False)
    scores = []
    for k in K_RANGE:
        choices[MEDOIDS] = _medoids(pools, rows, k, device)
        scores += [score(pools, rows, method, choice, k).assign(k=k) for method, choice in choices.items()]
    return method_table(pd.concat(scores, ignore_index=True), by=["k"]).reset_index()


def _medoids(pools: Pools, rows: np.ndarray, k: int, device: torch.device) -> Choice:
    place = {row: position for position, row in enumerate(rows.tolist())}
    picks = np.full((len(rows), k), -1, dtype=np.int64)
    for chunk in pools.chunks(rows):
        batch = pools.batch(chunk, device)
        picks[[place[row] for row in chunk.tolist()]] = baselines.k_medoids(batch.features, batch.present, k).cpu()
    return Choice(picks)


@torch.no_grad()
def _trade_off(
    pools: Pools, rows: np.ndarray, models: Models, settings: Selection, device: torch.device, progress: bool
) -> list[dict]:
    """Relevance against diversity as θ goes from 0 to almost 1: one row per method, profile, seed and θ."""
    place = {row: position for position, row in enumerate(rows.tolist())}
    picks: dict[tuple[Method, float], np.ndarray] = {}
    for chunk in progress_bar(list(pools.chunks(rows)), desc="trade-off", disable=not progress):
        batch = pools.batch(chunk, device)
        where, present, features = [place[row] for row in chunk.tolist()], batch.present, batch.features
        for kind, method, relevance, alpha, sigma in _relevances(batch, models, settings):
            similarity = dpp.kernel(torch.ones_like(present, dtype=features.dtype), features, alpha, sigma)
            for theta in THETAS:
                quality = dpp.trade_off(relevance, theta)
                L = quality.unsqueeze(-1) * similarity * quality.unsqueeze(-2)
                ours = dpp.greedy_map(L, settings.k, present, check=False)
                theirs = baselines.mmr(relevance, features, present, settings.k, theta)
                for name, indices in ((f"dpp_{kind}", ours), (f"mmr_{kind}", theirs)):
                    empty = np.full((len(rows), settings.k), -1, dtype=np.int64)
                    picks.setdefault((method._replace(name=name), theta), empty)[where] = indices.cpu().numpy()
    return [
        {**method.columns(), "theta": theta, **_means(score(pools, rows, method, Choice(table), settings.k))}
        for (method, theta), table in picks.items()
    ]


def _relevances(
    batch: Batch, models: Models, settings: Selection
) -> Iterator[tuple[str, Method, Tensor, float | Tensor, float | Tensor]]:
    """Cosine with the kernel of the settings, and the towers' relevance with the kernel trained beside it."""
    for profile in settings.profiles:
        cosine = baselines.standardised(baselines.cosine_relevance(batch, profile), batch.present)
        yield "cosine", Method("", profile), cosine, settings.alpha, settings.sigma
    for method, model in models.items():
        if method.name == "dpp":
            yield "learned", method, model(batch), model.alpha, model.sigma


def _means(frame: pd.DataFrame) -> dict[str, float]:
    return frame[["precision", "recall", "f1", "diversity"]].mean().to_dict()
