"""Determinantal point processes over padded batches of candidate sets.

Symbols are those of Kulesza & Taskar (2012): a kernel L over n items gives the subset Y the probability
det L_Y / det(L + I). Everything works on batches: kernels [..., n, n], masks [..., n].

Precision: photos may be duplicates, so L may be singular to the last digit. All functions therefore compute in
float64, whatever comes in; no jitter is added. (MPS has no float64: such tensors are taken to the CPU.)
With D = 1 − cos and 0 < α ≤ 1 the kernel is positive semi-definite by construction: exp(−D / 2σ²) is a Gaussian
kernel on the sphere, and α K + (1 − α) I lifts its least eigenvalue to at least 1 − α.
"""

from __future__ import annotations

from itertools import combinations, islice
from typing import NamedTuple

import torch
from torch import Tensor

EXHAUSTED = {torch.float64: 1e-12, torch.float32: 1e-6}  # residual / L_ii at or below which nothing is left of an item
ASYMMETRY = {torch.float64: 1e-9, torch.float32: 1e-5}  # tolerances of `validate`, relative to the largest entry
TIE = 1e-9  # gains this close (relatively) are ties: rounding differs between devices, picks must not
MAX_SUBSETS = 500_000
LARGEST = 300  # exponent of a quality: its square, e^±600, is still a float64
TINY_NORM = 1e-12  # a shorter feature vector has no direction


