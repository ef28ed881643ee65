"""The order of samples."""

import numpy as np

from showcase_utils.generation.sampler import LengthBuckets


def test_an_epoch_is_a_permutation_of_like_lengths():
    lengths = np.random.default_rng(0).integers(4, 40, size=107)
    buckets = LengthBuckets(lengths, batch_size=8, seed=3)
    orders = []
    for epoch in range(2):
        buckets.set_epoch(epoch)
        order = list(buckets)
        assert sorted(order) == list(range(107))
        batches = [lengths[order[start : start + 8]] for start in range(0, 104, 8)]
        assert np.mean([np.ptp(batch) for batch in batches]) < 5  # at random it is about 28
        assert [batch.mean() for batch in batches] != sorted(batch.mean() for batch in batches)
        orders.append(order)
    assert orders[0] != orders[1]
    again = LengthBuckets(lengths, batch_size=8, seed=3)
    again.set_epoch(1)
    assert list(again) == orders[1]
    assert list(lengths[list(LengthBuckets(lengths, 8, shuffle=False))]) == sorted(lengths)
