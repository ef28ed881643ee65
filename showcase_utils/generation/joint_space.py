"""The joint space of a generator's contrastive heads, and how near texts, photos and histories are in it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from showcase_utils.generation.dataset import ShowcaseDataset, collate
from showcase_utils.generation.model import ShowcaseGenerator

SPACES = ("visual", "history", "target", "swapped", "borrowed")


@torch.inference_mode()
def joint_space(
    model: ShowcaseGenerator, dataset: ShowcaseDataset, batch_size: int = 64
) -> dict[str, NDArray[np.float32]]:
    """Ĥ^V, Ĥ^R, Ĥ^Y and Ĥ^{ent(Y)} of every sample, unit rows (n, h); those of heads the model lacks are missing.

    ``borrowed`` is a control: Ĥ^Y of another sample's text, half a dataset away, under the sample's own photos and
    history. The decoder's states attend to these, so Ĥ^Y may be near to Ĥ^V and Ĥ^R whatever the text says.
    """
    model.eval()
    rows: dict[str, list[torch.Tensor]] = {}
    for start in range(0, len(dataset), batch_size):
        numbers = range(start, min(start + batch_size, len(dataset)))
        samples = [dataset[number] for number in numbers]
        others = [{"swapped": dataset.labels[(number + len(dataset) // 2) % len(dataset)]} for number in numbers]
        batch = {name: value.to(model.device) for name, value in collate(samples).items()}
        output = model(**batch)
        borrowed = collate([sample | other for sample, other in zip(samples, others, strict=True)])["swapped"]
        batch |= {"swapped": borrowed.to(model.device), "encoder_outputs": output.encoder_outputs}
        found = dict(output) | {"borrowed": model(**batch).swapped}
        for name in SPACES:
            if found.get(name) is not None:
                rows.setdefault(name, []).append(F.normalize(found[name].float(), dim=-1).cpu())
    return {name: torch.cat(parts).numpy() for name, parts in rows.items()}


def alignment(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Mean squared distance of the pairs of unit rows (n, d), 0 to 4; low is aligned. Wang & Isola 2020."""
    return float(((a - b) ** 2).sum(axis=1).mean())


def uniformity(rows: NDArray[np.floating], t: float = 2.0) -> float:
    """log mean e^(−t·squared distance) over pairs of unit rows (n, d); low is spread out. Wang & Isola 2020.

    Raises ``ValueError`` for fewer than two rows.
    """
    if len(rows) < 2:
        raise ValueError("uniformity needs at least two rows")
    squared = np.clip(2 - 2 * (rows @ rows.T), 0, None)
    return float(np.log(np.exp(-t * squared[np.triu_indices(len(rows), k=1)]).mean()))


def retrieval(
    rows: NDArray[np.floating], texts: NDArray[np.floating], own: NDArray[np.floating] | None = None
) -> float:
    """How often a row's own text is the nearest to it of all, unit rows (n, d); 1/n is guessing.

    ``own`` takes the place of the row's own text alone, for example ``borrowed``; the others stay.
    """
    own = texts if own is None else own
    similarity = rows @ texts.T
    np.fill_diagonal(similarity, -np.inf)
    return float(((rows * own).sum(axis=1) > similarity.max(axis=1)).mean())


def preference(rows: NDArray[np.floating], texts: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    """How often a row is nearer to its text than to the other one, unit rows (n, d); one half is guessing."""
    return float(((rows * (texts - others)).sum(axis=1) > 0).mean())
