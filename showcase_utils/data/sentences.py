"""Splitting reviews into sentences (paper, section 3: spaCy's rule-based splitter)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from showcase_utils.extras import extra

if TYPE_CHECKING:
    from spacy.language import Language

SENTENCE_COLUMNS = ["sentence_id", "review_id", "index", "text"]


def split_sentences(texts: Iterable[str]) -> Iterator[list[str]]:
    """The sentences of each text, in order, without those that hold no letter or digit."""
    for document in _splitter().pipe(texts, batch_size=256):
        sentences = (sentence.text.strip() for sentence in document.sents)
        yield [sentence for sentence in sentences if any(map(str.isalnum, sentence))]


def sentence_frame(reviews: pd.DataFrame) -> pd.DataFrame:
    """One row per sentence of ``reviews``: sentence_id = ``review_id#index``, review_id, index, text."""
    rows = [
        (f"{review_id}#{index}", review_id, index, sentence)
        for review_id, sentences in zip(reviews["review_id"], split_sentences(reviews["text"]), strict=True)
        for index, sentence in enumerate(sentences)
    ]
    return pd.DataFrame(rows, columns=SENTENCE_COLUMNS)


def sentence_case(sentence: str) -> str:
    """A lower-case sentence of a model as a person would write it: "i tried it" -> "I tried it".

    Names keep the case that the sentence has.
    """
    start = next((at for at, letter in enumerate(sentence) if letter.isalnum()), 0)
    raised = sentence[:start] + sentence[start : start + 1].upper() + sentence[start + 1 :]
    return re.sub(r"(?<!\w)i(?=\W|$)(?!\.\w)", "I", raised)


@lru_cache(maxsize=1)
def _splitter() -> Language:
    with extra("metrics", "splitting sentences"):
        import spacy  # a second to import, so only where sentences are split

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    pipeline.max_length = 10_000_000  # the limit guards parsers, which this pipeline has not
    return pipeline
