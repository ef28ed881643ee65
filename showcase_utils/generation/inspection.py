"""Looks into a trained generator: the joint space of its contrastive heads, and where its words look."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from showcase_utils.generation.dataset import ShowcaseDataset, collate
from showcase_utils.generation.gpt2 import IGNORED
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


@torch.inference_mode()
def cross_entropy(model: PreTrainedModel, dataset: ShowcaseDataset, batch_size: int = 64) -> float:
    """L_CE of a dataset in nats per token, every token counting once; the loss without contrast."""
    model.eval()
    total, tokens = 0.0, 0
    for start in range(0, len(dataset), batch_size):
        samples = [dataset[index] for index in range(start, min(start + batch_size, len(dataset)))]
        batch = {name: value.to(model.device) for name, value in collate(samples).items() if name != "swapped"}
        spoken = int((batch["labels"] != IGNORED).sum())
        total += model(**batch).loss.item() * spoken
        tokens += spoken
    return total / tokens


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


@torch.inference_mode()
def word_attention(
    model: ShowcaseGenerator, tokenizer: PreTrainedTokenizerBase, dataset: ShowcaseDataset, index: int
) -> pd.DataFrame:
    """Where the words of a generated text look: a row per token, a column per photo and review, rows sum to one.

    Cross-attention from the step that predicts the token, mean over layers and heads. Columns are ``photo 1``, … and
    ``review 1``, …; a modality that the sample lacks is ``no photos`` or ``no history``.
    """
    batch = {name: value.to(model.device) for name, value in collate([dataset[index]]).items()}
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "swapped")}
    tokens = model.eval().generate(**inputs)
    implementation = model.decoder.config._attn_implementation
    model.decoder.set_attn_implementation("eager")  # the fused kernels do not return their weights
    try:
        output = model(**inputs, decoder_input_ids=tokens[:, :-1], output_attentions=True)
    finally:
        model.decoder.set_attn_implementation(implementation)
    weights = torch.stack(output.cross_attentions).mean(dim=(0, 2))[0]  # (T, m)
    encoded = output.encoder_outputs
    counts = {"photo": len(dataset[index]["images"]), "review": len(dataset[index]["history"])}
    names = []
    for visual, kind, none in ((True, "photo", "no photos"), (False, "review", "no history")):
        places = int((encoded.is_visual[0] == visual).sum())
        if places:
            names += [f"{kind} {number + 1}" for number in range(counts[kind])] or [none]
    present = encoded.attention_mask[0]
    words = [tokenizer.decode(token) for token in tokens[0, 1:]]
    return pd.DataFrame(weights[:, present].cpu().numpy(), index=words, columns=names)
