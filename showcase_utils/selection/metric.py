"""Our ranker: whether a photo is by the hand that took the past photos, and of what the past texts speak of.

Photos are x = μ + u + e, where u is what one person's photos have in common, normally distributed between people, and
e is everything else (probabilistic linear discriminant analysis, Prince & Elder 2007). Both covariances have a closed
form on the training pools; what is trained, by the likelihood of the photos that users posted, is how much each axis
and each text counts: some thirty numbers. A photo's relevance is the log-likelihood ratio that the user took it,

    r(x) = log p(x | past) − log p(x)  +  w · mean over past texts of cos(x, t),

in nats, so that e^r is a quality for a DPP. Without a past every photo has r = 0, and variety alone decides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from showcase_utils.config import Selection
from showcase_utils.recipes import is_intact, seal
from showcase_utils.selection import dpp
from showcase_utils.selection.kdpp import log_likelihood_given_size
from showcase_utils.selection.pools import PoolBatch, Pools
from showcase_utils.selection.rankers import Contributions, Ranker
from showcase_utils.selection.training import HISTORY, Schedule, fit, mean_loss

WEIGHTS, CONFIG = "model.safetensors", "model.json"
SHRINK = (0.02, 0.05, 0.1, 0.2)  # what is taken off the variances between people, tried on validation
RIDGE = 0.01  # of the mean variance within places: directions in which photos hardly differ are not blown up


class MetricModel(nn.Module):
    """The ratio above, on q axes on which people differ by a variance of ``between`` (q,), and all else by 1.

    ``axes`` (d, q) come from the closed form and stay.
    """

    def __init__(self, dim: int, directions: int, profile: str) -> None:
        super().__init__()
        self.profile = profile
        self.register_buffer("photo_mean", torch.zeros(dim))
        self.register_buffer("text_mean", torch.zeros(dim))
        self.register_buffer("axes", torch.zeros(dim, directions))
        self.log_between = nn.Parameter(torch.zeros(directions))
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.text_weight = nn.Parameter(torch.tensor(1.0))
        self.log_sigma = nn.Parameter(torch.tensor(0.0))
        self.alpha_logit = nn.Parameter(torch.tensor(0.0))

    @property
    def alpha(self) -> Tensor:
        return torch.sigmoid(self.alpha_logit)

    @property
    def sigma(self) -> Tensor:
        return self.log_sigma.exp()

    def forward(self, batch: PoolBatch) -> Tensor:
        """Relevance (B, n), of padding too."""
        parts = self.contributions(batch)
        return parts.photos.sum(-1) + parts.texts.sum(-1)

    def contributions(self, batch: PoolBatch) -> Contributions:
        """Relevance, split among the past photos (B, n, h) and texts (B, n, t)."""
        nothing = batch.photos.new_zeros(*batch.present.shape, 0)
        return Contributions(
            self._from_photos(batch) if "img" in self.profile else nothing,
            self._from_texts(batch) if "text" in self.profile else nothing,
        )

    def _from_photos(self, batch: PoolBatch) -> Tensor:
        """log N(x; m, 1 + v) − log N(x; 0, 1 + λ) with m, v the mean and variance of u given the past, (B, n, h).

        The term x · m is a sum over past photos; the others are shared equally among them.
        """
        there = batch.past_photos_there
        x = ((batch.photos - self.photo_mean) @ self.axes)[batch.position]  # (B, n, q)
        past = ((batch.past_photos - self.photo_mean) @ self.axes) * there.unsqueeze(-1)  # (B, h, q)
        count = there.sum(-1, keepdim=True)
        between = self.log_between.exp()
        v = between / (1 + count * between)  # (B, q)
        m = v * past.sum(1)
        each = x @ (past * (v / (1 + v)).unsqueeze(1)).mT  # (B, n, h)
        rest = 0.5 * (x**2 @ (1 / (1 + between) - 1 / (1 + v)).unsqueeze(-1))  # (B, n, 1)
        rest = rest + 0.5 * (((1 + between) / (1 + v)).log() - m**2 / (1 + v)).sum(-1)[:, None, None]
        return self.scale * (each + there.unsqueeze(1) * rest / count.clamp(min=1).unsqueeze(-1))

    def _from_texts(self, batch: PoolBatch) -> Tensor:
        """Cosine in CLIP's joint space, each modality about its own mean, (B, n, t)."""
        there = batch.past_texts_there
        x = F.normalize(batch.photos - self.photo_mean, dim=-1)[batch.position]
        t = F.normalize(batch.past_texts - self.text_mean, dim=-1) * there.unsqueeze(-1)
        return self.text_weight * (x @ t.mT) / there.sum(-1).clamp(min=1)[:, None, None]


def likelihood_loss(model: MetricModel, batch: PoolBatch) -> Tensor:
    """Mean over the user's own photos of − log e^r / (e^r + Σ e^r of photos by others), (B,).

    Photos by others are unlabelled rather than refused: a softmax asks only that the own ones stand out, and own photos
    do not compete with each other.
    """
    r = model(batch).masked_fill(~batch.present, -torch.inf)
    others = torch.logsumexp(r.masked_fill(batch.chosen, -torch.inf), dim=-1, keepdim=True)
    return F.softplus(others - r).masked_fill(~batch.chosen, 0).sum(-1) / batch.chosen.sum(-1)


def variety_loss(model: MetricModel, batch: PoolBatch) -> Tensor:
    """− log-likelihood of the user's own photos given how many they are, (B,); trains α and σ alone."""
    with torch.no_grad():
        q = dpp.quality(model(batch), 0.5)
    L = dpp.kernel(q, batch.features, model.alpha, model.sigma)
    return -log_likelihood_given_size(L, batch.chosen, batch.present)


