"""What texts name, by corpus statistics and by spaCy."""

import importlib.util

import pytest
import spacy
from spacy.training import Example

from showcase_utils.data.entities import CorpusPhrases, NounChunks, entity_finder, topic_words

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


def test_topic_words_are_those_that_mostly_name_things():
    assert topic_words(CORPUS) == {"tuna", "roll", "ramen", "beef", "taco", "miso", "soup"}
    assert "roll" not in topic_words([*CORPUS, "roll on", "and roll again"])


def test_phrases_are_found_anywhere_in_any_case_longest_first():
    finder = CorpusPhrases([*CORPUS, "the roll was cold", "we want a roll!", "near the roll"])
    assert _entities(finder, "Ramen and spicy Tuna roll, a roll; no ramens") == ["Ramen", "Tuna roll", "roll"]
    assert _entities(finder, "nothing here") == []


def test_rare_and_broken_off_phrases_are_none():
    halls = ["the great hall is big", "in the great hall", "we saw the great hall and left", "a great hall!"]
    finder = CorpusPhrases([*CORPUS, "the menu was long", *halls, "the great is rare"])
    assert ("menu",) not in finder.phrases
    assert ("great",) not in finder.phrases and ("great", "hall") in finder.phrases


GARDEN = [  # no word of which the finder knows anything beforehand
    *(
        text
        for thing in ("old oak", "pond", "garden gate", "rose")
        for text in (
            f"the {thing} is old.",
            f"we saw a {thing}, then left",
            f"my {thing} and your dog",
            f"near the {thing}",
        )
    ),
    *["the wind gave me a cold", "the rain gave us a fright", "my dog and the rain took our hat"],
    *["the pond froze over", "the pond froze at night", "a pond froze"],
    *["it was this fresh!", "how can a walk be that fresh?", "the air is so fresh", "my tea is fresh, yours is not"],
    *["it rang a bell.", "that rang a bell!", "what rang a bell"],
    *["what an old oak it is", "an old oak and a rose"],
]


def test_verbs_adjectives_and_sayings_are_no_phrases():
    phrases = CorpusPhrases(GARDEN).phrases
    assert {("old", "oak"), ("pond",), ("garden", "gate"), ("rose",)} <= phrases
    heads = {phrase[-1] for phrase in phrases}
    assert not heads & {"gave", "took", "froze"}  # verbs behind a noun
    assert "fresh" not in heads  # an adjective behind "this"
    assert "bell" not in heads  # a noun in one saying alone
    assert CorpusPhrases(GARDEN, idiom=1.0, frames=1).phrases >= {("bell",)}


def test_what_stands_before_a_verb_is_still_a_phrase():
    texts = ["the wind gave me a cold", "the wind gave us a fright", "we love the wind!", "a wind, warm", "my wind is"]
    assert ("wind",) in CorpusPhrases(texts).phrases


def test_spans_are_those_of_the_text_where_lower_case_is_longer():
    finder = CorpusPhrases(CORPUS)
    text = "İİİ, the RAMEN of İstanbul and Miso Soup"
    assert len(text.lower()) > len(text)
    assert _entities(finder, text) == ["RAMEN", "Miso Soup"]


PARSED = [  # text, parts of speech, heads, relations
    *(
        (f"{word} {adjective} {noun} was great", "DET ADJ NOUN AUX ADJ", [2, 2, 3, 3, 3], "det amod nsubj ROOT acomp")
        for word in ("the", "a", "my")
        for adjective, noun in (("spicy", "ramen"), ("cold", "soup"), ("fresh", "sushi"), ("crispy", "tacos"))
    ),
    *(
        (f"i loved {word} {noun}", "PRON VERB DET NOUN", [1, 1, 3, 1], "nsubj ROOT det dobj")
        for word in ("the", "a", "my")
        for noun in ("ramen", "soup", "sushi", "tacos")
    ),
]


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """Folders of two trained pipelines: one with a tagger and a parser, one with the tagger alone."""
    spacy.util.fix_random_seed(0)
    pipeline = spacy.blank("en")
    pipeline.add_pipe("morphologizer")
    pipeline.add_pipe("parser", config={"min_action_freq": 1})
    examples = [
        Example.from_dict(pipeline.make_doc(text), {"pos": pos.split(), "heads": heads, "deps": relations.split()})
        for text, pos, heads, relations in PARSED
    ]
    optimizer = pipeline.initialize(lambda: examples)
    for _ in range(15):
        pipeline.update(examples, sgd=optimizer)
    folder = tmp_path_factory.mktemp("spacy")
    pipeline.to_disk(folder / "menu_parser")
    pipeline.remove_pipe("parser")
    pipeline.to_disk(folder / "menu_tagger")
    return folder / "menu_parser", folder / "menu_tagger"


@pytest.mark.slow
def test_noun_chunks_of_a_trained_pipeline_lose_determiners_and_pronouns(pipelines):
    finder = entity_finder("auto", str(pipelines[0]), CORPUS)
    assert isinstance(finder, NounChunks)
    assert finder.description.startswith("noun chunks of spaCy") and ", menu_parser " in finder.description
    assert _entities(finder, "the cold ramen was great") == ["cold ramen"]  # as such never seen in training
    assert _entities(finder, "i loved a fresh soup") == ["fresh soup"]  # and "i" is none
    assert _entities(finder, "i loved") == []


@pytest.mark.slow
def test_a_pipeline_without_parser_is_no_use(pipelines):
    with pytest.raises(ValueError, match="menu_tagger' has no parser.*generation.entities=phrases"):
        entity_finder("spacy", str(pipelines[1]), CORPUS)
    assert isinstance(entity_finder("auto", str(pipelines[1]), CORPUS), CorpusPhrases)


def test_what_is_not_installed_is_said_and_auto_goes_on(monkeypatch):
    with pytest.raises(ValueError, match="'no_such_pipeline' is not installed"):
        entity_finder("spacy", "no_such_pipeline", CORPUS)
    assert isinstance(entity_finder("auto", "no_such_pipeline", CORPUS), CorpusPhrases)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="spaCy is not there"):
        entity_finder("spacy", "en_core_web_sm", CORPUS)
