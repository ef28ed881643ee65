"""Training what ranks: the epochs, the best of them on validation, an end when nothing improves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from showcase_utils.config import Selection
from showcase_utils.progress import progress_bar
from showcase_utils.selection.pools import Ints, PoolBatch, Pools

HISTORY = "history.csv"
Loss = Callable[[nn.Module, PoolBatch], Tensor]  # (B,), to be summed over pools


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train."""

    lr: float
    scalar_lr: float
    batch_size: int
    epochs: int
    patience: int

    @classmethod
    def of(cls, settings: Selection) -> Self:
        """The paper's towers' own."""
        rate = settings.lr if settings.kernel_lr is None else settings.kernel_lr
        return cls(settings.lr, rate, settings.batch_size, settings.epochs, settings.patience)

    @classmethod
    def of_metric(cls, settings: Selection) -> Self:
        """Our metric's, which starts where it is good already."""
        return cls(settings.metric_lr, settings.metric_lr, settings.batch_size, settings.metric_epochs, 1)


def fit(
    model: nn.Module,
    loss: Loss,
    pools: Pools,
    schedule: Schedule,
    seed: int,
    name: str = "",
    progress: bool = False,
    least: int = 1,
) -> pd.DataFrame:
    """Train on the pools of split ``train``, keep the epoch with the best validation loss, stop without patience.

    Only pools with candidates besides the user's own photos enter, and ``least`` own photos or more. Leaves the best
    weights in ``model`` and gives one row per epoch (0 is before training): mean training loss over the epoch's steps
    (none for 0), validation loss after it, the model's scalars ``alpha`` and ``sigma``, and which epoch was the best.
    Raises ``ValueError`` if a split has no such pool, or if the validation loss is not finite before training.
    """
    own = pools.samples["relevant"].to_numpy()
    rows, held_out = (pools.rows(split, informative=True) for split in ("train", "val"))
    rows, held_out = rows[own[rows] >= least], held_out[own[held_out] >= least]
    if len(rows) == 0 or len(held_out) == 0:
        raise ValueError(f"{len(rows)} training and {len(held_out)} validation pools: each split needs at least one")
    optimiser = new_optimiser(model, schedule)
    shuffle = np.random.default_rng(seed)
    log, kept, waited = [_log(model, 0, float("nan"), mean_loss(model, loss, pools, held_out))], _weights(model), 0
    if not np.isfinite(log[0]["val_loss"]):
        raise ValueError(
            f"the validation loss is {log[0]['val_loss']} before training: are there features that are not finite?"
        )
    best = log[0]["val_loss"]
    for epoch in progress_bar(range(1, schedule.epochs + 1), desc=name, unit="epoch", disable=not progress):
        train_loss = train_epoch(model, loss, optimiser, pools, shuffle.permutation(rows), schedule.batch_size)
        log.append(_log(model, epoch, train_loss, mean_loss(model, loss, pools, held_out)))
        if log[-1]["val_loss"] < best:
            best, kept, waited = log[-1]["val_loss"], _weights(model), 0
        else:
            waited += 1
            if waited >= schedule.patience:
                break
    model.load_state_dict(kept)
    model.eval()
    table = pd.DataFrame(log)
    return table.assign(best=table["val_loss"].eq(best))


def new_optimiser(model: nn.Module, schedule: Schedule) -> torch.optim.Adam:
    """Adam with two learning rates: of weights, and of scalars such as α, σ and b.

    Adam's steps are about as long as the learning rate, whatever the gradient. In a short training that leaves a
    scalar near its start, while thousands of weights together have moved far enough to know the pools by heart.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    scalars = [weight for weight in weights if weight.ndim == 0]
    others = [weight for weight in weights if weight.ndim > 0]
    groups = [{"params": others, "lr": schedule.lr}, {"params": scalars, "lr": schedule.scalar_lr}]
    return torch.optim.Adam([group for group in groups if group["params"]])


def train_epoch(
    model: nn.Module, loss: Loss, optimiser: torch.optim.Optimizer, pools: Pools, order: Ints, batch_size: int
) -> float:
    """One pass over the rows of ``order``, a step per ``batch_size`` of them; gives the mean loss over the steps."""
    device = next(model.parameters()).device
    model.train()
    total = 0.0
    for start in range(0, len(order), batch_size):
        step = order[start : start + batch_size]
        optimiser.zero_grad()
        # One optimiser step sees the whole batch; it is taken in chunks, so that large pools fit in memory.
        for chunk in pools.chunks(step):
            value = loss(model, pools.batch(chunk, device)).sum()
            (value / len(step)).backward()
            total += value.item()
        optimiser.step()
    return total / len(order)


@torch.no_grad()
def mean_loss(model: nn.Module, loss: Loss, pools: Pools, rows: Ints) -> float:
    """The mean loss over some rows: for the DPP the negative log-likelihood in nats per sample."""
    device = next(model.parameters()).device
    model.eval()
    losses = [loss(model, pools.batch(chunk, device)).sum().item() for chunk in pools.chunks(rows)]
    return sum(losses) / len(rows)


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _log(model: nn.Module, epoch: int, train_loss: float, val_loss: float) -> dict[str, float]:
    scalars = {"alpha": model.alpha.item(), "sigma": model.sigma.item()}
    return {"epoch": epoch, "train_loss": train_loss, "val_loss": val_loss, **scalars}