class Spread(NamedTuple):
    """How photos of the training pools spread: about ``mean`` (d,), and ``text_mean`` (d,) for past texts.

    ``whiten`` (d, d) makes the covariance within places that of a unit ball; ``values`` (d,) and ``vectors`` (d, d) are
    the eigenvalues and axes of the whitened covariance between people.
    """

    mean: np.ndarray
    text_mean: np.ndarray
    whiten: np.ndarray
    values: np.ndarray
    vectors: np.ndarray


def spread(pools: Pools) -> Spread:
    """The covariances of the training pools: within places, and between people.

    Between people is what a user's own photo, about the mean of its pool, has in common with their past photos of other
    places.
    """
    rows = pools.rows("train", informative=True)
    features = pools.features.astype(np.float64)
    places = {pools.samples["business_id"].iloc[row]: pools.candidates[row] for row in rows}
    mean = features[np.unique(np.concatenate(list(places.values())))].mean(0)
    dim = len(mean)
    within, between = np.zeros((2, dim, dim))
    for photos in places.values():
        within += np.cov(features[photos].T, bias=True) * len(photos)
    within /= sum(map(len, places.values()))
    known = [row for row in rows if len(pools.history_photos[row])]
    for row in known:
        pool = features[pools.candidates[row]]
        own = pool[pools.relevant[row]].mean(0) - pool.mean(0)
        between += np.outer(own, features[pools.history_photos[row]].mean(0) - mean) / len(known)
    values, vectors = np.linalg.eigh(within)
    whiten = vectors / np.sqrt(values + RIDGE * values.mean()) @ vectors.T
    texts = np.unique(np.concatenate([pools.history_texts[row] for row in rows]))
    text_mean = pools.texts[texts].mean(0) if len(texts) else np.zeros(dim)
    return Spread(mean, text_mean, whiten, *np.linalg.eigh(whiten @ (between + between.T) @ whiten / 2))


def closed_form(found: Spread, profile: str, settings: Selection, shrink: float) -> MetricModel:
    """The model that the covariances give; ``shrink`` is taken off the variances between people.

    Noise makes these too large, and axes with nothing left go.
    """
    kept = found.values - shrink > 0.001
    model = MetricModel(len(found.mean), int(kept.sum()), profile)
    with torch.no_grad():
        model.photo_mean.copy_(torch.from_numpy(found.mean))
        model.text_mean.copy_(torch.from_numpy(found.text_mean))
        share = (found.values[kept] - shrink).clip(max=0.9)  # of the variance within places that lies between people
        model.axes.copy_(torch.from_numpy(found.whiten @ found.vectors[:, kept] / np.sqrt(1 - share)))
        model.log_between.copy_(torch.from_numpy(np.log(share / (1 - share))))
        model.log_sigma.fill_(np.log(settings.sigma))
        model.alpha_logit.fill_(np.log(settings.alpha / (1 - min(settings.alpha, 0.999))))
    return model


class Metric(Ranker):
    """The metric. Nothing in it is drawn, so it has no seeds."""

    key, learns = "metric", True

    def __init__(self, model: MetricModel) -> None:
        self.model, self.profile = model, model.profile
        self.alpha, self.sigma = model.alpha.detach(), model.sigma.detach()

    @torch.no_grad()
    def __call__(self, batch: PoolBatch) -> Tensor:
        return self.model(batch)

    @torch.no_grad()
    def contributions(self, batch: PoolBatch) -> Contributions:
        return self.model.contributions(batch)

    @classmethod
    def train(
        cls, folder: Path, pools: Pools, settings: Selection, profile: str, seed: int, device: str | torch.device
    ) -> pd.DataFrame:
        if not is_intact(folder):
            model, table = train_metric(pools, settings, profile, seed, device)
            folder.mkdir(parents=True, exist_ok=True)
            save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)
            shape = {"dim": model.axes.shape[0], "directions": model.axes.shape[1], "profile": profile}
            (folder / CONFIG).write_text(json.dumps(shape) + "\n", encoding="utf-8")
            table.to_csv(folder / HISTORY, index=False, float_format="%.6g")
            seal(folder)
        return pd.read_csv(folder / HISTORY)

    @classmethod
    def open(cls, folder: Path, settings: Selection, profile: str, seed: int, device: str | torch.device) -> Self:
        if not (folder / CONFIG).is_file():
            raise FileNotFoundError(f"no selection model in {folder}: run notebook 03_dpp_selection")
        model = MetricModel(**json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        model.load_state_dict(load_file(folder / WEIGHTS))
        return cls(model.to(device).eval())


def train_metric(
    pools: Pools, settings: Selection, profile: str, seed: int, device: str | torch.device = "cpu"
) -> tuple[MetricModel, pd.DataFrame]:
    """The closed form with the shrinkage that serves validation best, its weights trained, then α and σ beside them.

    Gives the model and the epochs of its weights, with the final α and σ.
    """
    held_out = pools.rows("val", informative=True)
    found = spread(pools)
    starts = [closed_form(found, profile, settings, shrink) for shrink in SHRINK]
    model = min(starts, key=lambda model: mean_loss(model, likelihood_loss, pools, held_out)).to(device)
    kernel = (model.alpha_logit, model.log_sigma)
    schedule = Schedule.of_metric(settings)
    for weight in model.parameters():
        weight.requires_grad_(all(weight is not other for other in kernel))
    table = fit(model, likelihood_loss, pools, schedule, seed)
    for weight in model.parameters():
        weight.requires_grad_(any(weight is other for other in kernel))
    fit(model, variety_loss, pools, schedule, seed, least=2)
    return model, table.assign(alpha=model.alpha.item(), sigma=model.sigma.item())
