"""What the training of the embedded backbones depends on, and their tokenizers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
City = tuple[tuple[str, int], ...]
HELD_OUT = 6  # the city that all models are measured on has this many seeds more than the first


@dataclass(frozen=True)
class ClipRecipe:
    """The CLIP: ``looks`` are the amplitudes of the signatures in its cities in turn.

    In the units of ``cameras.SPREAD``, so that an eye trained on them does not depend on how a signature is calibrated.
    """

    seed: int = 1000
    cities: int = 5
    city: City = (("restaurants", 2000), ("users", 1500), ("reviews", 4000), ("photos", 6000))  # few photos of a dish
    looks: tuple[float, ...] = (0.2, 0.5, 0.0, 0.4, 0.6)
    held_out_city: City = (("restaurants", 160), ("users", 1500), ("reviews", 4000), ("photos", 6000))
    held_out_look: float = 0.3
    vocabulary: int = 2000
    pixels: int = 96
    sight_epochs: int = 32  # the tower alone, before it meets the texts
    sight_batch: int = 96
    sight_lr: float = 3e-3
    epochs: int = 2
    batch: int = 192
    lr: float = 1.5e-3
    terms_weight: float = 0.4  # of the terms beside the contrast
    ceiling_epochs: int = 3  # of the tower that learns terms only, to know what there is to see
    max_steps: int | None = None  # of each training


@dataclass(frozen=True)
class Gpt2Recipe:
    """The GPT-2, which reads the reviews of larger cities."""

    seed: int = 1000
    cities: int = 6
    city: City = (("restaurants", 160), ("users", 2500), ("reviews", 8000), ("photos", 12000))
    vocabulary: int = 2000
    epochs: int = 2
    batch: int = 64
    lr: float = 2e-3
    max_steps: int | None = None


@dataclass(frozen=True)
class CaptionerRecipe:
    """The captioner. Its cities are none of the CLIP's, which knows the photos of its own too well: seed and look."""

    seed: int = 1011
    cities: tuple[tuple[int, float], ...] = ((1011, 1.0), (1012, 1.5), (1013, 0.5))
    held_out: tuple[int, float] = (1006, 1.0)
    city: City = (("restaurants", 160), ("users", 1500), ("reviews", 4000), ("photos", 6000))
    layers: int = 2
    epochs: int = 2
    batch: int = 64
    lr: float = 2e-3
    blind: float = 0.08  # share of the samples without photos, for systems that see none
    stranger: float = 0.15  # share without history
    max_steps: int | None = None  # of each epoch


@dataclass(frozen=True)
class Recipe:
    """All of the backbones; the defaults made the shipped ones. Each model depends on its own part only."""

    clip: ClipRecipe = ClipRecipe()
    gpt2: Gpt2Recipe = Gpt2Recipe()
    captioner: CaptionerRecipe = CaptionerRecipe()

    @classmethod
    def of(cls, seed: int, max_steps: int | None = None) -> Recipe:
        usual = CaptionerRecipe()
        moved = tuple((city + seed - ClipRecipe.seed, look) for city, look in (*usual.cities, usual.held_out))
        captioner = CaptionerRecipe(moved[0][0], moved[:-1], moved[-1], max_steps=max_steps)
        return cls(ClipRecipe(seed=seed, max_steps=max_steps), Gpt2Recipe(seed=seed, max_steps=max_steps), captioner)


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
