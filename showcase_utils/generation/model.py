"""The generator of showcases: photos and past reviews in, an explanation out (paper, section 4.2).

    Z^V = W^V v,  Z^R = W^R r,  [H^V; H^R] = MMA([Z^V; Z^R]),  y_t ~ GPT-2(y_<t, [H^V; H^R])

Photos and reviews enter as CLIP features. Both are sets: no positions are added, only a modality's embedding. In place
of GPT-2 stands any causal language model, which reads H as a prefix or in gated blocks (``prefix.py``, ``gated.py``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, EncoderDecoderCache, GenerationMixin
from transformers import initialization as init

from showcase_utils.generation.checkpoints import Checkpoints
from showcase_utils.generation.encoder import Encoded, MultiModalEncoder, masked_mean
from showcase_utils.generation.gated import GatedCrossAttention, Gates
from showcase_utils.generation.gpt2 import DROPOUT, IGNORED, mean_cross_entropy
from showcase_utils.generation.prefix import Prefix, add_adapters, checkpoint_names
from showcase_utils.generation.shapes import ShowcaseConfig, ShowcaseOutput
from showcase_utils.names import refuse_mistyped

INPUTS = (
    "images",
    "image_mask",
    "history",
    "history_mask",
    "labels",
    "swapped",
    "decoder_input_ids",
    "encoder_outputs",
)


class ShowcaseGenerator(Checkpoints, GenerationMixin):
    """MMA encoder, and GPT-2 with cross-attention or another decoder with a prefix; ``generate`` is transformers' own.

    Inputs: ``images`` (B, photos, d) and ``history`` (B, reviews, d), CLIP features, with boolean ``image_mask`` and
    ``history_mask``; ``labels`` (B, T) token ids that end with the end token and are −100 behind it.
    """

    base_model_prefix = "showcase"
    main_input_name = "images"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: ShowcaseConfig):
        super().__init__(config)
        decoder: Any = config.decoder
        size = decoder.hidden_size
        self.encoder = self._make_encoder(config)
        dtype = torch.get_default_dtype()  # as all around it, whatever the checkpoint had
        self.decoder = AutoModelForCausalLM.from_config(decoder, dtype=dtype, trust_remote_code=False)
        self.prefix = self._make_prefix(config) if config.prefix else None
        self.gates = None
        if config.gated:
            self.gates = Gates(size, decoder.num_attention_heads, decoder.num_hidden_layers)
            self.gates.attach(self.decoder)
            self.supports_gradient_checkpointing = False  # a layer that is computed again would read nothing
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
            # the word embeddings, saved once
            self._keys_to_ignore_on_save = {f"decoder.{name}" for name in self.decoder._tied_weights_keys}
        self.post_init()
        if config.lora_rank:
            add_adapters(self.decoder, config.lora_rank, config.lora_alpha)  # behind what sets fresh weights
            kept = {f"decoder.{name}" for name in checkpoint_names(self.decoder).values()}
            self._keys_to_ignore_on_save = kept | set(self._keys_to_ignore_on_save or ())

    def _make_encoder(self, config: ShowcaseConfig) -> nn.Module:
        decoder: Any = config.decoder
        self.main_input_name = "history" if config.modalities == "text" else "images"
        encoder = MultiModalEncoder(
            config.modalities,
            config.feature_dim,
            decoder.hidden_size,
            decoder.num_attention_heads,
            config.encoder_layers,
            getattr(decoder, "resid_pdrop", DROPOUT),
        )
        encoder.main_input_name = self.main_input_name
        return encoder

    def _make_prefix(self, config: ShowcaseConfig) -> Prefix:
        decoder: Any = config.decoder
        return Prefix(decoder.hidden_size)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, GatedCrossAttention):
            init.zeros_(module.gates)
        if isinstance(module, MultiModalEncoder):
            for projection in module.projection.values():
                # CLIP features are unit vectors: the entries of Z then have unit variance, as a residual stream needs
                init.normal_(projection.weight, std=1.0)
            init.normal_(module.modality, std=self.config.initializer_range)
            init.normal_(module.missing, std=self.config.initializer_range)

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
        refuse_mistyped(unused, INPUTS, "the generator")
        if encoder_outputs is None:
            encoder_outputs = self.encoder(images, image_mask, history, history_mask)
        if labels is None:
            return self._next_tokens(
                decoder_input_ids, encoder_outputs, past_key_values, use_cache, output_attentions, logits_to_keep
            )
        hidden = self._teacher_forced(labels, encoder_outputs)  # (B, T, h)
        is_token = labels != IGNORED  # (B, T)
        # logits of real tokens alone: the head is the largest matrix, and padding has nothing to learn
        logits = self.decoder.get_output_embeddings()(hidden[is_token])  # (tokens, vocabulary)
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

        Without ``encoded`` the decoder reads the text alone, its cross-attention, prefix or gated blocks left out.
        """
        start = labels.new_full((len(labels), 1), self.config.decoder_start_token_id)
        inputs = torch.cat([start, labels[:, :-1]], dim=1)
        inputs = inputs.masked_fill(inputs == IGNORED, self.config.decoder_start_token_id)
        if self.prefix is not None:
            sequence = self.prefix(self.decoder, inputs, encoded)
            states = self.decoder.base_model(**sequence, use_cache=False).last_hidden_state  # (B, m + T, h)
            return states[:, -inputs.shape[1] :]
        if self.gates is not None:
            with self.gates.reading(encoded):
                return self.decoder.base_model(inputs, use_cache=False).last_hidden_state
        return self.decoder.base_model(
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
        options = {"use_cache": use_cache, "output_attentions": output_attentions}
        if self.prefix is not None:
            keep = logits_to_keep or inputs.shape[1]
            sequence = self.prefix(self.decoder, inputs, encoded, cache)
            output = self.decoder(**sequence, **options, logits_to_keep=keep)
            places = encoded.attention_mask.shape[1]
            attentions = output.attentions and tuple(
                weights[:, :, -inputs.shape[1] :, :places] for weights in output.attentions
            )
        elif self.gates is not None:
            weights: list[Tensor] | None = [] if output_attentions else None
            own = cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache
            with self.gates.reading(encoded, weights):
                output = self.decoder(inputs, past_key_values=own, use_cache=use_cache, logits_to_keep=logits_to_keep)
            attentions = weights and tuple(weights)
        else:
            output = self.decoder(
                inputs,
                past_key_values=cache,
                encoder_hidden_states=encoded.last_hidden_state,
                encoder_attention_mask=encoded.attention_mask,
                **options,
                logits_to_keep=logits_to_keep,
            )
            attentions = output.cross_attentions
        return ShowcaseOutput(
            logits=output.logits,
            past_key_values=output.past_key_values if cache is None else cache,
            encoder_outputs=encoded,
            cross_attentions=attentions,
        )


def _mean(encoded: Encoded, visual: bool) -> Tensor:
    return masked_mean(encoded.last_hidden_state, encoded.attention_mask & (encoded.is_visual == visual))
