import math

import numpy as np
import pytest

from showcase_utils.metrics.grounding import clip_align, clip_score


def test_clip_align_is_the_mean_over_photos_of_the_best_sentence():
    one = np.array([[0.1, 0.9], [0.2, 0.4]])
    assert clip_align(one).value == pytest.approx((0.9 + 0.4) / 2)
    three = np.array([[0.5], [0.0], [1.0]])
    metric = clip_align([one, three])
    np.testing.assert_allclose(metric.per_sample, [0.65, 0.5])
    assert metric.value == pytest.approx(0.575)


def test_a_text_without_sentences_scores_zero_and_a_sample_without_photos_is_left_out():
    metric = clip_align([np.zeros((2, 0)), np.zeros((0, 3)), np.full((1, 1), 0.8)])
    assert metric.per_sample[0] == 0 and math.isnan(metric.per_sample[1])
    assert metric.value == pytest.approx(0.4)


def test_clip_score_is_clip_align_on_cosines():
    rng = np.random.default_rng(0)
    photos, sentences = [rng.normal(size=(n, 5)) for n in (3, 1)], [rng.normal(size=(n, 5)) for n in (2, 4)]
    expected = []
    for photo, sentence in zip(photos, sentences, strict=True):
        rows = []
        for p in photo:
            rows.append(max(p @ s / (np.linalg.norm(p) * np.linalg.norm(s)) for s in sentence))
        expected.append(np.mean(rows))
    np.testing.assert_allclose(clip_score(photos, sentences).per_sample, expected)
    assert clip_score(photos[0], sentences[0]).value == pytest.approx(expected[0])
    assert clip_score([photos[0]], [np.zeros((0, 5))]).value == 0


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="sample 1 is not between 0 and 1"):
        clip_align([np.full((1, 1), 0.5), np.full((1, 1), 3.0)])
    with pytest.raises(ValueError, match="expected two dimensions"):
        clip_align([np.zeros(3)])
    with pytest.raises(ValueError, match="4 dimensions, sentences 5"):
        clip_score(np.ones((1, 4)), np.ones((2, 5)))
    with pytest.raises(ValueError, match="zero or not finite"):
        clip_score(np.zeros((1, 4)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="1 samples of photos but 2"):
        clip_score([np.ones((1, 4))], [np.ones((1, 4))] * 2)
    with pytest.raises(ValueError, match="not between 0 and 1"):
        clip_align(np.array([[np.nan]]))
    with pytest.raises(ValueError, match="no samples"):
        clip_align([])
