"""Candidate pools: the photos of a business, those the user posted, and what is known of the user.

Protocol. A sample is one review (u, b) of GEST-s1. Its candidates are all available photos of b, sorted by id so
that their order says nothing about who posted them; relevant are the photos posted with that review. In *training*
pools, photos by users of the other splits are left out: otherwise a photo of a test user would be seen in training
only as one that nobody chose. Pools keep their true sizes, unless training asks for less (`Pools.narrowed`).

What is known of the user is history: photos and texts of reviews of *other* businesses, so that nothing of the target
review, nor of a repeat visit, can leak.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, pairwise
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

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

    @cached_property
    def features(self) -> Tensor:
        """CLIP features of the candidates, (B, n, d)."""
        return self.photos[self.position]

    @cached_property
    def directions(self) -> Tensor:
        """The same with norm 1: a dozen methods, each with as many weights θ, look at them."""
        return F.normalize(self.features, dim=-1)

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

    def distinct(self, rows: Ints) -> tuple[Ints, Ints]:
        """One row of each set of candidates that ``rows`` have, and for every one of ``rows`` its place among those."""
        numbers: dict[bytes, int] = {}
        alike = np.array([numbers.setdefault(self.candidates[row].tobytes(), len(numbers)) for row in rows], dtype=int)
        return np.asarray(rows)[np.unique(alike, return_index=True)[1]], alike

    def whole(self) -> Pools:
        """The same samples as a product sees them: every photo of the place is a candidate, for training users too."""
        candidates = [self.places[business] for business in self.samples["business_id"]]
        own = [pool[places] for pool, places in zip(self.candidates, self.relevant, strict=True)]
        relevant = [np.searchsorted(pool, photos) for pool, photos in zip(candidates, own, strict=True)]
        samples = self.samples.assign(candidates=[len(pool) for pool in candidates])
        return replace(self, samples=samples, candidates=candidates, relevant=relevant)

    def narrowed(self, most: int, seed: int) -> Pools:
        """The same samples with at most ``most`` candidates: all their own photos, of others' as many as are drawn."""
        rng = np.random.default_rng(seed)
        candidates, relevant = list(self.candidates), list(self.relevant)
        for row in np.flatnonzero(self.samples["candidates"] > most):
            pool, own = candidates[row], relevant[row]
            others = rng.permutation(np.delete(np.arange(len(pool)), own))[: max(0, most - len(own))]
            kept = np.sort(np.concatenate([own, others]))
            candidates[row], relevant[row] = pool[kept], np.searchsorted(kept, own)
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
    available, encoded = (_each_in(some, posted["image_ids"]) for some in (usable_ids(images), photos))
    kept = posted[available & encoded]
    with_photos = _each_in(frozenset(kept["review_id"]), s1["review_id"])
    samples = s1.loc[with_photos, ["review_id", "user_id", "business_id", "split"]]
    samples = samples.reset_index(drop=True)
    if samples.empty:
        raise ValueError("no review of GEST-s1 has an available photo with features: check stages data and features")
    kept, photo_ids = kept.assign(photo=pd.factorize(kept["image_ids"], sort=True)[0]), np.unique(kept["image_ids"])
    text_ids = s1["review_id"].to_numpy(object)[_each_in(reviews, s1["review_id"])]
    candidates, relevant, places = _candidates(kept, samples)
    known = dict(histories.items())
    past = [list(known[review])[:limit] for review in samples["review_id"].tolist()]
    history_photos, history_texts = _past_items(kept, samples, past, text_ids, places, limit)
    return Pools(
        samples.assign(
            candidates=[len(rows) for rows in candidates],
            relevant=[len(rows) for rows in relevant],
            history=[len(reviews) for reviews in past],
            history_photos=[len(rows) for rows in history_photos],
        ),
        photo_ids.astype(object),
        np.asarray(photos[photo_ids.tolist()], dtype=np.float32),
        text_ids,
        np.asarray(reviews[text_ids.tolist()], dtype=np.float32) if len(text_ids) else np.zeros((0, reviews.dim), "f4"),
        candidates,
        relevant,
        history_photos,
        history_texts,
        places,
        left_out={
            "photos not available": int((~available).sum()),
            "photos without features": int((available & ~encoded).sum()),
            "reviews without photos": len(s1) - len(samples),
        },
    )


