"""Entities of a text (paper, section 4.2): what it names.

The paper takes spaCy's noun chunks. Where no spaCy pipeline with a parser is installed, phrases of the
corpus take their place: what often stands, whole and in changing surroundings, between a determiner and the next
function word.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

Span = tuple[int, int]

DETERMINERS = frozenset("a an the my our your his her their its this that these those".split())
QUANTIFIERS = frozenset("some any every each".split())  # what follows is often a saying: "every time", "any way"
SUBJECTS = frozenset("i you he she it we they who".split())  # a verb may follow, a noun hardly
OBJECTS = frozenset("me him us them".split())  # a verb stands before them, a noun hardly
BE = frozenset("is are was were be been being am isn't aren't wasn't weren't".split())
DEGREES = frozenset("very too so really quite rather pretty more most bit little".split())  # of adjectives
# English words of the closed classes: where one stands, a noun phrase is over
FUNCTION_WORDS = DETERMINERS.union(
    QUANTIFIERS,
    SUBJECTS,
    OBJECTS,
    BE,
    DEGREES,
    "mine yours ours theirs myself whom whose which what where when why how "
    "do does did don't doesn't didn't have has had "
    "haven't hasn't hadn't can could can't couldn't will would won't wouldn't shall should shouldn't may might must "
    "i'm it's that's they're we're you're i've we've they've i'd we'd i'll we'll "
    "and or but nor so yet if because while although though unless until since than as "
    "of in on at by for with without about from to into onto over under up down off out through after before between "
    "during near behind around against along across inside outside among "
    "not no never always often again also just only even still already almost lot "
    "there here now then less least much many few all both either neither another other such own same "
    "one two three four five six seven eight nine ten".split(),
)
TOKEN = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")
LONGEST_PHRASE = 3
MIXED = 0.2  # share of a word's uses from which on it counts as a verb, or as an adjective


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

    Behind a determiner, a run of words goes on until a function word, a verb or a sign. Its beginnings are candidates;
    one is a phrase ("the *tuna roll* was", but not "the *tuna* roll") that

    - ends its run in at least ``complete`` of the cases, and ``min_count`` times;
    - begins with no shorter phrase: English ones end with their head, so "the *food* came" goes on with a verb;
    - ends with a word that is seldom used as a verb or an adjective: "this *good*" is none;
    - has at least ``frames`` pairs of words around it, none in more than ``idiom`` of the cases: "worth every *penny*."
      and "hit the *spot*!" are sayings, whose noun stands for nothing.

    In any text the longest phrase at a place is an entity.
    """

    def __init__(
        self,
        corpus: Iterable[str],
        min_count: int = 3,
        complete: float = 0.3,
        frames: int = 3,
        idiom: float = 0.8,
    ):
        texts = [[token.group().lower() for token in TOKEN.finditer(text)] for text in corpus]
        verbs, others = _words_that_are_no_nouns(texts)
        begun: Counter[tuple[str, ...]] = Counter()
        around: defaultdict[tuple[str, ...], Counter[tuple[str, str]]] = defaultdict(Counter)
        for words in texts:
            for position in [position for position, word in enumerate(words) if word in DETERMINERS]:
                run = _run(words, position + 1, verbs)
                begun.update(tuple(run[:length]) for length in range(1, min(len(run), LONGEST_PHRASE) + 1))
                if 0 < len(run) <= LONGEST_PHRASE:
                    end = position + 1 + len(run)
                    around[tuple(run)][_word(words, position - 1), _word(words, end)] += 1
        whole = {
            phrase
            for phrase, frame in around.items()
            if frame.total() >= min_count and frame.total() >= complete * begun[phrase]
        }
        self.phrases = {
            phrase
            for phrase in whole
            if not any(phrase[:length] in whole for length in range(1, len(phrase)))
            and phrase[-1] not in others
            and len(around[phrase]) >= frames
            and max(around[phrase].values()) <= idiom * around[phrase].total()
        }
        self.description = f"{len(self.phrases)} noun-like phrases of the corpus"

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        return [self._spans(text) for text in texts]

    def _spans(self, text: str) -> list[Span]:
        # lower case is a matter of each word: a whole text in lower case may be longer than the text
        tokens = [(token.group().lower(), *token.span()) for token in TOKEN.finditer(text)]
        found, position = [], 0
        while position < len(tokens):
            for length in range(min(LONGEST_PHRASE, len(tokens) - position), 0, -1):
                if tuple(word for word, *_ in tokens[position : position + length]) in self.phrases:
                    found.append((tokens[position][1], tokens[position + length - 1][2]))
                    position += length
                    break
            else:
                position += 1
        return found


def topic_words(texts: Sequence[str], share: float = 0.8) -> set[str]:
    """Words of lower-case texts that name what they are about: at least a ``share`` of them in `CorpusPhrases`."""
    named: Counter[str] = Counter()
    used = Counter(token for text in texts for token in TOKEN.findall(text))
    for text, spans in zip(texts, CorpusPhrases(texts).spans(texts), strict=True):
        named.update(token for start, end in spans for token in TOKEN.findall(text[start:end]))
    return {word for word, count in named.items() if count >= share * used[word]}


def _words_that_are_no_nouns(texts: Sequence[Sequence[str]]) -> tuple[set[str], set[str]]:
    """The verbs of a corpus, and its verbs and adjectives, as far as the words beside them tell.

    Verbs stand behind a subject pronoun, before an object pronoun or before a determiner; adjectives behind a form of
    "to be" or a word of degree.
    """
    used: Counter[str] = Counter()
    as_verb: Counter[str] = Counter()
    as_adjective: Counter[str] = Counter()
    for words in texts:
        for position, word in enumerate(words):
            before, after = _word(words, position - 1), _word(words, position + 1)
            used[word] += 1
            as_verb[word] += before in SUBJECTS or after in OBJECTS | DETERMINERS | QUANTIFIERS
            as_adjective[word] += before in BE or before in DEGREES
    verbs = {word for word, count in used.items() if as_verb[word] >= MIXED * count}
    return verbs, {word for word, count in used.items() if as_verb[word] + as_adjective[word] >= MIXED * count}


def _word(words: Sequence[str], position: int) -> str:
    """The word there; one name for signs and for the ends of the text."""
    return words[position] if 0 <= position < len(words) and words[position][0].isalnum() else "."


def _run(words: Sequence[str], start: int, verbs: Collection[str]) -> list[str]:
    """The words from ``start`` on, up to the first function word, verb or sign."""
    end = start
    while end < len(words) and words[end][0].isalpha() and words[end] not in FUNCTION_WORDS and words[end] not in verbs:
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
            raise ValueError(
                "spaCy is not there: pip install 'personalized-showcases[metrics]', or set generation.entities=phrases"
            )
        return NounChunks(spacy_model)
    except ValueError:
        if kind == "spacy":
            raise
        return CorpusPhrases(corpus)
