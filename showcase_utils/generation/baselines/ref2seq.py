"""Ref2Seq (Ni et al. 2019): reviews of the user and of the item as references, GRUs with attention to both.

References are the user's history, whose features the generator sees, and what other users of the training split wrote
of the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import ModelOutput

from showcase_utils.data.filtering import fingerprints
from showcase_utils.generation.baselines.base import Baseline, BaselineConfig
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.dataset import encode
from showcase_utils.generation.gpt2 import IGNORED

REFERENCE_TOKENS = 128  # of a user's, and of an item's references


@dataclass
class References(ModelOutput):
    """Both kinds of references, read, and the state that writing starts from."""

    user: Tensor = None  # (B, L, width), the states of a GRU over the user's reviews
    user_mask: Tensor = None  # (B, L)
    item: Tensor = None  # (B, L', width)
    item_mask: Tensor = None
    first: Tensor = None  # (B, width), where the decoder starts


class ReferenceEncoder(nn.Module):
    """A GRU in both directions over the tokens of the references, the start token in front of them."""

    main_input_name = "user_reference"

    def __init__(self, config: BaselineConfig):
        super().__init__()
        self.start = config.decoder_start_token_id
        self.words = nn.Embedding(config.vocab_size, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.user = nn.GRU(config.width, config.width // 2, batch_first=True, bidirectional=True)
        self.item = nn.GRU(config.width, config.width // 2, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * config.width, config.width)

    def forward(self, user_reference: Tensor, item_reference: Tensor, **unused: Any) -> References:
        """Token ids (B, L) and (B, L'), −100 where padded."""
        (user, user_mask), (item, item_mask) = (
            self._read(self.user, user_reference),
            self._read(self.item, item_reference),
        )
        means = [
            (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
            for states, mask in ((user, user_mask), (item, item_mask))
        ]
        first = self.bridge(torch.cat(means, dim=-1)).tanh()
        return References(user=user, user_mask=user_mask, item=item, item_mask=item_mask, first=first)

    def _read(self, gru: nn.GRU, tokens: Tensor) -> tuple[Tensor, Tensor]:
        tokens = torch.cat([tokens.new_full((len(tokens), 1), self.start), tokens], dim=1)
        mask = tokens != IGNORED
        embedded = self.dropout(self.words(tokens.masked_fill(~mask, self.start)))
        packed = nn.utils.rnn.pack_padded_sequence(embedded, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(gru(packed)[0], batch_first=True, total_length=tokens.shape[1])
        return states, mask


class Ref2Seq(Baseline):
    """GRU decoder; at each word it attends to the user's and to the item's references."""

    main_input_name = "user_reference"
    recurrent = True

    @classmethod
    def inputs(cls, corpus: ShowcaseCorpus, reviews: pd.DataFrame) -> dict[str, list[list[int]]]:
        """The tokens of both kinds of references, none with the words of the target."""
        train = corpus.rows("train")
        of_item = {
            business: list(zip(rows["user_id"], rows["text"], strict=True))
            for business, rows in train.groupby("business_id")
        }
        users, items = [], []
        for row in reviews.itertuples():
            users.append([corpus.past_texts[review] for review in corpus.history[row.review_id]])
            items.append([text for user, text in of_item.get(row.business_id, []) if user != row.user_id])
        targets = [fingerprints(text) for text in reviews["text"]]
        return {"user_reference": _tokens(corpus, users, targets), "item_reference": _tokens(corpus, items, targets)}

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        self.encoder = ReferenceEncoder(config)
        self.gru = nn.GRU(config.width, config.width, batch_first=True)
        self.user_query, self.item_query = (nn.Linear(config.width, config.width) for _ in range(2))
        self.fusion = nn.Linear(3 * config.width, config.width)
        self.post_init()

    def states(self, tokens: Tensor, encoded: References) -> Tensor:
        hidden, _ = self.gru(self.dropout(self.words(tokens)), encoded.first.unsqueeze(0).contiguous())
        user = _attend(self.user_query(hidden), encoded.user, encoded.user_mask)
        item = _attend(self.item_query(hidden), encoded.item, encoded.item_mask)
        return self.dropout(self.fusion(torch.cat([hidden, user, item], dim=-1)).tanh())


def _attend(queries: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    """(B, T, width), (B, L, width), (B, L) → (B, T, width)."""
    return nn.functional.scaled_dot_product_attention(queries, states, states, mask.unsqueeze(1))


def _tokens(corpus: ShowcaseCorpus, texts: list[list[str]], targets: list[frozenset[int]]) -> list[list[int]]:
    """The tokens of each sample's references, of which all get an equal part of ``REFERENCE_TOKENS``."""
    limit, longest = corpus.settings.history, corpus.settings.max_tokens
    kept = [
        [text.lower() for text in references if target.isdisjoint(fingerprints(text))][:limit]
        for references, target in zip(texts, targets, strict=True)
    ]
    distinct = list(dict.fromkeys(text for references in kept for text in references))
    tokens = dict(zip(distinct, encode(corpus.tokenizer, distinct, longest), strict=True))
    return [
        [token for text in references for token in _cut(tokens[text], REFERENCE_TOKENS // len(references))]
        for references in kept
    ]


def _cut(tokens: list[int], length: int) -> list[int]:
    """At most so many tokens, of which the last stays the end token."""
    return tokens if len(tokens) <= length else [*tokens[: length - 1], tokens[-1]]
