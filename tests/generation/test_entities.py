"""The replacement of entities."""

import pytest

from showcase_utils.data.entities import CorpusPhrases, NounChunks
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.entities import EntitySwapper
from tests.data.test_entities import CORPUS, GARDEN, PARSED, _entities, pipelines

__all__ = ["pipelines"]


def test_a_and_an_follow_the_replacement():
    swapper = EntitySwapper(CorpusPhrases(GARDEN), GARDEN)
    swapped = swapper.swap(["a rose here", "AN old oak here", "the rose", "panama rose"] * 40, seed=0)
    written = {" ".join(text.split()[:-1]) for text in swapped if not text.startswith(("the", "panama"))}
    assert {"an old oak", "a pond", "a garden gate", "A pond", "A garden gate", "A rose"} == written
    assert all(text.startswith(("a ", "an ", "A ", "the ", "panama ")) for text in swapped)


def test_the_dataset_is_parsed_once():
    class Counting(CorpusPhrases):
        parsed = 0

        def spans(self, texts):
            self.parsed += len(texts)
            return super().spans(texts)

    finder = Counting(CORPUS)
    swapper = EntitySwapper(finder, CORPUS)
    assert finder.parsed == len(CORPUS)
    swapper.swap([*CORPUS, "a new text", "a new text"], seed=0)
    assert finder.parsed == len(CORPUS) + 1


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
    finder = CorpusPhrases(CORPUS)
    cases = ["the ramen", "The Ramen", "the RAMEN"]  # three surface forms of one
    assert EntitySwapper(finder, cases).swap([*cases, "the tuna roll"], seed=0) == [""] * 4


@pytest.mark.slow
def test_noun_chunks_are_replaced_whole(pipelines, world, settings):
    named = settings.model_copy(update={"entities": "spacy", "spacy_model": str(pipelines[0])})
    texts = [text for text, *_ in PARSED]
    train = world["reviews"].assign(split="train", text=(texts * 3)[: len(world["reviews"])])
    corpus = ShowcaseCorpus(train, {}, {}, None, None, None, None, named)
    swapper = corpus.swapper
    assert isinstance(swapper.finder, NounChunks)
    assert {"spicy ramen", "cold soup", "sushi"} <= set(swapper.entities)
    for before, after in zip(texts, swapper.swap(texts, seed=0), strict=True):
        kept = before.split()[0] if "great" in before else "i loved " + before.split()[2]
        assert after.startswith(kept + " ") and after.endswith(" was great") == before.endswith(" was great")
        middle = after.removeprefix(kept + " ").removesuffix(" was great")
        assert middle in swapper.entities and middle != before.removeprefix(kept + " ").removesuffix(" was great")
