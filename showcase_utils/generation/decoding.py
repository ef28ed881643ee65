"""Texts of a trained system for every sample of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedModel, PreTrainedTokenizerBase

from showcase_utils.devices import resolve_device
from showcase_utils.generation.dataset import ShowcaseDataset, collate
from showcase_utils.progress import progress_bar


@torch.inference_mode()
def generate_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    dataset: ShowcaseDataset,
    system: str,
    seed: int,
    batch_size: int = 64,
    device: str = "auto",
    progress: bool = True,
    **strategy: Any,
) -> pd.DataFrame:
    """One row per sample, in the dataset's order: system, seed, ids, image_ids shown, text, reference.

    ``strategy`` goes to ``generate`` (``num_beams``, ``do_sample``, ``top_p``, …); greedy without it, as in the paper.
    Sampling draws from ``seed``, one stream for all samples in turn, so its texts depend on ``batch_size``; those of
    greedy and beam search do not. The global generator is left as it was. Texts are lower case, as the targets are.

    Raises ``ValueError`` for more than one text per sample.
    """
    if strategy.get("num_return_sequences", 1) != 1:
        raise ValueError(
            f"num_return_sequences = {strategy['num_return_sequences']}: there is one row per sample; call with other "
            "seeds instead, or the model's own generate"
        )
    target = resolve_device(device)
    model = model.to(target).eval()
    sizes = np.array([len(sample["images"]) + len(sample["history"]) for sample in dataset])
    order = np.argsort(-sizes, kind="stable")  # samples of like size share a batch; the largest comes first
    texts = np.empty(len(dataset), dtype=object)
    with torch.random.fork_rng(devices=[target] if target.type == "cuda" else []):
        torch.manual_seed(seed)
        for start in progress_bar(range(0, len(order), batch_size), desc=f"decoding {system}", disable=not progress):
            rows = order[start : start + batch_size]
            texts[rows] = write_texts(model, tokenizer, [dataset[row] for row in rows], **strategy)
    shown = dataset.reviews[["review_id", "user_id", "business_id", "image_ids"]]
    return shown.assign(system=system, seed=seed, text=texts, reference=dataset.texts)[
        ["system", "seed", "review_id", "user_id", "business_id", "image_ids", "text", "reference"]
    ]


@torch.inference_mode()
def write_texts(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, samples: list[dict[str, Any]], **strategy: Any
) -> list[str]:
    """What a model in eval mode writes for the samples of one batch; greedy without a ``strategy``."""
    if hasattr(model, "write"):
        return model.write(samples, **strategy)
    generated = model.generate(**model_inputs(samples, model.device), **strategy)
    return [text.strip() for text in tokenizer.batch_decode(generated, skip_special_tokens=True)]


class NucleusSampling(LogitsProcessor):
    """Makes greedy search sample from the nucleus, each row from a stream of its own, whatever else is in the batch.

    ``seeds`` has one entry per row, as ``numpy.random.default_rng`` takes it, or ``None`` for a row that stays greedy.
    The nucleus holds the likeliest tokens, the last of which brings their mass to ``top_p`` (Holtzman et al. 2020). A
    token is drawn from all, by the argmax of logits with Gumbel noise (Maddison et al. 2014), until it is one of them:
    which needs no order of the vocabulary, and 1 / ``top_p`` draws at most in the mean.
    """

    def __init__(self, top_p: float, seeds: Sequence[Any]) -> None:
        self.top_p = top_p
        self._streams = {row: np.random.default_rng(seed) for row, seed in enumerate(seeds) if seed is not None}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        chosen = scores.argmax(dim=-1, keepdim=True)
        rows = list(self._streams)
        while rows:
            logits = scores[rows]
            waits = np.stack([self._streams[row].standard_exponential(logits.shape[-1], np.float32) for row in rows])
            drawn = (logits - torch.from_numpy(waits).log().to(logits)).argmax(dim=-1, keepdim=True)
            likelier = logits > logits.gather(-1, drawn)
            within = (logits.softmax(dim=-1) * likelier).sum(dim=-1) < self.top_p
            chosen[rows] = torch.where(within[:, None], drawn, chosen[rows])
            rows = [row for row, found in zip(rows, within.tolist(), strict=True) if not found]
        return torch.full_like(scores, -torch.inf).scatter(-1, chosen, 0.0)


def model_inputs(samples: list[dict[str, Any]], device: torch.device) -> dict[str, Tensor]:
    """A batch without its targets, on the device: what a model may see when it writes."""
    batch = collate(samples)
    return {name: value.to(device) for name, value in batch.items() if name not in ("labels", "swapped")}
