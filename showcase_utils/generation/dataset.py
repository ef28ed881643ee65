"""Samples of the generator: a review to write, its photos, and the features of what its user wrote before.

Features are gathered once from their stores into two tables; a sample holds row numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from showcase_utils.config import Generation
from showcase_utils.generation.gpt2 import IGNORED


class FeatureMap(Protocol):
    """What is asked of a feature store: unit-norm rows by id."""

    @property
    def dim(self) -> int: ...

    def __contains__(self, key: str) -> bool: ...

    def __getitem__(self, ids: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True)
class FeatureTable:
    """The rows of a store that a dataset needs, and which of them belong to each of its samples."""

    rows: np.ndarray  # (n, d) float32
    of_sample: list[np.ndarray]  # row numbers

    @classmethod
    def gather(cls, store: FeatureMap, ids_of_sample: Iterable[Sequence[str]], what: str) -> FeatureTable:
        """Raises ``KeyError`` that names the first id the store lacks."""
        number: dict[str, int] = {}
        of_sample = []
        for ids in ids_of_sample:
            for key in ids:
                if key not in number:
                    if key not in store:
                        raise KeyError(f"no features of {what} '{key}': encode it first (notebook 02)")
                    number[key] = len(number)
            of_sample.append(np.array([number[key] for key in ids], dtype=np.int64))
        rows = np.asarray(store[list(number)], dtype=np.float32) if number else np.zeros((0, store.dim), np.float32)
        return cls(rows, of_sample)

    def __getitem__(self, sample: int) -> np.ndarray:
        return self.rows[self.of_sample[sample]]


class ShowcaseDataset(Dataset):
    """One sample per review of ``reviews`` (GEST-s2: review_id, user_id, business_id, text, image_ids).

    ``history`` maps a review id to the ids of the same user's other reviews, whose features ``review_features`` has.
    ``swapped`` are the texts with replaced entities by row, empty where a text names none; one whose replacements are
    cut off with the rest of a long text counts as empty. ``extra`` are further inputs by name and row, lists of
    numbers. ``context`` are ids of others' reviews by review id, whose features stand behind the history. An empty text
    has no labels: it can be written about, but not trained on.

    A sample has at most ``settings.max_images`` photos, ``settings.history`` reviews, and ``settings.max_tokens``
    tokens of lower-cased text, the last of which is always the end token.

    Raises ``ValueError`` for a missing column, ``KeyError`` for an id without features.
    """

    def __init__(
        self,
        reviews: pd.DataFrame,
        history: Mapping[str, Sequence[str]] | pd.Series,
        photos: FeatureMap,
        review_features: FeatureMap,
        tokenizer: PreTrainedTokenizerBase,
        settings: Generation,
        swapped: Sequence[str] | None = None,
        extra: Mapping[str, Sequence[Any]] | None = None,
        context: Mapping[str, Sequence[str]] | None = None,
    ):
        missing = {"review_id", "user_id", "business_id", "text", "image_ids"} - set(reviews.columns)
        if missing:
            raise ValueError(f"reviews lack the columns {sorted(missing)}")
        self.reviews = reviews.reset_index(drop=True)
        self.reviews["image_ids"] = [list(ids)[: settings.max_images] for ids in self.reviews["image_ids"]]
        past = [list(history[review])[: settings.history] for review in self.reviews["review_id"]]
        if context is not None:
            past = [[*own, *context[review]] for own, review in zip(past, self.reviews["review_id"], strict=True)]
        self.histories = history
        self.photos = FeatureTable.gather(photos, self.reviews["image_ids"], "photo")
        self.history = FeatureTable.gather(review_features, past, "review")
        self.texts = [text.lower() for text in self.reviews["text"]]
        self.labels = encode(tokenizer, self.texts, settings.max_tokens)
        self.swapped = None
        if swapped is not None:
            tokens = encode(tokenizer, swapped, settings.max_tokens)
            # what equals its own positive would be pulled and pushed at once
            self.swapped = [[] if own == other else other for own, other in zip(self.labels, tokens, strict=True)]
        self.extra = dict(extra or {})

    def __len__(self) -> int:
        return len(self.reviews)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = {"images": self.photos[index], "history": self.history[index], "labels": self.labels[index]}
        if self.swapped is not None:
            sample["swapped"] = self.swapped[index]
        return sample | {name: values[index] for name, values in self.extra.items()}

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each target, (n,)."""
        return np.array([len(tokens) for tokens in self.labels])


def collate(samples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Samples to one padded batch: features (B, m, d) with masks (B, m), tokens (B, T) with −100 behind the end.

    Padding is told by length, never by a token's number, so an end token that doubles as pad token is still learned.
    """
    batch = {}
    for name, mask in (("images", "image_mask"), ("history", "history_mask")):
        rows = [sample[name] for sample in samples]
        longest = max(1, *(len(row) for row in rows))
        padded = np.zeros((len(rows), longest, rows[0].shape[-1]), dtype=np.float32)
        for target, row in zip(padded, rows, strict=True):
            target[: len(row)] = row
        batch[name] = torch.from_numpy(padded)
        batch[mask] = torch.arange(longest) < torch.tensor([len(row) for row in rows]).unsqueeze(1)
    for name in samples[0].keys() - {"images", "history"}:
        batch[name] = _padded([sample[name] for sample in samples])
    return batch


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Token ids side by side, (B, T), with −100 behind the end."""
    tokens = torch.full((len(rows), max(1, *(len(row) for row in rows))), IGNORED)
    for target, row in zip(tokens, rows, strict=True):
        target[: len(row)] = torch.tensor(row)
    return tokens


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Token ids with the end token, at most ``max_tokens``; an empty text has none at all.

    A special token that somebody wrote into a text is read letter by letter, so that it ends or starts nothing.
    """
    if not len(texts):
        return []
    encoded = tokenizer(
        list(texts),
        add_special_tokens=False,
        split_special_tokens=True,
        truncation=True,
        max_length=max_tokens - 1,
    )["input_ids"]
    return [[*tokens, tokenizer.eos_token_id] if tokens else [] for tokens in encoded]
