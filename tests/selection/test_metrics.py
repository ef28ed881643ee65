"""Selection metrics on examples worked by hand."""

import math

import numpy as np
import pytest
import torch

from showcase_utils.config import Selection
from showcase_utils.selection.metrics import auc, diversity, expected_f1, precision_recall_f1, sameness
from showcase_utils.selection.rankers import Chance


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


def test_auc_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    relevance = [rng.integers(0, 5, size=n).astype(float) for n in (6, 9, 4)]  # with ties
    own = [[1, 4], [0], []]
    found = auc(relevance, own)
    for values, mine, value in zip(relevance[:2], own[:2], found.per_sample[:2], strict=True):
        others = [j for j in range(len(values)) if j not in mine]
        pairs = [(values[i] > values[j]) + 0.5 * (values[i] == values[j]) for i in mine for j in others]
        assert value == pytest.approx(np.mean(pairs))
    assert np.isnan(found.per_sample[2]) and found.value == pytest.approx(np.mean(found.per_sample[:2]))


def test_no_samples_at_all_are_none_and_a_sample_without_picks_is_one():
    assert np.isnan(precision_recall_f1([], [], 3).f1.value)
    assert precision_recall_f1([], ["a", "b"], 3).value == (0.0, 0.0, 0.0)
    assert precision_recall_f1(["a"], (i for i in "ab"), 1).recall.value == 0.5


def test_chance_is_the_mean_over_random_sets():
    rng = np.random.default_rng(0)
    sets = [rng.permutation(12)[:3] for _ in range(4000)]
    drawn = precision_recall_f1(sets, [[0, 1]] * len(sets), 3).f1.value
    assert expected_f1(12, 2, 3) == pytest.approx(drawn, abs=0.01)
    assert expected_f1([2], [1], 3) == pytest.approx([2 * 1 / (3 + 1)])  # all of a small pool are shown


def test_sameness_by_hand():
    top_set, overlap = sameness([{1, 2, 3}, {3, 2, 1}, {3, 4, 5}])
    assert top_set == pytest.approx(2 / 3) and overlap == pytest.approx((1 + 1 / 5 + 1 / 5) / 3)
    assert sameness([{1}])[0] == 1 and math.isnan(sameness([{1}])[1])


def test_chance_favours_no_photo(pools):
    rows = pools.rows("test")
    batch, own = pools.batch(rows), [pools.relevant[row] for row in rows]
    values = []
    for seed in range(100):
        drawn = Chance(Selection(), "none", seed)(batch)
        values.append(auc([order[there] for order, there in zip(drawn, batch.present, strict=True)], own).value)
    assert abs(np.mean(values) - 0.5) < 4 * np.std(values) / 10 < 0.05
