"""How any causal language model reads H: as the first places of its sequence, with or without LoRA.

    y_t ~ decoder(P(h_1), …, P(h_m), y_<t),  P linear

GPT-2 has cross-attention to H, as in the paper; no other decoder is built with it. A prefix needs nothing of a decoder
but that it takes embeddings in place of tokens (Li & Liang 2021, Mokady et al. 2021), so a checkpoint stays as it is,
and LoRA (Hu et al. 2022, peft) can leave all its weights alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import EncoderDecoderCache, PreTrainedModel

from showcase_utils.extras import extra
from showcase_utils.generation.encoder import Encoded

ADAPTER = "lora_"


class Prefix(nn.Module):
    """P, the projection from H to the decoder's word embeddings, and the sequence that begins with it.

    Without a ``width`` H enters as it is.
    """

    def __init__(self, width: int | None = None):
        super().__init__()
        self.projection = nn.Linear(width, width) if width else nn.Identity()

    @torch.no_grad()
    def fit(self, decoder: PreTrainedModel) -> None:
        """Sets the scale of P: what a decoder meets at first is as long as its words are, whatever their length."""
        if isinstance(self.projection, nn.Identity):
            return
        tokens = torch.arange(decoder.config.vocab_size)[:: max(1, decoder.config.vocab_size // 1000)]
        words = decoder.get_input_embeddings()(tokens)
        width = self.projection.in_features
        # rows of H come out of a layer norm: their entries have unit variance
        nn.init.normal_(self.projection.weight, std=words.square().mean().sqrt().item() / width**0.5)
        nn.init.zeros_(self.projection.bias)

    def forward(
        self, decoder: PreTrainedModel, tokens: Tensor, encoded: Encoded | None, cache: Any = None
    ) -> dict[str, Any]:
        """What ``decoder`` is called with to read H and then ``tokens`` (B, T); H alone is missing where it is cached.

        Positions count what is there, so padding within H changes nothing. Without ``encoded`` the text is read alone.
        Raises ``ValueError`` for a sequence that is longer than the decoder's positions.
        """
        if isinstance(cache, EncoderDecoderCache):
            cache = cache.self_attention_cache
        embedded = decoder.get_input_embeddings()(tokens)  # (B, T, h)
        seen = 0 if cache is None else cache.get_seq_length()
        mask = tokens.new_ones(len(tokens), seen + tokens.shape[1])  # (B, m + T)
        if encoded is not None:
            places = encoded.attention_mask.shape[1]
            mask = torch.cat([encoded.attention_mask.to(mask.dtype), mask[:, places if seen else 0 :]], dim=1)
            if not seen:
                prefix = self.projection(encoded.last_hidden_state).to(embedded.dtype)
                embedded = torch.cat([prefix, embedded], dim=1)  # (B, m + T, h)
        limit = getattr(decoder.config, "max_position_embeddings", None)
        if limit and mask.shape[1] > limit:
            raise ValueError(
                f"the decoder has {limit} positions, fewer than {mask.shape[1]} of photos, reviews, tokens"
            )
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -embedded.shape[1] :]
        return {
            "inputs_embeds": embedded,
            "attention_mask": mask,
            "position_ids": positions,
            "past_key_values": cache,
        }


@torch.no_grad()
def check_decoder(decoder: PreTrainedModel, prefix: Prefix) -> None:
    """Tries what generation relies on; raises ``ValueError`` that says what the decoder lacks.

    That a place sees nothing behind it, that a masked place changes nothing, and that logits are the head's alone.
    """
    kind, decoder = decoder.config.model_type, decoder.eval()
    hidden = torch.randn(2, 3, decoder.config.hidden_size, generator=torch.Generator().manual_seed(0))
    hidden[1, [0, 2]] = hidden[0, [0, 2]]  # two prefixes that differ in their second place
    holed = torch.tensor([[True, False, True]] * 2)
    tokens = torch.tensor([[0, 1], [0, 1]])

    def read(mask: Tensor) -> Tensor:
        encoded = Encoded(last_hidden_state=hidden, attention_mask=mask, is_visual=mask)
        return decoder.base_model(**prefix(decoder, tokens, encoded), use_cache=False).last_hidden_state  # (2, 5, h)

    def alike(a: Tensor, b: Tensor) -> bool:
        return torch.allclose(a, b, rtol=1e-3, atol=1e-3)

    whole, masked = read(torch.ones_like(holed)), read(holed)
    if not alike(whole[0, 0], whole[1, 0]):
        raise ValueError(f"a '{kind}' sees what stands behind a token: give a causal language model")
    if not alike(masked[0, 2:], masked[1, 2:]):
        raise ValueError(f"a '{kind}' takes no notice of an attention mask: give a decoder with attention")
    encoded = Encoded(last_hidden_state=hidden, attention_mask=holed, is_visual=holed)
    logits = decoder(**prefix(decoder, tokens, encoded), use_cache=False).logits
    if not alike(logits, decoder.get_output_embeddings()(masked)):
        raise ValueError(f"a '{kind}' changes its logits behind its head, which this generator does not: give another")


def add_adapters(decoder: PreTrainedModel, rank: int, alpha: int) -> None:
    """LoRA beside every linear layer but the head, where it changes nothing at first.

    Raises ``MissingExtra`` where peft is not installed.
    """
    with extra("lora", "LoRA"):
        from peft import LoraConfig, inject_adapter_in_model
    turned = decoder.config.model_type == "gpt2"  # its weights are stored the other way round
    options = LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear", fan_in_fan_out=turned)
    inject_adapter_in_model(options, decoder)


def train_adapters(decoder: PreTrainedModel) -> None:
    """Adapters train and nothing else, also where tied weights were tied anew."""
    for name, weight in decoder.named_parameters():
        weight.requires_grad_(ADAPTER in name)


def checkpoint_names(decoder: PreTrainedModel) -> dict[str, str]:
    """The names of all weights but the adapters': in the checkpoint that they come from → in ``decoder``."""
    return {name.replace(".base_layer.", "."): name for name in decoder.state_dict() if ADAPTER not in name}
