"""Image selection: greedy MAP on many pools beside one pool at a time in numpy, its scaling, and training's speed.

Run: python benchmarks/bench_greedy_map.py [--pools N] [--threads T]. Writes results/greedy_map.json.

The peer is Chen et al.'s algorithm 1 as it is usually written in numpy, a loop over pools. DPPy 0.3.3 has no MAP
inference, so it is compared where it overlaps with us, exact k-DPP sampling, if it is installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from summary import Row, as_fast, store

from showcase_utils.config import Selection
from showcase_utils.selection import dpp
from showcase_utils.selection.kdpp import sample_kdpp
from showcase_utils.selection.pools import Pools
from showcase_utils.selection.towers import bpr_loss, dpp_loss, new_model
from showcase_utils.selection.training import Schedule, mean_loss, new_optimiser, train_epoch

ALPHA, SIGMA, DIM, K = 0.9, 0.5, 64, 3
CELLS = 4_000_000  # kernel entries handed to one batched call
ITEMS = 60_000  # candidates in one call of the scaling rows: the work of a call dwarfs the cost of calling
LEAST = 0.04  # seconds that one measurement takes at least
REPEATS = 10

Pool = tuple[np.ndarray, np.ndarray]  # quality (n,), features (n, d) float32
Padded = tuple[torch.Tensor, torch.Tensor]


def numpy_kernel(quality: np.ndarray, features: np.ndarray) -> np.ndarray:
    """One pool's kernel (Wilhelm et al. 2018), in float64."""
    unit = features.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    L = ALPHA * np.outer(quality, quality) * np.exp((unit @ unit.T - 1) / (2 * SIGMA**2))
    np.fill_diagonal(L, quality**2)
    return L


def numpy_greedy(L: np.ndarray, k: int) -> list[int]:
    """One pool: incremental Cholesky, rows of the factor in one array (Chen et al. 2018, algorithm 1)."""
    factor = np.zeros((k, len(L)))
    left = np.diagonal(L).copy()
    picks = [int(left.argmax())]
    for step in range(min(k, len(L)) - 1):
        j = picks[-1]
        factor[step] = (L[j] - factor[:step, j] @ factor[:step]) / np.sqrt(left[j])
        left = left - factor[step] ** 2
        left[picks] = -np.inf
        picks.append(int(left.argmax()))
    return picks


def make_pools(count: int, low: int, high: int, seed: int) -> list[Pool]:
    """Pools of ``low`` to ``high`` random photos, shortest first."""
    rng = np.random.default_rng(seed)
    sizes = np.sort(rng.integers(low, high + 1, size=count))
    return [(np.exp(0.3 * rng.normal(size=n)), rng.normal(size=(n, DIM)).astype(np.float32)) for n in sizes]


def groups(sizes: list[int], cells: int) -> Iterator[slice]:
    """Runs of pools, sorted by size, whose padded kernels have at most ``cells`` entries together."""
    start = 0
    for end in range(1, len(sizes) + 1):
        if end == len(sizes) or (end + 1 - start) * sizes[end] ** 2 > cells:
            yield slice(start, end)
            start = end


def mask(pools: list[np.ndarray]) -> torch.Tensor:
    sizes = torch.tensor([len(pool) for pool in pools])
    return torch.arange(int(sizes.max())) < sizes.unsqueeze(-1)


def pad_kernels(kernels: list[np.ndarray]) -> list[Padded]:
    """Ready-made kernels in padded batches, with their masks."""
    batches = []
    for part in groups([len(L) for L in kernels], CELLS):
        present = mask(kernels[part])
        L = torch.zeros(*present.shape, present.shape[1], dtype=torch.float64)
        for b, pool in enumerate(kernels[part]):
            L[b, : len(pool), : len(pool)] = torch.from_numpy(pool)
        batches.append((L, present))
    return batches


def from_features(pools: list[Pool], k: int) -> list[torch.Tensor]:
    """Picks from ragged quality and features: pad the features, search without kernels."""
    picks = []
    for part in groups([len(quality) for quality, _ in pools], CELLS):
        present = mask([quality for quality, _ in pools[part]])
        quality, photos = np.zeros(present.shape), np.zeros((*present.shape, DIM), np.float32)
        for b, (own, features) in enumerate(pools[part]):
            quality[b, : len(own)], photos[b, : len(own)] = own, features
        picks.append(dpp.greedy_map_of_features(torch.from_numpy(quality), photos, ALPHA, SIGMA, k, present))
    return picks


