from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import spacy

from showcase_utils.demo_world import phrases, places, small_talk
from showcase_utils.demo_world.naming import find_mentions, names
from showcase_utils.demo_world.scenes import KINDS, Scene
from showcase_utils.demo_world.wording import Words, expand
from showcase_utils.demo_world.writing import TOPICS, Visit, write_review

SCENES = {
    "dish": Scene("dish", "tacos", "shrimp", "grilled", ("avocado", "corn"), "salsa verde", "red plate"),
    "drink": Scene("drink", drink="iced coffee"),
    "dessert": Scene("dessert", dessert="churros", vessel="slate"),
    "interior": Scene("interior", ambience="rustic"),
    "terrace": Scene("terrace", ambience="rustic", terrace="fire pit"),
    "storefront": Scene("storefront", ambience="rustic", awning="red"),
}
OMELETTE = Scene("dish", "omelette", "meatball", "fried", ("feta",), "pesto", "iron pan")
BANKS = {
    "dish": phrases.DISH, "drink": phrases.DRINK, "dessert": phrases.DESSERT, "interior": places.INTERIOR,
    "terrace": places.TERRACE, "storefront": places.STOREFRONT,
}  # fmt: skip


def sentences(world):
    return [sentence for review in world.reviews for sentence in review.sentences]


@pytest.mark.parametrize("kind", KINDS)
def test_every_template_names_its_scene_and_is_filled(town, kind):
    voice, rng = town.people[0].voice, np.random.default_rng(0)
    for tier, bank in BANKS[kind].items():
        for template in bank:
            for _ in range(5):
                text = expand(template, voice, rng, Words(SCENES[kind], tier, voice, rng))
                assert not set(text) & set("[]{}|/@#"), text
                assert names(text, SCENES[kind]), text


def test_nothing_is_named_where_no_photo_could_show_it(town):
    voice, rng = town.people[0].voice, np.random.default_rng(0)
    for topic in TOPICS.values():
        for template in (line for bank in topic.values() for line in bank):
            for _ in range(5):
                assert find_mentions(expand(template, voice, rng)) == []
    assert all(find_mentions(opener) == [] for opener in small_talk.OPENERS)


@pytest.mark.parametrize(
    ("scene", "template", "expected"),
    [
        (
            SCENES["dish"],
            "{main_the}, {base_the} {was} {tastes/taste} {it_obj}",
            "the shrimp, the tacos were taste them",
        ),
        (OMELETTE, "{base_the} {was} {vessel}", "the omelette was in an iron pan"),
        (SCENES["drink"], "{a} {is} {bare}", "an iced coffee is iced coffee"),
        (Scene("drink", drink="margarita"), "{a} {bare}", "a margarita margaritas"),
        (Scene("drink", drink="red wine"), "{a}", "a glass of red wine"),
        (SCENES["dessert"], "{a} {was} {bare}", "churros were churros"),
        (OMELETTE, "{main_the} {main_was}", "the meatballs were"),
    ],
)
def test_articles_and_plurals(town, scene, template, expected):
    voice, rng = town.people[0].voice, np.random.default_rng(0)
    assert expand(template, voice, rng, Words(scene, "like", voice, rng)) == expected


@pytest.mark.slow
def test_what_a_sentence_is_said_to_describe_stands_in_its_words(demo_city):
    for review in demo_city.reviews:
        for sentence in review.sentences:
            shown = {i for i, photo in enumerate(review.photos) if sentence.scene and names(sentence.text, photo.scene)}
            assert shown == set(sentence.photos), (sentence.text, [photo.scene.name for photo in review.photos])
            assert (sentence.kind == "photo") == bool(sentence.photos)
            assert sentence.scene is None or names(sentence.text, sentence.scene), sentence.text
            assert (sentence.scene is None) == (sentence.kind in ("generic", "other"))


def test_a_rule_based_splitter_gives_the_sentences_back(town):
    splitter = spacy.blank("en")
    splitter.add_pipe("sentencizer")
    reviews = [review for review in town.reviews[:1500] if review.text]
    for review, document in zip(reviews, splitter.pipe(review.text for review in reviews), strict=True):
        assert [part.text.strip() for part in document.sents] == [sentence.text for sentence in review.sentences]


@pytest.mark.slow
def test_there_is_much_to_learn_and_little_repetition(demo_city):
    told = sentences(demo_city)
    kinds = Counter(sentence.kind for sentence in told)
    pictured = [sentence.text.lower() for sentence in told if sentence.kind == "photo"]
    assert min(kinds.values()) > 2500
    assert set(kinds) == {"photo", "unpictured", "generic", "other"}
    assert len(set(pictured)) > 0.9 * len(pictured)
    assert Counter(pictured).most_common(1)[0][1] < 12
    described = {id(review.photos[i]) for review in demo_city.reviews for s in review.sentences for i in s.photos}
    assert 0.5 < len(described) / sum(len(review.photos) for review in demo_city.reviews) < 0.85


def test_words_follow_the_stars(town):
    def share(stars, words):
        texts = [review.text.lower() for review in town.reviews if review.text and review.rating in stars]
        return np.mean([any(word in text for word in words) for text in texts])

    glad, sad = ("amazing", "delicious", "best"), ("never again", "disappoint", "terrible", "worst", "cold")
    assert share({5}, glad) > 3 * share({1, 2}, glad)
    assert share({1, 2}, sad) > 3 * share({5}, sad)


def test_habits_show(town):
    voices = {person.user_id: person.voice for person in town.people}
    told = [(voices[review.user_id], review) for review in town.reviews if review.text]
    assert all(review.text == review.text.lower() for voice, review in told if voice.casing == "lower")
    assert all("!" not in review.text for voice, review in told if voice.exclaim == 0.0)
    assert all(review.text.isascii() for voice, review in told if voice.emoji == 0.0)
    assert any(not review.text.isascii() for voice, review in told if voice.emoji > 0.0)
    lengths = np.array([(voice.length, len(review.sentences)) for voice, review in told])
    assert np.corrcoef(lengths.T)[0, 1] > 0.5


def test_writing_is_repeatable(town):
    person, restaurant = town.people[0], town.restaurants[0]
    visit = Visit(person, restaurant, restaurant.dishes[:2], (restaurant.dishes[0].scene, restaurant.interior), 5)
    assert write_review(visit, np.random.default_rng(3)) == write_review(visit, np.random.default_rng(3))
