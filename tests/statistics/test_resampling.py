"""Resampling of whole groups, against the plain way: draw groups, list their samples, take the statistic."""

import math

import numpy as np
import pytest

from showcase_utils.statistics.resampling import (
    CHUNK,
    group_weights,
    percentile_bounds,
    resampled_means,
    resampled_rows,
)

GROUPS = np.array([2, 0, 1, 1, 2, 3, 2])
VALUES = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0])


def test_every_round_draws_as_many_groups_as_there_are():
    chunks = list(group_weights(7, 2 * CHUNK + 5, np.random.default_rng(0)))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 5]
    weights = np.concatenate(chunks)
    assert (weights.sum(axis=1) == 7).all() and len(np.unique(weights, axis=0)) > 150
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.3)


def test_the_samples_of_a_group_come_and_go_together():
    sizes = np.bincount(GROUPS)
    for rows in resampled_rows(GROUPS, 50, np.random.default_rng(1)):
        times = np.bincount(rows, minlength=len(GROUPS))
        for group in range(4):
            assert len(set(times[GROUPS == group])) == 1
        assert (np.bincount(GROUPS[rows], minlength=4) / sizes).sum() == 4


def test_means_are_those_of_the_samples_written_out():
    drawn = np.concatenate(list(group_weights(4, 150, np.random.default_rng(2))))
    expected = [np.repeat(VALUES, weights[GROUPS]).mean() for weights in drawn]
    np.testing.assert_allclose(resampled_means(VALUES, GROUPS, 150, np.random.default_rng(2)), expected)


def test_means_and_rows_are_two_ways_to_the_same_distribution():
    by_weight = resampled_means(VALUES, GROUPS, 4000, np.random.default_rng(3))
    by_rows = np.array([VALUES[rows].mean() for rows in resampled_rows(GROUPS, 4000, np.random.default_rng(4))])
    assert by_weight.std() == pytest.approx(by_rows.std(), rel=0.1)
    assert by_weight.mean() == pytest.approx(by_rows.mean(), abs=4 * by_rows.std() / math.sqrt(4000) * math.sqrt(2))


def test_bounds_hold_the_share_asked_for_and_leave_out_what_is_unknown():
    values = np.append(np.arange(101.0), np.nan)
    assert percentile_bounds(values, 0.9) == pytest.approx((5, 95))
    assert percentile_bounds(values) == pytest.approx((2.5, 97.5))
    assert all(math.isnan(bound) for bound in percentile_bounds(np.array([np.nan])))