def best_of(function: Callable[[], object], repeats: int = REPEATS, least: float = 0.0) -> tuple[float, object]:
    """Seconds of the fastest of several runs, and what the last one returned; a run repeats until ``least`` seconds."""
    seconds = []
    for _ in range(repeats):
        start, times = time.perf_counter(), 0
        while times == 0 or time.perf_counter() - start < least:
            result = function()
            times += 1
        seconds.append((time.perf_counter() - start) / times)
    return min(seconds), result


def same(picks: list[torch.Tensor], expected: list[list[int]]) -> bool:
    return [[i for i in row if i >= 0] for part in picks for row in part.tolist()] == expected


def compare(pools: list[Pool], k: int) -> dict:
    """Seconds of each form on the same pools, and whether all picks agree."""
    kernels = [numpy_kernel(*pool) for pool in pools]
    batches = pad_kernels(kernels)
    loop, expected = best_of(lambda: [numpy_greedy(L, k) for L in kernels])
    batched, picks = best_of(lambda: [dpp.greedy_map(L, k, there, check=False) for L, there in batches])
    checked, checked_picks = best_of(lambda: [dpp.greedy_map(L, k, there) for L, there in batches])
    padding, _ = best_of(lambda: pad_kernels(kernels), repeats=1)
    batches.clear()  # so that the memory of both forms below starts out alike
    whole_loop, whole_expected = best_of(lambda: [numpy_greedy(numpy_kernel(*pool), k) for pool in pools])
    whole, whole_picks = best_of(lambda: from_features(pools, k))
    return {
        "search": {
            "numpy_one_pool_at_a_time": loop,
            "batched": batched,
            "batched_calls": len(picks),
            "ratio": loop / batched,
            "same_picks": same(picks, expected) and same(checked_picks, expected),
            "as_people_call_it": checked,
            "ratio_as_people_call_it": loop / checked,
            "padding_ready_made_kernels": padding,
        },
        "from_quality_and_features_to_picks": {
            "numpy_one_pool_at_a_time": whole_loop,
            "batched": whole,
            "ratio": whole_loop / whole,
            "same_picks": same(whole_picks, whole_expected),
        },
    }


