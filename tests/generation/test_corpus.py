"""The corpus: which photos, which texts, what is refused; ``open_corpus`` is tested with the stage."""

import dataclasses

import numpy as np
import pandas as pd
import pytest


def test_chosen_photos_take_the_place_of_the_true_ones(world, corpus):
    reviews = corpus.rows("val")
    others = list(world["photos"].rows)[-len(reviews) :]
    chosen = pd.DataFrame({"review_id": reviews["review_id"], "image_ids": [[other] for other in others]})
    corpus = dataclasses.replace(corpus, chosen=chosen.sample(frac=1, random_state=0))
    dataset = corpus.dataset("val", "chosen")
    for other, sample in zip(others, dataset, strict=True):
        np.testing.assert_array_equal(sample["images"], world["photos"][[other]])
    assert list(dataset.reviews["image_ids"]) == [[other] for other in others]
    assert list(corpus.dataset("val").reviews["image_ids"]) == list(reviews["image_ids"])

    with pytest.raises(ValueError, match=f"no photos were chosen for review '{reviews['review_id'].iloc[0]}'"):
        dataclasses.replace(corpus, chosen=chosen[1:]).dataset("val", "chosen")
    with pytest.raises(ValueError, match="photos were chosen twice"):
        dataclasses.replace(corpus, chosen=pd.concat([chosen, chosen[:1]])).dataset("val", "chosen")
    with pytest.raises(ValueError, match="split 'dev'"):
        corpus.dataset("dev")


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused_by_its_review(corpus, text):
    row = corpus.rows("train").index[5]
    corpus.reviews = corpus.reviews.copy()
    corpus.reviews.loc[row, "text"] = text
    with pytest.raises(ValueError, match=f"review '{corpus.reviews.loc[row, 'review_id']}' and 0 more have an empty"):
        corpus.dataset("train")
    assert len(corpus.dataset("val")) > 0


def test_joined_samples_are_of_two_visits_of_a_user(corpus):
    settings = corpus.settings.model_copy(update={"joined": 1.0, "max_images": 3})
    corpus = dataclasses.replace(corpus, settings=settings)
    plain, joined = corpus.dataset("train", swap=True), corpus.dataset("train", swap=True, joined=True)
    texts = dict(zip(corpus.reviews["review_id"], corpus.reviews["text"], strict=True))
    reviews = corpus.reviews.set_index("review_id")
    several = 0
    for index, row in enumerate(joined.reviews.itertuples()):
        own = texts[row.review_id]
        if row.text == own:
            assert plain[index].keys() == joined[index].keys()
            continue
        several += 1
        user = reviews[(reviews["user_id"] == row.user_id) & (reviews.index != row.review_id)]
        (other,) = user.index[[row.text == f"{own} {text}" for text in user["text"]]][:1]
        assert row.image_ids == reviews.loc[row.review_id, "image_ids"] + reviews.loc[other, "image_ids"]
        kept = {past for past in corpus.history[row.review_id] if past not in (row.review_id, other)}
        known = corpus.review_features[[past for past in corpus.history[row.review_id] if past in kept]]
        np.testing.assert_array_equal(joined[index]["history"], known)
        assert joined.swapped[index] not in ([], joined.labels[index])
    assert several > len(joined) / 3  # the others have no place for more photos
    assert corpus.dataset("train", joined=True).texts == joined.texts  # the same draw for every system
