"""How k photos are chosen from a pool whose candidates are ranked.

Picks are [B, k], in order, −1 where fewer than k candidates exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from showcase_utils.selection import dpp
from showcase_utils.selection.pools import PoolBatch

SWAPS = 100  # bound on the swaps of k-medoids; pools of hundreds of photos converge in a few dozen


@dataclass(frozen=True)
class Ranking:
    """A batch whose candidates are ranked by ``relevance`` (B, n), with the α and σ of the kernel beside it."""

    batch: PoolBatch
    relevance: Tensor
    alpha: float | Tensor
    sigma: float | Tensor


Rule = Callable[[Ranking, int, float], Tensor]  # ranking, k, θ to picks [B, k]


def best(ranking: Ranking, k: int, theta: float) -> Tensor:
    """The k most relevant, whatever θ."""
    return top_k(ranking.relevance, ranking.batch.present, k)


def by_dpp(ranking: Ranking, k: int, theta: float) -> Tensor:
    """Greedy MAP on Diag(q) S Diag(q) with q = e^{a r}; θ = ½ is the kernel that is trained."""
    q = dpp.quality(ranking.relevance, theta)
    return dpp.greedy_map_of_features(q, ranking.batch.features, ranking.alpha, ranking.sigma, k, ranking.batch.present)


def by_mmr(ranking: Ranking, k: int, theta: float) -> Tensor:
    """Maximal marginal relevance with θ as its weight."""
    return _mmr(ranking.relevance, ranking.batch.directions, ranking.batch.present, k, theta)


def by_medoids(ranking: Ranking, k: int, theta: float) -> Tensor:
    """The centres of the pool's clusters, whatever the relevance."""
    return k_medoids(ranking.batch.features, ranking.batch.present, k)


def top_k(relevance: Tensor, present: Tensor, k: int) -> Tensor:
    """The k most relevant candidates; ties go to the lower index."""
    order = relevance.masked_fill(~present, -torch.inf).sort(dim=-1, descending=True, stable=True).indices
    return _padded(order, present, k)


def mmr(relevance: Tensor, features: Tensor, present: Tensor, k: int, theta: float) -> Tensor:
    """Maximal marginal relevance (Carbonell & Goldstein 1998): argmax θ r_i − (1 − θ) max_{j chosen} cos_ij.

    ``relevance`` (B, n) is brought to [0, 1] within each pool, the range of the cosines beside it.
    """
    return _mmr(relevance, F.normalize(features, dim=-1), present, k, theta)


def _mmr(relevance: Tensor, unit: Tensor, present: Tensor, k: int, theta: float) -> Tensor:
    """`mmr` of features with norm 1."""
    low = relevance.masked_fill(~present, torch.inf).amin(-1, keepdim=True)
    high = relevance.masked_fill(~present, -torch.inf).amax(-1, keepdim=True)
    relevance = (relevance - low) / (high - low).clamp(min=1e-6)
    nearest = torch.zeros_like(relevance)  # the first pick is by relevance alone
    free, pools, picks = present.clone(), torch.arange(len(present), device=present.device), []
    for step in range(last := min(k, present.shape[1])):
        score = theta * relevance - (1 - theta) * nearest
        j = score.masked_fill(~free, -torch.inf).argmax(-1)
        picks.append(j.masked_fill(~free.any(-1), -1))
        if step + 1 == last:
            break
        free[pools, j] = False
        similarity = (unit @ unit[pools, j].unsqueeze(-1)).squeeze(-1)
        nearest = similarity if step == 0 else torch.maximum(nearest, similarity)
    return F.pad(torch.stack(picks, -1), (0, k - len(picks)), value=-1)


def k_medoids(features: Tensor, present: Tensor, k: int) -> Tensor:
    """Medoids of the candidates by 1 − cosine: diversity with no eye for the user, the largest cluster first.

    PAM (Kaufman & Rousseeuw 1990): medoids are added, then swapped, always the step that lowers the total distance
    most, until none does. Pools with at most k candidates return all of them.
    """
    unit = F.normalize(features, dim=-1)
    counts = present.unsqueeze(-2)  # (B, 1, n) what a distance is summed over
    distance = (1 - unit @ unit.mT).clamp(min=0) * counts  # (B, candidate, item)
    pools = torch.arange(len(present), device=present.device)
    free, near = present.clone(), torch.full_like(distance[:, 0], 2.0) * present
    medoids = []
    for _ in range(min(k, present.shape[1])):
        cost = torch.minimum(near.unsqueeze(1), distance).sum(-1).masked_fill(~free, torch.inf)
        j = cost.argmin(-1)
        medoids.append(torch.where(free.any(-1), j, -1))
        near = torch.minimum(near, distance[pools, j])
        free[pools, j] = False
    chosen = torch.stack(medoids, -1)  # (B, m)
    moving = present.sum(-1) > k
    for _ in range(SWAPS):
        rows = moving.nonzero().flatten()
        if len(rows) == 0:
            break
        part, now = distance[rows], chosen[rows]
        to_medoid = part[torch.arange(len(rows), device=rows.device).unsqueeze(-1), now]  # (b, k, n)
        best = to_medoid.amin(1).sum(-1)
        costs = []
        for m in range(k):  # every candidate in the place of medoid m
            others = torch.cat([to_medoid[:, :m], to_medoid[:, m + 1 :]], dim=1)
            rest = others.amin(1, keepdim=True) if k > 1 else torch.full_like(part[:, :1], 2.0)
            costs.append(torch.minimum(rest, part).sum(-1).masked_fill(~present[rows], torch.inf))
        table = torch.stack(costs, 1).flatten(1)  # (b, k · n)
        value, place = table.min(-1)
        better = value < best - 1e-6
        m, item = place // part.shape[-1], place % part.shape[-1]
        chosen[rows[better], m[better]] = item[better]
        moving[rows] = better
    nearest = distance[pools.unsqueeze(-1), chosen.clamp(min=0)].masked_fill((chosen < 0).unsqueeze(-1), torch.inf)
    member = F.one_hot(nearest.argmin(1), chosen.shape[1]) * present.unsqueeze(-1)  # (B, n, m)
    size = member.sum(1).masked_fill(chosen < 0, -1)
    chosen = chosen.gather(-1, size.sort(dim=-1, descending=True, stable=True).indices)
    return F.pad(chosen, (0, k - chosen.shape[1]), value=-1)


def _padded(order: Tensor, present: Tensor, k: int) -> Tensor:
    picks = order.masked_fill(torch.arange(order.shape[-1], device=order.device) >= present.sum(-1, keepdim=True), -1)
    return F.pad(picks[:, :k], (0, max(0, k - order.shape[-1])), value=-1)
