"""A tiny made-up city in frames and feature tables: tastes are directions, users post the photos that suit theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from showcase_utils.config import Selection
from showcase_utils.data.filtering import history
from showcase_utils.selection.pools import Pools, build_pools

DIM, THEMES = 16, 4


class Table(dict):
    """A feature store in memory: ids to rows, read like the real one."""

    dim = DIM

    def __getitem__(self, ids: list[str]) -> np.ndarray:
        return np.stack([super(Table, self).__getitem__(i) for i in ids])


@dataclass
class City:
    s1: pd.DataFrame
    images: pd.DataFrame
    photos: Table
    reviews: Table

    def pools(self, limit: int = 10, **other) -> Pools:
        """Its pools, with some of its frames replaced."""
        parts = {"s1": self.s1, "images": self.images, "photos": self.photos, "reviews": self.reviews} | other
        return build_pools(histories=history(parts["s1"]), limit=limit, **parts)


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def make_city(users: int = 90, businesses: int = 10, seed: int = 0) -> City:
    rng = np.random.default_rng(seed)
    themes = rng.normal(size=(THEMES, DIM))
    rows, photos, reviews = [], Table(), Table()
    for user in range(users):
        taste = rng.integers(THEMES)
        split = "train" if user < users * 0.7 else "val" if user < users * 0.85 else "test"
        for business in rng.choice(businesses, size=rng.integers(2, 5), replace=False):
            review = f"u{user}_b{business}"
            ids = [f"p{rng.integers(1 << 40):010x}" for _ in range(rng.integers(1, 4))]
            for i in ids:
                photos[i] = unit(themes[taste] + 0.9 * rng.normal(size=DIM))
            reviews[review] = unit(themes[taste] + 0.9 * rng.normal(size=DIM))
            rows.append((review, f"u{user}", f"b{business}", 5, f"nice evening {len(rows)}", ids, split))
    s1 = pd.DataFrame(rows, columns=["review_id", "user_id", "business_id", "rating", "text", "image_ids", "split"])
    images = s1.explode("image_ids").rename(columns={"image_ids": "image_id"})[["image_id", "review_id", "business_id"]]
    return City(s1, images.assign(url="", path="", status="ok").reset_index(drop=True), photos, reviews)


@pytest.fixture(scope="session")
def city() -> City:
    return make_city()


@pytest.fixture(scope="session")
def pools(city: City) -> Pools:
    return city.pools()


@pytest.fixture
def settings() -> Selection:
    return Selection(k=3, epochs=40, patience=10, batch_size=64, lr=3e-3)
