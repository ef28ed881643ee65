from __future__ import annotations

import pandas as pd
import pytest

from showcase_utils.data.sentences import sentence_case, sentence_frame, split_sentences


def test_sentences_keep_their_words_and_lose_nothing_but_space() -> None:
    texts = ["The tacos were great!  We waited. ", "no stops at all", "Wow!!! Nice", "...", ""]
    assert list(split_sentences(texts)) == [
        ["The tacos were great!", "We waited."],
        ["no stops at all"],
        ["Wow!!!", "Nice"],
        [],
        [],
    ]


def test_sentence_ids_count_within_the_review() -> None:
    frame = sentence_frame(pd.DataFrame({"review_id": ["u_b", "u_c", "u_d"], "text": ["One. Two.", "!", "Three."]}))
    assert frame.values.tolist() == [
        ["u_b#0", "u_b", 0, "One."],
        ["u_b#1", "u_b", 1, "Two."],
        ["u_d#0", "u_d", 0, "Three."],
    ]


@pytest.mark.parametrize(
    ("lower", "written"),
    [
        ("wow, i enjoyed the lemonade.", "Wow, I enjoyed the lemonade."),
        ("i'd go again, and i'm sure we will!", "I'd go again, and I'm sure we will!"),
        ("“the sushi” was it, i.e. the best", "“The sushi” was it, i.e. the best"),
        ("3 stars", "3 stars"),
        ("", ""),
        ("...", "..."),
    ],
)
def test_sentences_of_a_model_are_written_as_people_write(lower: str, written: str) -> None:
    assert sentence_case(lower) == written
