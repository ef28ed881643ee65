from itertools import combinations

import numpy as np
import pytest

from showcase_utils.metrics import features as measures
from showcase_utils.statistics.significance import compare, interval

WORDS = ("room", "pasta", "wine", "service", "view")


def drawn(seed, n=30, words=WORDS):
    rng = np.random.default_rng(seed)
    return [list(rng.choice(words, rng.integers(0, 4), replace=False)) for _ in range(n)]


def shared(features):
    """DIV as NLG4RS writes it, pair by pair."""
    return np.mean([len(set(one) & set(other)) for one, other in combinations(features, 2)])


def test_usr_counts_different_texts():
    assert measures.unique_sentence_ratio(["a b", "a b", "c", "A b"]).value == 3 / 4


def test_fmr_is_the_share_of_reviews_whose_feature_is_named_and_means_over_several():
    one = measures.feature_matching_ratio([["room", "wine"], ["pasta"], []], [["room"], ["room"], ["wine"]])
    assert one.value == 1 / 3
    several = measures.feature_matching_ratio([["room"], ["wine"]], [["room", "wine"], []])
    assert several.value == 1 / 2 and np.isnan(several.per_sample[1])


def test_fcr_counts_known_features_alone():
    metric = measures.feature_coverage_ratio([["room", "room"], ["sofa"], ["wine"]], WORDS)
    assert metric.value == 2 / 5
    np.testing.assert_allclose(metric.without(np.array([0, 1, 2])), [1 / 5, 2 / 5, 1 / 5])


def test_div_is_the_mean_overlap_of_all_pairs():
    features = drawn(0)
    metric = measures.feature_diversity([[*row, *row] for row in features])  # named twice is named once
    assert metric.value == pytest.approx(shared(features))
    groups = np.arange(30) // 3
    left = [shared([row for row, own in zip(features, groups, strict=True) if own != g]) for g in range(10)]
    np.testing.assert_allclose(metric.without(groups), left)


def test_div_and_fcr_swapped_by_counting_again():
    one, two = drawn(1), drawn(2, words=WORDS[:3])
    own = np.random.default_rng(3).random((5, 30)) < 0.5
    mixed = [[a if o else b for a, b, o in zip(one, two, row, strict=True)] for row in own]
    for measure in (measures.feature_diversity, lambda rows: measures.feature_coverage_ratio(rows, WORDS)):
        np.testing.assert_allclose(measure(one).mixed(measure(two))(own), [measure(rows).value for rows in mixed])


def test_the_two_have_intervals_and_tests_over_users():
    users = np.arange(30) // 2
    rich, poor = measures.feature_diversity(drawn(4)), measures.feature_diversity([["room"]] * 30)
    found = compare(poor, rich, users, rounds=100)
    assert found.low > 0 and found.p_value < 0.01
    bounds = interval(rich, users)
    assert bounds.low < bounds.value < bounds.high and "jackknife" in bounds.method