def scaling() -> dict:
    """Microseconds per pool as n and k grow, and the slopes of their logarithms.

    In k² n the factor k² is k steps of up to k rows of the factor each, but a step also takes some ten passes over
    the candidates whatever its number: O(k n) until k has grown past that.
    """

    def rows(cases: list[tuple[int, int]]) -> list[dict]:
        found = []
        for n, k in cases:
            pools = make_pools(4, n, n, seed=n)
            L = torch.from_numpy(np.stack([numpy_kernel(*pool) for pool in pools]))
            L = L.repeat(ITEMS // (n * len(pools)), 1, 1)
            seconds, _ = best_of(lambda L=L, k=k: dpp.greedy_map(L, k, check=False), least=LEAST)
            found.append({"n": n, "k": k, "k2n": k * k * n, "microseconds_per_pool": 1e6 * seconds / len(L)})
        return found

    def slope(table: list[dict], of: str) -> float:
        x, y = ([np.log(row[name]) for row in table] for name in (of, "microseconds_per_pool"))
        return float(np.polyfit(x, y, 1)[0])

    by_n = rows([(n, 3) for n in (50, 100, 200, 400, 800)])
    by_k = rows([(400, k) for k in (3, 6, 12, 24, 48, 96)])
    return {
        "items_per_call": ITEMS,
        "k = 3": by_n,
        "n = 400": by_k,
        "slope_in_n": slope(by_n, "n"),
        "slope_in_k_from_3_to_12": slope(by_k[:3], "k"),
        "slope_in_k_from_24_to_96": slope(by_k[3:], "k"),
        "expected": "1 in n; in k from 1 (a step's own passes) towards 2 (rows of the factor)",
    }


def demo_like_pools(count: int, dim: int, seed: int = 0) -> Pools:
    """Training pools with sizes like the demo's (mean 75, at most 183) and random features and histories."""
    rng = np.random.default_rng(seed)
    sizes = np.clip(rng.gamma(4.0, 19.0, size=count).astype(int), 4, 183)
    features = rng.normal(size=(20_000, dim)).astype(np.float32)
    candidates = [np.sort(rng.choice(len(features), size=n, replace=False)) for n in sizes]
    relevant = [np.sort(rng.choice(n, size=rng.integers(1, 3), replace=False)) for n in sizes]
    samples = pd.DataFrame({"split": "train", "candidates": sizes, "relevant": [len(own) for own in relevant]})
    past = list(rng.integers(len(features), size=(count, 7)))
    ids = np.arange(len(features)).astype(str).astype(object)
    return Pools(samples, ids, features, ids, features, candidates, relevant, past, past, {}, {})


def training(count: int = 5000, dim: int = 128) -> dict:
    """Epochs per minute of the towers, on one thread as the pipeline trains them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pools, rows = demo_like_pools(count, dim), []
    order = np.random.default_rng(0).permutation(count)
    for loss in (dpp_loss, bpr_loss):
        for batch_size in (128, 512):
            settings = Selection(batch_size=batch_size)
            model = new_model(pools, settings, "img+text", seed=0)
            step = (model, loss, new_optimiser(model, Schedule.of(settings)), pools, order, batch_size)
            seconds, _ = best_of(lambda step=step: train_epoch(*step), repeats=2)
            forward, _ = best_of(lambda model=model, loss=loss: mean_loss(model, loss, pools, order), repeats=2)
            row = {"objective": loss.__name__, "batch_size": batch_size, "epochs_per_minute": 60 / seconds}
            rows.append(row | {"pools_per_second": count / seconds, "forward_share": forward / seconds})
    torch.set_num_threads(threads)
    mean = float(pools.samples["candidates"].mean())
    return {"pools": count, "mean_candidates": mean, "dim": dim, "threads": 1, "rows": rows}


def sampling(draws: int = 2000) -> dict:
    """Exact k-DPP samples per second beside DPPy's, on one pool of 60."""
    L = torch.from_numpy(numpy_kernel(*make_pools(1, 60, 60, seed=1)[0]))
    ours, _ = best_of(lambda: sample_kdpp(L, K, draws, torch.Generator().manual_seed(0)))
    result = {"ours_per_second": draws / ours}
    try:
        from dppy.finite_dpps import FiniteDPP
    except ImportError:
        return result | {"dppy": "not installed"}
    theirs = FiniteDPP("likelihood", L=L.numpy())
    rng = np.random.RandomState(0)
    seconds, _ = best_of(lambda: [theirs.sample_exact_k_dpp(K, random_state=rng) for _ in range(draws)])
    return result | {"dppy_per_second": draws / seconds, "ratio": seconds / ours}


def rows(report: dict) -> tuple[str, list[Row]]:
    pools, scaling, training = (report[key] for key in ("2000_pools_of_40_seconds", "scaling", "training"))
    search, whole = pools["search"], pools["from_quality_and_features_to_picks"]
    sampled = report["kdpp_sampling"]
    epochs = {row["objective"]: row["epochs_per_minute"] for row in training["rows"] if row["batch_size"] == 512}
    in_k = [f"{scaling[f'slope_in_k_from_{span}']:.2f}" for span in ("3_to_12", "24_to_96")]
    return f"2,000 pools of 40, k = {report['k']}, threads: {report['threads']}", [
        Row("one pool at a time in numpy: the search", as_fast(search["ratio"]), "at least 20"),
        Row("– the default call, which checks its input", as_fast(search["ratio_as_people_call_it"]), "at least 15"),
        Row("– from quality and features to picks", as_fast(whole["ratio"]), "at least 6"),
        Row("slope in n", f"{scaling['slope_in_n']:.2f}", "1"),
        Row("slope in k from 3 to 12; from 24 to 96", "; ".join(in_k), "1 to 2"),
        Row("DPPy, exact k-DPP samples", as_fast(sampled.get("ratio", sampled.get("dppy")))),
        Row(
            f"training, {training['pools']:,} pools in batches of 512: the DPP's loss; BPR's",
            f"{epochs['dpp_loss']:.1f}; {epochs['bpr_loss']:.1f} epochs a minute",
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pools", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result = {
        "pools": arguments.pools,
        "k": K,
        "threads": arguments.threads,
        "pools_of_5_to_60_seconds": compare(make_pools(arguments.pools, 5, 60, seed=0), K),
        "2000_pools_of_40_seconds": compare(make_pools(2000, 40, 40, seed=0), K),
        "scaling": scaling(),
        "kdpp_sampling": sampling(),
        "training": training(),
    }
    store("greedy_map", result, rows(result), ("numpy", "torch", "dppy"))


if __name__ == "__main__":
    main()
