"""Maximum-likelihood training of the profile model, and the pairwise loss of BRIE for comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from showcase_utils.config import Selection
from showcase_utils.progress import progress_bar
from showcase_utils.selection import dpp
from showcase_utils.selection.pools import Batch, Pools
from showcase_utils.selection.profile import ProfileModel

Objective = Literal["dpp", "bpr"]
HISTORY = "history.csv"


def dpp_loss(model: ProfileModel, batch: Batch) -> Tensor:
    """Negative log-likelihood of the user's own photos among the candidates, (B,): log det(L + I) − log det L_Y."""
    loss = -dpp.log_likelihood(model.kernel(batch), batch.chosen, batch.present, check=False)
    if torch.isinf(loss).any():
        raise ValueError("a user posted the same picture twice, which α = 1 makes impossible: set selection.alpha < 1")
    return loss


def bpr_loss(model: ProfileModel, batch: Batch) -> Tensor:
    """Mean of −log σ(r_i − r_j) over own photos i and others' photos j of the pool, (B,).

    The loss of BRIE (Paz-Ruza et al. 2024). BRIE scores an embedding of the user's id against the photo; here the
    users of the splits are disjoint, so such embeddings would be untrained at test, and our towers take their place.
    """
    relevance = model(batch)
    most = int(batch.chosen.sum(-1).max())
    first = (~batch.chosen).to(torch.uint8).argsort(dim=-1, stable=True)[:, :most]  # (B, m) own photos
    pairs = batch.chosen.gather(-1, first).unsqueeze(-1) & (batch.present & ~batch.chosen).unsqueeze(-2)  # (B, m, n)
    loss = -F.logsigmoid(relevance.gather(-1, first).unsqueeze(-1) - relevance.unsqueeze(-2))
    return (loss * pairs).sum((-1, -2)) / pairs.sum((-1, -2))


LOSSES = {"dpp": dpp_loss, "bpr": bpr_loss}


def new_model(pools: Pools, settings: Selection, profile: str, seed: int) -> ProfileModel:
    """An untrained model; the same seed gives the same weights. Its b is the log-odds of a candidate to be posted."""
    rows = pools.rows("train", informative=True)
    known = pools.samples.iloc[rows]
    posted, pool = known["relevant"].sum(), known["candidates"].sum()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ProfileModel(
            pools.features.shape[1],
            profile,
            settings.alpha,
            settings.sigma,
            settings.learn_kernel,
            log_odds=float(np.log(posted / (pool - posted))),
        )
    seen = np.unique(np.concatenate([pools.candidates[row] for row in rows]))
    sources = {"photo": pools.features[seen], "img": pools.image_profiles[rows], "text": pools.text_profiles[rows]}
    for name, layer in model.inputs.items():
        layer.fit(torch.from_numpy(sources[name]))
    return model


def new_optimiser(model: ProfileModel, settings: Selection) -> torch.optim.Adam:
    """Adam with two learning rates: the towers' own, and that of the scalars α, σ and b.

    Adam's steps are about as long as the learning rate, whatever the gradient. In a short training that leaves a
    scalar near its start, while thousands of weights together have moved far enough to know the pools by heart.
    """
    scalars = [weight for weight in model.parameters() if weight.ndim == 0]
    others = [weight for weight in model.parameters() if weight.ndim > 0]
    rate = settings.lr if settings.kernel_lr is None else settings.kernel_lr
    return torch.optim.Adam([{"params": others, "lr": settings.lr}, {"params": scalars, "lr": rate}])


def train(
    pools: Pools,
    settings: Selection,
    profile: str,
    seed: int,
    device: str | torch.device = "cpu",
    objective: Objective = "dpp",
    progress: bool = True,
) -> tuple[ProfileModel, pd.DataFrame]:
    """Train on the pools of split ``train``, keep the epoch with the best validation loss, stop without patience.

    Only pools with candidates besides the user's own photos enter: the others have nothing to choose. Returns the
    model and a frame with one row per epoch (0 is before training): mean training loss over the epoch's steps (none
    for 0), validation loss after it, α, σ, best.
    Raises ``ValueError`` if a split has no such pool, or if the validation loss is not finite before training.
    """
    rows, held_out = pools.rows("train", informative=True), pools.rows("val", informative=True)
    if len(rows) == 0 or len(held_out) == 0:
        raise ValueError(f"{len(rows)} training and {len(held_out)} validation pools: each split needs at least one")
    model = new_model(pools, settings, profile, seed).to(device)
    optimiser = new_optimiser(model, settings)
    shuffle = np.random.default_rng(seed)
    log = [_log(0, float("nan"), mean_loss(model, pools, held_out, objective), model)]
    best, waited = log[0]["val_loss"], 0
    if not np.isfinite(best):
        raise ValueError(f"the validation loss is {best} before training: are there features that are not finite?")
    kept = {name: value.detach().clone() for name, value in model.state_dict().items()}
    epochs = progress_bar(
        range(1, settings.epochs + 1), desc=f"{objective} {profile}", unit="epoch", disable=not progress
    )
    for epoch in epochs:
        loss = train_epoch(model, optimiser, pools, shuffle.permutation(rows), settings.batch_size, objective)
        log.append(_log(epoch, loss, mean_loss(model, pools, held_out, objective), model))
        if log[-1]["val_loss"] < best:
            best, waited = log[-1]["val_loss"], 0
            kept = {name: value.detach().clone() for name, value in model.state_dict().items()}
        else:
            waited += 1
            if waited >= settings.patience:
                break
    model.load_state_dict(kept)
    table = pd.DataFrame(log)
    table["best"] = table["val_loss"].eq(best)
    return model.eval(), table


def train_epoch(
    model: ProfileModel,
    optimiser: torch.optim.Optimizer,
    pools: Pools,
    order: np.ndarray,
    batch_size: int,
    objective: Objective = "dpp",
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
            loss = LOSSES[objective](model, pools.batch(chunk, device)).sum()
            (loss / len(step)).backward()
            total += loss.item()
        optimiser.step()
    return total / len(order)


@torch.no_grad()
def mean_loss(model: ProfileModel, pools: Pools, rows: np.ndarray, objective: Objective = "dpp") -> float:
    """The mean loss over some rows: for ``dpp`` the negative log-likelihood in nats per sample."""
    device = next(model.parameters()).device
    model.eval()
    losses = [LOSSES[objective](model, pools.batch(chunk, device)).sum().item() for chunk in pools.chunks(rows)]
    return sum(losses) / len(rows)


def train_or_load(
    folder: Path,
    pools: Pools,
    settings: Selection,
    profile: str,
    seed: int,
    device: str | torch.device,
    objective: Objective,
    progress: bool,
) -> tuple[ProfileModel, pd.DataFrame]:
    """The trained model in ``folder``, or else one trained now and left there: an interrupted run resumes by model."""
    if not (folder / HISTORY).is_file():
        model, table = train(pools, settings, profile, seed, device, objective, progress)
        model.save_pretrained(folder)
        part = folder / f"{HISTORY}.part"  # written last and renamed, so its presence means the model is whole
        table.to_csv(part, index=False, float_format="%.6g")
        part.rename(folder / HISTORY)
    return ProfileModel.from_pretrained(folder, device), pd.read_csv(folder / HISTORY)


def _log(epoch: int, train_loss: float, val_loss: float, model: ProfileModel) -> dict[str, float]:
    return {
        "epoch": epoch,
        "train_loss": train_loss,
        "val_loss": val_loss,
        "alpha": model.alpha.item(),
        "sigma": model.sigma.item(),
    }
