"""Attention from words to photos and past reviews."""

import numpy as np
import pandas as pd
import pytest
import torch

from showcase_utils.generation.attention import word_attention
from showcase_utils.generation.systems import find_system


def _model(corpus, name):
    torch.manual_seed(0)
    return find_system(name).build(corpus).eval()


@pytest.mark.parametrize("name", ["text_gpt2", "img_gpt2", "ours_ce"])
def test_word_attention_is_a_distribution_over_photos_and_reviews(corpus, name):
    model, dataset = _model(corpus, name), corpus.dataset("train")
    implementation = model.decoder.config._attn_implementation
    frame = word_attention(model, corpus.tokenizer, dataset, 1)
    photos, reviews = len(dataset[1]["images"]), len(dataset[1]["history"])
    expected = [f"photo {number + 1}" for number in range(photos)] if name != "text_gpt2" else []
    expected += [f"review {number + 1}" for number in range(reviews)] if name != "img_gpt2" else []
    assert list(frame.columns) == expected
    np.testing.assert_allclose(frame.sum(axis=1), 1, rtol=1e-5)
    assert len(frame) > 1
    assert model.decoder.config._attn_implementation == implementation == "sdpa"


def test_word_attention_names_what_is_missing(corpus):
    corpus.history = pd.Series([[]] * len(corpus.history), index=corpus.history.index)
    frame = word_attention(_model(corpus, "ours_ce"), corpus.tokenizer, corpus.dataset("train"), 0)
    assert list(frame.columns) == ["photo 1", "no history"]
