"""What all systems share: the reviews to write, histories, features, the photos that step 1 chose, the tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from transformers import PreTrainedTokenizerBase

from showcase_utils.artifacts import Stages
from showcase_utils.config import Generation
from showcase_utils.data.entities import entity_finder
from showcase_utils.data.frames import load_histories, load_images, load_reviews, load_s1
from showcase_utils.encoding.features import open_features
from showcase_utils.generation.dataset import FeatureMap, ShowcaseDataset
from showcase_utils.generation.entities import EntitySwapper
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.selection.chosen import load_chosen


@dataclass
class ShowcaseCorpus:
    """GEST-s2 with its split, and all that a system may read of it: ``open_corpus`` makes it.

    ``history`` maps a review id to the ids of its user's other reviews, ``past_texts`` those ids to their texts.
    ``chosen`` (review_id, image_ids) are the photos that step 1 chose for the reviews of val and test. ``swapped`` are
    the texts ent(Y) by review id where they are made already; else ``swapper`` makes them. ``paths`` are the files of
    the photos by id, where a model reads pixels.
    """

    reviews: pd.DataFrame
    history: Mapping[str, Sequence[str]] | pd.Series
    past_texts: Mapping[str, str]
    photos: FeatureMap
    review_features: FeatureMap
    chosen: pd.DataFrame
    tokenizer: PreTrainedTokenizerBase
    settings: Generation
    seed: int = 0
    swapped: Mapping[str, str] | None = None
    paths: Mapping[str, str] | None = None

    def rows(self, split: str) -> pd.DataFrame:
        """The reviews of a split; raises ``ValueError`` when there are none, or when one has no text."""
        reviews = self.reviews[self.reviews["split"] == split]
        if reviews.empty:
            raise ValueError(f"no review of GEST-s2 is in the split '{split}'")
        empty = reviews.loc[reviews["text"].str.strip() == "", "review_id"]
        if len(empty):
            raise ValueError(
                f"review '{empty.iloc[0]}' and {len(empty) - 1} more have an empty text: leave them out of GEST-s2, as "
                "there is nothing to learn or to compare with"
            )
        return reviews

    def dataset(
        self,
        split: str,
        photos: Literal["true", "chosen"] = "true",
        swap: bool = False,
        inputs: Inputs | None = None,
        joined: bool = False,
        retrieve: Callable[[ShowcaseCorpus, pd.DataFrame], Mapping[str, Sequence[str]]] | None = None,
        kind: type[ShowcaseDataset] = ShowcaseDataset,
    ) -> ShowcaseDataset:
        """The samples of a split beside the user's true photos, or those that step 1 chose; with ``swap`` also ent(Y).

        ``inputs`` gives what a baseline reads beyond photos and history, by name and row. ``joined``: a share of the
        samples, ``settings.joined``, is of two visits of a user, with the photos and the texts of both, so that a
        model meets sets of several photos which do not belong together, as those that step 1 chooses. ``retrieve``
        gives ids of others' reviews that stand behind the history. ``kind`` is the class of the dataset.

        Raises ``ValueError`` for an empty split, an empty text, or a review without chosen photos.
        """
        reviews, history = self.rows(split), self.history
        swapped = self.swap(split) if swap else {}
        if photos == "chosen":
            reviews = reviews.assign(image_ids=_chosen(reviews["review_id"], self.chosen))
        if joined:
            reviews, history, swapped = self._joined(reviews, swapped)
        return kind(
            reviews,
            history,
            self.photos,
            self.review_features,
            self.tokenizer,
            self.settings,
            swapped=list(swapped.values()) if swap else None,
            extra=inputs(replace(self, history=history), reviews) if inputs else {},
            context=retrieve(replace(self, history=history), reviews) if retrieve else None,
        )

    def _joined(
        self, reviews: pd.DataFrame, swapped: Mapping[str, str]
    ) -> tuple[pd.DataFrame, pd.Series, dict[str, str]]:
        """Some reviews joined with another one of their user, of which no history knows then."""
        rng, limit = np.random.default_rng(self.seed), self.settings.max_images
        rows = {row.review_id: row for row in reviews.itertuples()}
        history = pd.Series({review: list(self.history[review]) for review in rows}, dtype="object")
        texts, photos, swaps = {}, {}, dict(swapped)
        for own in reviews.groupby("user_id", sort=False)["review_id"].agg(list):
            for review in own:
                row, drawn = rows[review], rng.random() < self.settings.joined
                others = [rows[other] for other in own if rows[other].business_id != row.business_id] if drawn else []
                others = [other for other in others if len(row.image_ids) + len(other.image_ids) <= limit]
                if not others:
                    continue
                other = others[rng.integers(len(others))]
                same = set(self.history[other.review_id])  # nothing of the other's place, nor the other itself
                history[review] = [past for past in history[review] if past in same]
                texts[review] = f"{row.text} {other.text}"
                photos[review] = [*row.image_ids, *other.image_ids]
                parts = [swapped.get(one.review_id) or one.text.lower() for one in (row, other)]
                if swapped.get(review) or swapped.get(other.review_id):
                    swaps[review] = " ".join(parts)
        ids = reviews["review_id"]
        joined = reviews.assign(text=ids.map(texts).fillna(reviews["text"]))
        joined["image_ids"] = [
            photos.get(review, images) for review, images in zip(ids, reviews["image_ids"], strict=True)
        ]
        return joined, history, swaps

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


Inputs = Callable[[ShowcaseCorpus, pd.DataFrame], dict[str, list[Any]]]


def open_corpus(stages: Stages) -> ShowcaseCorpus:
    """The corpus of a run: reviews, histories, features and chosen photos meet here and nowhere else.

    Raises ``StaleStage`` that names the notebook to run.
    """
    features, settings, s1 = open_features(stages), stages.settings, load_s1(stages)
    paths = load_images(stages, ["image_id", "path"]) if settings.generation.vlm else None
    return ShowcaseCorpus(
        reviews=load_reviews(stages.path("alignment") / "s2.parquet"),
        history=load_histories(stages),
        past_texts=dict(zip(s1["review_id"], s1["text"], strict=True)),
        photos=features.photos,
        review_features=features.reviews,
        chosen=load_chosen(stages),
        tokenizer=load_tokenizer(settings.generation.decoder),
        settings=settings.generation,
        seed=settings.seed,
        paths=None if paths is None else paths.set_index("image_id")["path"],
    )


def _chosen(review_ids: pd.Series, chosen: pd.DataFrame) -> list[list[str]]:
    """The chosen photos of each review; raises ``ValueError`` for a review that has none, or has them twice."""
    if chosen["review_id"].duplicated().any():
        twice = chosen.loc[chosen["review_id"].duplicated(), "review_id"].iloc[0]
        raise ValueError(f"photos were chosen twice for review '{twice}': keep one method, profile and seed")
    photos = chosen.set_index("review_id")["image_ids"]
    absent = review_ids[~review_ids.isin(photos.index)]
    if len(absent):
        raise ValueError(f"no photos were chosen for review '{absent.iloc[0]}' and {len(absent) - 1} more")
    return list(photos.loc[review_ids])
