"""The alignment classifier Φ: how sure it is that a sentence describes a photo (paper, section 3).

"A fully connected layer on the concatenated CLIP embeddings of image and sentence". Such a layer is additive,
w_v·v + w_s·s + b: it can tell sentences about visible things from others, but not whether *this* photo shows *this*.
``hidden`` puts a hidden layer in between, and ``product`` joins the element-wise product v ∘ s to the concatenation,
of which the cosine is the plain sum: our deviations, off unless a setting says otherwise.

Where nobody has labelled anything, the cosine of the two embeddings stands in for Φ: ``CosinePhi``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from showcase_utils.artifacts import Stages
from showcase_utils.config import Alignment
from showcase_utils.recipes import write_json
from showcase_utils.weights import check_finite

WEIGHTS, FACTS = "phi.safetensors", "phi.json"
COSINE = "CLIP cosine"
Floats = NDArray[np.float32]


class Phi(Protocol):
    """What says whether a sentence describes a photo; ``variant`` names it, and belongs beside every number of it."""

    @property
    def variant(self) -> str: ...

    @property
    def threshold(self) -> float:
        """From which confidence on a sentence counts as supported."""

    @property
    def fingerprint(self) -> str:
        """Of the CLIP whose features it takes."""

    def score(self, image: Floats, sentence: Floats) -> Floats:
        """Confidence that sentence i describes photo i: ``(n, d), (n, d) -> (n,)`` in [0, 1]."""

    def save(self, folder: str | Path) -> None:
        """Writes what ``read_phi`` reads."""


def load_phi(stages: Stages) -> Phi:
    """The Φ of the stage ``alignment``: trained, or ``CosinePhi``."""
    return read_phi(stages.path("alignment"))


def read_phi(folder: str | Path, fingerprint: str | None = None) -> Phi:
    """The Φ in ``folder``. Raises ``ValueError`` for none, one of another CLIP's features, or noise."""
    folder = Path(folder)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8")) if (folder / FACTS).is_file() else None
    if facts is None or facts["variant"] != COSINE and not (folder / WEIGHTS).is_file():
        raise ValueError(f"no Φ in {folder}: it needs {WEIGHTS} and {FACTS}")
    if fingerprint is not None and facts["fingerprint"] != fingerprint:
        raise ValueError(
            f"Φ of {folder.name} was trained on features of CLIP {facts['fingerprint'][:12]}, these are of "
            f"{fingerprint[:12]}: train it anew (alignment.pretrained empty) or use that CLIP"
        )
    if facts["variant"] == COSINE:
        return CosinePhi(facts["threshold"], facts["fingerprint"])
    model = AlignmentClassifier(facts["dim"], facts["hidden"], facts["product"])
    model.load_state_dict(load_file(folder / WEIGHTS))
    check_finite(model, f"Φ of {folder.name}")
    model.threshold, model.fingerprint = facts["threshold"], facts["fingerprint"]
    return model.eval()


@dataclass(frozen=True)
class CosinePhi:
    """CLIP's own cosine of photo and sentence in place of a trained Φ; a negative one counts as 0.

    ``threshold`` comes from the data alone: see ``unlabelled.cosine_phi``.
    """

    threshold: float
    fingerprint: str
    variant: str = COSINE

    def score(self, image: Floats, sentence: Floats) -> Floats:
        """Cosines of unit-norm features, ``(n, d), (n, d) -> (n,)`` in [0, 1]."""
        return np.clip(np.einsum("nd,nd->n", image, sentence), 0, 1)

    def save(self, folder: str | Path) -> None:
        """Writes ``phi.json`` into ``folder``."""
        facts = {"variant": COSINE, "threshold": self.threshold, "fingerprint": self.fingerprint}
        write_json(Path(folder) / FACTS, facts)


