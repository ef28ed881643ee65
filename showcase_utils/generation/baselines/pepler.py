r"""PEPLER with continuous prompts (Li et al. 2023): user and item stand before the words of a language model.

.. math:: y_t \sim \mathrm{LM}(u, v, y_1, \ldots, y_{t-1}),\quad
   L = -\frac{1}{|Y|} \sum_t \log p(y_t),\quad
   \min_{u, v} L \text{ first, then } \min_{u, v, \mathrm{LM}} L

In the first of these stages the language model stays as it is, and the vectors of users and items alone are learned; in
the second all is (``TwoStages`` in ``callbacks.py``). With ``lora_rank`` that second stage trains adapters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig
from transformers import initialization as init

from showcase_utils.generation.baselines.identities import (
    IdentityEncoder,
    identity_inputs,
    identity_shapes,
)
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.encoder import Encoded
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.prefix import Prefix, train_adapters
from showcase_utils.generation.shapes import ShowcaseConfig, ShowcaseOutput

RANGE = 0.1  # vectors of users and items begin uniform in ± this, as the authors' do


class PeplerConfig(ShowcaseConfig):
    """The shapes of our generator, and how many users and items there are."""

    model_type = "showcase-pepler"

    users: int = 1
    items: int = 1


class PromptEncoder(IdentityEncoder):
    """User and item as two places of a sequence."""

    def forward(self, user: Tensor, item: Tensor, **unused: Any) -> Encoded:
        """Numbers of users and items, (B, 1); 0 is unknown."""
        pair = super().forward(user, item).pair  # (B, 2, h)
        mask = torch.ones(pair.shape[:2], dtype=torch.bool, device=pair.device)
        return Encoded(last_hidden_state=pair, attention_mask=mask, is_visual=~mask)


class Pepler(ShowcaseGenerator):
    """Our generator with the vectors of user and item as its prefix, in place of what photos and reviews say."""

    config_class = PeplerConfig
    inputs = staticmethod(identity_inputs)
    origin = "the language model, vectors of users and items random"

    def _make_encoder(self, config: PeplerConfig) -> nn.Module:
        decoder: Any = config.decoder
        self.main_input_name = PromptEncoder.main_input_name
        return PromptEncoder(config.users, config.items, decoder.hidden_size)

    def _make_prefix(self, config: PeplerConfig) -> Prefix:
        return Prefix()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module in (self.encoder.users, self.encoder.items):
            init.uniform_(module.weight, -RANGE, RANGE)

    @classmethod
    def from_corpus(cls, corpus: ShowcaseCorpus) -> Pepler:
        """A fresh model around the settings' decoder."""
        settings = corpus.settings
        counts: dict[str, Any] = identity_shapes(corpus)
        return cls.from_decoder(
            settings.decoder,
            max_tokens=settings.max_tokens,
            prefix=True,
            lora_rank=settings.lora_rank,
            lora_alpha=settings.lora_alpha,
            **counts,
        )

    def forward(  # type: ignore[override]  # by name, as Trainer and generate call it
        self,
        user: Tensor | None = None,
        item: Tensor | None = None,
        encoder_outputs: Encoded | None = None,
        images: Tensor | None = None,
        image_mask: Tensor | None = None,
        history: Tensor | None = None,
        history_mask: Tensor | None = None,
        **inputs: Any,
    ) -> ShowcaseOutput:
        """As the generator's; photos and history are not looked at."""
        if encoder_outputs is None:
            encoder_outputs = self.encoder(user, item)
        return super().forward(encoder_outputs=encoder_outputs, **inputs)

    def freeze(self, frozen: bool) -> None:
        """Whether the language model stays as it is."""
        if self.config.lora_rank and not frozen:
            train_adapters(self.decoder)
        else:
            self.decoder.requires_grad_(not frozen)


AutoConfig.register(PeplerConfig.model_type, PeplerConfig)
