"""Phrases beside photos in a joint space of four directions, one per thing; what is said of people lies outside."""

import numpy as np
import pytest

from showcase_utils.data.entities import CorpusPhrases
from showcase_utils.metrics.phrases import Phrase, PhraseGrounder, find_phrases, grounded_share, least_grounded

THINGS = ("tacos", "ramen", "pizza", "wine")


def encode(phrases):
    rows = np.full((len(phrases), 5), 0.05, np.float32)
    for row, phrase in zip(rows, phrases, strict=True):
        for number, thing in enumerate(THINGS):
            row[number] += thing in phrase
        row[4] += 1 - row[:4].max()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def grounder():
    corpus = ["tacos", "beef tacos", "ramen", "pizza", "wine", "mom"]
    return PhraseGrounder(encode, 20.0, lambda features: features[:, 4] < 0.9, corpus)


def found(*phrases):
    return [[Phrase(phrase, 0, len(phrase)) for phrase in phrases]]


def test_a_phrase_is_grounded_by_the_photo_that_shows_it(grounder):
    (row,) = grounder.ground(found("ramen", "tacos", "my mom"), [encode(["tacos", "wine"])])
    ramen, tacos, mom = (phrase.confidence for phrase in row)
    assert ramen < 0.01 and tacos > 0.99 and np.isnan(mom)
    assert grounded_share([row]).value == 1 / 2
    assert least_grounded([row]).value == ramen


def test_what_says_less_or_more_of_the_same_is_no_rival(grounder):
    photo = encode(["tacos"])
    grounder.learn(["tacos", "grilled beef tacos", "fish tacos"])
    alone, closer, other = grounder.odds(["tacos", "grilled beef tacos", "fish tacos"], photo)[:, 0]
    assert alone == closer  # both "tacos" and "beef tacos" step back
    assert other < 2 < alone  # "beef tacos" speaks against "fish tacos"


def test_the_threshold_is_one_half(grounder):
    photo = encode(["tacos"])
    odds = grounder.odds(["tacos"], photo)[0, 0]
    strict = PhraseGrounder(encode, 20.0, lambda features: features[:, 4] < 0.9, ["tacos", "ramen", "pizza"])
    strict.threshold = strict.odds(["tacos"], photo)[0, 0]
    assert strict.ground(found("tacos"), [photo])[0][0].confidence == pytest.approx(0.5)
    assert odds > 0


def test_texts_without_photos_or_visible_phrases_are_left_out(grounder):
    none = np.zeros((0, 5), np.float32)
    rows = grounder.ground([*found("tacos"), *found("mom"), []], [none, encode(["tacos"]), encode(["tacos"])])
    assert np.isnan(grounded_share(rows).per_sample).all() and np.isnan(least_grounded(rows).value)


def test_a_corpus_that_names_nothing_leaves_every_phrase_without_rivals():
    alone = PhraseGrounder(encode, 20.0, lambda features: features[:, 4] < 0.9, [])
    (row,) = alone.ground(found("tacos"), [encode(["ramen"])])
    assert row[0].confidence == 1


def test_phrases_come_in_order_in_lower_case():
    texts = [f"the {dish} {end}" for dish in ("Beef Tacos", "ramen") for end in ("was good", "came cold", "is it", "!")]
    rows = find_phrases(CorpusPhrases(texts), ["ramen and the Beef Tacos", "ramen and the Beef Tacos", "nothing"])
    assert rows[0] == rows[1] and rows[2] == []
    assert [(phrase.text, phrase.start, phrase.end) for phrase in rows[0]] == [("ramen", 0, 5), ("beef tacos", 14, 24)]
