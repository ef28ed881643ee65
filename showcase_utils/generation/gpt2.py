"""The pre-trained GPT-2 underneath: where it is found, its tokenizer, how it loads without noise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from showcase_utils.recipes import BACKBONES

IGNORED = -100  # a label that is no token: padding
EMBEDDED_DECODER = BACKBONES / "gpt2"


@contextmanager
def quietly() -> Iterator[None]:
    """transformers without its bars and warnings of loading and saving, which would land in notebooks' outputs."""
    bars, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def decoder_source(decoder: str | os.PathLike) -> str:
    """Where ``from_pretrained`` finds a decoder setting; ``embedded`` is the one shipped with this package.

    Raises ``FileNotFoundError`` when the embedded one has not been made.
    """
    if decoder != "embedded":
        return os.fspath(decoder)
    if not (EMBEDDED_DECODER / "config.json").is_file():
        raise FileNotFoundError("the embedded GPT-2 is missing: make it with 'showcase backbones', or name a decoder")
    return os.fspath(EMBEDDED_DECODER)


def load_tokenizer(decoder: str | os.PathLike) -> PreTrainedTokenizerBase:
    """The tokenizer of a decoder setting or of a trained model's folder; raises ``ValueError`` without end token."""
    tokenizer = AutoTokenizer.from_pretrained(decoder_source(decoder))
    if tokenizer.eos_token_id is None:
        raise ValueError(f"the tokenizer of '{decoder}' has no end token, so no text would ever end")
    return tokenizer


def mean_cross_entropy(logits: Tensor, tokens: Tensor) -> Tensor:
    """L_CE in nats per token, (n, vocabulary), (n,) → a scalar; 0 where there is no token, not NaN."""
    return F.cross_entropy(logits.float(), tokens, reduction="sum") / max(1, len(tokens))
