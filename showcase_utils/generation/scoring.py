"""How likely a model finds texts."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from showcase_utils.generation.dataset import ShowcaseDataset, collate
from showcase_utils.generation.gpt2 import IGNORED


@torch.inference_mode()
def cross_entropy(model: PreTrainedModel, dataset: ShowcaseDataset, batch_size: int = 64) -> float:
    """L_CE of a dataset in nats per token, every token counting once; the loss without contrast."""
    model.eval()
    total, tokens = 0.0, 0
    for start in range(0, len(dataset), batch_size):
        samples = [dataset[index] for index in range(start, min(start + batch_size, len(dataset)))]
        batch = {name: value.to(model.device) for name, value in collate(samples).items() if name != "swapped"}
        tokens_here = int((batch["labels"] != IGNORED).sum())
        total += model(**batch).loss.item() * tokens_here
        tokens += tokens_here
    return total / tokens
