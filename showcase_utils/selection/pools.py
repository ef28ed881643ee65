"""Candidate pools: the photos of a business, those the user posted, and what is known of the user.

Protocol. A sample is one review (u, b) of GEST-s1. Its candidates are all available photos of b, sorted by id so
that their order says nothing about who posted them; relevant are the photos posted with that review. In *training*
pools, photos by users of the other splits are left out: otherwise a photo of a test user would be seen in training
only as one that nobody chose. Pools keep their true sizes.

Profile. The user is known by history: reviews of *other* businesses, so that nothing of the target review, nor of a
repeat visit, can leak. The photo profile is the mean of the history photos' CLIP features, the text profile that of
the history reviews' features. A part the user lacks is a zero vector, to be read as "unknown".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from showcase_utils.data.filtering import history
from showcase_utils.photos.folder import usable_ids

CELLS = 1_000_000  # kernel entries in one padded batch: bounds the memory whatever the pools' sizes


class Features(Protocol):
    """What is needed of a feature store."""

    dim: int

    def __getitem__(self, ids: list[str]) -> np.ndarray: ...

    def __contains__(self, identifier: object) -> bool: ...


@dataclass(frozen=True)
class Batch:
    """B samples with their candidates padded to the largest pool, n."""

    rows: np.ndarray  # (B,) rows of `Pools.samples`
    photos: Tensor  # (U, d) features of the distinct photos in the batch
    position: Tensor  # (B, n) row of `photos`; 0 where absent
    present: Tensor  # (B, n) bool
    chosen: Tensor  # (B, n) bool: the photos that the user really posted
    image_profile: Tensor  # (B, d), zero where unknown
    text_profile: Tensor  # (B, d), zero where unknown

    @property
    def features(self) -> Tensor:
        """CLIP features of the candidates, (B, n, d)."""
        return self.photos[self.position]


@dataclass(frozen=True)
class Pools:
    """All samples with their pools; see the head of this file for what belongs to one."""

    samples: pd.DataFrame  # review_id, user_id, business_id, split, candidates, relevant, history, history_photos
    photo_ids: np.ndarray  # (P,) str
    features: np.ndarray  # (P, d) float32
    candidates: list[np.ndarray] = field(repr=False)  # per sample: rows of `features`
    relevant: list[np.ndarray] = field(repr=False)  # per sample: places in its candidates
    history_photos: list[np.ndarray] = field(repr=False)  # per sample: rows of `features`
    image_profiles: np.ndarray  # (S, d)
    text_profiles: np.ndarray  # (S, d)
    left_out: dict[str, int]  # what could not become a sample or a candidate, and why

    def rows(self, split: str, informative: bool = False) -> np.ndarray:
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

    def chunks(self, rows: np.ndarray, cells: int = CELLS) -> Iterator[np.ndarray]:
        """``rows`` in groups of like pool size, each with at most ``cells`` kernel entries when padded."""
        rows = np.asarray(rows)
        order = rows[np.argsort([len(self.candidates[row]) for row in rows], kind="stable")]
        start = 0
        for end in range(1, len(order) + 1):
            if end == len(order) or (end + 1 - start) * len(self.candidates[order[end]]) ** 2 > cells:
                yield order[start:end]
                start = end

    def batch(self, rows: np.ndarray, device: str | torch.device = "cpu") -> Batch:
        """The padded batch of some rows."""
        rows = np.asarray(rows)
        n = max(len(self.candidates[row]) for row in rows)
        distinct, inverse = np.unique(np.concatenate([self.candidates[row] for row in rows]), return_inverse=True)
        position = np.zeros((len(rows), n), dtype=np.int64)
        present, chosen = np.zeros((2, len(rows), n), dtype=bool)
        start = 0
        for place, row in enumerate(rows):
            size = len(self.candidates[row])
            position[place, :size] = inverse[start : start + size]
            present[place, :size] = True
            chosen[place, self.relevant[row]] = True
            start += size
        parts = (
            self.features[distinct],
            position,
            present,
            chosen,
            self.image_profiles[rows],
            self.text_profiles[rows],
        )
        return Batch(rows, *(torch.from_numpy(part).to(device) for part in parts))

    def ids(self, row: int, picks: np.ndarray) -> list[str]:
        """Photo ids of picks, given as places in the row's candidates; −1 is no pick."""
        return self.photo_ids[self.candidates[row][picks[picks >= 0]]].tolist()


