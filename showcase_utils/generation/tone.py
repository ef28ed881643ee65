"""How a sentence speaks: how kindly, learned from reviews and their stars, of whom, and how much in a user's manner."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

GLAD = 4  # stars from which on a review speaks for its place
WORDS = re.compile(r"\b\w[\w'’]*\b")
COMPANY = re.compile(
    r"\b(?:my|our)\b(?:\s+\w+){0,2}\s+(?:(?:grand|step|room|class|team|work|soul|girl|boy)?-?"
    r"(?:wife|husband|hubby|spouse|partner|fianc[eé]e?|friends?|mates?|bf|gf|mother|father|mom|mum|dad|parents?|"
    r"sisters?|brothers?|siblings?|sons?|daughters?|kids?|child|children|baby|family|in-laws|cousins?|aunt|uncle|"
    r"nieces?|nephews?|ma|pa|coworkers?|colleagues?|boss|buddy|buddies|date|guests?|crew))\b"
)
VISITS = re.compile(r"\b(?:again|as (?:always|usual)|(?:first|last|next|this|every|each) time)\b")
TWICE = re.compile(r"\b(\w{3,}) (?:and|with) \1\b")
CONTRAST = re.compile(r"\b(?:but|though|although|however|except)\b")
PHRASE, WEIGHT, BIAS = "phrase", "weight", ""


class Tone:
    """A logistic regression over phrases of one to three words: ``score(sentences)`` is above 0 for a kind one.

    ``weights`` (phrase, weight) say what speaks for a place and what against it; the empty phrase is the bias.
    """

    def __init__(self, weights: pd.DataFrame):
        self.weights = weights
        self._weights: dict[str, float] = dict(zip(weights[PHRASE], weights[WEIGHT], strict=True))

    @classmethod
    def fit(
        cls, sentences: Iterable[str], stars: Sequence[int], topics: Collection[str] = frozenset(), min_count: int = 5
    ) -> Tone:
        """Learned from sentences with the stars of their reviews; both kinds count alike, however few the unkind are.

        Phrases with a word of ``topics`` do not count: "mango" is neither kind nor unkind, whatever reviews it was in.
        Where all have four stars or more, or all fewer, there is nothing to tell apart and every sentence scores 1.
        """
        glad = np.asarray(stars) >= GLAD
        if glad.all() or not glad.any():
            return cls(pd.DataFrame({PHRASE: [BIAS], WEIGHT: [1.0]}))
        from sklearn.feature_extraction.text import CountVectorizer  # a second, which whoever loads one need not wait
        from sklearn.linear_model import LogisticRegression

        excluded = frozenset(topics)
        counts = CountVectorizer(
            analyzer=lambda text: [phrase for phrase in _phrases(text) if excluded.isdisjoint(phrase.split())],
            binary=True,
            min_df=min_count,
        )
        rows = counts.fit_transform(sentences)
        # C by the AUC of stars on validation: of 0.03, 0.1, 0.3 and 1 on `demo`, 0.1
        model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=300).fit(rows, glad)
        phrases, weights = [BIAS, *counts.get_feature_names_out()], [*model.intercept_, *model.coef_[0]]
        return cls(pd.DataFrame({PHRASE: phrases, WEIGHT: weights}))

    def score(self, sentences: Sequence[str]) -> NDArray[np.float64]:
        """The log odds that a sentence comes from a review of four or five stars, (n,).

        Of clauses in contrast the least counts: "nice but windy" is as kind as "windy".
        """
        return np.array([min(map(self._log_odds, _clauses(text))) for text in sentences], dtype=float)

    def _log_odds(self, clause: str) -> float:
        return sum(self._weights.get(phrase, 0.0) for phrase in {BIAS, *_phrases(clause)})

    def coolest(self, sentences: Sequence[str], share: float) -> float:
        """The score that a ``share`` of the sentences stays below: the least that is kind enough beside these."""
        return float(np.quantile(self.score(sentences), share)) if len(sentences) else 0.0

    def save(self, path: str | Path) -> None:
        """Writes the weights as Parquet."""
        self.weights.to_parquet(path, index=False)

    @classmethod
    def load(cls, path: str | Path) -> Tone:
        """What ``save`` wrote."""
        return cls(pd.read_parquet(path))


def stammers(text: str) -> bool:
    """Whether it says a thing twice: "with peanuts and peanuts"."""
    return bool(TWICE.search(text.lower()))


def speaks_of_its_writer(text: str) -> bool:
    """Whether a sentence tells, in English, what another reader does not have: company, or earlier visits."""
    return any(pattern.search(text.lower()) for pattern in (COMPANY, VISITS))


def manner(texts: Sequence[str], past: Sequence[str]) -> NDArray[np.float64]:
    """How much each text is in the manner of the past ones: the cosine of their counts of letter groups, (n,)."""
    own: Counter[str] = Counter()
    for text in past:
        own.update(_letter_groups(text))
    length = max(sum(weight**2 for weight in own.values()) ** 0.5, 1e-12)
    return np.array([sum(weight * own[g] for g, weight in _letter_groups(t).items()) / length for t in texts], float)


def _clauses(text: str) -> list[str]:
    """The parts of a sentence that stand in contrast, of those that have words; else the sentence."""
    return [part for part in CONTRAST.split(text.lower()) if WORDS.search(part)] or [text]


def _phrases(text: str) -> list[str]:
    """Phrases of one to three words."""
    words = WORDS.findall(text.lower())
    return [" ".join(words[start : start + n]) for n in (1, 2, 3) for start in range(len(words) - n + 1)]


@lru_cache(maxsize=50_000)  # a quote is offered, and a review remembered, again and again
def _letter_groups(text: str) -> dict[str, float]:
    """Groups of two to four letters within words, ends of words among them, as a unit vector."""
    words = [f" {word} " for word in text.lower().split()]
    counts = Counter(w[at : at + n] for w in words for n in (2, 3, 4) for at in range(len(w) - n + 1))
    length = sum(count**2 for count in counts.values()) ** 0.5
    return {group: count / length for group, count in counts.items()}
