import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from showcase_utils.statistics.ranking import auc


def test_the_value_is_sklearns_with_ties():
    rng = np.random.default_rng(0)
    label, score = rng.random(200) < 0.3, rng.integers(0, 7, 200).astype(float)
    found = auc(label, score + label, [f"u{i // 2}" for i in range(200)], rounds=300)
    assert found.value == pytest.approx(roc_auc_score(label, score + label))
    assert found.low < found.value < found.high and "100 users" in found.method


def test_rows_of_one_user_count_as_one():
    rng = np.random.default_rng(1)
    label, score = rng.random(60) < 0.5, rng.normal(size=60)
    alone = auc(label, score, np.arange(60), rounds=400)
    copied = auc(np.tile(label, 5), np.tile(score, 5), np.tile(np.arange(60), 5), rounds=400)
    assert copied.value == pytest.approx(alone.value)
    assert copied.standard_error == pytest.approx(alone.standard_error, rel=1e-6)


def test_one_class_has_no_area():
    assert np.isnan(auc(np.ones(3, bool), np.arange(3.0), ["a", "b", "c"]).value)
