from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
import spacy

from showcase_utils.data.sentences import PLAIN, sentence_case, sentence_frame, split_sentences


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


def test_plain_texts_fall_into_the_sentences_that_spacy_finds() -> None:
    """Also behind what spaCy has rules for: abbreviations, contractions, smileys."""
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    words = [
        *pipeline.tokenizer.rules,
        *"great rock-n-roll dogs' 10pm 5km naïve 4.5 a.m 💯 ☕ www.x.com (so) “we” 24-7 c".split(),
    ]
    texts = [
        text for word in words for text in (word, f"{word}. so", f"so {word}! so, good?! yes", f"x-{word}. so {word}")
    ]
    plain = [text for text in texts if PLAIN.fullmatch(text)]
    assert len(plain) > 500
    for text, document in zip(plain, pipeline.pipe(plain), strict=True):
        sentences = [sentence.text.strip() for sentence in document.sents]
        assert next(split_sentences([text])) == [one for one in sentences if any(map(str.isalnum, one))], text


def test_a_plain_text_needs_no_spacy() -> None:
    code = (
        "import sys\nfrom showcase_utils.data.sentences import split_sentences\n"
        "print(*split_sentences(['wow! they don\\'t rush you, and the 2 teas were great 😋']), 'spacy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(["wow!", "they don't rush you, and the 2 teas were great 😋"]) + " False"
