"""Where a generator's weights come from and go to: a language model's checkpoint, a captioner, a folder of our own."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any, Literal, Self

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel
from transformers.models.gpt2.configuration_gpt2 import GPT2Config

from showcase_utils.generation.card import generator_card
from showcase_utils.generation.gpt2 import decoder_source, quietly, read_decoder
from showcase_utils.generation.prefix import Prefix, check_decoder, checkpoint_names, train_adapters
from showcase_utils.generation.shapes import ShowcaseConfig
from showcase_utils.names import refuse_unknown
from showcase_utils.weights import check_finite


class Checkpoints(PreTrainedModel):
    """What ``ShowcaseGenerator`` begins from, and how it is saved."""

    config_class = ShowcaseConfig

    @classmethod
    def from_decoder(
        cls,
        decoder: str | os.PathLike,
        max_tokens: int = 64,
        fusion: Literal["prefix", "gated"] = "prefix",
        **shapes: Any,
    ) -> Self:
        """A fresh model around a causal language model: ``embedded``, a hub name, a folder or a GGUF file.

        ``shapes`` are fields of ``ShowcaseConfig``. All weights of the checkpoint are taken; the encoder, φ, the
        cross-attention, prefix or gated blocks, and adapters are new. H enters a GPT-2 by cross-attention, unless LoRA
        leaves it as it is, and any other decoder as ``fusion`` says; with ``prefix=True`` all do. ``max_tokens`` bounds
        what ``generate`` writes. Start and end token are those of the checkpoint's tokenizer, which also writes the
        labels; its config may name others.

        Raises ``ValueError`` when the checkpoint is no causal language model, has fewer positions than ``max_tokens``,
        or a tokenizer that does not fit it or has no end token; ``OSError`` when there is none.
        """
        refuse_unknown(shapes, ShowcaseConfig.__annotations__ | cls.config_class.__annotations__, "from_decoder")
        decoder_config, tokenizer = read_decoder(decoder, max_tokens)
        eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
        start = eos if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        is_gpt2 = isinstance(decoder_config, GPT2Config)
        prefix = shapes.pop("prefix", False) or not is_gpt2 or bool(shapes.get("lora_rank"))
        gated = prefix and fusion == "gated"
        decoder_config.name_or_path = os.fspath(decoder)  # "embedded", not where it lies on this machine
        if is_gpt2:
            decoder_config.add_cross_attention = not prefix
            if decoder_config.activation_function == "gelu_new":
                decoder_config.activation_function = "gelu_pytorch_tanh"  # the same function as one kernel
        decoder_config.eos_token_id = eos
        decoder_config.pad_token_id = None  # padding is a matter of masks and labels; no token stands for it
        config = cls.config_class(
            decoder=decoder_config,
            prefix=prefix and not gated,
            gated=gated,
            eos_token_id=eos,
            decoder_start_token_id=start,
            **shapes,
        )
        model = cls(config)
        model._take_checkpoint()
        if model.prefix is not None:
            model.prefix.fit(model.decoder)
        if prefix:
            check_decoder(model.decoder, model.prefix or Prefix())
        model.generation_config = GenerationConfig(
            max_new_tokens=max_tokens,
            eos_token_id=eos,
            pad_token_id=eos if pad is None else pad,
            bos_token_id=start,
            decoder_start_token_id=start,
        )
        return model

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As transformers', and where LoRA was trained also the weights of the decoder, from where they were taken."""
        with quietly():  # it would report the weights that are not saved with adapters as missing
            loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        if model.config.lora_rank:
            model._take_checkpoint()
        return loaded

    def save_pretrained(self, save_directory: str | os.PathLike, *args: Any, **kwargs: Any) -> None:
        """As transformers', with a model card where there is none yet."""
        super().save_pretrained(save_directory, *args, **kwargs)
        card = Path(save_directory) / "README.md"
        if kwargs.get("is_main_process", True) and not card.exists():
            card.write_text(generator_card(self.config), encoding="utf-8")

    def _take_checkpoint(self) -> None:
        """All weights of the checkpoint into the decoder. Raises ``ValueError`` for ones that do not fit, or noise."""
        source = self.config.decoder.name_or_path
        with quietly():
            plain = AutoModelForCausalLM.from_pretrained(**decoder_source(source), dtype=torch.float32)
        check_finite(plain, f"decoder '{source}'")
        names = checkpoint_names(self.decoder)
        weights = {names.get(name, name): value for name, value in plain.state_dict().items()}
        fresh, alien = self.decoder.load_state_dict(weights, strict=False)
        if alien or any(name in names.values() and "cross" not in name for name in fresh):
            raise ValueError(f"decoder '{source}' does not fit its config: missing {fresh}, unexpected {alien}")
        if self.config.lora_rank:
            train_adapters(self.decoder)

    @classmethod
    def from_captioner(
        cls, folder: str | os.PathLike, modalities: Literal["image", "text", "both"] = "both", **shapes: Any
    ) -> Self:
        """A model that starts from a trained generator of both modalities: its encoder, cross-attention and decoder.

        A model of one modality takes that one's part of the encoder. φ is new. ``shapes`` are fields of
        ``ShowcaseConfig`` that differ from the captioner's.
        """
        refuse_unknown(shapes, ShowcaseConfig.__annotations__, "from_captioner")
        with quietly():
            whole = cls.from_pretrained(folder)
        check_finite(whole, f"captioner '{folder}'")
        config = copy.deepcopy(whole.config)
        config.update({"modalities": modalities, "is_encoder_decoder": True, **shapes})
        model, weights = cls(config), whole.state_dict()
        kept = [whole.encoder.modalities.index(name) for name in model.encoder.modalities]
        for name in ("encoder.modality", "encoder.missing"):
            weights[name] = weights[name][kept]
        wanted = {name for name in model.state_dict() if not name.startswith("phi.")}
        model.load_state_dict({name: weights[name] for name in wanted}, strict=False)
        model.generation_config = whole.generation_config
        return model
