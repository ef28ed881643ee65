import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from showcase_utils.statistics.correlation import rank_correlations


def test_rank_correlations_are_scipys_and_their_difference_is_paired():
    rng = np.random.default_rng(0)
    truth = np.round(rng.random(300), 1)
    close, far = truth + rng.normal(0, 0.2, 300), truth + rng.normal(0, 2, 300)
    users = np.arange(300) // 3
    each, differences = rank_correlations({"close": close, "far": far}, truth, users, rounds=200)
    assert each["close"].value == pytest.approx(spearmanr(close, truth).statistic)
    assert each["far"].low < spearmanr(far, truth).statistic < each["far"].high
    gap = differences["close", "far"]
    assert gap.value == pytest.approx(each["close"].value - each["far"].value) and gap.low > 0
    same = rank_correlations({"a": close, "b": close.copy()}, truth, users, rounds=50)[1]["a", "b"]
    assert (same.value, same.low, same.high) == (0, 0, 0)
    with_gap = np.append(close, np.nan), np.append(truth, 0.5), np.append(users, 0)
    again, _ = rank_correlations({"close": with_gap[0]}, *with_gap[1:], rounds=20)
    assert again["close"].value == pytest.approx(each["close"].value)
    with pytest.raises(ValueError, match="300 samples but 2 users"):
        rank_correlations({"close": close}, truth, ["a", "b"])


def test_a_score_that_does_not_vary_has_no_correlation():
    each, differences = rank_correlations({"a": np.ones(6), "b": np.arange(6.0)}, np.arange(6.0), range(6), rounds=50)
    assert math.isnan(each["a"].value) and math.isnan(differences["a", "b"].low)
    assert "does not vary" in each["a"].method and each["b"].value == pytest.approx(1)


def test_several_trainings_are_averaged_and_drawn_again():
    rng = np.random.default_rng(1)
    truth, users = np.tile(rng.random(200), 2), np.tile(np.arange(200), 2)
    seeds = np.repeat([0, 1], 200)
    good_then_bad = np.where(seeds == 0, truth + rng.normal(0, 0.02, 400), rng.random(400))
    each, _ = rank_correlations({"x": good_then_bad}, truth, users, seeds, rounds=200)
    expected = [spearmanr(good_then_bad[seeds == s], truth[seeds == s]).statistic for s in (0, 1)]
    assert each["x"].value == pytest.approx(np.mean(expected))
    assert each["x"].high - each["x"].low > 0.8  # one training finds the order, the other does not
    assert "200 users and 2 seeds" in each["x"].method
