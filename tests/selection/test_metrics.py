"""Selection metrics on examples worked by hand."""

import math

import numpy as np
import pytest
import torch

from showcase_utils.selection.metrics import diversity, precision_recall_f1


def test_one_sample_by_hand():
    precision, recall, f1 = precision_recall_f1(["a", "x", "b", "c"], {"a", "b", "c", "d"}, 3)
    assert (precision.value, recall.value) == pytest.approx((2 / 3, 2 / 4))
    assert f1.value == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert "hits / k" in precision.variant


def test_means_are_over_samples_and_short_lists_still_divide_by_k():
    result = precision_recall_f1([["a"], ["x", "y", "z"]], [["a", "b"], ["q"]], 3)
    assert result.value == pytest.approx(((1 / 3) / 2, (1 / 2) / 2, (2 / 5) / 2))
    np.testing.assert_allclose(result.f1.per_sample, [2 / 5, 0])


@pytest.mark.parametrize("make", [np.array, torch.tensor, list])
def test_minus_one_is_no_pick(make):
    assert precision_recall_f1(make([4, 1, -1]), make([1, 2]), 3).value == pytest.approx((1 / 3, 1 / 2, 2 / 5))


def test_what_is_refused():
    for arguments, message in [
        ((["a", "a"], ["a"], 2), "twice"),
        ((["a"], [], 2), "no relevant"),
        ((["a"], ["a"], 0), "k = 0"),
        (([["a"]], [["a"], ["b"]], 1), "1 samples"),
    ]:
        with pytest.raises(ValueError, match=message):
            precision_recall_f1(*arguments)


def test_diversity_is_the_mean_over_pairs():
    rows = np.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [5.0, 5.0]])
    assert diversity(rows, 3).value == pytest.approx((1 + 2 + 1) / 3)
    assert diversity(rows, 2).value == pytest.approx(1)
    assert diversity(np.stack([rows[:2], rows[[0, 2]]]), 3).value == pytest.approx(1.5)
    many = diversity([rows[:2], rows[:1]], 3)
    assert many.value == pytest.approx(1) and math.isnan(many.per_sample[1])


def test_diversity_refuses_zero_rows_and_k_of_one():
    with pytest.raises(ValueError, match="set 0"):
        diversity(np.zeros((2, 3)), 2)
    with pytest.raises(ValueError, match="k = 1"):
        diversity(np.ones((2, 3)), 1)
