r"""Att2Seq (Dong et al. 2017): an LSTM that starts from a review's attributes and attends to them at every word.

.. math:: h_0 = \tanh(H [g(a_1); \ldots] + b),\quad
   s_i \propto \exp \tanh(w^\top [h_t; g(a_i)]),\quad c_t = \sum_i s_i\, g(a_i),\quad
   h^{att}_t = \tanh(W_1 c_t + W_2 h_t)

Attributes are user and item. The original's third is the rating of the review itself, which nobody knows before it is
written; it is left out, as in the public code that the field compares with (which has no attention either).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import AutoConfig

from showcase_utils.generation.baselines.identities import (
    Identities,
    IdentityBaseline,
    IdentityConfig,
    IdentityEncoder,
)

LAYERS = 1  # the original's two take many times the steps: what the second reads is short at first


class Att2SeqConfig(IdentityConfig):
    """The shapes of all that know users and items."""

    model_type = "showcase-att2seq"


class Att2Seq(IdentityBaseline):
    """LSTM whose layers each start from a part of the encoded attributes."""

    config_class = Att2SeqConfig
    recurrent = True

    def __init__(self, config: Att2SeqConfig):
        super().__init__(config)
        width = config.width
        self.encoder = IdentityEncoder(config.users, config.items, width)
        self.first = nn.Linear(2 * width, LAYERS * width)
        self.lstm = nn.LSTM(width, width, LAYERS, batch_first=True)
        self.score = nn.Linear(2 * width, 1, bias=False)
        self.fusion = nn.Linear(2 * width, width, bias=False)
        self.post_init()

    def states(self, tokens: Tensor, encoded: Identities) -> Tensor:
        attributes = encoded.pair  # (B, 2, width)
        hidden = self._read(self.dropout(self.words(tokens)), attributes)  # (B, T, width)
        pairs = torch.cat(
            [
                hidden.unsqueeze(2).expand(-1, -1, 2, -1),
                attributes.unsqueeze(1).expand(-1, hidden.shape[1], -1, -1),
            ],
            dim=-1,
        )  # (B, T, 2, 2 · width)
        weights = self.score(pairs).tanh().softmax(dim=2)
        context = (weights * attributes.unsqueeze(1)).sum(dim=2)  # (B, T, width)
        return self.dropout(self.fusion(torch.cat([context, hidden], dim=-1)).tanh())

    def _read(self, words: Tensor, attributes: Tensor) -> Tensor:
        first = self.first(attributes.flatten(1)).tanh()  # (B, layers · width)
        first = first.view(len(first), self.lstm.num_layers, -1).transpose(0, 1).contiguous().to(words.dtype)
        with torch.autocast("cpu", enabled=False):  # without AVX-512, oneDNN has no LSTM in bfloat16
            return self.lstm(words, (first, torch.zeros_like(first)))[0]


AutoConfig.register(Att2SeqConfig.model_type, Att2SeqConfig)
