"""Entities of a text, and hard negatives made by replacing them (paper, section 4.2).

The paper takes spaCy's noun chunks as entities. Where no spaCy pipeline with a parser is installed, phrases of the
corpus take their place: what often stands, whole, between a determiner and the next function word.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

Span = tuple[int, int]

DETERMINERS = frozenset("a an the my our your his her their its this that these those some any every each".split())
# English words of the closed classes: where one stands, a noun phrase is over
FUNCTION_WORDS = DETERMINERS | frozenset(
    "i me you he him she it we us they them mine yours ours theirs myself who whom whose which what where when why how "
    "is are was were be been being am isn't aren't wasn't weren't do does did don't doesn't didn't have has had "
    "haven't hasn't hadn't can could can't couldn't will would won't wouldn't shall should shouldn't may might must "
    "i'm it's that's they're we're you're i've we've they've i'd we'd i'll we'll "
    "and or but nor so yet if because while although though unless until since than as "
    "of in on at by for with without about from to into onto over under up down off out through after before between "
    "during near behind around against along across inside outside among "
    "not no never always often again also too very really just only even still already almost quite rather pretty "
    "there here now then more most less least much many few all both either neither another other such own same "
    "one two three four five six seven eight nine ten".split()
)
TOKEN = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")
LONGEST_PHRASE = 3


class EntityFinder(Protocol):
    """Finds entities; ``description`` says how."""

    description: str

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """Character spans of the entities of each text, in order, without overlap."""
        ...


class NounChunks:
    """Noun chunks of a spaCy pipeline, without determiners and pronouns."""

    def __init__(self, model: str):
        """``model`` is an installed pipeline, or the folder of one that was saved.

        Raises ``ValueError`` when the pipeline is not there or has no parser.
        """
        import spacy

        if not (spacy.util.is_package(model) or (Path(model) / "config.cfg").is_file()):
            raise ValueError(
                f"spaCy pipeline '{model}' is not installed, nor the folder of a saved one: 'spacy download {model}', "
                "or set generation.entities=phrases"
            )
        self.pipeline = spacy.load(model, exclude=["ner", "lemmatizer"])
        if "parser" not in self.pipeline.pipe_names:
            raise ValueError(
                f"spaCy pipeline '{model}' has no parser, so it knows no noun chunks: name another, or "
                "set generation.entities=phrases"
            )
        version = f"{Path(model).name} {self.pipeline.meta['version']}"
        self.description = f"noun chunks of spaCy {spacy.__version__}, {version}"

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        return [self._spans(document) for document in self.pipeline.pipe(texts)]

    @staticmethod
    def _spans(document) -> list[Span]:
        found = []
        for chunk in document.noun_chunks:
            words = list(chunk)
            while words and (words[0].pos_ in {"DET", "PRON", "PUNCT"} or words[0].is_space):
                words.pop(0)
            if words:
                found.append((words[0].idx, words[-1].idx + len(words[-1])))
        return found


class CorpusPhrases:
    """Phrases of one to three words that the corpus uses as noun phrases.

    Behind a determiner, a run of words goes on until a function word or a sign. A run's beginnings are candidates:
    one that ends its run in at least ``complete`` of the cases, and ``min_count`` times, is a phrase ("the *tuna
    roll* was", but not "the *tuna* roll"). In any text the longest phrase at a place is an entity.
    """

    def __init__(self, corpus: Iterable[str], min_count: int = 3, complete: float = 0.3):
        begun: Counter[tuple[str, ...]] = Counter()
        ended: Counter[tuple[str, ...]] = Counter()
        for text in corpus:
            words = TOKEN.findall(text.lower())
            for position, word in enumerate(words):
                if word in DETERMINERS:
                    run = _run(words, position + 1)
                    begun.update(tuple(run[:length]) for length in range(1, min(len(run), LONGEST_PHRASE) + 1))
                    if 0 < len(run) <= LONGEST_PHRASE:
                        ended[tuple(run)] += 1
        self.phrases = {
            phrase for phrase, count in ended.items() if count >= min_count and count >= complete * begun[phrase]
        }
        self.description = f"{len(self.phrases)} noun-like phrases of the corpus"

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        return [self._spans(text) for text in texts]

    def _spans(self, text: str) -> list[Span]:
        tokens = list(TOKEN.finditer(text.lower()))
        found, position = [], 0
        while position < len(tokens):
            for length in range(min(LONGEST_PHRASE, len(tokens) - position), 0, -1):
                if tuple(token.group() for token in tokens[position : position + length]) in self.phrases:
                    found.append((tokens[position].start(), tokens[position + length - 1].end()))
                    position += length
                    break
            else:
                position += 1
        return found


def _run(words: Sequence[str], start: int) -> list[str]:
    """The words from ``start`` on, up to the first function word or sign."""
    end = start
    while end < len(words) and words[end] not in FUNCTION_WORDS and words[end][0].isalpha():
        end += 1
    return list(words[start:end])


def entity_finder(kind: Literal["auto", "spacy", "phrases"], spacy_model: str, corpus: Iterable[str]) -> EntityFinder:
    """spaCy's noun chunks, phrases of the corpus, or with ``auto`` the first of them that is there.

    Raises ``ValueError`` when spaCy is asked for and not there.
    """
    if kind == "phrases":
        return CorpusPhrases(corpus)
    try:
        if importlib.util.find_spec("spacy") is None:
            raise ValueError("spaCy is not installed: install it with its pipeline, or set generation.entities=phrases")
        return NounChunks(spacy_model)
    except ValueError:
        if kind == "spacy":
            raise
        return CorpusPhrases(corpus)


class EntitySwapper:
    """ent(Y): a text with every entity replaced by another of the dataset, drawn as often as the dataset names it."""

    def __init__(self, finder: EntityFinder, texts: Sequence[str]):
        """``texts`` are the dataset whose entities serve as replacements."""
        self.finder = finder
        counts = Counter(
            text[start:end] for text, spans in zip(texts, finder.spans(texts), strict=True) for start, end in spans
        )
        self.entities = sorted(counts)
        self._cumulative = np.cumsum([counts[entity] for entity in self.entities])

    def swap(self, texts: Sequence[str], seed: int) -> list[str]:
        """Each text with its entities replaced, never by the same surface form; "" where there is none to replace.

        Text number i draws from the stream (seed, i), so it does not depend on the texts before it.
        """
        if len(self.entities) < 2:
            return [""] * len(texts)
        swapped = []
        for index, (text, spans) in enumerate(zip(texts, self.finder.spans(texts), strict=True)):
            rng = np.random.default_rng((seed, index))
            pieces, end = [], 0
            for start, stop in spans:
                pieces += [text[end:start], self._other(text[start:stop], rng)]
                end = stop
            swapped.append("".join([*pieces, text[end:]]) if spans else "")
        return swapped

    def _other(self, entity: str, rng: np.random.Generator) -> str:
        while True:
            drawn = np.searchsorted(self._cumulative, rng.integers(self._cumulative[-1]), side="right")
            if self.entities[drawn].lower() != entity.lower():
                return self.entities[drawn]
