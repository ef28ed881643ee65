"""The paper's ranker: two towers, trained by the likelihood of a DPP (paper, section 4.1), or by BRIE's loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from showcase_utils.config import Selection
from showcase_utils.recipes import is_intact, seal
from showcase_utils.selection import dpp
from showcase_utils.selection.chosen import widest_profile
from showcase_utils.selection.pools import PoolBatch, Pools
from showcase_utils.selection.rankers import Ranker
from showcase_utils.selection.training import HISTORY, Loss, Schedule, fit

PROFILES = ("img", "text", "img+text")
WEIGHTS, CONFIG = "model.safetensors", "model.json"
ALMOST_ONE = 0.999  # a learned α starts below 1, where its logit is finite
MOST_ALIKE = 1 - 1e-6  # and stays below it, where float32 still knows it from 1: posting a picture twice is possible


class ProfileModel(nn.Module):
    """Two towers whose outputs' inner product is the relevance r, and the kernel's α and σ.

    With CLIP features of d = 512 the towers are the paper's: user (512 or 1024)→512→512→256→128, photo
    512→512→512→256→128, ReLU between; for another d the widths follow as d, d, d/2, d/4. Inputs are standardised
    with the training pools' statistics (ours): CLIP features lie in a narrow cone, and what tells two photos apart
    is a small part of them. A profile that is unknown (zero) stays zero: the average user.

    Quality is q = exp(r / 2), hence L_ii = e^r (Kulesza & Taskar's log-linear quality). The paper does not say how
    the product is made positive; this choice is ours. So is the scalar b in r = ⟨user, photo⟩ + b: it carries how
    many photos users post, which the likelihood asks for too, and leaves the towers to say which. It shifts all
    photos alike, so it changes no ranking and no greedy pick.
    """

    def __init__(
        self, dim: int, profile: str, alpha: float, sigma: float, learn_kernel: bool, log_odds: float = 0.0
    ) -> None:
        super().__init__()
        if profile not in PROFILES:
            raise ValueError(f"profile '{profile}': give one of {', '.join(PROFILES)}")
        self.dim, self.profile, self.learn_kernel = dim, profile, learn_kernel
        self.inputs = nn.ModuleDict({part: Standardise(dim) for part in ("photo", *profile.split("+"))})
        self.user = _tower(dim * len(profile.split("+")), dim)
        self.photo = _tower(dim, dim)
        self.bias = nn.Parameter(torch.tensor(float(log_odds)))
        alpha_, log_sigma = torch.tensor(float(alpha)), torch.tensor(float(sigma)).log()
        if learn_kernel:
            self.alpha_logit = nn.Parameter(torch.logit(alpha_.clamp(max=ALMOST_ONE)))
            self.log_sigma = nn.Parameter(log_sigma)
        else:
            self.register_buffer("fixed_alpha", alpha_)
            self.register_buffer("log_sigma", log_sigma)

    @property
    def alpha(self) -> Tensor:
        return torch.sigmoid(self.alpha_logit).clamp(max=MOST_ALIKE) if self.learn_kernel else self.fixed_alpha

    @property
    def sigma(self) -> Tensor:
        return self.log_sigma.exp()

    def forward(self, batch: PoolBatch) -> Tensor:
        """Relevance r of every candidate, (B, n); of padding too, to be masked by ``batch.present``."""
        parts = {"img": batch.image_profile, "text": batch.text_profile}
        profile = [self.inputs[part](parts[part]) for part in self.profile.split("+")]
        users = self.user(torch.cat(profile, dim=-1))  # (B, d/4)
        photos = self.photo(self.inputs["photo"](batch.photos))  # (U, d/4)
        return (users.unsqueeze(1) * photos[batch.position]).sum(-1) + self.bias

    def kernel(self, batch: PoolBatch, theta: float = 0.5) -> Tensor:
        """The DPP kernel L of every sample, (B, n, n); θ = ½ is the one that is trained."""
        return dpp.kernel(dpp.quality(self(batch), theta), batch.features, self.alpha, self.sigma)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write weights (safetensors) and shape (JSON) into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / WEIGHTS)
        shape = {"dim": self.dim, "profile": self.profile, "learn_kernel": self.learn_kernel}
        (folder / CONFIG).write_text(json.dumps(shape) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: str | torch.device = "cpu") -> ProfileModel:
        """The model that `save_pretrained` wrote. Raises ``FileNotFoundError`` if the folder holds none."""
        folder = Path(folder)
        if not (folder / CONFIG).is_file():
            raise FileNotFoundError(f"no selection model in {folder}: run notebook 03_dpp_selection")
        shape = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        model = cls(shape["dim"], shape["profile"], 0.5, 1.0, shape["learn_kernel"])
        model.load_state_dict(load_file(folder / WEIGHTS))
        return model.to(device).eval()


class Standardise(nn.Module):
    """Subtract the mean and divide by the deviation of each feature; rows of zeros stay zeros."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))

    def fit(self, rows: Tensor) -> None:
        """Take mean and deviation from ``rows`` (m, d), zero rows apart; with fewer than two others, change nothing."""
        rows = rows[rows.any(-1)]
        if len(rows) > 1:
            self.mean.copy_(rows.mean(0))
            self.deviation.copy_(rows.std(0).clamp(min=1e-6))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x.any(-1, keepdim=True), (x - self.mean) / self.deviation, 0.0)


