"""The generator of showcases: photos and past reviews in, an explanation out (paper, section 4.2).

    Z^V = W^V v,  Z^R = W^R r,  [H^V; H^R] = MMA([Z^V; Z^R]),  y_t ~ GPT-2(y_<t, [H^V; H^R])

Photos and reviews enter as CLIP features. Both are sets: no positions are added, only a modality's embedding.
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    GenerationMixin,
    GPT2LMHeadModel,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers import initialization as init
from transformers.configuration_utils import SubConfigSpec
from transformers.modeling_outputs import ModelOutput
from transformers.models.gpt2.configuration_gpt2 import GPT2Config

from showcase_utils.generation.encoder import Encoded, MultiModalEncoder, masked_mean
from showcase_utils.generation.gpt2 import IGNORED, decoder_source, load_tokenizer, mean_cross_entropy, quietly


class ShowcaseConfig(PreTrainedConfig):
    """Shapes of a ShowcaseGenerator; ``decoder`` is the whole configuration of its GPT-2."""

    model_type = "showcase"
    sub_configs_defaults = {"decoder": SubConfigSpec(config_class=GPT2Config)}

    decoder: GPT2Config | dict | None = None
    feature_dim: int = 512
    modalities: Literal["image", "text", "both"] = "both"
    encoder_layers: int = 3
    contrast_visual: bool = False
    contrast_history: bool = False
    target_attends: bool = True  # False: Ĥ^Y is read without cross-attention, so it holds the text alone
    features: str | None = None  # fingerprint of the CLIP whose features it was trained on, where that matters
    initializer_range: float = 0.02
    is_encoder_decoder: bool | None = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None


@dataclass
class ShowcaseOutput(ModelOutput):
    """``loss`` is L_CE, there with labels; logits only without. The rest is there where its head φ is."""

    loss: Tensor | None = None
    logits: Tensor | None = None  # (B, T, vocabulary)
    visual: Tensor | None = None  # Ĥ^V, (B, h)
    history: Tensor | None = None  # Ĥ^R, (B, h)
    target: Tensor | None = None  # Ĥ^Y, (B, h)
    swapped: Tensor | None = None  # Ĥ^{ent(Y)}, (B, h)
    past_key_values: Any = None
    encoder_outputs: Encoded | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


class ShowcaseGenerator(PreTrainedModel, GenerationMixin):
    """MMA encoder and GPT-2 decoder with cross-attention; ``generate`` is transformers' own.

    Inputs: ``images`` (B, photos, d) and ``history`` (B, reviews, d), CLIP features, with boolean ``image_mask`` and
    ``history_mask``; ``labels`` (B, T) token ids that end with the end token and are −100 behind it.
    """

    config_class = ShowcaseConfig
    base_model_prefix = "showcase"
    main_input_name = "images"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: ShowcaseConfig):
        super().__init__(config)
        decoder: Any = config.decoder
        size = decoder.n_embd
        self.main_input_name = "history" if config.modalities == "text" else "images"
        self.encoder = MultiModalEncoder(
            config.modalities,
            config.feature_dim,
            size,
            decoder.n_head,
            config.encoder_layers,
            decoder.resid_pdrop,
        )
        self.encoder.main_input_name = self.main_input_name
        self.decoder = GPT2LMHeadModel(decoder)
        # φ: only those the losses use, for a parameter without gradient stops distributed training
        used = {"visual": config.contrast_visual, "history": config.contrast_history}
        used["target"] = config.contrast_visual or config.contrast_history
        self.phi = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size))
                for name, wanted in used.items()
                if wanted
            }
        )
        if decoder.tie_word_embeddings:
            self._keys_to_ignore_on_save = {"decoder.lm_head.weight"}  # the word embeddings, saved once
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, MultiModalEncoder):
            for projection in module.projection.values():
                # CLIP features are unit vectors: the entries of Z then have unit variance, as a residual stream needs
                init.normal_(projection.weight, std=1.0)
            init.normal_(module.modality, std=self.config.initializer_range)
            init.normal_(module.missing, std=self.config.initializer_range)

    @classmethod
    def from_decoder(cls, decoder: str | os.PathLike, max_tokens: int = 64, **shapes: Any) -> ShowcaseGenerator:
        """A fresh model around a causal GPT-2: ``embedded``, a hub name, or a folder in transformers' format.

        ``shapes`` are fields of ``ShowcaseConfig``. All weights of the checkpoint are taken; the encoder, φ and the
        cross-attention are new. ``max_tokens`` bounds what ``generate`` writes. Start and end token are those of the
        checkpoint's tokenizer, which also writes the labels; its config may name others.

        Raises ``ValueError`` when the checkpoint is no causal GPT-2, has fewer positions than ``max_tokens``, or a
        tokenizer that does not fit it or has no end token; ``OSError`` when there is none.
        """
        source = decoder_source(decoder)
        decoder_config = AutoConfig.from_pretrained(source)
        if not isinstance(decoder_config, GPT2Config):
            raise ValueError(f"decoder '{decoder}' is a '{decoder_config.model_type}': give a GPT-2")
        tokenizer = load_tokenizer(decoder)
        if decoder_config.n_positions < max_tokens:
            raise ValueError(
                f"decoder '{decoder}' has {decoder_config.n_positions} positions, fewer than {max_tokens} tokens: set "
                f"generation.max_tokens to {decoder_config.n_positions} at most, or name another decoder"
            )
        if len(tokenizer) > decoder_config.vocab_size:
            raise ValueError(
                f"decoder '{decoder}' knows {decoder_config.vocab_size} tokens, its tokenizer {len(tokenizer)}: resize "
                "its embeddings (resize_token_embeddings) and save it again"
            )
        eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
        start = eos if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        with quietly():
            plain = AutoModelForCausalLM.from_pretrained(source)
        decoder_config.name_or_path = os.fspath(decoder)  # "embedded", not where it lies on this machine
        decoder_config.add_cross_attention = True
        if decoder_config.activation_function == "gelu_new":
            decoder_config.activation_function = "gelu_pytorch_tanh"  # the same function as one kernel
        decoder_config.eos_token_id = eos
        decoder_config.pad_token_id = None  # padding is a matter of masks and labels; no token stands for it
        config = ShowcaseConfig(decoder=decoder_config, eos_token_id=eos, decoder_start_token_id=start, **shapes)
        model = cls(config)
        fresh, alien = model.decoder.load_state_dict(plain.state_dict(), strict=False)
        if alien or any("cross" not in key for key in fresh):
            raise ValueError(f"decoder '{decoder}' does not fit GPT-2: missing {fresh}, unexpected {alien}")
        model.generation_config = GenerationConfig(
            max_new_tokens=max_tokens,
            eos_token_id=eos,
            pad_token_id=eos if pad is None else pad,
            bos_token_id=start,
            decoder_start_token_id=start,
        )
        return model

    @classmethod
    def from_captioner(
        cls, folder: str | os.PathLike, modalities: Literal["image", "text", "both"] = "both", **shapes: Any
    ) -> ShowcaseGenerator:
        """A model that starts from a trained generator of both modalities: its encoder, cross-attention and decoder.

        A model of one modality takes that one's part of the encoder. φ is new. ``shapes`` are fields of
        ``ShowcaseConfig`` that differ from the captioner's.
        """
        with quietly():
            whole = cls.from_pretrained(folder)
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

    def forward(
        self,
        images: Tensor | None = None,
        image_mask: Tensor | None = None,
        history: Tensor | None = None,
        history_mask: Tensor | None = None,
        labels: Tensor | None = None,
        swapped: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        encoder_outputs: Encoded | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
        output_attentions: bool = False,
        logits_to_keep: int = 0,
        **unused: Any,
    ) -> ShowcaseOutput:
        """With ``labels`` the training pass, else the next-token logits of ``decoder_input_ids``.

        ``swapped`` (B, T'), as ``labels``, is ent(Y): it costs one pass of the decoder, none of the encoder or of
        the vocabulary head. ``output_attentions`` needs ``attn_implementation="eager"``.
        """
        if encoder_outputs is None:
            encoder_outputs = self.encoder(images, image_mask, history, history_mask)
        if labels is None:
            return self._next_tokens(
                decoder_input_ids, encoder_outputs, past_key_values, use_cache, output_attentions, logits_to_keep
            )
        hidden = self._teacher_forced(labels, encoder_outputs)  # (B, T, h)
        is_token = labels != IGNORED  # (B, T)
        # logits of real tokens alone: the head is the largest matrix, and padding has nothing to learn
        logits = self.decoder.lm_head(hidden[is_token])  # (tokens, vocabulary)
        output = ShowcaseOutput(loss=mean_cross_entropy(logits, labels[is_token]), encoder_outputs=encoder_outputs)
        if "visual" in self.phi:
            output.visual = self.phi["visual"](_mean(encoder_outputs, visual=True))
        if "history" in self.phi:
            output.history = self.phi["history"](_mean(encoder_outputs, visual=False))
        if "target" in self.phi:
            attended = encoder_outputs if self.config.target_attends else None
            if attended is None:
                hidden = self._teacher_forced(labels, attended)
            output.target = self.phi["target"](masked_mean(hidden, is_token))
            if swapped is not None:
                hidden = self._teacher_forced(swapped, attended)
                output.swapped = self.phi["target"](masked_mean(hidden, swapped != IGNORED))
        return output

    def _teacher_forced(self, labels: Tensor, encoded: Encoded | None) -> Tensor:
        """Hidden states (B, T, h) that predict ``labels``; what stands behind a text can't reach it (causal).

        Without ``encoded`` the decoder reads the text alone, its cross-attention left out.
        """
        start = labels.new_full((len(labels), 1), self.config.decoder_start_token_id)
        inputs = torch.cat([start, labels[:, :-1]], dim=1)
        inputs = inputs.masked_fill(inputs == IGNORED, self.config.decoder_start_token_id)
        return self.decoder.transformer(
            inputs,
            encoder_hidden_states=None if encoded is None else encoded.last_hidden_state,
            encoder_attention_mask=None if encoded is None else encoded.attention_mask,
            use_cache=False,
        ).last_hidden_state

    def _next_tokens(
        self,
        inputs: Tensor | None,
        encoded: Encoded,
        cache: Any,
        use_cache: bool,
        output_attentions: bool,
        logits_to_keep: int,
    ) -> ShowcaseOutput:
        if inputs is None:
            raise ValueError("give 'labels' to train, 'decoder_input_ids' to score, or call generate()")
        output = self.decoder(
            inputs,
            past_key_values=cache,
            encoder_hidden_states=encoded.last_hidden_state,
            encoder_attention_mask=encoded.attention_mask,
            use_cache=use_cache,
            output_attentions=output_attentions,
            logits_to_keep=logits_to_keep,
        )
        return ShowcaseOutput(
            logits=output.logits,
            past_key_values=output.past_key_values,
            encoder_outputs=encoded,
            cross_attentions=output.cross_attentions,
        )


def _mean(encoded: Encoded, visual: bool) -> Tensor:
    return masked_mean(encoded.last_hidden_state, encoded.attention_mask & (encoded.is_visual == visual))


AutoConfig.register(ShowcaseConfig.model_type, ShowcaseConfig)