def build_pools(s1: pd.DataFrame, images: pd.DataFrame, photos: Features, reviews: Features, limit: int) -> Pools:
    """Pools of every review in GEST-s1 that has an available photo.

    ``s1`` the reviews frame with a column ``split``; ``images`` says which photos are usable; ``photos`` and
    ``reviews`` are feature stores by image and review id; ``limit`` bounds the reviews and the photos that enter a
    profile, in file order. Photos without features are left out and counted. Raises ``ValueError`` if no sample
    remains or a column is missing.
    """
    missing = {"review_id", "user_id", "business_id", "image_ids", "split"} - set(s1.columns)
    if missing:
        raise ValueError(f"GEST-s1 lacks the columns {sorted(missing)}: run notebook 01_data_filtering")
    posted = s1[["review_id", "business_id", "split", "image_ids"]].explode("image_ids").dropna()
    posted = posted.rename(columns={"image_ids": "image_id"})
    available = posted["image_id"].isin(usable_ids(images))
    encoded = np.fromiter((i in photos for i in posted["image_id"]), dtype=bool, count=len(posted))
    left_out = {
        "photos not available": int((~available).sum()),
        "photos without features": int((available & ~encoded).sum()),
    }
    posted = posted[available & encoded]
    photo_ids = np.array(sorted(posted["image_id"].unique()), dtype=object)
    features = np.asarray(photos[photo_ids.tolist()], dtype=np.float32) if len(photo_ids) else np.zeros((0, photos.dim))
    number = pd.Series(np.arange(len(photo_ids)), index=photo_ids)
    posted = posted.assign(photo=number[posted["image_id"]].to_numpy())

    of_review = {key: np.unique(group) for key, group in posted.groupby("review_id", sort=False)["photo"]}
    everyone = {key: np.unique(group) for key, group in posted.groupby("business_id")["photo"]}
    train = posted[posted["split"] == "train"]
    training = {key: np.unique(group) for key, group in train.groupby("business_id")["photo"]}

    samples = s1[s1["review_id"].isin(of_review.keys())].reset_index(drop=True)
    left_out["reviews without photos"] = len(s1) - len(samples)
    if samples.empty:
        raise ValueError("no review of GEST-s1 has an available photo with features: check stages data and features")
    past = history(s1, limit).to_dict()
    text_rows = {i: row for row, i in enumerate(i for i in s1["review_id"] if i in reviews)}
    texts = np.asarray(reviews[list(text_rows)], dtype=np.float32) if text_rows else np.zeros((0, photos.dim))

    candidates, relevant, seen, counts = [], [], [], []
    image_profiles = np.zeros((len(samples), photos.dim), dtype=np.float32)
    text_profiles = np.zeros((len(samples), reviews.dim), dtype=np.float32)
    for row, sample in enumerate(samples.itertuples()):
        pool = (training if sample.split == "train" else everyone)[sample.business_id]
        candidates.append(pool)
        relevant.append(np.searchsorted(pool, of_review[sample.review_id]))
        earlier = past[sample.review_id]
        taken = [of_review[i] for i in earlier if i in of_review]
        taken = np.concatenate(taken)[:limit] if taken else np.zeros(0, dtype=np.int64)
        taken = taken[~np.isin(taken, everyone[sample.business_id])]  # the same photo may stand at two businesses
        words = [text_rows[i] for i in earlier if i in text_rows]
        if len(taken):
            image_profiles[row] = features[taken].mean(0)
        if words:
            text_profiles[row] = texts[words].mean(0)
        seen.append(taken)
        counts.append((len(pool), len(relevant[-1]), len(earlier), len(taken)))
    frame = samples[["review_id", "user_id", "business_id", "split"]].copy()
    frame[["candidates", "relevant", "history", "history_photos"]] = counts
    return Pools(frame, photo_ids, features, candidates, relevant, seen, image_profiles, text_profiles, left_out)
