"""Samples from frames: photos, histories, targets, padding."""

import numpy as np
import pandas as pd
import pytest
import torch

from showcase_utils.generation.dataset import ShowcaseDataset, collate, encode
from showcase_utils.generation.gpt2 import IGNORED, load_tokenizer


def _dataset(world, settings, decoder, rows=slice(0, 8), **kwargs):
    stores = {name: world[name] for name in ("history", "photos", "review_features")} | kwargs
    return ShowcaseDataset(world["reviews"][rows], tokenizer=load_tokenizer(decoder), settings=settings, **stores)


def test_targets_are_lower_case_and_end_with_the_end_token(world, settings, decoder):
    dataset, tokenizer = _dataset(world, settings, decoder), load_tokenizer(decoder)
    for row, sample in zip(world["reviews"].itertuples(), dataset, strict=False):
        assert sample["labels"][-1] == tokenizer.eos_token_id
        assert tokenizer.decode(sample["labels"][:-1]) == row.text.lower()
    assert dataset.lengths.tolist() == [len(sample["labels"]) for sample in dataset]


def test_long_texts_are_cut_and_still_end(world, settings, decoder):
    short = settings.model_copy(update={"max_tokens": 5})
    for sample in _dataset(world, short, decoder):
        assert len(sample["labels"]) == 5 and sample["labels"][-1] == load_tokenizer(decoder).eos_token_id


def test_features_are_the_samples_own(world, settings, decoder):
    few = settings.model_copy(update={"history": 2, "max_images": 1})
    dataset = _dataset(world, few, decoder, rows=slice(8, 20))
    for row, sample in zip(world["reviews"][8:20].itertuples(), dataset, strict=True):
        np.testing.assert_array_equal(sample["images"], world["photos"][row.image_ids[:1]])
        np.testing.assert_array_equal(sample["history"], world["review_features"][world["history"][row.review_id][:2]])


def test_what_is_missing_is_named(world, settings, decoder):
    reviews = world["reviews"].copy()
    reviews.at[3, "image_ids"] = ["nowhere"]
    with pytest.raises(KeyError, match="photo 'nowhere'"):
        _dataset(world | {"reviews": reviews}, settings, decoder)
    with pytest.raises(ValueError, match="user_id"):
        _dataset(world | {"reviews": reviews.drop(columns="user_id")}, settings, decoder)


@pytest.mark.parametrize("which", ["decoder", "decoder_without_pad"])
def test_a_batch_is_its_samples_padded(which, world, settings, request):
    folder = request.getfixturevalue(which)
    swapped = ["the pho was great", "", *["a very much longer text than the others about curry"] * 6]
    history = world["history"].copy()
    history.iloc[2] = []
    dataset = _dataset(world, settings, folder, swapped=swapped, history=history)
    samples = [dataset[index] for index in range(8)]
    batch = collate(samples)
    assert batch["labels"].shape[1] == dataset.lengths.max()
    for index, sample in enumerate(samples):
        for name in ("labels", "swapped"):
            assert batch[name][index][batch[name][index] != IGNORED].tolist() == sample[name]
        for name, mask in (("images", "image_mask"), ("history", "history_mask")):
            np.testing.assert_array_equal(batch[name][index][batch[mask][index]], sample[name])
    assert (batch["labels"] == dataset.labels[0][-1]).sum() == 8  # every end token is there, once
    assert not batch["history_mask"][2].any() and (batch["swapped"][1] == IGNORED).all()
    assert batch["images"].dtype == torch.float32 and batch["image_mask"].dtype == torch.bool


@pytest.mark.parametrize("which", ["decoder", "decoder_without_pad"])
def test_a_special_token_in_a_text_is_so_many_letters(which, world, settings, request):
    folder = request.getfixturevalue(which)
    tokenizer, special = load_tokenizer(folder), load_tokenizer(folder).all_special_tokens
    reviews = world["reviews"].copy()
    reviews.loc[:, "text"] = f"good {special[0]} or {special[-1]} bad"
    written = reviews.loc[0, "text"]
    sample = _dataset(world | {"reviews": reviews}, settings.model_copy(update={"max_tokens": 60}), folder)[0]
    assert tokenizer.decode(sample["labels"][:-1]) == written and sample["labels"][-1] == tokenizer.eos_token_id
    assert not set(sample["labels"][:-1]) & set(tokenizer.all_special_ids)
    assert encode(tokenizer, [written], 60) == [sample["labels"]]


def test_a_swap_that_is_cut_off_is_none(world, settings, decoder):
    """The texts differ in their last word, which is behind the end of the sample."""
    short = settings.model_copy(update={"max_tokens": 4})
    texts = [text.lower() for text in world["reviews"]["text"][:8]]
    swapped = [text + " and the pho" for text in texts]
    assert _dataset(world, short, decoder, swapped=swapped).swapped == [[]] * 8
    assert all(_dataset(world, short, decoder, swapped=["my pho was raw"] * 8).swapped)


def test_a_batch_without_any_history_keeps_a_column(world, settings, decoder):
    history = pd.Series([[]] * len(world["history"]), index=world["history"].index)
    batch = collate([_dataset(world, settings, decoder, history=history)[0]])
    assert batch["history"].shape == (1, 1, 16) and not batch["history_mask"].any()
