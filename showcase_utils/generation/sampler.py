"""The order of the samples: batches of texts of like length, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class LengthBuckets(Sampler[int]):
    """Samples in an order whose consecutive batches hold texts of like length.

    The order depends on the seed and the epoch alone, which makes resuming exact. Without ``shuffle`` it is by length.
    ``batch_size`` is that of a whole step: several processes take turns at its parts, so that how many they are does
    not change which samples a step sees.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int = 0, shuffle: bool = True, pool: int = 32):
        """``pool``: batches that are sorted together; the larger, the less padding and the less mixing."""
        self.lengths, self.batch_size, self.seed, self.shuffle, self.pool = lengths, batch_size, seed, shuffle, pool
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(np.argsort(self.lengths, kind="stable").tolist())
        rng = np.random.default_rng((self.seed, self.epoch))
        order = rng.permutation(len(self.lengths))
        size = self.batch_size * self.pool
        pools = [order[start : start + size] for start in range(0, len(order), size)]
        order = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        batches = np.split(order, range(self.batch_size, len(order), self.batch_size))
        # a last batch that is not full stays last, or the loader would cut all later ones elsewhere
        full = len(order) // self.batch_size
        batches = [batches[index] for index in rng.permutation(full)] + batches[full:]
        return iter(np.concatenate(batches).tolist())
