"""Where the words of a generated text look."""

from __future__ import annotations

import pandas as pd
import torch
from transformers import PreTrainedTokenizerBase

from showcase_utils.generation.dataset import ShowcaseDataset, collate
from showcase_utils.generation.model import ShowcaseGenerator


@torch.inference_mode()
def word_attention(
    model: ShowcaseGenerator, tokenizer: PreTrainedTokenizerBase, dataset: ShowcaseDataset, index: int
) -> pd.DataFrame:
    """Where the words of a generated text look: a row per token, a column per photo and review, rows sum to one.

    Cross-attention (of a decoder with a prefix: what its own attention gives to that) from the step that predicts the
    token, mean over layers and heads. Columns are ``photo 1``, … and
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
    weights = weights / weights.sum(dim=1, keepdim=True)  # beside a prefix, earlier words are looked at too
    encoded = output.encoder_outputs
    counts = {"photo": len(dataset[index]["images"]), "review": len(dataset[index]["history"])}
    names = []
    for visual, kind, none in ((True, "photo", "no photos"), (False, "review", "no history")):
        if (encoded.is_visual[0] == visual).any():
            names += [f"{kind} {number + 1}" for number in range(counts[kind])] or [none]
    present = encoded.attention_mask[0]
    words = [tokenizer.decode(token) for token in tokens[0, 1:]]
    return pd.DataFrame(weights[:, present].cpu().numpy(), index=words, columns=names)