def kernel(quality: Tensor, features: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
    """The kernel L of one candidate set or of a batch of them (Wilhelm et al. 2018, with D = 1 − cos).

    L_ii = q_i²,   L_ij = α q_i q_j exp(−D_ij / 2σ²)   (i ≠ j)

    ``quality`` [..., n] non-negative, ``features`` [..., n, d], 0 < α ≤ 1, σ > 0; gives [..., n, n] in float64,
    differentiable in all four. A zero row of ``features`` (padding) counts as orthogonal to everything.
    Raises ``ValueError`` for other shapes or values, naming the item.
    """
    quality = _double(quality)
    if features.shape[:-1] != quality.shape:
        raise ValueError(f"quality {tuple(quality.shape)} and features {tuple(features.shape)} do not belong together")
    alpha, sigma = (torch.as_tensor(x, dtype=quality.dtype, device=quality.device) for x in (alpha, sigma))
    if not 0 < alpha.item() <= 1:
        raise ValueError(f"alpha = {alpha.item()}: must lie in (0, 1]")
    if not (sigma > 0 and 0 < (2 * sigma**2).item() < torch.inf):
        raise ValueError(f"sigma = {sigma.item()}: must be positive and finite, and so must its square")
    features = features.to(quality.device)
    norm = torch.linalg.vector_norm(features, dim=-1, dtype=quality.dtype)  # not finite if a feature is not
    _refuse(~torch.isfinite(quality) | (quality < 0), quality, "quality must be finite and not negative")
    _refuse(~torch.isfinite(norm), norm, "features must be finite")

    # What costs is passes over (..., n, n). σ stays out of ``unit``: with fixed features, as in training, backward
    # then need not go through the product.
    unit = features / norm.clamp(min=TINY_NORM).unsqueeze(-1)
    similarity = ((unit @ unit.mT).sub_(1) / (2 * sigma**2)).exp_()  # exp(−D / 2σ²)
    weight = alpha.sqrt() * quality
    L = weight.unsqueeze(-1) * similarity * weight.unsqueeze(-2)
    L.diagonal(dim1=-2, dim2=-1).copy_(quality**2)
    return L


def quality(relevance: Tensor, theta: float) -> Tensor:
    """Quality q = e^{a r}, a = θ / 2(1 − θ), so that greedy MAP weighs θ Σ r + (1 − θ) log det S (Chen et al. 2018).

    θ = 0 looks at diversity alone, θ → 1 at relevance alone; θ = ½ gives q = e^{r/2}, the quality that is trained
    here. ``relevance`` [..., n]. θ so close to 1 that q² would leave float64 is taken back for that set, and the set's
    best photo gets q = 1: relevance decides alone there, and neither changes the order.
    Raises ``ValueError`` unless 0 ≤ θ < 1.
    """
    if not 0 <= theta < 1:
        raise ValueError(f"theta = {theta}: must lie in [0, 1)")
    exponent = theta / (2 * (1 - theta)) * _double(relevance)
    if exponent.numel() and exponent.abs().max() > LARGEST:
        least, most = exponent.aminmax(dim=-1, keepdim=True)
        exponent = (exponent - most) * (LARGEST / (most - least)).clamp(max=1)
    return torch.exp(exponent)


def validate(L: Tensor, present: Tensor | None = None) -> None:
    """Raise ``ValueError`` unless every kernel [..., n, n] is square, finite, symmetric and positive semi-definite.

    Only the items that are ``present`` [..., n] count. The message says which kernel fails, where, and by how much.
    Tolerances are relative to the kernel's largest entry, which stands on its diagonal if it is positive
    semi-definite: 1e-9 in float64, 1e-5 in float32.
    """
    if L.ndim < 2 or L.shape[-1] != L.shape[-2]:
        raise ValueError(f"a kernel must be square, got the shape {tuple(L.shape)}")
    tolerance = ASYMMETRY.get(L.dtype, ASYMMETRY[torch.float32])
    present = _mask(present, L)
    if L.numel() == 0:
        return
    L = _keep(_double(L).detach(), present.to(_double(L).device)).reshape(-1, L.shape[-1], L.shape[-1])
    diagonal = L.diagonal(dim1=-2, dim2=-1)
    scale = diagonal.amax(-1).clamp(min=torch.finfo(torch.float64).tiny)  # (b,)
    gap = (L - L.mT).amax((-1, -2)) / scale  # (b,); an entry that is nan or infinite leaves nan or inf here
    if not (gap <= tolerance).all():
        wrong = (~torch.isfinite(L)).nonzero()
        if len(wrong):
            b, i, j = wrong[0].tolist()
            raise ValueError(f"kernel {b}: entry ({i}, {j}) is {L[b, i, j].item()}, must be finite")
        b = int(gap.argmax())
        difference = L[b] - L[b].mT
        i, j = divmod(int(difference.argmax()), L.shape[-1])
        raise ValueError(
            f"kernel {b}: not symmetric, entries ({i}, {j}) and ({j}, {i}) differ by {difference[i, j].item():.3g}"
        )
    # Cholesky is several times cheaper than eigenvalues, which only a failing kernel needs, for its message.
    lift = tolerance * scale
    diagonal += lift.unsqueeze(-1)
    for b in torch.linalg.cholesky_ex(L).info.nonzero().flatten().tolist():
        values, vectors = torch.linalg.eigh(L[b])
        least, direction = values[0], vectors[:, 0]
        if least < 0:
            raise ValueError(
                f"kernel {b}: not positive semi-definite, its least eigenvalue is {least - lift[b]:.3g}; item "
                f"{int(direction.abs().argmax())} has the largest part in it"
            )


def log_det(L: Tensor, chosen: Tensor) -> Tensor:
    """log det L_Y for the mask ``chosen`` [..., n] of Y; 0 for the empty set, −inf where L_Y is singular."""
    exhausted = EXHAUSTED.get(L.dtype, EXHAUSTED[torch.float32])
    L = _double(L)
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


def log_likelihood(L: Tensor, chosen: Tensor, present: Tensor | None = None, *, check: bool = True) -> Tensor:
    """log P(Y) = log det L_Y − log det(L + I) for the mask ``chosen`` of Y [..., n]; gives [...], differentiable in L.

    ``present`` [..., n] says which items exist (default all). ``check=False`` skips `validate`, for kernels that
    `kernel` made. −inf where L_Y is singular. Raises ``ValueError`` for a kernel that `validate` refuses, masks of
    another shape, or a chosen item that does not exist.
    """
    present, chosen = _mask(present, L), _mask(chosen, L)
    if check:
        validate(L, present)
    _refuse(chosen & ~present, chosen, "an item is chosen that is not present")
    everything = _keep(_double(L), present.to(_double(L).device))
    eye = torch.eye(L.shape[-1], dtype=everything.dtype, device=everything.device)
    return log_det(L, chosen) - _LogDet.apply(everything + eye)


class Greedy(NamedTuple):
    """Picks of greedy MAP in order, and what each step saw."""

    indices: Tensor  # (..., k) long, −1 where fewer than k items exist
    gains: Tensor  # (..., k) increase of log det L_Y; −inf for a back-filled pick, nan where there is none
    residuals: Tensor  # (..., k, n) gain of every item before each pick: −inf exhausted, nan taken or absent


def greedy_map(L: Tensor, k: int, present: Tensor | None = None, *, check: bool = True) -> Tensor:
    """Indices [..., k] of the greedy MAP set in pick order, in O(k² n), all pools at once.

    Chen et al. 2018, algorithm 1: an incremental Cholesky factor gives what each item would still add to log det
    L_Y. Each step takes the largest gain; items of which nothing is left (duplicates of what is chosen) wait until
    nothing else is, then come by relevance L_ii, so that min(k, n) distinct items always return, and −1 after them.
    Ties go to the lower index. Raises ``ValueError`` for k < 1 and for what `validate` refuses; ``check=False``
    skips `validate`, for kernels that `kernel` made.
    """
    return _greedy(L, k, present, check, None)


def greedy_path(L: Tensor, k: int, present: Tensor | None = None, *, check: bool = True) -> Greedy:
    """`greedy_map` with the gains of every step, for pictures."""
    steps: list[Tensor] = []
    indices = _greedy(L, k, present, check, steps)
    residuals = _double(L).new_full((*L.shape[:-2], k, L.shape[-1]), torch.nan)
    for step, left in enumerate(steps):
        residuals[..., step, :] = left.view(*L.shape[:-1]).log()
    gains = torch.full(indices.shape, torch.nan, dtype=torch.float64, device=residuals.device)
    if L.numel():
        taken = indices.to(gains.device)
        gains = residuals.gather(-1, taken.clamp(min=0).unsqueeze(-1)).squeeze(-1).masked_fill(taken < 0, torch.nan)
    return Greedy(indices, gains, residuals)


def _greedy(L: Tensor, k: int, present: Tensor | None, check: bool, steps: list[Tensor] | None) -> Tensor:
    """Algorithm 1 for b pools abreast: d² is what an item would still multiply det L_Y by, c_t a row of the factor.

    A step costs as many passes over (b, n) as have been picked, and reads one row of L per pool.
    """
    if k < 1:
        raise ValueError(f"k = {k}: at least one item must be asked for")
    present = _mask(present, L)
    if check:
        validate(L, present)
    exhausted = EXHAUSTED.get(L.dtype, EXHAUSTED[torch.float32])
    shape, n = L.shape[:-2], L.shape[-1]
    if L.numel() == 0:
        return torch.full((*shape, k), -1, device=L.device)
    L = _double(L).detach().reshape(-1, n, n)
    rows, first_row = L.reshape(-1, n), n * torch.arange(len(L), device=L.device).unsqueeze(-1)
    relevance = L.diagonal(dim1=-2, dim2=-1).contiguous()
    d2 = torch.where(present.to(L.device).reshape(-1, n), relevance, -torch.inf)  # (b, n); −inf: taken or absent
    factor: list[Tensor] = []  # c_t (b, n), one per pick
    indices = torch.full((len(L), k), -1, device=L.device)
    for step in range(min(k, n)):
        if steps is not None:
            gain = torch.where(d2 > exhausted * relevance, d2, 0.0)
            steps.append(gain.masked_fill(d2 == -torch.inf, torch.nan))
        best, j = _first_of_the_best(d2)  # (b, 1)
        if (d2.gather(1, j) <= exhausted * relevance.gather(1, j)).any():  # rare: some pool's best is worth nothing
            best, j = _first_of_the_best(_with_waiting(d2, relevance, exhausted))
        indices[:, step] = torch.where(best > -torch.inf, j, -1).squeeze(-1)
        if step + 1 < k:
            # c = (L_j − Σ_t c_t[j] c_t) / d_j, and d² falls by c²
            c = rows.index_select(0, (first_row + j).squeeze(-1))
            for earlier in factor:
                c.addcmul_(earlier, earlier.gather(1, j), value=-1)
            # A back-filled pick (best < 0) takes nothing from the others.
            c *= torch.where(best > 0, d2.gather(1, j).rsqrt(), 0.0)
            d2.addcmul_(c, c, value=-1).scatter_(1, j, -torch.inf)
            factor.append(c)
    return indices.reshape(*shape, k)


def _first_of_the_best(gain: Tensor) -> tuple[Tensor, Tensor]:
    """The largest gain of each pool and the lowest index that comes as close to it as makes a tie, (b, 1) each."""
    best = gain.amax(-1, keepdim=True)
    return best, (gain >= best - TIE * best.abs()).view(torch.uint8).max(-1, keepdim=True).indices


def _with_waiting(d2: Tensor, relevance: Tensor, exhausted: float) -> Tensor:
    """d² where something is left; below zero, and the higher the more relevant, where nothing is; −inf where taken."""
    waiting = -1 / relevance.clamp(min=torch.finfo(relevance.dtype).tiny)
    return torch.where(d2 > exhausted * relevance, d2, waiting.masked_fill(d2 == -torch.inf, -torch.inf))


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
    values = torch.linalg.det(_double(L)[table.unsqueeze(-1), table.unsqueeze(-2)])
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
        return gradient[..., None, None] * torch.cholesky_inverse(ctx.saved_tensors[0])


def _double(x: Tensor) -> Tensor:
    return (x.cpu() if x.device.type == "mps" else x).double()


def _keep(L: Tensor, present: Tensor) -> Tensor:
    """L with the rows and columns of absent items set to zero."""
    return torch.where(present.unsqueeze(-1) & present.unsqueeze(-2), L, 0.0)


def _mask(mask: Tensor | None, L: Tensor) -> Tensor:
    if L.ndim < 2 or L.shape[-1] != L.shape[-2]:
        raise ValueError(f"a kernel must be square, got the shape {tuple(L.shape)}")
    if mask is None:
        return torch.ones(L.shape[:-1], dtype=torch.bool, device=L.device)
    if mask.dtype != torch.bool or mask.shape[-1:] != L.shape[-1:] or mask.ndim > L.ndim - 1:
        raise ValueError(
            f"a mask must be boolean and of the shape {tuple(L.shape[:-1])}, got {mask.dtype} {tuple(mask.shape)}"
        )
    return mask.to(L.device).expand(L.shape[:-1])


def _refuse(bad: Tensor, values: Tensor, rule: str) -> None:
    if bad.any():
        where = tuple(bad.nonzero()[0].tolist())
        raise ValueError(f"item {where}: {values[where].item()}: {rule}")