def _tower(inputs: int, dim: int) -> nn.Sequential:
    widths = [inputs, dim, dim, dim // 2, dim // 4]
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def dpp_loss(model: ProfileModel, batch: PoolBatch) -> Tensor:
    """Negative log-likelihood of the user's own photos among the candidates, (B,): log det(L + I) − log det L_Y."""
    loss = -dpp.log_likelihood(model.kernel(batch), batch.chosen, batch.present, check=False)
    if torch.isinf(loss).any():
        raise ValueError("a user posted the same picture twice, which α = 1 makes impossible: set selection.alpha < 1")
    return loss


def bpr_loss(model: ProfileModel, batch: PoolBatch) -> Tensor:
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
    photos = [pools.features[past].mean(0) for row in rows if len(past := pools.history_photos[row])]
    texts = [pools.texts[past].mean(0) for row in rows if len(past := pools.history_texts[row])]
    sources = {"photo": pools.features[seen], "img": np.array(photos), "text": np.array(texts)}
    for name, layer in model.inputs.items():
        layer.fit(torch.from_numpy(sources[name]))
    return model


class Towers(Ranker):
    """The towers with their α and σ, trained by maximum likelihood (`dpp_loss`)."""

    key, seeded, learns = "dpp", True, True
    loss: ClassVar[Loss] = staticmethod(dpp_loss)

    def __init__(self, model: ProfileModel) -> None:
        self.model, self.profile = model, model.profile
        self.alpha, self.sigma = model.alpha.detach(), model.sigma.detach()

    @torch.no_grad()
    def __call__(self, batch: PoolBatch) -> Tensor:
        return self.model(batch)

    @classmethod
    def train(
        cls, folder: Path, pools: Pools, settings: Selection, profile: str, seed: int, device: str | torch.device
    ) -> pd.DataFrame:
        if not is_intact(folder):
            model = new_model(pools, settings, profile, seed).to(device)
            table = fit(model, cls.loss, pools, Schedule.of(settings), seed, f"{cls.key} {profile}")
            model.save_pretrained(folder)
            table.to_csv(folder / HISTORY, index=False, float_format="%.6g")
            seal(folder)
        return pd.read_csv(folder / HISTORY)

    @classmethod
    def open(cls, folder: Path, settings: Selection, profile: str, seed: int, device: str | torch.device) -> Self:
        return cls(ProfileModel.from_pretrained(folder, device))


class BprTowers(Towers):
    """The same towers, of the widest profile, trained by BRIE's pairwise loss."""

    key = "bpr"
    loss: ClassVar[Loss] = staticmethod(bpr_loss)

    @classmethod
    def profiles(cls, settings: Selection) -> tuple[str, ...]:
        return (widest_profile(settings),)
