"""Greedy MAP on 20,000 pools: batched, beside one pool at a time in numpy, and scaling in n and k; same picks.

Run: python benchmarks/bench_greedy_map.py [--pools N] [--threads T]. Writes results/greedy_map.json.

The peer is Chen et al.'s algorithm 1 as it is usually written in numpy, a loop over pools. DPPy 0.3.3 has no MAP
inference, so it is compared where it overlaps with us, exact k-DPP sampling, if it is installed.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from showcase_utils.selection import dpp
from showcase_utils.selection.sampling import sample_kdpp

RESULTS = Path(__file__).parent / "results" / "greedy_map.json"
CELLS = 2_000_000  # kernel entries handed to one batched call
REPEATS = 3


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


def make_pools(count: int, low: int, high: int, dim: int, seed: int) -> list[np.ndarray]:
    """Kernels of pools of ``low`` to ``high`` random unit vectors, shortest first."""
    rng = np.random.default_rng(seed)
    kernels = []
    for n in np.sort(rng.integers(low, high + 1, size=count)):
        quality = torch.from_numpy(np.exp(0.3 * rng.normal(size=n)))
        kernels.append(dpp.kernel(quality, torch.from_numpy(rng.normal(size=(n, dim))), 0.9, 0.5).numpy())
    return kernels


def pad(kernels: list[np.ndarray]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Padded batches of at most CELLS entries each, with their masks."""
    batches, start = [], 0
    for end in range(1, len(kernels) + 1):
        if end == len(kernels) or (end + 1 - start) * len(kernels[end]) ** 2 > CELLS:
            part, n = kernels[start:end], len(kernels[end - 1])
            L, present = torch.zeros(len(part), n, n, dtype=torch.float64), torch.zeros(len(part), n, dtype=torch.bool)
            for b, pool in enumerate(part):
                L[b, : len(pool), : len(pool)] = torch.from_numpy(pool)
                present[b, : len(pool)] = True
            batches.append((L, present))
            start = end
    return batches


def best_of(function: Callable[[], object], repeats: int = REPEATS) -> tuple[float, object]:
    """Seconds of the fastest of several runs, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def compare(kernels: list[np.ndarray], k: int) -> dict:
    """Seconds of each form on the same kernels, and whether all picks agree."""
    batches = pad(kernels)
    loop, expected = best_of(lambda: [numpy_greedy(L, k) for L in kernels])
    batched, picks = best_of(lambda: [dpp.greedy_map(L, k, there, check=False) for L, there in batches])
    checked, _ = best_of(lambda: [dpp.greedy_map(L, k, there) for L, there in batches], repeats=1)
    padding, _ = best_of(lambda: pad(kernels), repeats=1)
    got = [[i for i in row if i >= 0] for part in picks for row in part.tolist()]
    return {
        "numpy_one_pool_at_a_time": loop,
        "batched": batched,
        "batched_with_validation": checked,
        "padding_the_kernels": padding,
        "ratio": loop / batched,
        "same_picks": got == expected,
    }


def scaling() -> list[dict]:
    """Seconds per pool as n and k grow, beside k² n."""
    rows = []
    for n, k in [(50, 3), (100, 3), (200, 3), (400, 3), (800, 3), (400, 6), (400, 12), (400, 24), (400, 48)]:
        L = torch.from_numpy(np.stack(make_pools(4, n, n, 64, seed=n)))
        seconds, _ = best_of(lambda L=L, k=k: dpp.greedy_map(L, k, check=False), repeats=7)
        rows.append({"n": n, "k": k, "k2n": k * k * n, "microseconds_per_pool": 1e6 * seconds / len(L)})
    return rows


def sampling(draws: int = 2000) -> dict:
    """Exact k-DPP samples per second beside DPPy's, on one pool of 60."""
    L = torch.from_numpy(make_pools(1, 60, 60, 64, seed=1)[0])
    ours, _ = best_of(lambda: sample_kdpp(L, 3, draws, torch.Generator().manual_seed(0)))
    result = {"ours_per_second": draws / ours}
    try:
        from dppy.finite_dpps import FiniteDPP
    except ImportError:
        return result | {"dppy": "not installed"}
    theirs = FiniteDPP("likelihood", L=L.numpy())
    rng = np.random.RandomState(0)
    seconds, _ = best_of(lambda: [theirs.sample_exact_k_dpp(3, random_state=rng) for _ in range(draws)])
    return result | {"dppy_per_second": draws / seconds, "ratio": seconds / ours}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pools", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    kernels = make_pools(arguments.pools, 5, 60, 64, seed=0)
    result = {
        "pools": arguments.pools,
        "candidates": "5 to 60, uniform",
        "k": 3,
        "machine": {"processor": platform.machine(), "threads": arguments.threads},
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__},
        "greedy_map_seconds": compare(kernels, 3),
        "scaling": scaling(),
        "kdpp_sampling": sampling(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
