"""Texts of a trained system for every sample of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TopPLogitsWarper,
)

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


def sampling(top_p: float, seeds: Sequence[Any]) -> LogitsProcessorList:
    """The ``logits_processor`` for nucleus sampling, every row from its own seed; greedy for a seed of ``None``."""
    return LogitsProcessorList([TopPLogitsWarper(top_p), OwnNoise(seeds)])


class OwnNoise(LogitsProcessor):
    """Makes greedy search sample, each row from a stream of its own, whatever else stands in the batch.

    The argmax of logits with Gumbel noise is a sample of their softmax (Gumbel-max; Maddison et al. 2014). ``seeds``
    has one entry per row, as ``numpy.random.default_rng`` takes it, or ``None`` for a row without noise.
    """

    def __init__(self, seeds: Sequence[Any]) -> None:
        self._streams = [None if seed is None else np.random.default_rng(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        waits = np.ones(scores.shape, np.float32)
        for row, stream in zip(waits, self._streams, strict=True):
            if stream is not None:
                stream.standard_exponential(dtype=np.float32, out=row)
        return scores - torch.from_numpy(waits).log().to(scores)


def model_inputs(samples: list[dict[str, Any]], device: torch.device) -> dict[str, Tensor]:
    """A batch without its targets, on the device: what a model may see when it writes."""
    batch = collate(samples)
    return {name: value.to(device) for name, value in batch.items() if name not in ("labels", "swapped")}