def _candidates(kept: pd.DataFrame, samples: pd.DataFrame) -> tuple[list[Ints], list[Ints], dict[str, Ints]]:
    """Per sample its candidates and the places of the relevant among them; per business all its photos, ascending.

    ``kept``: one row per photo of a review, with its number ``photo``.
    """
    everyone = _photos_by(kept, "business_id")
    training = _photos_by(kept[kept["split"] == "train"], "business_id")
    own = _photos_by(kept, "review_id")
    candidates = [
        (training if split == "train" else everyone)[business]
        for split, business in zip(samples["split"].tolist(), samples["business_id"].tolist(), strict=True)
    ]
    relevant = [
        np.searchsorted(pool, own[i]) for pool, i in zip(candidates, samples["review_id"].tolist(), strict=True)
    ]
    return candidates, relevant, everyone


def _past_items(
    kept: pd.DataFrame,
    samples: pd.DataFrame,
    past: Sequence[Sequence[str]],
    text_ids: np.ndarray,
    places: dict[str, Ints],
    limit: int,
) -> tuple[list[Ints], list[Ints]]:
    """Per sample the numbers of the user's past photos, none that stands at this business too, and of the past texts.

    ``past``, S lists of review ids, become one long column: a step for all samples instead of some for each.
    """
    own, number = _photos_by(kept, "review_id"), {review: n for n, review in enumerate(text_ids)}
    column, sizes = [*chain.from_iterable(past)], [len(reviews) for reviews in past]
    sample = np.repeat(np.arange(len(past)), sizes)
    texts = np.fromiter((number.get(review, -1) for review in column), np.int64, len(column))
    history_texts = _by_sample(texts, sample, texts >= 0, len(past))

    none = np.zeros(0, dtype=np.int64)
    posted = [own.get(review, none) for review in column]
    photos, sample = np.concatenate([none, *posted]), np.repeat(sample, [len(some) for some in posted])
    rank = np.arange(len(photos)) - np.searchsorted(sample, sample)  # of a photo among those of its sample
    # A pair of business and photo is one number; those of photos that stand at a business ascend.
    base = 1 + max(int(rows[-1]) for rows in places.values())
    standing = np.concatenate([place * base + rows for place, rows in enumerate(places.values())])
    of_place = {business: place for place, business in enumerate(places)}
    business = np.array([of_place[name] for name in samples["business_id"].tolist()])
    pair = business[sample] * base + photos
    here = standing[np.searchsorted(standing, pair).clip(max=len(standing) - 1)] == pair
    return _by_sample(photos, sample, (rank < limit) & ~here, len(past)), history_texts


def _by_sample(values: Ints, sample: Ints, keep: NDArray[np.bool_], samples: int) -> list[Ints]:
    """The values that are kept, an array for each sample; ``sample`` ascends."""
    return _split(values[keep], np.bincount(sample[keep], minlength=samples))


def _photos_by(kept: pd.DataFrame, column: str) -> dict[str, Ints]:
    """The photos of each review or business, by name, ascending, each once."""
    if kept.empty:
        return {}
    group, names = pd.factorize(kept[column], sort=True)
    base = 1 + int(kept["photo"].max())
    group, photo = np.divmod(np.unique(group * base + kept["photo"].to_numpy()), base)  # a pair is one number
    return dict(zip(names, _split(photo, np.bincount(group)), strict=True))


def _split(values: Ints, sizes: Ints) -> list[Ints]:
    """``np.split`` for hundreds of thousands of parts, of which it would make ten times as much work."""
    ends = np.cumsum(sizes).tolist()
    return [values[start:end] for start, end in pairwise([0, *ends])]


def _each_in(there: Container[str], ids: pd.Series) -> NDArray[np.bool_]:
    """Whether each id is there; a look-up is quicker than pandas, which would make a column of a set first."""
    return np.fromiter(map(there.__contains__, ids.tolist()), bool, len(ids))


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
