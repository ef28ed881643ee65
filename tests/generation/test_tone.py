"""What speaks for a place is told apart from what speaks against it, by the stars alone."""

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer

from showcase_utils.generation.tone import Tone, manner, stammers

KIND, COLD = ["the {} was lovely", "we loved the {}"], ["the {} was bland", "we sent the {} back"]
DISHES = ["ramen", "pizza", "pho", "curry", "soup"]


def _sentences(templates):
    return [template.format(dish) for template in templates for dish in DISHES]


def _fitted():
    sentences = 4 * _sentences(KIND) + 2 * _sentences(COLD)
    return Tone.fit(sentences, [5] * 40 + [1] * 20)


def test_kind_sentences_score_above_zero_whatever_they_are_about():
    tone = _fitted()
    assert (tone.score(["the sushi was lovely", "we loved the tart"]) > 0).all()
    assert (tone.score(["the sushi was bland", "they sent the tart back"]) < 0).all()
    assert tone.score(["sushi"]) == tone.score(["tart"])  # what it has never met says nothing
    assert len(tone.score([])) == 0


def test_topics_are_neither_kind_nor_unkind():
    sentences = 4 * _sentences(KIND) + 2 * _sentences(COLD) + 20 * ["the plum cake was lovely"]
    stars = [5] * 40 + [1] * 20 + [5] * 20
    blind, seeing = Tone.fit(sentences, stars, topics={"plum", "cake"}), Tone.fit(sentences, stars)
    assert not blind.weights["phrase"].str.contains("plum|cake").any()
    assert seeing.score(["plum cake"]) > seeing.score(["sushi"]) and blind.score(["plum cake"]) == blind.score(
        ["sushi"]
    )
    assert (blind.score(["we loved it", "it was bland"]) > 0).tolist() == [True, False]


def test_what_says_a_thing_twice_stammers():
    assert stammers("Noodles with peanuts and Peanuts.") and stammers("the chili with chili was hot")
    assert not stammers("peanuts and noodles and peanuts") and not stammers("so and so, and an egg and an eggplant")


def test_praise_with_a_reservation_is_as_kind_as_the_reservation():
    tone = _fitted()
    mixed = [
        "the sushi was lovely but bland",
        "the sushi was bland, though lovely",
        "we loved it, although they sent it back",
    ]
    assert (tone.score(mixed) < 0).all()
    assert tone.score([mixed[0]]) == tone.score(["bland"])
    assert (tone.score(["but the sushi was lovely", "lovely, but lovely"]) > 0).all() and tone.score(
        ["but"]
    ) == tone.score([""])


def test_the_coolest_is_what_a_share_of_sentences_stays_below():
    tone = _fitted()
    sentences = _sentences(KIND) + _sentences(COLD)
    assert (tone.score(sentences) < tone.coolest(sentences, 0.5)).sum() == 10
    assert (tone.score(sentences) < tone.coolest(sentences, 0.0)).sum() == 0
    assert tone.coolest([], 0.3) == 0.0


def test_without_both_kinds_nothing_is_told_apart():
    tone = Tone.fit(_sentences(KIND), [5] * 10)
    assert set(tone.score(["good", "bad"])) == {1.0}


def test_weights_are_kept(tmp_path):
    tone = _fitted()
    tone.save(tmp_path / "tone.parquet")
    sentences = _sentences(KIND) + _sentences(COLD)
    np.testing.assert_allclose(Tone.load(tmp_path / "tone.parquet").score(sentences), tone.score(sentences))


def test_manner_is_of_the_past_texts():
    texts, past = ["the ramen was great!!", "one might recommend a soup"], ["PIZZA was great!!", "so great!!"]
    values = manner(texts, past)
    assert values[0] > values[1] > 0 and manner(["good"], [])[0] == 0 and len(manner([], ["good"])) == 0
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), alternate_sign=False)
    own = np.asarray(letters.transform(past).mean(axis=0))[0]
    np.testing.assert_allclose(values, letters.transform(texts) @ own / np.linalg.norm(own))
