"""Personalized cross-modal contrastive learning, PC²L (paper, section 4.2).

With ``torch.distributed`` initialised, the other samples of the batch are those of every rank: targets are gathered
with gradients, so that the mean over ranks of loss and gradients is that of one process with the whole batch. Every
rank must then hold the same number of samples.
"""

from __future__ import annotations

import math

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather
from torch.nn import functional as F


def cross_modal_contrastive(
    visual: Tensor,
    target: Tensor,
    swapped: Tensor | None = None,
    temperature: float = 0.1,
    has_swapped: Tensor | None = None,
) -> Tensor:
    r"""L_CCL, which pulls a text to its own photos and away from other texts and from itself with swapped entities.

    .. math:: -\log \frac{e^{s_{ii}}}{e^{s_{ii}} + \sum_{j \ne i} e^{s_{ij}} + e^{s_{i,ent(i)}}},
              \quad s_{ij} = \cos(\hat H^V_i, \hat H^Y_j) / \tau

    ``visual``, ``target`` and ``swapped`` are Ĥ^V, Ĥ^Y and Ĥ^{ent(Y)}, each (B, d); ``has_swapped`` (B,) is False
    where a text names no entity, and then its third term is left out, as it is everywhere without ``swapped``.
    ``temperature`` is τ. Returns the mean over the batch, a scalar.

    Raises ``ValueError`` for shapes that differ or a temperature that is not positive.
    """
    _check(visual=visual, target=target, temperature=temperature)
    visual, target = _unit(visual), _unit(target)
    similarity = visual @ _gathered(target).T / temperature  # (B, B·ranks)
    if swapped is None:
        return F.cross_entropy(similarity, _own_columns(visual))
    _check(visual=visual, swapped=swapped, temperature=temperature)
    swapped = _unit(swapped)
    hard = (visual * swapped).sum(-1, keepdim=True) / temperature  # (B, 1)
    if has_swapped is not None:
        hard = hard.masked_fill(~has_swapped.unsqueeze(-1), -math.inf)
    return F.cross_entropy(torch.cat([similarity, hard], dim=1), _own_columns(visual))


def personalized_contrastive(
    history: Tensor, target: Tensor, profile: Tensor, temperature: float, alpha: float
) -> Tensor:
    r"""L_PCL, which pulls a text to its writer's history, and away from others' the more, the less alike they are.

    .. math:: -\log \frac{e^{s_{ii}}}{e^{s_{ii}} + \sum_{j \ne i} f(i,j)\, e^{s_{ij}}},
              \quad f(i,j) = \alpha^{1 - \cos(\tilde R_i, \tilde R_j)}

    ``history`` and ``target`` are Ĥ^R and Ĥ^Y, (B, d); ``profile`` is R̃, the mean of a user's history features,
    (B, p), and gets no gradient. Returns the mean over the batch, a scalar.

    Raises ``ValueError`` for shapes that differ, a temperature that is not positive or α below 1.
    """
    _check(history=history, target=target, temperature=temperature)
    if len(profile) != len(history) or profile.ndim != 2:
        raise ValueError(f"profile must be ({len(history)}, p), not {tuple(profile.shape)}")
    similarity = _unit(history) @ _gathered(_unit(target)).T / temperature  # (B, B·ranks)
    with torch.no_grad():
        # f(i,j) e^s = e^(s + log f): the weights join the exponent, where nothing overflows
        log_weights = user_weights(profile, _gathered(profile), alpha).log()
        own = _own_columns(history)
        log_weights.scatter_(1, own.unsqueeze(1), 0.0)
    return F.cross_entropy(similarity + log_weights, own)


def user_weights(profile: Tensor, others: Tensor, alpha: float) -> Tensor:
    """f(i,j) = α^(1 − cos(R̃_i, R̃_j)), (B, p) and (C, p) → (B, C): how much user j's text repels user i's history.

    A user without history has R̃ = 0 and counts as orthogonal to everybody. Raises ``ValueError`` for α below 1.
    """
    if alpha < 1:
        raise ValueError(f"alpha must be at least 1, not {alpha}")
    return alpha ** (1 - _unit(profile) @ _unit(others).T)


def _unit(rows: Tensor) -> Tensor:
    """Unit rows in float32 at least: under bf16 autocast, e^(s/τ) would keep two digits.

    A row of zeros stays one and gets no gradient: it has no direction, and F.normalize would divide by 1e-12.
    """
    rows = rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
    return F.normalize(rows.masked_fill((rows == 0).all(dim=-1, keepdim=True), 0.0), dim=-1)


def _gathered(rows: Tensor) -> Tensor:
    """The rows of every rank, own rows included, (B, d) → (B·ranks, d); gradients flow back to their ranks."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return rows
    return torch.cat(all_gather(rows.contiguous()))


def _own_columns(rows: Tensor) -> Tensor:
    """Column of each local row's own target among the gathered ones, (B,)."""
    rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
    return torch.arange(len(rows), device=rows.device) + rank * len(rows)


def _check(temperature: float, **rows: Tensor) -> None:
    (first, shape), *others = [(name, tuple(value.shape)) for name, value in rows.items()]
    if len(shape) != 2:
        raise ValueError(f"{first} must be (B, d), not {shape}")
    for name, other in others:
        if other != shape:
            raise ValueError(f"{name} has shape {other}, but {first} {shape}")
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
