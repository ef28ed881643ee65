"""What the training of the embedded backbones depends on, and the tokenizers of both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
CITY = {"restaurants": 160, "users": 2500, "reviews": 8000, "photos": 12000}


@dataclass(frozen=True)
class Recipe:
    """What the two trainings depend on; the defaults made the shipped backbones."""

    seed: int = 1000
    cities: int = 3  # painted for CLIP; their reviews and ``more_texts`` other cities' go to GPT-2
    more_texts: int = 3
    city: tuple[tuple[str, int], ...] = tuple(CITY.items())
    vocabulary: int = 2000
    clip_epochs: int = 7
    clip_batch: int = 256
    clip_lr: float = 1e-3
    gpt2_epochs: int = 2
    gpt2_batch: int = 64
    gpt2_lr: float = 2e-3
    max_steps: int | None = None  # of each training


def train_tokenizer(texts: Iterable[str], size: int, *, context: int, lower: bool) -> PreTrainedTokenizerFast:
    """A byte-level BPE with ids 0, 1, 2 for padding, begin and end; ``lower`` makes the tokenizer lower-case."""
    tokenizer = Tokenizer(models.BPE())
    if lower:
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size, special_tokens=[PAD, BOS, EOS], initial_alphabet=alphabet, show_progress=False
        ),
    )
    if lower:  # CLIP reads whole sequences; the generator adds its own begin and end
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A {EOS}", special_tokens=[(BOS, 1), (EOS, 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BOS, eos_token=EOS, model_max_length=context
    )