class AlignmentClassifier(nn.Module):
    """Φ(v, s): logits for photo and sentence features ``(…, d)``; ``score`` gives the confidence in [0, 1]."""

    def __init__(self, dim: int, hidden: int = 0, product: bool = False) -> None:
        super().__init__()
        self.dim, self.hidden, self.product = dim, hidden, product
        self.threshold = 0.5  # from which confidence on a sentence counts as supported; chosen on validation data
        self.fingerprint = ""  # of the CLIP whose features it was trained on
        width = (3 if product else 2) * dim
        self.layers = (
            nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1)) if hidden else nn.Linear(width, 1)
        )

    def forward(self, image: Tensor, sentence: Tensor) -> Tensor:
        """(…, d), (…, d) -> (…) logits. Unit-norm features are scaled by √d, to entries of about unit variance."""
        scale = self.dim**0.5
        parts = [image * scale, sentence * scale]
        if self.product:
            parts.append(image * sentence * self.dim)
        return self.layers(torch.cat(parts, dim=-1)).squeeze(-1)

    @torch.inference_mode()
    def score(self, image: Floats, sentence: Floats, batch_size: int = 65536) -> Floats:
        """Confidence that sentence i describes photo i: ``(n, d), (n, d) -> (n,)`` in [0, 1]."""
        if image.shape != sentence.shape or image.shape[-1] != self.dim:
            raise ValueError(f"Φ takes two arrays (n, {self.dim}), not {image.shape} and {sentence.shape}")
        pairs = zip(
            torch.from_numpy(image).split(batch_size), torch.from_numpy(sentence).split(batch_size), strict=True
        )
        parts = [torch.sigmoid(self(*pair)) for pair in pairs]
        return torch.cat(parts).numpy()

    @property
    def variant(self) -> str:
        """Its form, in words: the paper's is "one layer on [v; s]"."""
        return f"{'hidden' if self.hidden else 'one'} layer on [v; s{'; v∘s' if self.product else ''}]"

    def save(self, folder: str | Path) -> None:
        """Writes ``phi.safetensors`` and ``phi.json`` into ``folder``."""
        save_file(self.state_dict(), Path(folder) / WEIGHTS)
        keys = ("variant", "dim", "hidden", "product", "threshold", "fingerprint")
        write_json(Path(folder) / FACTS, {key: getattr(self, key) for key in keys})


@dataclass(frozen=True)
class Pairs:
    """Labelled pairs: ``image (n, d)``, ``sentence (n, d)``, ``label (n,)`` 0 or 1, and the reviews they come from."""

    image: Floats
    sentence: Floats
    label: NDArray[np.int64]
    review: NDArray[np.object_]  # review_id (n,): metrics resample by it, training has no use for it


def train_alignment(
    train: Pairs, val: Pairs, settings: Alignment, seed: int, product: bool = False
) -> tuple[AlignmentClassifier, pd.DataFrame]:
    """Φ trained by binary cross-entropy, stopped early on the validation loss, threshold by the validation F1.

    Returns Φ and its history: epoch, train_loss, val_loss, val_auc. Raises ``ValueError`` when train or val lacks a
    class.
    """
    from sklearn.metrics import roc_auc_score  # a second, which reading a trained Φ need not take

    for name, pairs in (("train", train), ("validation", val)):
        if len(np.unique(pairs.label)) < 2:
            raise ValueError(f"the {name} pairs are all of one class: annotate more reviews")
    generator = torch.Generator().manual_seed(seed)
    model = AlignmentClassifier(train.image.shape[1], settings.hidden, product)
    for parameter in model.parameters():  # from the generator, so that no global seed has a say
        nn.init.uniform_(parameter, -(parameter.shape[-1] ** -0.5), parameter.shape[-1] ** -0.5, generator=generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    image, sentence, label = map(torch.from_numpy, (train.image, train.sentence, train.label.astype(np.float32)))
    best, best_loss, best_epoch, rows = model.state_dict(), float("inf"), 0, []
    for epoch in range(1, settings.epochs + 1):
        total = 0.0
        for batch in torch.randperm(len(label), generator=generator).split(settings.batch_size):
            loss = F.binary_cross_entropy_with_logits(model(image[batch], sentence[batch]), label[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        confidence = model.score(val.image, val.sentence)
        val_loss = float(-np.log(np.clip(np.where(val.label == 1, confidence, 1 - confidence), 1e-7, 1)).mean())
        rows.append((epoch, total / len(label), val_loss, roc_auc_score(val.label, confidence)))
        if val_loss < best_loss:
            best_loss, best_epoch = val_loss, epoch
            best = {key: value.clone() for key, value in model.state_dict().items()}
        elif epoch - best_epoch >= settings.patience:
            break
    model.load_state_dict(best)
    model.threshold = best_threshold(val.label, model.score(val.image, val.sentence))
    return model.eval(), pd.DataFrame(rows, columns=["epoch", "train_loss", "val_loss", "val_auc"])


def best_threshold(label: NDArray[np.int64], confidence: Floats) -> float:
    """The confidence from which on calling a pair positive gives the highest F1; the highest such one in a tie."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(label, confidence)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[len(thresholds) - 1 - int(np.argmax(f1[:-1][::-1]))])
