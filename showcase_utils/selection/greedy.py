"""Greedy MAP of a determinantal point process over padded batches of candidate sets (Chen et al. 2018, algorithm 1).

An incremental Cholesky factor gives what each item would still add to log det L_Y. The search reads the diagonal of L
and one row for each pick, so it does as well without a whole kernel: `greedy_map_of_features` computes those rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from showcase_utils.selection.arrays import takes_arrays
from showcase_utils.selection.kernels import TOLERANCE, as_double, as_mask, checked, validate

EXHAUSTED = {torch.float64: 1e-12, torch.float32: 1e-6}  # residual / L_ii at or below which nothing is left of an item
TIE = 1e-9  # gains this close (relatively) are ties: rounding differs between devices, picks must not
NUMBERS = 500_000  # features that are looked at together: as many as stay near the processor in float64

Rows = Callable[[Tensor], Tensor]  # one item of each pool, (b, 1), to its row of the kernel, (b, n)


class Greedy(NamedTuple):
    """Picks of greedy MAP in order, and what each step saw."""

    indices: Tensor  # (..., k) long, −1 where fewer than k items exist
    gains: Tensor  # (..., k) increase of log det L_Y; −inf for a back-filled pick, nan where there is none
    residuals: Tensor  # (..., k, n) gain of every item before each pick: −inf exhausted, nan taken or absent


@takes_arrays
def greedy_map(L: Tensor, k: int, present: Tensor | None = None, *, check: bool = True) -> Tensor:
    """Indices [..., k] of the greedy MAP set in pick order, in O(k² n), all pools at once.

    ``L`` [..., n, n]; ``present`` [..., n] says which items exist (default all). Each step takes the largest gain;
    items of which nothing is left (duplicates of what is chosen) wait until nothing else is, then come by relevance
    L_ii, so that min(k, n) distinct items always return, and −1 after them. Ties go to the lower index.

    What the search meets is checked: the diagonal and the rows of what it chooses must be finite, entries between two
    picks the same on both sides of the diagonal, and a residual that turns negative tells that L is not positive
    semi-definite. `validate` looks at all entries, and at the spectrum. ``check=False`` is for kernels that `kernel`
    made. Raises ``ValueError`` that names kernel and item, for a shape that is none of a kernel's, and for k < 1.
    """
    return _greedy(L, k, present, check, None)


@takes_arrays
def greedy_path(L: Tensor, k: int, present: Tensor | None = None, *, check: bool = True) -> Greedy:
    """`greedy_map` with the gains of every step, for pictures; raises as it does."""
    steps: list[Tensor] = []
    indices = _greedy(L, k, present, check, steps)
    residuals = as_double(L).new_full((*L.shape[:-2], k, L.shape[-1]), torch.nan)
    for step, left in enumerate(steps):
        residuals[..., step, :] = left.view(*L.shape[:-1]).log()
    gains = torch.full(indices.shape, torch.nan, dtype=torch.float64, device=residuals.device)
    if L.numel():
        taken = indices.to(gains.device)
        gains = residuals.gather(-1, taken.clamp(min=0).unsqueeze(-1)).squeeze(-1).masked_fill(taken < 0, torch.nan)
    return Greedy(indices, gains, residuals)


@takes_arrays
def greedy_map_of_features(
    quality: Tensor,
    features: Tensor,
    alpha: float | Tensor,
    sigma: float | Tensor,
    k: int,
    present: Tensor | None = None,
) -> Tensor:
    """`greedy_map` of the `kernel` of these, without making it: O(k n d) in place of O(n² d).

    ``quality`` [..., n], ``features`` [..., n, d], ``present`` [..., n]; gives [..., k]. Raises as `kernel` does, and
    ``ValueError`` for k < 1.
    """
    if k < 1:
        raise ValueError(f"k = {k}: at least one item must be asked for")
    shape, n = features.shape[:-2], features.shape[-2]
    if features.numel() == 0:
        checked(quality, features, alpha, sigma)
        return _no_picks(shape, k, features.device)
    absent = None if present is None else _absent(present.to(features.device).expand(*shape, n).reshape(-1, n))
    quality, features = quality.detach().reshape(-1, n), features.detach().reshape(-1, n, features.shape[-1])
    pools = max(1, NUMBERS // features[0].numel())
    picks = []
    for start in range(0, len(features), pools):
        part = slice(start, start + pools)
        rows, relevance = _rows_of(*checked(quality[part], features[part], alpha, sigma))
        picks.append(_search(relevance, rows, k, None if absent is None else absent[part], EXHAUSTED[torch.float64]))
    return torch.cat(picks).reshape(*shape, k)


def _rows_of(quality: Tensor, features: Tensor, norm: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Rows, Tensor]:
    """Rows of the kernel as they are asked for, and its diagonal."""
    weight, twice = alpha.detach().sqrt() * quality, 2 * sigma.detach() ** 2

    def rows(j: Tensor) -> Tensor:
        one = features.gather(1, j.unsqueeze(-1).expand(-1, 1, features.shape[-1])).mT  # (b, d, 1)
        cosine = (features @ one).squeeze(-1) / (norm * norm.gather(1, j))
        return ((cosine - 1) / twice).exp_() * weight * weight.gather(1, j)

    return rows, quality**2


def _greedy(L: Tensor, k: int, present: Tensor | None, check: bool, steps: list[Tensor] | None) -> Tensor:
    if k < 1:
        raise ValueError(f"k = {k}: at least one item must be asked for")
    mask = as_mask(present, L)
    shape, n = L.shape[:-2], L.shape[-1]
    if L.numel() == 0:
        return _no_picks(shape, k, L.device)
    precision = L.dtype if L.dtype in EXHAUSTED else torch.float32
    whole = as_double(L).detach().reshape(-1, n, n)
    absent = None if present is None else _absent(mask.to(whole.device).reshape(-1, n))
    flat, first_row = whole.reshape(-1, n), n * torch.arange(len(whole), device=whole.device).unsqueeze(-1)
    relevance = whole.diagonal(dim1=-2, dim2=-1).contiguous()
    seen = _Seen(whole, relevance, absent, TOLERANCE[precision]) if check else None

    def rows(j: Tensor) -> Tensor:
        return flat.index_select(0, (first_row + j).squeeze(-1))  # (b, n)

    picks = _search(relevance, rows, k, absent, EXHAUSTED[precision], steps, seen)
    return picks.reshape(*shape, k).to(L.device)


def _search(
    relevance: Tensor,
    rows: Rows,
    k: int,
    absent: Tensor | None,
    exhausted: float,
    steps: list[Tensor] | None = None,
    seen: _Seen | None = None,
) -> Tensor:
    """Algorithm 1 for b pools abreast: d² is what an item would still multiply det L_Y by, c_t a row of the factor.

    ``relevance`` (b, n) is the diagonal of L, which is not written to. A step costs as many passes over (b, n) as have
    been picked, and one row of L per pool. ``steps`` is filled with d² of each step, 0 where nothing is left.
    """
    n = relevance.shape[1]
    d2 = relevance.clone() if absent is None else relevance.masked_fill(absent, -torch.inf)  # −inf: taken, absent
    factor: list[Tensor] = []  # c_t (b, n), one per pick
    indices = torch.full((len(relevance), k), -1, device=relevance.device)
    for step in range(min(k, n)):
        if steps is not None:
            gain = torch.where(d2 > exhausted * relevance, d2, 0.0)
            steps.append(gain.masked_fill(d2 == -torch.inf, torch.nan))
        _, j = _first_of_the_best(d2)  # (b, 1)
        left, pick = d2.gather(1, j), j
        if not (left > exhausted * relevance.gather(1, j)).all():  # rare: some pool's best is worth nothing
            if seen:
                seen.left(d2, step)
            best, j = _first_of_the_best(_with_waiting(d2, relevance, exhausted))
            pick = torch.where(best > -torch.inf, j, -1)
            # A back-filled pick (best < 0) takes nothing from the others: d_j = ∞.
            left = torch.where(best > 0, d2.gather(1, j), torch.inf)
        indices[:, step : step + 1] = pick
        if step + 1 < min(k, n):
            # c = (L_j − Σ_t c_t[j] c_t) / d_j, and d² falls by c²
            c = rows(j)
            for earlier in factor:
                c.addcmul_(earlier, earlier.gather(1, j), value=-1)
            if absent is not None:
                c.masked_fill_(absent, 0.0)  # padding may hold anything
            c *= left.rsqrt()
            if seen:
                seen.numbers(c)
            d2.addcmul_(c, c, value=-1).scatter_(1, j, -torch.inf)
            factor.append(c)
    if seen:
        seen.left(d2, min(k, n) - 1)
        seen.picks(indices)
    return indices


class _Seen:
    """Checks what a search meets of its kernels (b, n, n), where items that are ``absent`` (b, n) do not count."""

    def __init__(self, kernels: Tensor, relevance: Tensor, absent: Tensor | None, tolerance: float) -> None:
        self.kernels, self.present = kernels, None if absent is None else ~absent
        there = relevance if absent is None else relevance.masked_fill(absent, 0.0)
        self.numbers(there)
        self.bound = tolerance * there.amax(-1, keepdim=True).clamp(min=torch.finfo(there.dtype).tiny)  # (b, 1)

    def numbers(self, row: Tensor) -> None:
        """Refuses what is not finite, of a row of the factor or of the diagonal."""
        if not math.isfinite(row.sum()):
            validate(self.kernels, self.present)

    def picks(self, indices: Tensor) -> None:
        """Compares what stands between two of the picks (b, k) on both sides of the diagonal."""
        b, n = len(self.kernels), self.kernels.shape[-1]
        pairs = torch.triu_indices(indices.shape[1], indices.shape[1], 1, device=indices.device)
        first = n * n * torch.arange(b, device=indices.device).unsqueeze(-1)
        one, other = indices.index_select(1, pairs[0]), indices.index_select(1, pairs[1])  # (b, pairs), −1 at the end
        flat = self.kernels.reshape(-1)
        above = flat.index_select(0, (first + n * one + other).clamp_(min=0).flatten())
        below = flat.index_select(0, (first + n * other + one).clamp_(min=0).flatten())
        gap = (above - below).abs_().view_as(one).masked_fill_(other < 0, 0.0)
        if not (gap <= self.bound).all():
            validate(self.kernels, self.present)

    def left(self, d2: Tensor, picks: int) -> None:
        """Refuses a residual d² (b, n) below zero; −inf stands for what is taken or absent."""
        wrong = (d2 < -self.bound) & (d2 > -torch.inf)
        if _any(wrong):
            b = int(wrong.any(-1).nonzero()[0])
            item = int(d2[b].nan_to_num(neginf=0.0).argmin())
            raise ValueError(
                f"kernel {b}: not positive semi-definite, {d2[b, item].item():.3g} is left of item {item} after "
                f"{picks} picks"
            )


def _no_picks(shape: torch.Size, k: int, device: torch.device) -> Tensor:
    return torch.full((*shape, k), -1, device=device)


def _any(bits: Tensor) -> bool:
    """``bits.any()`` in a tenth of the time, for torch's own is not vectorised."""
    return bool(bits.view(torch.uint8).max())


def _absent(present: Tensor) -> Tensor | None:
    """The items that do not exist; ``None`` if all do, so that nobody need look."""
    absent = ~present
    return absent if _any(absent) else None


def _first_of_the_best(gain: Tensor) -> tuple[Tensor, Tensor]:
    """The largest gain of each pool and the lowest index that comes as close to it as makes a tie, (b, 1) each."""
    best = gain.amax(-1, keepdim=True)
    return best, (gain >= best - TIE * best.abs()).view(torch.uint8).max(-1, keepdim=True).indices


def _with_waiting(d2: Tensor, relevance: Tensor, exhausted: float) -> Tensor:
    """d² where something is left; below zero, and the higher the more relevant, where nothing is; −inf where taken."""
    waiting = -1 / relevance.clamp(min=torch.finfo(relevance.dtype).tiny)
    return torch.where(d2 > exhausted * relevance, d2, waiting.masked_fill(d2 == -torch.inf, -torch.inf))
