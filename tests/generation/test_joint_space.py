"""The joint space, alignment and uniformity, retrieval and its controls."""

import math

import numpy as np
import pytest
import torch

from showcase_utils.generation.dataset import collate
from showcase_utils.generation.joint_space import alignment, joint_space, preference, retrieval, uniformity
from showcase_utils.generation.systems import find_system


def _model(corpus, name):
    torch.manual_seed(0)
    return find_system(name).build(corpus).eval()


def test_joint_space_has_a_unit_row_per_sample_whatever_the_batch(corpus):
    model, dataset = _model(corpus, "ours_pc2l"), corpus.dataset("val", swap=True)
    space = joint_space(model, dataset, batch_size=3)
    assert set(space) == {"visual", "history", "target", "swapped", "borrowed"}
    for name, rows in joint_space(model, dataset, batch_size=64).items():
        assert rows.shape == (len(dataset), 64)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(rows, space[name], atol=1e-5)
    assert set(joint_space(_model(corpus, "ours_ccl"), corpus.dataset("val"))) == {"visual", "target", "borrowed"}
    assert joint_space(_model(corpus, "ours_ce"), corpus.dataset("val")) == {}


@torch.no_grad()
def test_a_borrowed_text_is_another_samples_under_the_own_encoder(corpus):
    model, dataset = _model(corpus, "ours_pc2l"), corpus.dataset("val", swap=True)
    space = joint_space(model, dataset, batch_size=3)
    for index in range(len(dataset)):
        other = dataset[(index + len(dataset) // 2) % len(dataset)]
        alone = model(**collate([dataset[index] | {"labels": other["labels"]}])).target
        np.testing.assert_allclose(space["borrowed"][index], torch.nn.functional.normalize(alone[0], dim=0), atol=1e-5)
        assert other["labels"] != dataset[index]["labels"]


def test_a_space_that_only_knows_its_encoder_is_found_out():
    """Texts that copy their photos retrieve them whatever they say; those that read themselves do not."""
    rng = np.random.default_rng(0)
    photos, said, other = (rng.normal(size=(40, 8)) for _ in range(3))
    photos, said, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (photos, said, other))
    assert retrieval(photos, photos) == 1 and retrieval(photos, said) < 0.2
    assert retrieval(photos, photos, own=photos) == 1  # a borrowed text that is a copy: found as if it were the own
    assert retrieval(photos, photos, own=-photos) == 0
    assert preference(photos, photos, -photos) == 1 and preference(photos, -photos, photos) == 0
    assert 0.3 < preference(photos, said, other) < 0.7
    np.fill_diagonal(similarity := photos @ said.T, -2)
    expected = [(photos[row] @ other[row]) > similarity[row].max() for row in range(40)]
    assert retrieval(photos, said, own=other) == pytest.approx(np.mean(expected))


def test_alignment_and_uniformity_at_their_ends():
    eye = np.eye(4)
    assert alignment(eye, eye) == 0
    assert alignment(eye, -eye) == 4
    assert uniformity(np.tile(eye[0], (5, 1))) == 0
    assert uniformity(eye[:2]) == pytest.approx(-4)  # squared distance 2, t = 2
    assert uniformity(np.concatenate([eye[:1], -eye[:1]])) == pytest.approx(-8)
    rows = np.random.default_rng(0).normal(size=(6, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = [math.exp(-2 * ((rows[i] - rows[j]) ** 2).sum()) for i in range(6) for j in range(i)]
    assert uniformity(rows) == pytest.approx(math.log(sum(pairs) / len(pairs)))
    with pytest.raises(ValueError, match="at least two"):
        uniformity(eye[:1])
