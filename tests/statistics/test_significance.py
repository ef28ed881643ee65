import math

import numpy as np
import pytest
from scipy.stats import permutation_test

from showcase_utils.metrics import text
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.features import feature_diversity, unique_sentence_ratio
from showcase_utils.metrics.metric import Metric
from showcase_utils.statistics.significance import compare, detectable, holm, interval

WORDS = "the a tacos sushi soup tea great slow warm fresh cozy loud".split()


def texts(rng, n, words=WORDS):
    return [" ".join(rng.choice(words, rng.integers(4, 12))) for _ in range(n)]


def test_an_interval_over_users_is_wider_than_one_over_rows():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(40), 10)
    values = np.repeat(rng.normal(size=40), 10)  # a user's ten reviews say the same
    metric = mean_metric(values, "x")
    by_user, by_row = interval(metric, users), interval(metric, np.arange(400))
    assert by_user.standard_error == pytest.approx(values[::10].std() / math.sqrt(40), rel=0.1)
    assert by_row.standard_error < by_user.standard_error / 2


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        metric = mean_metric(rng.exponential(size=60), "x")
        found = interval(metric, np.arange(60), rounds=200, seed=trial)
        hits += found.low <= 1 <= found.high
    assert 0.88 <= hits / 200 <= 0.98


@pytest.mark.parametrize("name", ["BLEU-4", "NIST-4", "METEOR", "Length"])
def test_drawing_users_again_is_scoring_the_drawn_texts_again(name):
    rng = np.random.default_rng(2)
    hypotheses, references = texts(rng, 12), texts(rng, 12)
    metric = text.ngram_row(hypotheses, references)[name]
    weights = np.array([[2, 0, 1, 1, 0, 1, 3, 0, 1, 1, 1, 1]])
    again = [i for i, times in enumerate(weights[0]) for _ in range(times)]
    drawn = text.ngram_row([hypotheses[i] for i in again], [references[i] for i in again])[name].value
    # NIST keeps the information weights of all references, which a new corpus would change.
    assert metric.under(weights)[0] == pytest.approx(drawn, rel=0.15 if name == "NIST-4" else 1e-9)


@pytest.mark.parametrize("n", [1, 2])
def test_distinct_without_a_user_and_swapped_by_recounting(n):
    rng = np.random.default_rng(3)
    one, two = texts(rng, 9), texts(rng, 9, WORDS[:5])
    groups = np.array([0, 0, 1, 1, 1, 2, 3, 3, 3])
    metric, other = text.distinct(one, n), text.distinct(two, n)
    left = [text.distinct([t for t, g in zip(one, groups, strict=True) if g != out], n).value for out in range(4)]
    np.testing.assert_allclose(metric.without(groups), left)
    own = rng.random((6, 9)) < 0.5
    swapped = [text.distinct([a if o else b for a, b, o in zip(one, two, row, strict=True)], n).value for row in own]
    np.testing.assert_allclose(metric.mixed(other)(own), swapped)


def test_bleu_swapped_by_rescoring():
    rng = np.random.default_rng(4)
    one, two, references = texts(rng, 9), texts(rng, 9), texts(rng, 9)
    own = rng.random((5, 9)) < 0.5
    swapped = [
        text.bleu([a if o else b for a, b, o in zip(one, two, row, strict=True)], references, 2).value for row in own
    ]
    np.testing.assert_allclose(text.bleu(one, references, 2).mixed(text.bleu(two, references, 2))(own), swapped)


def test_the_randomisation_test_is_scipys():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.25, 1, 50), rng.normal(0, 1, 50)
    found = compare(mean_metric(a, "x"), mean_metric(b, "x"), np.arange(50), rounds=4000)
    expected = permutation_test((a, b), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", rng=0)
    assert 0.01 < expected.pvalue < 0.9
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.03)
    assert found.value == pytest.approx(a.mean() - b.mean())


def test_equal_systems_are_rarely_told_apart_and_unequal_ones_are():
    rng = np.random.default_rng(6)
    same = [
        compare(mean_metric(rng.normal(size=40), "x"), mean_metric(rng.normal(size=40), "x"), np.arange(40), 200)
        for _ in range(100)
    ]
    assert np.mean([c.p_value < 0.05 for c in same]) < 0.12
    assert np.mean([c.low > 0 or c.high < 0 for c in same]) < 0.14
    better = compare(mean_metric(rng.normal(2, 1, 40), "x"), mean_metric(rng.normal(0, 1, 40), "x"), np.arange(40), 200)
    assert better.p_value < 0.01 and better.low > 0


