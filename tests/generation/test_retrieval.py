"""Retrieved reviews: by photos and by user in turn, of others, no copies; what a system reads of them."""

import dataclasses

import numpy as np
import pytest
import torch

from showcase_utils.data.filtering import fingerprints
from showcase_utils.generation import retrieval
from showcase_utils.generation.decoding import model_inputs
from showcase_utils.generation.retrieval import retrieve
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.training import train_system
from tests.generation.conftest import make_settings
from tests.generation.decoders import save_family


def _by_hand(corpus, reviews, most):
    """One loop over all pairs."""
    found, train = {}, list(corpus.rows("train").itertuples())

    def mean(store, ids):
        rows = np.asarray(store[list(ids)]) if len(ids) else np.zeros((1, store.dim))
        return rows.mean(0) / max(np.linalg.norm(rows.mean(0)), 1e-12)

    def history(review):
        return mean(corpus.review_features, list(corpus.history[review])[: corpus.settings.history])

    for row in reviews.itertuples():
        own = corpus.reviews[corpus.reviews["user_id"] == row.user_id]["text"]
        copies = set().union(*map(fingerprints, own))
        others = [one for one in train if one.user_id != row.user_id and copies.isdisjoint(fingerprints(one.text))]
        photos = [-mean(corpus.photos, one.image_ids) @ mean(corpus.photos, row.image_ids) for one in others]
        users = [-history(one.review_id) @ history(row.review_id) for one in others]
        orders = [np.argsort(photos, kind="stable")]
        if len(corpus.history[row.review_id]):
            orders.append(np.argsort(users, kind="stable"))
        turns = [others[order[place]].review_id for place in range(len(others)) for order in orders]
        found[row.review_id] = list(dict.fromkeys(turns))[:most]
    return found


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("chunk", [512, 5])
def test_found_are_the_nearest_of_others_by_photos_and_by_user_in_turn(corpus, monkeypatch, split, chunk):
    monkeypatch.setattr(retrieval, "CHUNK", chunk)
    reviews = corpus.rows(split)
    corpus.history = corpus.history.copy()
    corpus.history[reviews["review_id"].iloc[0]] = []  # of whom nothing is known
    assert retrieve(corpus, reviews, 5) == _by_hand(corpus, reviews, 5)


def test_a_copy_of_what_the_user_wrote_is_not_found(corpus):
    first = corpus.rows("train").iloc[0]
    (nearest, *_) = retrieve(corpus, corpus.rows("train").iloc[:1], 1)[first["review_id"]]
    again = retrieve(corpus, corpus.rows("train").iloc[:1], 1)[first["review_id"]]
    assert again == [nearest] or nearest in again
    for where in ("reviews", "past_texts"):  # the text told of photos, or the whole of it
        copy = f"{first['text'].upper()}!"
        if where == "reviews":
            texts = corpus.reviews["text"].where(corpus.reviews["review_id"] != again[0], copy)
            spoiled = dataclasses.replace(corpus, reviews=corpus.reviews.assign(text=texts))
        else:
            spoiled = dataclasses.replace(corpus, past_texts=corpus.past_texts | {again[0]: copy})
        assert again[0] not in retrieve(spoiled, spoiled.rows("train").iloc[:1], 40)[first["review_id"]]


def test_a_system_reads_them_behind_the_history_as_many_as_are_wanted(corpus):
    for split, photos in (("train", "true"), ("test", "chosen")):
        plain = find_system("ours_ce").dataset(corpus, split, photos)
        for most in (1, 6):
            settings = corpus.settings.model_copy(update={"retrieved": most})
            dataset = find_system("ours_ce_rag").dataset(dataclasses.replace(corpus, settings=settings), split, photos)
            found = retrieve(corpus, dataset.reviews, most)
            for index, review in enumerate(dataset.reviews["review_id"]):
                behind = corpus.review_features[found[review]]
                np.testing.assert_array_equal(dataset[index]["history"], [*plain[index]["history"], *behind])
                assert len(found[review]) == most
            assert dataset.labels == plain.labels


def test_beside_two_visits_neither_is_found(corpus):
    corpus = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update={"joined": 1.0, "retrieved": 48}))
    dataset = find_system("ours_ce_rag").dataset(corpus, "train")
    plain = find_system("ours_ce").dataset(corpus, "train")
    assert any(len(images) > 2 for images in dataset.reviews["image_ids"])  # joined they are
    own = corpus.rows("train").groupby("user_id")["review_id"].agg(list)
    for index, user in enumerate(dataset.reviews["user_id"]):
        behind = dataset[index]["history"][len(plain[index]["history"]) :]
        assert len(behind)
        assert (behind @ np.stack(corpus.review_features[own[user]]).T).max() < 0.999


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_any_decoder_trains_with_them_and_writes_by_them(corpus, decoder, tmp_path, family):
    if family != "gpt2":
        decoder = save_family(tmp_path / family, family, decoder)
        corpus = dataclasses.replace(corpus, settings=make_settings(decoder))
    model = load_system(train_system(tmp_path, "ours_ce_rag", corpus, 0, "cpu", False))
    dataset = find_system("ours_ce_rag").dataset(corpus, "test", "chosen")
    samples = [dataset[index] for index in range(4)]
    assert model.generate(**model_inputs(samples, torch.device("cpu"))).shape[0] == 4
    own = len(find_system("ours_ce").dataset(corpus, "test", "chosen")[0]["history"])
    batch = model_inputs(samples[:1], torch.device("cpu"))
    tokens = torch.arange(3, 9).unsqueeze(0)
    less = batch | {"history": batch["history"][:, :own], "history_mask": batch["history_mask"][:, :own]}
    with torch.no_grad():
        logits = [model(**inputs, decoder_input_ids=tokens).logits for inputs in (batch, less)]
    assert (logits[0] - logits[1]).abs().max() > 1e-4
