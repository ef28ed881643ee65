"""Samples of the generator: a review to write, its photos, and the features of what its user wrote before.

Features are gathered once from their stores into two tables; a sample holds row numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from showcase_utils.config import Generation
from showcase_utils.data.filtering import fingerprints, history
from showcase_utils.generation.entities import EntitySwapper, entity_finder
from showcase_utils.generation.gpt2 import IGNORED, load_tokenizer

REFERENCE_TOKENS = 128  # of a user's, and of an item's references


class FeatureMap(Protocol):
    """What is asked of a feature store: unit-norm rows by id."""

    dim: int

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
    Photos are the user's own ones of that review, or with ``selected`` (review_id, image_ids; one row per review) those
    that step 1 chose. ``swapped`` are the texts with replaced entities by row, empty where a text names none; one whose
    replacements are cut off with the rest of a long text counts as empty. ``extra`` are further inputs by name and row,
    lists of numbers. An empty text has no labels: it can be written about, but not trained on.

    A sample has at most ``settings.max_images`` photos, ``settings.history`` reviews, and ``settings.max_tokens``
    tokens of lower-cased text, the last of which is always the end token.

    Raises ``ValueError`` for a review that ``selected`` lacks or has twice, or a missing column; ``KeyError`` for an
    id without features.
    """

    def __init__(
        self,
        reviews: pd.DataFrame,
        history: Mapping[str, Sequence[str]] | pd.Series,
        photos: FeatureMap,
        review_features: FeatureMap,
        tokenizer: PreTrainedTokenizerBase,
        settings: Generation,
        selected: pd.DataFrame | None = None,
        swapped: Sequence[str] | None = None,
        extra: Mapping[str, Sequence[Any]] | None = None,
    ):
        missing = {"review_id", "user_id", "business_id", "text", "image_ids"} - set(reviews.columns)
        if missing:
            raise ValueError(f"reviews lack the columns {sorted(missing)}")
        self.reviews = reviews.reset_index(drop=True)
        if selected is not None:
            self.reviews = self.reviews.assign(image_ids=_chosen(self.reviews["review_id"], selected))
        self.reviews["image_ids"] = [list(ids)[: settings.max_images] for ids in self.reviews["image_ids"]]
        past = [list(history[review])[: settings.history] for review in self.reviews["review_id"]]
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


def _chosen(review_ids: pd.Series, selected: pd.DataFrame) -> list[list[str]]:
    if selected["review_id"].duplicated().any():
        twice = selected.loc[selected["review_id"].duplicated(), "review_id"].iloc[0]
        raise ValueError(f"review '{twice}' is selected twice: keep one method, profile and seed")
    chosen = selected.set_index("review_id")["image_ids"]
    absent = review_ids[~review_ids.isin(chosen.index)]
    if len(absent):
        raise ValueError(f"no selected photos for review '{absent.iloc[0]}' and {len(absent) - 1} more")
    return list(chosen.loc[review_ids])


