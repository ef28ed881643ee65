"""Entities by corpus statistics and by spaCy, and their replacement."""

import importlib.util

import pytest
import spacy

from showcase_utils.generation.entities import CorpusPhrases, EntitySwapper, NounChunks, entity_finder

CORPUS = [
    text
    for dish in ("tuna roll", "ramen", "beef taco", "miso soup")
    for text in (
        f"the {dish} was great.",
        f"i had a {dish}, and it was warm",
        f"my {dish} tasted fresh",
        f"we love the {dish}!",
    )
]


def _entities(finder, text):
    return [text[start:end] for start, end in finder.spans([text])[0]]


def test_phrases_are_what_stands_whole_behind_a_determiner():
    finder = CorpusPhrases(CORPUS)
    assert finder.phrases == {("tuna", "roll"), ("ramen",), ("beef", "taco"), ("miso", "soup")}
    assert finder.description == "4 noun-like phrases of the corpus"


def test_phrases_are_found_anywhere_in_any_case_longest_first():
    finder = CorpusPhrases([*CORPUS, *["the roll was cold"] * 4])
    assert _entities(finder, "Ramen and spicy Tuna roll, a roll; no ramens") == ["Ramen", "Tuna roll", "roll"]
    assert _entities(finder, "nothing here") == []


def test_rare_and_broken_off_phrases_are_none():
    finder = CorpusPhrases([*CORPUS, "the menu was long", *["the great hall is big"] * 5, "the great is rare"])
    assert ("menu",) not in finder.phrases
    assert ("great",) not in finder.phrases and ("great", "hall") in finder.phrases


def test_every_entity_is_replaced_and_never_by_itself():
    swapper = EntitySwapper(CorpusPhrases(CORPUS), CORPUS)
    texts = ["The ramen beats the Tuna Roll.", "what a day", "miso soup"] * 30
    swapped = swapper.swap(texts, seed=0)
    assert len(swapped) == len(texts)
    for index, (before, after) in enumerate(zip(texts, swapped, strict=True)):
        if before == "what a day":
            assert after == ""
            continue
        old, new = _entities(swapper.finder, before), _entities(swapper.finder, after)
        assert len(old) == len(new) > 0, index
        assert all(a.lower() != b.lower() for a, b in zip(old, new, strict=True))
        assert after.startswith("The ") == before.startswith("The ")
    assert len(set(swapped[::3])) > 3  # drawn anew for each text


def test_replacements_come_as_often_as_the_dataset_names_them():
    texts = ["the ramen"] * 90 + ["the miso soup"] * 10
    swapper = EntitySwapper(CorpusPhrases(CORPUS), texts)
    swapped = swapper.swap(["the tuna roll"] * 1000, seed=1)
    assert set(swapped) == {"the ramen", "the miso soup"}
    assert 850 < swapped.count("the ramen") < 940


def test_seeded_and_independent_of_the_other_texts():
    swapper = EntitySwapper(CorpusPhrases(CORPUS), CORPUS)
    texts = [f"the ramen {number}" for number in range(40)]
    assert swapper.swap(texts, seed=0) == swapper.swap(texts, seed=0) != swapper.swap(texts, seed=1)
    assert swapper.swap(texts, seed=0)[:5] == swapper.swap([*texts[:5], "the miso soup"], seed=0)[:5]


def test_one_entity_alone_has_no_other():
    corpus = ["the ramen was great"] * 4
    assert EntitySwapper(CorpusPhrases(corpus), corpus).swap(corpus, seed=0) == [""] * 4


def _save_pipeline(folder, monkeypatch, parse: bool):
    """A pipeline that is 'installed': a parser that heads every word by rule, for no trained one is at hand."""
    pipeline = spacy.blank("en")
    if parse:

        @spacy.Language.component("rule_parser")
        def parser(document):
            tags = {"the": "DET", "it": "PRON", "ramen": "NOUN", "was": "VERB", "great": "ADJ", "soup": "NOUN"}
            for token in document:
                token.pos_ = tags.get(token.lower_, "ADJ")
                token.dep_ = {"NOUN": "nsubj", "PRON": "nsubj", "DET": "det", "ADJ": "amod"}.get(token.pos_, "ROOT")
                later = [word for word in document if word.i >= token.i and tags.get(word.lower_) == "NOUN"]
                verbs = [word for word in document if word.lower_ == "was"]
                token.head = later[0] if token.pos_ in {"DET", "ADJ"} and later else (verbs or [token])[0]
            return document

        pipeline.add_pipe("rule_parser", name="parser")
    monkeypatch.setattr(spacy.util, "is_package", lambda name: name == "made_up")
    monkeypatch.setattr(spacy, "load", lambda name, exclude: pipeline)


def test_noun_chunks_lose_determiners_and_pronouns(monkeypatch, tmp_path):
    _save_pipeline(tmp_path, monkeypatch, parse=True)
    finder = NounChunks("made_up")
    assert "spaCy" in finder.description and "made_up" in finder.description
    assert _entities(finder, "the spicy ramen was great") == ["spicy ramen"]
    assert _entities(finder, "it was great") == []
    assert isinstance(entity_finder("auto", "made_up", CORPUS), NounChunks)


def test_a_pipeline_without_parser_is_no_use(monkeypatch, tmp_path):
    _save_pipeline(tmp_path, monkeypatch, parse=False)
    with pytest.raises(ValueError, match="no parser"):
        entity_finder("spacy", "made_up", CORPUS)
    assert isinstance(entity_finder("auto", "made_up", CORPUS), CorpusPhrases)


def test_what_is_not_installed_is_said_and_auto_goes_on(monkeypatch):
    with pytest.raises(ValueError, match="'no_such_pipeline' is not installed"):
        entity_finder("spacy", "no_such_pipeline", CORPUS)
    assert isinstance(entity_finder("auto", "no_such_pipeline", CORPUS), CorpusPhrases)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="spaCy is not installed"):
        entity_finder("spacy", "en_core_web_sm", CORPUS)
