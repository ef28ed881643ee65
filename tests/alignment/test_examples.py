from __future__ import annotations

import pandas as pd

from showcase_utils.alignment.examples import before_and_after, example_reviews


def reviews_of(**photos: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"review_id": list(photos), "image_ids": list(photos.values())})


def test_reviews_are_chosen_for_what_they_show() -> None:
    reviews = reviews_of(part=["a"], bare=["b", "c"], all=["d"], none=["e"], silent=["f"], part2=["g"], part3=["h"])
    kept = {"part": [1, 0], "bare": [1], "all": [1, 1], "none": [0, 0], "part2": [0, 1], "part3": [1, 0, 0]}
    rows = [(f"{review}#{n}", review, n, f"Text {n}.") for review, marks in kept.items() for n in range(len(marks))]
    sentences = pd.DataFrame(rows, columns=["sentence_id", "review_id", "index", "text"])
    confidence = [0.8 if mark else 0.3 for marks in kept.values() for mark in marks]
    photo = sentences["review_id"].map(reviews.set_index("review_id")["image_ids"].str[0])
    scores = pd.DataFrame({"sentence_id": sentences["sentence_id"], "image_id": photo, "confidence": confidence})
    page = example_reviews(reviews, sentences, scores, threshold=0.8, seed=0)
    assert page["review_id"].tolist()[2:] == ["bare", "none"]
    assert set(page["review_id"][:2]) < {"part", "part2", "part3"}
    assert example_reviews(reviews[2:3], sentences, scores, 0.8, seed=0).empty  # all of it stays
    images = pd.DataFrame({"image_id": list("abcdefgh"), "path": [f"{key}.jpg" for key in "abcdefgh"]})
    texts, photos = before_and_after(page[2:], sentences, scores, images)
    assert texts == [[("Text 0.", 0.8)], [("Text 0.", 0.3), ("Text 1.", 0.3)]]
    assert photos == [[("b.jpg", 0.8), ("c.jpg", 0)], [("e.jpg", 0.3)]]
