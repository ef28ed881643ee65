"""A DPP given the size of the set, P(Y) = det L_Y / e_k(L): its likelihood, and exact samples of it.

e_k is the k-th elementary symmetric polynomial of L's eigenvalues, the sum of det L_Y over all sets of k items
(Kulesza & Taskar 2012, section 5.2). How many photos people post plays no part in it, so that α and σ, trained by it,
say how alike the photos of one set are and nothing else.
"""

from __future__ import annotations

import torch
from torch import Tensor

from showcase_utils.selection.dpp import log_det, validate

RANK = 1e-10  # eigenvalues below this share of the largest are zero: no k-set may need them


def log_likelihood_given_size(L: Tensor, chosen: Tensor, present: Tensor) -> Tensor:
    """log det L_Y − log e_|Y|(L) for the masks ``chosen`` and ``present`` [..., n]; gives [...], differentiable in L.

    ``L`` [..., n, n] in float64, positive semi-definite; −inf where L_Y is singular.
    """
    there = present.unsqueeze(-1) & present.unsqueeze(-2)
    L = torch.where(there, L, 0.0)
    scale = L.diagonal(dim1=-2, dim2=-1).sum(-1).clamp(min=torch.finfo(L.dtype).tiny)  # eigenvalues then sum to 1
    size = chosen.sum(-1)
    polynomials = symmetric_polynomials(L / scale[..., None, None], int(size.max()))  # (..., m + 1)
    total = polynomials.gather(-1, size.unsqueeze(-1)).squeeze(-1).clamp(min=torch.finfo(L.dtype).tiny)
    return log_det(L, chosen) - total.log() - size * scale.log()


def symmetric_polynomials(L: Tensor, k: int) -> Tensor:
    """e_0 … e_k of the eigenvalues of L [..., n, n], without the eigenvalues: [..., k + 1].

    Newton's identities, m e_m = Σ_i (−1)^{i−1} e_{m−i} p_i with p_i = tr Lⁱ. The trace of a product of two symmetric
    powers is the sum of their entries' products, which spares every other power. The identities' terms cancel as k
    grows, so this is for sets of a few items and eigenvalues that sum to about 1.
    """
    powers = [L]
    while 2 * len(powers) < k:
        powers.append(powers[-1] @ L)
    traces = [L.diagonal(dim1=-2, dim2=-1).sum(-1)]
    traces += [(powers[(i + 1) // 2 - 1] * powers[i // 2 - 1]).sum((-2, -1)) for i in range(2, k + 1)]
    e = [torch.ones_like(L[..., 0, 0])]
    for m in range(1, k + 1):
        e.append(sum((-1) ** (i - 1) * e[m - i] * traces[i - 1] for i in range(1, m + 1)) / m)
    return torch.stack(e, dim=-1)


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
