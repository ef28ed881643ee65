"""Determinantal point processes over padded batches of candidate sets.

Symbols are those of Kulesza & Taskar (2012): a kernel L over n items gives the subset Y the probability
det L_Y / det(L + I). Everything works on batches: kernels [..., n, n], masks [..., n].

Tensors come back as tensors, numpy arrays as numpy arrays.

Precision: photos may be duplicates, so L may be singular to the last digit. All functions therefore compute in
float64, whatever comes in; no jitter is added. (MPS has no float64: such tensors are taken to the CPU.)
With D = 1 − cos and 0 < α ≤ 1 the kernel is positive semi-definite by construction: exp(−D / 2σ²) is a Gaussian
kernel on the sphere, and α K + (1 − α) I lifts its least eigenvalue to at least 1 − α.
"""

from __future__ import annotations

from itertools import combinations, islice

import torch
from torch import Tensor

from showcase_utils.selection.arrays import takes_arrays
from showcase_utils.selection.greedy import EXHAUSTED, Greedy, greedy_map, greedy_map_of_features, greedy_path
from showcase_utils.selection.kernels import as_double, as_mask, keep, kernel, quality, refuse, validate

__all__ = [
    "Greedy",
    "exact_map",
    "greedy_map",
    "greedy_map_of_features",
    "greedy_path",
    "kernel",
    "log_det",
    "log_likelihood",
    "quality",
    "validate",
]

MAX_SUBSETS = 500_000


@takes_arrays
def log_det(L: Tensor, chosen: Tensor) -> Tensor:
    """log det L_Y for the mask ``chosen`` [..., n] of Y; 0 for the empty set, −inf where L_Y is singular."""
    exhausted = EXHAUSTED.get(L.dtype, EXHAUSTED[torch.float32])
    L = as_double(L)
    chosen = chosen.to(L.device).expand(L.shape[:-1])
    size = int(chosen.sum(-1).max()) if chosen.numel() else 0
    if size == 0:
        return L.new_zeros(L.shape[:-2])
    # Few items are chosen: gather them, so that the cost is that of the chosen and not of all candidates.
    first = (~chosen).to(torch.uint8).argsort(dim=-1, stable=True)[..., :size]  # (..., m)
    kept = chosen.gather(-1, first)
    rows = L.gather(-2, first.unsqueeze(-1).expand(*first.shape, L.shape[-1]))  # (..., m, n)
    part = rows.gather(-1, first.unsqueeze(-2).expand(*first.shape, size))  # (..., m, m)
    eye = torch.eye(size, dtype=L.dtype, device=L.device)
    part = torch.where(kept.unsqueeze(-1) & kept.unsqueeze(-2), part, eye)
    factor, info = torch.linalg.cholesky_ex(part.detach())
    left = factor.diagonal(dim1=-2, dim2=-1) ** 2 / part.detach().diagonal(dim1=-2, dim2=-1)
    singular = (info > 0) | ~(left > exhausted).all(-1)
    # A singular set gets −inf and no gradient; Cholesky sees the identity in its place.
    part = torch.where(singular[..., None, None], eye, part)
    return _LogDet.apply(part).masked_fill(singular, -torch.inf)


@takes_arrays
def log_likelihood(L: Tensor, chosen: Tensor, present: Tensor | None = None, *, check: bool = True) -> Tensor:
    """log P(Y) = log det L_Y − log det(L + I) for the mask ``chosen`` of Y [..., n]; gives [...], differentiable in L.

    ``present`` [..., n] says which items exist (default all). ``check=False`` skips `validate`, for kernels that
    `kernel` made. −inf where L_Y is singular. Raises ``ValueError`` for a kernel that `validate` refuses, masks of
    another shape, or a chosen item that does not exist.
    """
    present, chosen = as_mask(present, L), as_mask(chosen, L)
    if check:
        validate(L, present)
    refuse(chosen & ~present, chosen, "an item is chosen that is not present")
    everything = keep(as_double(L), present.to(as_double(L).device))
    eye = torch.eye(L.shape[-1], dtype=everything.dtype, device=everything.device)
    return log_det(L, chosen) - _LogDet.apply(everything.add_(eye))


@takes_arrays
def exact_map(L: Tensor, k: int) -> Tensor:
    """The set of k items with the largest determinant, by looking at all of them: indices [k], ascending.

    ``L`` [n, n]. Exact, hence for small pools: raises ``ValueError`` above 500,000 subsets, or unless 1 ≤ k ≤ n.
    """
    n = L.shape[-1]
    if not 1 <= k <= n:
        raise ValueError(f"k = {k}: must lie between 1 and the number of items, {n}")
    subsets = list(islice(combinations(range(n), k), MAX_SUBSETS + 1))
    if len(subsets) > MAX_SUBSETS:
        raise ValueError(f"more than {MAX_SUBSETS} sets of {k} out of {n}: use greedy_map")
    table = torch.tensor(subsets, device=L.device)  # (s, k)
    values = torch.linalg.det(as_double(L)[table.unsqueeze(-1), table.unsqueeze(-2)])
    return table[values.argmax()]


class _LogDet(torch.autograd.Function):
    """log det of a positive definite matrix; its gradient A⁻¹ costs half of what Cholesky's own backward does."""

    @staticmethod
    def forward(ctx, matrix: Tensor) -> Tensor:
        factor = torch.linalg.cholesky(matrix)
        ctx.save_for_backward(factor)
        return 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:
        return torch.cholesky_inverse(ctx.saved_tensors[0]).mul_(gradient[..., None, None])
