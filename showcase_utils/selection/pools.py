"""Candidate pools: the photos of a business, those the user posted, and what is known of the user.

Protocol. A sample is one review (u, b) of GEST-s1. Its candidates are all available photos of b, sorted by id so
that their order says nothing about who posted them; relevant are the photos posted with that review. In *training*
pools, photos by users of the other splits are left out: otherwise a photo of a test user would be seen in training
only as one that nobody chose. Pools keep their true sizes.

What is known of the user is history: photos and texts of reviews of *other* businesses, so that nothing of the target
review, nor of a repeat visit, can leak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from showcase_utils.artifacts import Stages
from showcase_utils.data.frames import load_histories, load_images, load_s1
from showcase_utils.encoding.features import FeatureStore
from showcase_utils.photos.folder import usable_ids

CELLS = 1_000_000  # kernel entries in one padded batch: bounds the memory whatever the pools' sizes
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class Features(Protocol):
    """What is needed of a feature store."""

    dim: int

    def __getitem__(self, ids: list[str]) -> np.ndarray: ...

    def __contains__(self, identifier: object) -> bool: ...


@dataclass(frozen=True)
class PoolBatch:
    """B samples, their candidates padded to the largest pool, n, and their past to the longest, h photos and t texts.

    Absent candidates and items of the past have features of zero.
    """

    photos: Tensor  # (U, d) features of the distinct photos in the batch
    position: Tensor  # (B, n) row of `photos`; 0 where absent
    present: Tensor  # (B, n) bool
    chosen: Tensor  # (B, n) bool: the photos that the user really posted
    past_photos: Tensor  # (B, h, d)
    past_texts: Tensor  # (B, t, d)
    past_photos_there: Tensor  # (B, h) bool
    past_texts_there: Tensor  # (B, t) bool

    @property
    def features(self) -> Tensor:
        """CLIP features of the candidates, (B, n, d)."""
        return self.photos[self.position]

    @property
    def image_profile(self) -> Tensor:
        """Mean of the user's past photos, (B, d); zero, to be read as "unknown", where there are none."""
        return _mean(self.past_photos, self.past_photos_there)

    @property
    def text_profile(self) -> Tensor:
        """Mean of the user's past texts, (B, d); zero where there are none."""
        return _mean(self.past_texts, self.past_texts_there)

    @classmethod
    def of(
        cls,
        pools: Sequence[np.ndarray],
        past_photos: Sequence[np.ndarray],
        past_texts: Sequence[np.ndarray],
        device: str | torch.device = "cpu",
    ) -> PoolBatch:
        """A batch of anybody's features: per sample the pool's (n, d), the past photos' (h, d), the past texts' (t, d).

        For people and places of no data set; nobody has posted anything in it.
        """
        sizes = [len(pool) for pool in pools]
        position, present = _places(np.cumsum(sizes) - sizes, sizes)
        photos = np.concatenate(pools).astype(np.float32)
        parts = (photos, position, present, np.zeros_like(present), *_past(past_photos, past_texts, photos.shape[1]))
        return cls(*(torch.from_numpy(part).to(device) for part in parts))


