"""Exact samples of a k-DPP: several showcases of k photos for the same user."""

from __future__ import annotations

import torch
from torch import Tensor

from showcase_utils.selection.dpp import validate

RANK = 1e-10  # eigenvalues below this share of the largest are zero: no k-set may need them


def sample_kdpp(L: Tensor, k: int, draws: int, generator: torch.Generator) -> Tensor:
    """``draws`` independent sets of exactly k items, P(Y) ∝ det L_Y; indices [draws, k], ascending in each set.

    Eigenvectors are chosen by elementary symmetric polynomials, then items by projection (Kulesza & Taskar 2012,
    algorithms 1 and 8). ``L`` [n, n]; computed on the CPU in float64.
    Raises ``ValueError`` if the kernel's rank is below k, so that no set of k has a positive probability.
    """
    if L.ndim != 2:
        raise ValueError(f"one kernel [n, n] is sampled at a time, got the shape {tuple(L.shape)}")
    if k < 1 or draws < 1:
        raise ValueError(f"k = {k}, draws = {draws}: both must be at least 1")
    validate(L)
    values, vectors = torch.linalg.eigh(L.detach().cpu().double())
    largest = values[-1].item() if len(values) else 0.0
    support = values > RANK * largest if largest > 0 else torch.zeros_like(values, dtype=torch.bool)
    values, vectors = values[support] / max(largest, torch.finfo(values.dtype).tiny), vectors[:, support]
    if len(values) < k:
        raise ValueError(f"the kernel has rank {len(values)}: there is no set of {k} with a positive probability")
    wanted = torch.full((draws,), k)
    ratios = _ratios(values, k)
    chosen = torch.zeros(draws, len(values), dtype=torch.bool)
    uniform = torch.rand(draws, len(values) + k, generator=generator, dtype=values.dtype)
    for m in reversed(range(len(values))):
        chosen[:, m] = uniform[:, m] < ratios[wanted, m]
        wanted = wanted - chosen[:, m].long()
    columns = chosen.nonzero()[:, 1].view(draws, k)
    return _project(vectors[:, columns].transpose(0, 1), uniform[:, len(values) :])


def _ratios(values: Tensor, k: int) -> Tensor:
    """λ_m e_{l−1}(λ_1..λ_{m−1}) / e_l(λ_1..λ_m), [k + 1, n]: the odds that m is one of l (algorithms 7 and 8)."""
    table = torch.zeros(k + 1, len(values) + 1, dtype=values.dtype)
    table[0] = 1
    for m, value in enumerate(values, start=1):
        table[1:, m] = table[1:, m - 1] + value * table[:-1, m - 1]
    ratios = torch.zeros(k + 1, len(values), dtype=values.dtype)
    ratios[1:] = values * table[:-1, :-1] / table[1:, 1:]
    # l items out of the first l: all of them, which 0 / 0 or rounding must not leave to chance.
    size = torch.arange(1, len(values) + 1)
    return torch.where((torch.arange(k + 1).unsqueeze(-1) >= size) & (torch.arange(k + 1).unsqueeze(-1) > 0), 1, ratios)


def _project(basis: Tensor, uniform: Tensor) -> Tensor:
    """One set of the projection DPP of each orthonormal ``basis`` [s, n, k], by Gram–Schmidt on its rows; [s, k]."""
    draws, n, k = basis.shape
    everyone = torch.arange(draws)
    factor, left = basis.new_zeros(draws, n, k), (basis**2).sum(-1)
    picks = torch.zeros(draws, k, dtype=torch.long)
    for step in range(k):
        left.scatter_(1, picks[:, :step], 0.0)  # what rounding left there
        steps = left.clamp(min=0).cumsum(-1)
        j = torch.searchsorted(steps, uniform[:, step : step + 1] * steps[:, -1:], right=True).clamp(max=n - 1)[:, 0]
        picks[:, step] = j
        inner = (basis @ basis[everyone, j].unsqueeze(-1)).squeeze(-1)  # (s, n)
        seen = (factor[:, :, :step] @ factor[everyone, j, :step].unsqueeze(-1)).squeeze(-1)
        factor[:, :, step] = (inner - seen) / left[everyone, j].sqrt().unsqueeze(-1)
        left = left - factor[:, :, step] ** 2
    return picks.sort(-1).values
