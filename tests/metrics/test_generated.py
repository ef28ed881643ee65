import numpy as np
import pandas as pd
import pytest

from showcase_utils.metrics.generated import ground, runs_of


@pytest.fixture
def test_reviews():
    return pd.DataFrame(
        {
            "review_id": ["u_a", "v_b"],
            "user_id": ["u", "v"],
            "business_id": ["a", "b"],
            "image_ids": [["p1", "p2"], ["p3"]],
            "reference": ["Great tacos.", "Nice room."],
        }
    )


@pytest.fixture
def texts(test_reviews):
    one = test_reviews.assign(system="one", seed=0, text=["tacos . so good .", ""])
    two = test_reviews.iloc[::-1].assign(system="two", seed=0, text=["room .", "so good ."])
    return pd.concat([one, two], ignore_index=True)


def test_runs_are_on_the_same_reviews_in_the_same_order(texts):
    runs = runs_of(texts)
    assert list(runs) == [("one", 0), ("two", 0)]
    assert [run["review_id"].tolist() for run in runs.values()] == [["u_a", "v_b"]] * 2
    assert runs["two", 0]["text"].tolist() == ["so good .", "room ."]


def test_bad_texts_are_named(texts):
    with pytest.raises(ValueError, match="lack the columns reference"):
        runs_of(texts.drop(columns="reference"))
    with pytest.raises(ValueError, match="no generated texts"):
        runs_of(texts.iloc[:0])
    with pytest.raises(ValueError, match="two, seed 0, and one were not run on the same reviews: see u_a"):
        runs_of(texts.iloc[:3])
    with pytest.raises(ValueError, match="one, seed 0: review u_a has more than one text"):
        runs_of(pd.concat([texts, texts.iloc[:1]]))
    with pytest.raises(ValueError, match="review v_b has no text"):
        runs_of(texts.assign(text=["a", None, "b", "c"]))


def test_ground_encodes_each_sentence_once_and_scores_every_pair(texts):
    photos = {"p1": [1.0, 0], "p2": [0, 1.0], "p3": [0.6, 0.8]}
    rows = {"tacos .": [1.0, 0], "so good .": [0, 1.0], "room .": [0.6, 0.8]}
    asked = []

    class Store:
        def __getitem__(self, ids):
            return np.array([photos[i] for i in ids], np.float32).reshape(-1, 2)

    def encode(sentences):
        asked.extend(sentences)
        return np.array([rows[s] for s in sentences], np.float32)

    sentences = [["tacos .", "so good ."], [], ["room ."], ["so good ."]]
    found = ground(texts, sentences, encode, Store(), lambda image, sentence: (image * sentence).sum(axis=1))
    assert asked == ["tacos .", "so good .", "room ."]
    assert [c.shape for c in found.confidence] == [(2, 2), (1, 0), (1, 1), (2, 1)]
    np.testing.assert_allclose(found.confidence[0], np.eye(2))
    np.testing.assert_allclose(found.confidence[2], [[1.0]])
    part = found.take([2, 0])
    assert [len(p) for p in part.photos] == [1, 2] and part.sentences[0] is found.sentences[2]
    with pytest.raises(ValueError, match="4 texts but the sentences of 1"):
        ground(texts, [[]], encode, Store(), None)