@dataclass(frozen=True)
class Pools:
    """All samples with their pools; see the head of this file for what belongs to one."""

    samples: pd.DataFrame  # review_id, user_id, business_id, split, candidates, relevant, history, history_photos
    photo_ids: np.ndarray  # (P,) str
    features: Floats  # (P, d)
    text_ids: np.ndarray  # (T,) str: ids of the reviews
    texts: Floats  # (T, d)
    candidates: list[Ints] = field(repr=False)  # per sample: rows of `features`
    relevant: list[Ints] = field(repr=False)  # per sample: places in its candidates
    history_photos: list[Ints] = field(repr=False)  # per sample: rows of `features`
    history_texts: list[Ints] = field(repr=False)  # per sample: rows of `texts`
    places: dict[str, Ints] = field(repr=False)  # all photos of a business: rows of `features`
    left_out: dict[str, int]  # what could not become a sample or a candidate, and why

    def rows(self, split: str, informative: bool = False) -> Ints:
        """Rows of a split; ``informative`` ones only have candidates besides the user's own photos."""
        keep = self.samples["split"] == split
        if informative:
            keep &= self.samples["candidates"] > self.samples["relevant"]
        return np.flatnonzero(keep)

    def row(self, review_id: str) -> int:
        """The row of a review. Raises ``KeyError`` if it is no sample."""
        found = np.flatnonzero(self.samples["review_id"] == review_id)
        if len(found) == 0:
            raise KeyError(f"review {review_id} is no sample: it has no available photo, or is not in GEST-s1")
        return int(found[0])

    def whole(self) -> Pools:
        """The same samples as a product sees them: every photo of the place is a candidate, for training users too."""
        candidates = [self.places[business] for business in self.samples["business_id"]]
        own = [pool[places] for pool, places in zip(self.candidates, self.relevant, strict=True)]
        relevant = [np.searchsorted(pool, photos) for pool, photos in zip(candidates, own, strict=True)]
        samples = self.samples.assign(candidates=[len(pool) for pool in candidates])
        return replace(self, samples=samples, candidates=candidates, relevant=relevant)

    def chunks(self, rows: Ints, cells: int = CELLS) -> Iterator[Ints]:
        """``rows`` in groups of like pool size, each with at most ``cells`` kernel entries when padded."""
        rows = np.asarray(rows)
        order = rows[np.argsort([len(self.candidates[row]) for row in rows], kind="stable")]
        start = 0
        for end in range(1, len(order) + 1):
            if end == len(order) or (end + 1 - start) * len(self.candidates[order[end]]) ** 2 > cells:
                yield order[start:end]
                start = end

    def batch(self, rows: Ints, device: str | torch.device = "cpu") -> PoolBatch:
        """The padded batch of some rows."""
        sizes = [len(self.candidates[row]) for row in rows]
        distinct, inverse = np.unique(np.concatenate([self.candidates[row] for row in rows]), return_inverse=True)
        place, present = _places(np.cumsum(sizes) - sizes, sizes)
        chosen = np.zeros_like(present)
        for sample, row in enumerate(rows):
            chosen[sample, self.relevant[row]] = True
        past = _past(
            [self.features[self.history_photos[row]] for row in rows],
            [self.texts[self.history_texts[row]] for row in rows],
            self.features.shape[1],
        )
        parts = (self.features[distinct], inverse[place], present, chosen, *past)
        return PoolBatch(*(torch.from_numpy(part).to(device) for part in parts))

    def ids(self, row: int, picks: Ints) -> list[str]:
        """Photo ids of picks, given as places in the row's candidates; −1 is no pick."""
        return self.photo_ids[self.candidates[row][picks[picks >= 0]]].tolist()


def open_pools(stages: Stages) -> Pools:
    """The pools of a run, from its stages ``data`` and ``features``."""
    features = stages.path("features")
    return build_pools(
        load_s1(stages),
        load_images(stages, columns=["image_id", "status"]),
        load_histories(stages),
        FeatureStore.open(features / "photos"),
        FeatureStore.open(features / "reviews"),
        stages.settings.selection.history,
    )


