"""Looking into a finished selection stage: single pools, θ by hand, greedy beside exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from showcase_utils.selection import dpp
from showcase_utils.selection.curves import THETAS
from showcase_utils.selection.methods import MODELS
from showcase_utils.selection.pools import Pools
from showcase_utils.selection.towers import ProfileModel, Towers


def load_model(stage: str | Path, profile: str, seed: int) -> ProfileModel:
    """The trained model of a profile and seed. Raises ``FileNotFoundError`` if the stage holds none."""
    return ProfileModel.from_pretrained(Path(stage) / MODELS / f"{Towers.key}-{profile}-{seed}")


def shared_business(pools: Pools, k: int, users: int = 4, split: str = "test") -> np.ndarray:
    """Rows of up to ``users`` different users of one business, to be shown side by side.

    Taken is the business that most users of the split with past photos have been to; among equals the one whose pool
    is nearest to 40 photos, so that a picture can hold it. Raises ``ValueError`` if no pool has more than k photos.
    """
    samples = pools.samples.assign(row=np.arange(len(pools.samples)))
    there = samples[(samples["split"] == split) & (samples["history_photos"] > 0) & (samples["candidates"] > k)]
    if there.empty:
        raise ValueError(f"no sample of split '{split}' has past photos and more than {k} candidates")
    there = there.drop_duplicates(["business_id", "user_id"])
    groups = there.groupby("business_id").agg(visitors=("row", "size"), pool=("candidates", "first"))
    groups["visitors"] = groups["visitors"].clip(upper=users)
    groups["distance"] = (groups["pool"] - 40).abs()
    best = groups.sort_values(["visitors", "distance"], ascending=[False, True], kind="stable").index[0]
    return there.loc[there["business_id"] == best, "row"].to_numpy()[:users]


@torch.no_grad()
def kernel_of(model: ProfileModel, pools: Pools, row: int, theta: float = 0.5) -> torch.Tensor:
    """The kernel of one sample, (n, n)."""
    return model.kernel(pools.batch(np.array([row])), theta)[0]


@torch.no_grad()
def over_theta(
    model: ProfileModel, pools: Pools, row: int, k: int, thetas: Sequence[float] = THETAS
) -> dict[float, np.ndarray]:
    """The greedy picks of one sample for each θ, as places among its candidates."""
    return {theta: dpp.greedy_map(kernel_of(model, pools, row, theta), k, check=False).numpy() for theta in thetas}


@torch.no_grad()
def greedy_to_exact(
    model: ProfileModel, pools: Pools, rows: np.ndarray, k: int, count: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Greedy's determinant over the exact optimum's, on ``count`` pools drawn from ``rows`` that enumeration can do.

    One row per pool: review_id, candidates, ratio in (0, 1], and whether greedy found an optimal set.
    """
    sizes = pools.samples["candidates"].to_numpy()[rows]
    subsets = np.array([math.comb(int(n), k) for n in sizes])
    feasible = rows[(sizes > k) & (subsets <= dpp.MAX_SUBSETS // 5)]
    drawn = np.sort(np.random.default_rng(seed).permutation(feasible)[:count])
    table = []
    for row in drawn:
        L = kernel_of(model, pools, row)
        masks = torch.zeros(2, len(L), dtype=torch.bool)
        masks[0, dpp.greedy_map(L, k, check=False)] = True
        masks[1, dpp.exact_map(L, k)] = True
        greedy, exact = dpp.log_det(L.expand(2, *L.shape), masks)
        ratio = float((greedy - exact).exp().clamp(max=1))
        table.append((pools.samples["review_id"].iloc[row], len(L), ratio, ratio > 1 - 1e-9))
    return pd.DataFrame(table, columns=["review_id", "candidates", "ratio", "optimal"])


def photo_paths(pools: Pools, images: pd.DataFrame, photos: np.ndarray) -> list[str]:
    """Where the photos of some rows of ``pools.features`` lie, by the column ``path`` of the images frame."""
    wanted = pools.photo_ids[photos]
    table = images[images["image_id"].isin(set(wanted))].drop_duplicates("image_id").set_index("image_id")["path"]
    return table[wanted].tolist()