def test_what_is_not_defined_is_no_significant_difference():
    nothing = mean_metric(np.full(6, np.nan), "x")
    found = compare(mean_metric(np.arange(6.0), "x"), nothing, np.arange(6), rounds=20)
    assert math.isnan(found.value) and math.isnan(found.p_value)
    assert math.isnan(holm([found.p_value])[0])


def test_distinct_is_compared_over_users():
    rng = np.random.default_rng(7)
    rich, poor = texts(rng, 80), texts(rng, 80, WORDS[:3])
    found = compare(text.distinct(rich, 2), text.distinct(poor, 2), np.arange(80) // 2, rounds=200)
    assert found.value > 0 and found.low > 0 and found.p_value < 0.01
    assert "jackknife over 40 users" in found.method
    alone = interval(text.distinct(rich, 2), np.arange(80) // 2)
    assert alone.low < alone.value < alone.high


def test_seeds_are_averaged_and_drawn_again_with_the_users():
    users, rng = np.arange(60), np.random.default_rng(8)
    same = mean_metric(rng.normal(size=60), "x")
    alike = interval([same] * 3, users)
    assert alike.standard_error == pytest.approx(interval(same, users).standard_error)  # equal trainings add nothing
    runs = [mean_metric(np.full(60, value), "x") for value in (0.0, 1.0, 5.0)]  # users are alike, trainings are not
    found = interval(runs, users, rounds=4000)
    assert found.value == pytest.approx(2)
    assert found.standard_error == pytest.approx(np.std([0, 1, 5], ddof=1) / math.sqrt(3), rel=0.05)
    assert "60 users and 3 seeds" in found.method
    gap = compare(runs, [same], users, rounds=200)
    assert gap.standard_error > 5 * compare([runs[0]], [same], users, rounds=200).standard_error


def test_the_spread_of_seeds_widens_the_interval_of_distinct():
    rng = np.random.default_rng(11)
    users = np.arange(30)
    one = text.distinct(texts(rng, 30, WORDS[:6]), 2)
    other = text.distinct(["the tacos"] * 30, 2)
    found, alone = interval([one, other], users), interval([one, one], users)
    assert found.standard_error >= abs(one.value - other.value) / 2 > 2 * alone.standard_error


def test_an_interval_of_a_share_ends_at_one():
    texts = [f"text {n}" for n in range(20)] + ["text 0"]
    found = interval(unique_sentence_ratio(texts), [f"user {n}" for n in range(21)])
    assert found.value + 1.96 * found.standard_error > 1, "nothing to cut off"
    assert found.high == 1.0 and 0 < found.low < found.value
    shared = [{"soup", "tea", f"dish {n % 5}"} for n in range(21)]  # may be above 1: two features in common
    overlap = interval(feature_diversity(shared), [f"user {n}" for n in range(21)])
    assert overlap.value > 2 and overlap.high > 2


def test_same_seed_same_numbers():
    metric = mean_metric(np.random.default_rng(9).normal(size=20), "x")
    assert interval(metric, range(20), seed=3) == interval(metric, range(20), seed=3)
    assert interval(metric, range(20), seed=3) != interval(metric, range(20), seed=4)


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, np.nan, 0.9]), [1.0, np.nan, 1.0])
    assert holm([]).shape == (0,)


def test_one_user_has_no_interval():
    metric = mean_metric(np.array([1.0, 2.0]), "x")
    found = compare(metric, metric, ["a", "a"], rounds=50)
    assert math.isnan(found.low) and found.p_value == 1


def test_the_detectable_difference_is_found_as_often_as_said():
    rng = np.random.default_rng(10)
    a, b = rng.normal(size=100), rng.normal(size=100)
    found = compare(mean_metric(a, "x"), mean_metric(b, "x"), np.arange(100), rounds=500)
    smallest = detectable(found)
    hits = 0
    for _ in range(200):
        d = rng.normal(smallest, (a - b).std(), 100)
        hits += abs(d.mean()) > 1.96 * d.std() / 10
    assert 0.7 < hits / 200 < 0.9


def test_bad_input_is_named():
    metric = mean_metric(np.ones(3), "x")
    with pytest.raises(ValueError, match="3 samples but there are 2 users"):
        interval(metric, ["a", "b"])
    with pytest.raises(ValueError, match="different variants"):
        compare(metric, mean_metric(np.ones(3), "y"), range(3))
    with pytest.raises(ValueError, match="3 seeds against 2"):
        compare([metric] * 3, [metric] * 2, range(3))
    assert compare(metric, [metric, metric], range(3), rounds=20).value == 0
    with pytest.raises(ValueError, match="no values per sample"):
        interval(Metric(1.0, "x"), range(3))
    plain = Metric(1.0, "x", np.array([0.0, 2.0]))
    assert interval(plain, ["a", "b"]).value == 1