def build_pools(
    s1: pd.DataFrame,
    images: pd.DataFrame,
    histories: Mapping[str, Sequence[str]] | pd.Series,
    photos: Features,
    reviews: Features,
    limit: int,
) -> Pools:
    """Pools of every review in GEST-s1 that has an available photo.

    ``s1`` the reviews frame with a column ``split``; ``images`` says which photos are usable; ``histories`` maps a
    review id to the ids of what may be known of its user; ``photos`` and ``reviews`` are feature stores by image and
    review id; ``limit`` bounds the reviews and the photos of a history, in its order. Photos without features are left
    out and counted. Raises ``ValueError`` if no sample remains or a column is missing.
    """
    missing = {"review_id", "user_id", "business_id", "image_ids", "split"} - set(s1.columns)
    if missing:
        raise ValueError(f"GEST-s1 lacks the columns {sorted(missing)}: run notebook 01_data_filtering")
    posted = s1[["review_id", "business_id", "split", "image_ids"]].explode("image_ids").dropna()
    available = posted["image_ids"].isin(usable_ids(images)).to_numpy()
    encoded = np.fromiter((i in photos for i in posted["image_ids"]), dtype=bool, count=len(posted))
    kept = posted[available & encoded]
    samples = s1.loc[s1["review_id"].isin(kept["review_id"]), ["review_id", "user_id", "business_id", "split"]]
    samples = samples.reset_index(drop=True)
    if samples.empty:
        raise ValueError("no review of GEST-s1 has an available photo with features: check stages data and features")
    photo_ids, photo = np.unique(kept["image_ids"].to_numpy(object), return_inverse=True)
    text_ids = np.array([i for i in s1["review_id"] if i in reviews], dtype=object)

    # A pool is a business's photos, a training pool those of its training users. A key is one photo in one pool, and
    # keys are sorted, so that a pool is a slice of them.
    count, everyone = len(photo_ids), pd.Index(s1["business_id"].unique())
    place, train = everyone.get_indexer(kept["business_id"]), (kept["split"] == "train").to_numpy()
    keys = np.unique(np.r_[place * count + photo, (place[train] + len(everyone)) * count + photo[train]])
    business = everyone.get_indexer(samples["business_id"])
    pool = business + len(everyone) * (samples["split"] == "train").to_numpy()
    start = np.searchsorted(keys, np.arange(2 * len(everyone) + 1) * count)
    photos_of = np.split(keys % count, start[1:-1])
    candidates = [photos_of[number] for number in pool]

    number = pd.Series(np.arange(len(samples)), index=samples["review_id"].to_numpy())
    own = kept.assign(photo=photo)[["review_id", "photo"]].drop_duplicates().sort_values("photo", kind="stable")
    sample = number[own["review_id"]].to_numpy()
    relevant = _grouped(
        np.searchsorted(keys, pool[sample] * count + own["photo"]) - start[pool[sample]], sample, len(samples)
    )

    past = pd.DataFrame({"sample": number, "review_id": [histories[i] for i in number.index]})
    past["review_id"] = past["review_id"].map(lambda ids: list(ids)[:limit])
    past = past.explode("review_id").dropna()
    lengths = np.bincount(past["sample"], minlength=len(samples))
    seen = past.merge(own, on="review_id", sort=False)
    seen = seen[seen.groupby("sample").cumcount() < limit]
    here = np.isin(business[seen["sample"]] * count + seen["photo"], keys)
    seen = seen[~here]  # the same photo may stand at two businesses
    text = pd.Index(text_ids).get_indexer(past["review_id"])
    history_photos = _grouped(seen["photo"].to_numpy(), seen["sample"].to_numpy(), len(samples))
    history_texts = _grouped(text[text >= 0], past["sample"].to_numpy()[text >= 0], len(samples))
    return Pools(
        samples.assign(
            candidates=[len(rows) for rows in candidates],
            relevant=[len(places) for places in relevant],
            history=lengths,
            history_photos=[len(rows) for rows in history_photos],
        ),
        photo_ids,
        np.asarray(photos[photo_ids.tolist()], dtype=np.float32),
        text_ids,
        np.asarray(reviews[text_ids.tolist()], dtype=np.float32) if len(text_ids) else np.zeros((0, reviews.dim), "f4"),
        candidates,
        relevant,
        history_photos,
        history_texts,
        places=dict(zip(everyone, photos_of, strict=False)),
        left_out={
            "photos not available": int((~available).sum()),
            "photos without features": int((available & ~encoded).sum()),
            "reviews without photos": len(s1) - len(samples),
        },
    )


def _grouped(values: Ints, group: Ints, groups: int) -> list[Ints]:
    """``values`` of each group from 0, in their order."""
    order = np.argsort(group, kind="stable")
    return np.split(values[order], np.cumsum(np.bincount(group, minlength=groups))[:-1])


def _places(start: ArrayLike, sizes: Sequence[int]) -> tuple[Ints, NDArray[np.bool_]]:
    """Running numbers of each sample's items, (B, n), 0 where absent, and whether one is present."""
    column = np.arange(max(sizes, default=0))
    present = column < np.asarray(sizes)[:, None]
    return np.where(present, np.asarray(start)[:, None] + column, 0), present


def _past(photos: Sequence[np.ndarray], texts: Sequence[np.ndarray], dim: int) -> tuple[np.ndarray, ...]:
    """What is known of each user, padded: photos (B, h, d), texts (B, t, d), and which are there."""
    padded, there = [], []
    for items in (photos, texts):
        present = np.arange(max(map(len, items))) < np.array([len(rows) for rows in items])[:, None]
        rows = np.zeros((*present.shape, dim), dtype=np.float32)
        if present.any():
            rows[present] = np.concatenate([rows for rows in items if len(rows)])
        padded.append(rows)
        there.append(present)
    return (*padded, *there)


def _mean(rows: Tensor, there: Tensor) -> Tensor:
    return rows.sum(1) / there.sum(1, keepdim=True).clamp(min=1)
