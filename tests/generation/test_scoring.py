"""Likelihoods of texts."""

import numpy as np
import pytest
import torch

from showcase_utils.generation.dataset import collate
from showcase_utils.generation.scoring import cross_entropy
from showcase_utils.generation.systems import find_system


def test_cross_entropy_counts_every_token_once(corpus):
    torch.manual_seed(0)
    model, dataset = find_system("ours_pc2l").build(corpus).eval(), corpus.dataset("val", swap=True)
    rows = [model(**{name: value for name, value in collate([sample]).items()}).loss.item() for sample in dataset]
    expected = np.average(rows, weights=dataset.lengths)
    assert cross_entropy(model, dataset, batch_size=3) == pytest.approx(expected, rel=1e-5)
    assert len(set(dataset.lengths)) > 1