@dataclass
class ShowcaseCorpus:
    """What all systems share: GEST-s2 with its split, histories, features, the chosen photos, the tokenizer.

    ``selected`` (review_id, image_ids) holds the photos that step 1 chose for the reviews of val and test; ``past`` the
    texts of the reviews in histories, by id, which only ``references`` need. ``swapped`` are the texts ent(Y) by review
    id where they are made already; else ``swapper`` makes them.
    """

    reviews: pd.DataFrame
    history: Mapping[str, Sequence[str]] | pd.Series
    photos: FeatureMap
    review_features: FeatureMap
    tokenizer: PreTrainedTokenizerBase
    settings: Generation
    selected: pd.DataFrame | None = None
    seed: int = 0
    past: Mapping[str, str] | None = None
    swapped: Mapping[str, str] | None = None

    @classmethod
    def from_frames(
        cls,
        s2: pd.DataFrame,
        s1: pd.DataFrame,
        photos: FeatureMap,
        review_features: FeatureMap,
        settings: Generation,
        selected: pd.DataFrame | None = None,
        seed: int = 0,
    ) -> ShowcaseCorpus:
        """The corpus whose samples are ``s2`` and whose histories are reviews of ``s1``."""
        tokenizer = load_tokenizer(settings.decoder)
        past = dict(zip(s1["review_id"], s1["text"], strict=True))
        return cls(s2, history(s1), photos, review_features, tokenizer, settings, selected, seed, past)

    @cached_property
    def swapper(self) -> EntitySwapper:
        """Replaces entities by others of the training texts."""
        texts = [text.lower() for text in self.rows("train")["text"]]
        return EntitySwapper(entity_finder(self.settings.entities, self.settings.spacy_model, texts), texts)

    def swap(self, split: str) -> dict[str, str]:
        """ent(Y) of the texts of a split, by review id; "" where a text names no entity."""
        reviews = self.rows(split)
        if self.swapped is not None:
            return {review: self.swapped[review] for review in reviews["review_id"]}
        swapped = self.swapper.swap([text.lower() for text in reviews["text"]], self.seed)
        return dict(zip(reviews["review_id"], swapped, strict=True))

    @cached_property
    def users(self) -> dict[str, int]:
        """Numbers of the users of the training split, from 1 on; whoever is not in it is 0."""
        return {key: number for number, key in enumerate(sorted(self.rows("train")["user_id"].unique()), start=1)}

    @cached_property
    def items(self) -> dict[str, int]:
        """Numbers of the businesses of the training split, from 1 on; those that are not in it are 0."""
        return {key: number for number, key in enumerate(sorted(self.rows("train")["business_id"].unique()), start=1)}

    def dataset(
        self,
        split: str,
        photos: Literal["true", "selected"] = "true",
        swap: bool = False,
        reads: Collection[Literal["ids", "references"]] = (),
    ) -> ShowcaseDataset:
        """The samples of a split with the user's true or the selected photos; with ``swap`` also ent(Y).

        ``reads`` adds what only some systems read: ``ids`` the numbers of user and item, ``references`` the tokens of
        reviews by the user (the history that others see as features) and of the item (by other users, of the training
        split), none with the words of the target.

        Raises ``ValueError`` for an empty split, an empty text, selected photos or references where none were given.
        """
        reviews = self.rows(split)
        if photos == "selected" and self.selected is None:
            raise ValueError("no selected photos were given: run notebook 03, or use photos='true'")
        empty = reviews.loc[reviews["text"].str.strip() == "", "review_id"]
        if len(empty):
            raise ValueError(
                f"review '{empty.iloc[0]}' and {len(empty) - 1} more have an empty text: leave them out of GEST-s2, as "
                "there is nothing to learn or to compare with"
            )
        return ShowcaseDataset(
            reviews,
            self.history,
            self.photos,
            self.review_features,
            self.tokenizer,
            self.settings,
            selected=self.selected if photos == "selected" else None,
            swapped=list(self.swap(split).values()) if swap else None,
            extra=(self._ids(reviews) if "ids" in reads else {})
            | (self._references(reviews) if "references" in reads else {}),
        )

    def rows(self, split: str) -> pd.DataFrame:
        """The reviews of a split; raises ``ValueError`` when there are none."""
        reviews = self.reviews[self.reviews["split"] == split]
        if reviews.empty:
            raise ValueError(f"no review of GEST-s2 is in the split '{split}'")
        return reviews

    def _ids(self, reviews: pd.DataFrame) -> dict[str, list[list[int]]]:
        return {
            "user": [[self.users.get(user, 0)] for user in reviews["user_id"]],
            "item": [[self.items.get(business, 0)] for business in reviews["business_id"]],
        }

    def _references(self, reviews: pd.DataFrame) -> dict[str, list[list[int]]]:
        if self.past is None:
            raise ValueError("no texts of past reviews were given: make the corpus by from_frames")
        train = self.rows("train")
        said = dict(zip(train["review_id"], train["text"], strict=True))
        of_item = {
            business: list(zip(rows["user_id"], rows["review_id"], strict=True))
            for business, rows in train.groupby("business_id")
        }
        users, items = [], []
        for row in reviews.itertuples():
            users.append([self.past[review] for review in self.history[row.review_id]])
            items.append([said[review] for user, review in of_item.get(row.business_id, []) if user != row.user_id])
        targets = [fingerprints(text) for text in reviews["text"]]
        return {
            "user_reference": self._joined(users, targets),
            "item_reference": self._joined(items, targets),
        }

    def _joined(self, texts_of_sample: list[list[str]], targets: list[frozenset[int]]) -> list[list[int]]:
        """The tokens of each sample's references, of which all get an equal part of ``REFERENCE_TOKENS``."""
        kept = [
            [text.lower() for text in texts if target.isdisjoint(fingerprints(text))][: self.settings.history]
            for texts, target in zip(texts_of_sample, targets, strict=True)
        ]
        distinct = list(dict.fromkeys(text for texts in kept for text in texts))
        tokens = dict(zip(distinct, encode(self.tokenizer, distinct, self.settings.max_tokens), strict=True))
        return [
            [token for text in texts for token in _cut(tokens[text], REFERENCE_TOKENS // len(texts))] for texts in kept
        ]


def _cut(tokens: list[int], length: int) -> list[int]:
    """At most so many tokens, of which the last stays the end token."""
    return tokens if len(tokens) <= length else [*tokens[: length - 1], tokens[-1]]
