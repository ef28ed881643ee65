from __future__ import annotations

import pandas as pd

from showcase_utils.data.sentences import sentence_frame, split_sentences


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
