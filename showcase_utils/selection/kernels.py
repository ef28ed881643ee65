"""The kernel of a determinantal point process over candidate photos: how it is made, and what makes it one.

Everything is computed in float64, whatever comes in, for the reason that `selection.dpp` gives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from showcase_utils.selection.arrays import takes_arrays

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}  # of what is checked, relative to the largest entry
LARGEST = 300  # exponent of a quality: its square, e^±600, is still a float64
TINY_NORM = 1e-12  # a shorter feature vector has no direction


@takes_arrays
def kernel(quality: Tensor, features: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
    """The kernel L of one candidate set or of a batch of them (Wilhelm et al. 2018, with D = 1 − cos).

    L_ii = q_i²,   L_ij = α q_i q_j exp(−D_ij / 2σ²)   (i ≠ j)

    ``quality`` [..., n] non-negative, ``features`` [..., n, d], 0 < α ≤ 1, σ > 0; gives [..., n, n] in float64,
    differentiable in all four. A zero row of ``features`` (padding) counts as orthogonal to everything.
    Raises ``ValueError`` for other shapes or values, naming the item.
    """
    quality, features, norm, alpha, sigma = checked(quality, features, alpha, sigma)
    # What costs is passes over (..., n, n). σ stays out of ``unit``: with fixed features, as in training, backward
    # then need not go through the product.
    unit = features / norm.unsqueeze(-1)
    similarity = ((unit @ unit.mT).sub_(1) / (2 * sigma**2)).exp_()  # exp(−D / 2σ²)
    weight = alpha.sqrt() * quality
    L = weight.unsqueeze(-1) * similarity * weight.unsqueeze(-2)
    L.diagonal(dim1=-2, dim2=-1).copy_(quality**2)
    return L


@takes_arrays
def quality(relevance: Tensor, theta: float) -> Tensor:
    """Quality q = e^{a r}, a = θ / 2(1 − θ), so that greedy MAP weighs θ Σ r + (1 − θ) log det S (Chen et al. 2018).

    θ = 0 looks at diversity alone, θ → 1 at relevance alone; θ = ½ gives q = e^{r/2}, the quality that is trained
    here. ``relevance`` [..., n]. θ so close to 1 that q² would leave float64 is taken back for that set, and the set's
    best photo gets q = 1: relevance decides alone there, and neither changes the order.
    Raises ``ValueError`` unless 0 ≤ θ < 1.
    """
    if not 0 <= theta < 1:
        raise ValueError(f"theta = {theta}: must lie in [0, 1)")
    exponent = theta / (2 * (1 - theta)) * as_double(relevance)
    if exponent.numel() and exponent.abs().max() > LARGEST:
        least, most = exponent.aminmax(dim=-1, keepdim=True)
        exponent = (exponent - most) * (LARGEST / (most - least)).clamp(max=1)
    return torch.exp(exponent)


@takes_arrays
def validate(L: Tensor, present: Tensor | None = None) -> None:
    """Raise ``ValueError`` unless every kernel [..., n, n] is square, finite, symmetric and positive semi-definite.

    Only the items that are ``present`` [..., n] count. The message says which kernel fails, where, and by how much.
    Tolerances are relative to the kernel's largest entry, which stands on its diagonal if it is positive
    semi-definite: 1e-9 in float64, 1e-5 in float32.
    """
    if L.ndim < 2 or L.shape[-1] != L.shape[-2]:
        raise ValueError(f"a kernel must be square, got the shape {tuple(L.shape)}")
    tolerance = TOLERANCE.get(L.dtype, TOLERANCE[torch.float32])
    present = as_mask(present, L)
    if L.numel() == 0:
        return
    L = keep(as_double(L).detach(), present.to(as_double(L).device)).reshape(-1, L.shape[-1], L.shape[-1])
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


def checked(
    quality: Tensor, features: Tensor, alpha: float | Tensor, sigma: float | Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """What `kernel` is made of, on one device: quality, features, their norms [..., n], α and σ; raises as it does."""
    quality = as_double(quality)
    if features.shape[:-1] != quality.shape:
        raise ValueError(f"quality {tuple(quality.shape)} and features {tuple(features.shape)} do not belong together")
    alpha, sigma = (torch.as_tensor(x, dtype=quality.dtype, device=quality.device) for x in (alpha, sigma))
    if not 0 < alpha.item() <= 1:
        raise ValueError(f"alpha = {alpha.item()}: must lie in (0, 1]")
    if not (sigma > 0 and 0 < (2 * sigma**2).item() < torch.inf):
        raise ValueError(f"sigma = {sigma.item()}: must be positive and finite, and so must its square")
    features = as_double(features).to(quality.device)
    norm = torch.linalg.vector_norm(features, dim=-1)  # not finite if a feature is not
    refuse(~torch.isfinite(quality) | (quality < 0), quality, "quality must be finite and not negative")
    refuse(~torch.isfinite(norm), norm, "features must be finite")
    return quality, features, norm.clamp(min=TINY_NORM), alpha, sigma


def as_double(x: Tensor) -> Tensor:
    """In float64; what lies on MPS, which has none, comes to the CPU."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def keep(L: Tensor, present: Tensor) -> Tensor:
    """L with the rows and columns of absent items set to zero."""
    return torch.where(present.unsqueeze(-1) & present.unsqueeze(-2), L, 0.0)


def as_mask(mask: Tensor | None, L: Tensor) -> Tensor:
    """The mask [..., n] of the items of L, all of them by default; raises ``ValueError`` for one that does not fit."""
    if L.ndim < 2 or L.shape[-1] != L.shape[-2]:
        raise ValueError(f"a kernel must be square, got the shape {tuple(L.shape)}")
    if mask is None:
        return torch.ones(L.shape[:-1], dtype=torch.bool, device=L.device)
    if mask.dtype != torch.bool or mask.shape[-1:] != L.shape[-1:] or mask.ndim > L.ndim - 1:
        raise ValueError(
            f"a mask must be boolean and of the shape {tuple(L.shape[:-1])}, got {mask.dtype} {tuple(mask.shape)}"
        )
    return mask.to(L.device).expand(L.shape[:-1])


def refuse(bad: Tensor, values: Tensor, rule: str) -> None:
    """Raises ``ValueError`` with the first item that is ``bad``, its value and the rule that it breaks."""
    if bad.any():
        where = tuple(bad.nonzero()[0].tolist())
        raise ValueError(f"item {where}: {values[where].item()}: {rule}")
