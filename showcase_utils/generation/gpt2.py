"""The pre-trained language model underneath: where it is found, its tokenizer, how it loads without noise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.nn import functional as F
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from showcase_utils.extras import extra
from showcase_utils.recipes import BACKBONES

DROPOUT = 0.1  # of what is new beside a decoder whose own config names none; GPT-2 has 0.1 too
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


def decoder_source(decoder: str | os.PathLike) -> dict[str, Any]:
    """What ``from_pretrained`` is called with to find a decoder setting; ``embedded`` ships with this package.

    A name or path that ends in ``.gguf`` is a file of that format in a repository or folder. Code that comes with
    weights is never run. Raises ``FileNotFoundError`` when the embedded one has not been made.
    """
    name, file = os.fspath(decoder), {}
    if name == "embedded":
        if not (EMBEDDED_DECODER / "config.json").is_file():
            raise FileNotFoundError(
                "the embedded GPT-2 is missing: make it with 'showcase backbones', or name a decoder"
            )
        name = os.fspath(EMBEDDED_DECODER)
    elif name.endswith(".gguf"):
        with extra("gguf", f"{name}"):
            import gguf  # noqa: F401
        folder, file["gguf_file"] = os.path.split(name)
        name = folder or os.curdir
    return {"pretrained_model_name_or_path": name, "trust_remote_code": False, **file}


def load_tokenizer(decoder: str | os.PathLike) -> PreTrainedTokenizerBase:
    """The tokenizer of a decoder setting or of a trained model's folder; raises ``ValueError`` without end token."""
    tokenizer = AutoTokenizer.from_pretrained(**decoder_source(decoder))
    if tokenizer.eos_token_id is None:
        raise ValueError(f"the tokenizer of '{decoder}' has no end token, so no text would ever end")
    return tokenizer


def read_decoder(decoder: str | os.PathLike, max_tokens: int) -> tuple[Any, PreTrainedTokenizerBase]:
    """The configuration of a decoder setting, and its tokenizer.

    Raises ``ValueError`` when the checkpoint is no causal language model, has fewer positions than ``max_tokens``, or a
    tokenizer that does not fit it or has no end token; ``OSError`` when there is none.
    """
    with quietly():
        config: Any = AutoConfig.from_pretrained(**decoder_source(decoder))
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ValueError(f"decoder '{decoder}' is a '{config.model_type}': give a causal language model")
    tokenizer, positions = load_tokenizer(decoder), config.max_position_embeddings
    if positions < max_tokens:
        raise ValueError(
            f"decoder '{decoder}' has {positions} positions, fewer than {max_tokens} tokens: set "
            f"generation.max_tokens to {positions} at most, or name another decoder"
        )
    if len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"decoder '{decoder}' knows {config.vocab_size} tokens, its tokenizer {len(tokenizer)}: resize its "
            "embeddings (resize_token_embeddings) and save it again"
        )
    return config, tokenizer


def mean_cross_entropy(logits: Tensor, tokens: Tensor) -> Tensor:
    """L_CE in nats per token, (n, vocabulary), (n,) → a scalar; 0 where there is no token, not NaN."""
    return F.cross_entropy(logits.float(), tokens, reduction="sum") / max(1, len(tokens))
