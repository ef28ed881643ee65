r"""Open-vocabulary grounding: which noun phrases of a text none of its photos shows.

As ALOHa does for captions (Petryk et al., NAACL 2024) the phrases of a text are matched one by one, and the least
grounded one speaks for the text; but with photos, not with words of references, so no truth is needed. For phrase p
and photo v the question is CLIP's own zero-shot classification (Radford et al. 2021), with the phrases of the training
reviews as the other classes:

.. math:: o(p, v) = \frac{\exp(\tau \cos(p, v))}{\sum_{q \in R_p} \exp(\tau \cos(q, v))}

R_p are the dataset's phrases without p and those that say less or more of the same ("tacos" and "beef tacos" are no
rivals), so o are odds; τ is CLIP's logit scale. A phrase's confidence is :math:`o / (o + o_0)` for its best photo, so
that ½ is the calibrated threshold o₀. Phrases that Φ finds on no photo at all ("my mom", "a nice touch") are not
visible, and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from showcase_utils.data.entities import EntityFinder
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.generated import Features
from showcase_utils.metrics.metric import Floats, Metric

RIVALS = 2000  # the dataset's most frequent visible phrases; of more the sum hardly changes, and takes longer
Score = Callable[[Sequence[str], Features], Floats]  # phrases, photos (n, d) -> (phrases, photos)
_LEVEL = "noun phrases beside the shown photos, CLIP among the dataset's phrases"


class Phrase(NamedTuple):
    """A noun phrase, ``text[start:end]`` of its text; ``confidence`` that a photo shows it, ``nan`` if none can."""

    text: str
    start: int
    end: int
    confidence: float = float("nan")


@dataclass(frozen=True)
class Named:
    """What each row of a texts frame and its reference name; ``known`` are the features of the dataset."""

    phrases: list[list[Phrase]]
    references: list[list[str]]
    known: frozenset[str]

    def take(self, rows: Iterable[int]) -> Named:
        """What some rows name, in that order."""
        rows = list(rows)
        return Named([self.phrases[i] for i in rows], [self.references[i] for i in rows], self.known)

    @property
    def features(self) -> list[list[str]]:
        """The phrases of each row as words."""
        return [[phrase.text for phrase in row] for row in self.phrases]


def find_phrases(finder: EntityFinder, texts: Sequence[str]) -> list[list[Phrase]]:
    """The phrases of each text, in order, in lower case; each different text is read once."""
    different = list(dict.fromkeys(texts))
    spans = dict(zip(different, finder.spans(different), strict=True))
    return [[Phrase(" ".join(text[a:b].lower().split()), a, b) for a, b in spans[text]] for text in texts]


class PhraseGrounder:
    """Confidence that photos show phrases: ``odds`` beside given photos, ``ground`` for whole texts.

    ``encode`` maps texts to unit-norm rows ``(n, d)``, each phrase once; ``scale`` is CLIP's logit scale; ``visible``
    says for features ``(n, d)`` of phrases which a photo can show. ``corpus`` holds the phrases of the training texts.
    """

    def __init__(
        self,
        encode: Callable[[list[str]], Features],
        scale: float,
        visible: Callable[[Features], np.ndarray],
        corpus: Iterable[str],
        threshold: float = 1.0,
    ) -> None:
        self.encode, self.scale, self._visible, self.threshold = encode, scale, visible, threshold
        self._features: dict[str, np.ndarray | None] = {}
        frequent = [phrase for phrase, _ in Counter(corpus).most_common(2 * RIVALS)]
        self.learn(frequent)
        self.rivals = [phrase for phrase in frequent if self.sees(phrase)][:RIVALS]
        width = encode(["a"]).shape[1]
        self._rivals = self.features(self.rivals).reshape(-1, width)
        words = CountVectorizer(binary=True, tokenizer=_words, lowercase=False, token_pattern=None)
        self._words = words.fit(self.rivals or ["a"])
        self._rival_words: Any = self._words.transform(self.rivals) if self.rivals else None

    def learn(self, phrases: Iterable[str]) -> None:
        """Encodes those phrases that were not met before."""
        new = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._features]
        if new:
            features = self.encode(new)
            for phrase, row, seen in zip(new, features, self._visible(features), strict=True):
                self._features[phrase] = row if seen else None

    def sees(self, phrase: str) -> bool:
        """Whether a photo can show what a phrase names; ``KeyError`` for one that was not learnt."""
        return self._features[phrase] is not None

    def odds(self, phrases: Sequence[str], photos: Features) -> Floats:
        """o(p, v) of visible, learnt phrases beside photos ``(n, d)``: ``(phrases, photos)``."""
        # cosines are at most 1, so nothing overflows
        own = np.exp(self.scale * (np.float64(self.features(phrases) @ photos.T) - 1))
        if self._rival_words is None:
            return np.full(own.shape, np.inf)
        rivals = np.exp(self.scale * (np.float64(self._rivals @ photos.T) - 1))  # (rivals, photos)
        against = rivals.sum(axis=0) - self._same(phrases) @ rivals
        return own / np.maximum(against, np.finfo(float).tiny)

    def features(self, phrases: Sequence[str]) -> Features:
        """Features of visible, learnt phrases, ``(n, d)``."""
        return np.array([self._features[phrase] for phrase in phrases], np.float32)

    def ground(
        self, phrases: Sequence[Sequence[Phrase]], photos: Sequence[Features], score: Score | None = None
    ) -> list[list[Phrase]]:
        """The phrases of each text with the confidence of their best photo; ``nan`` for what no photo can show.

        Another ``score`` of phrases and photos, greater than 0, may take the place of the odds.
        """
        self.learn(phrase.text for row in phrases for phrase in row)
        beside: dict[bytes, list[int]] = {}  # texts beside the same photos are one question
        for row, shown in enumerate(photos):
            beside.setdefault(np.ascontiguousarray(shown).tobytes(), []).append(row)
        found: list[list[Phrase]] = [list(row) for row in phrases]
        for rows in beside.values():
            names = sorted({phrase.text for row in rows for phrase in phrases[row] if self.sees(phrase.text)})
            if names and len(photos[rows[0]]):
                best = (score or self.odds)(names, photos[rows[0]]).max(axis=1)
                # o / (o + o₀), written so that a phrase without rivals, of infinite odds, has 1
                confidence = dict(zip(names, 1 / (1 + self.threshold / np.maximum(best, 1e-300)), strict=True))
                for row in rows:
                    found[row] = [
                        phrase._replace(confidence=float(confidence.get(phrase.text, np.nan)))
                        for phrase in phrases[row]
                    ]
        return found

    def _same(self, phrases: Sequence[str]) -> csr_matrix:
        """1 where a rival's words are all in the phrase, or the phrase's all in the rival: (phrases, rivals)."""
        words = self._words.transform(phrases)
        common = (words @ self._rival_words.T).tocoo()
        own = np.array([len(set(_words(phrase))) for phrase in phrases])  # words that no rival has count, too
        theirs = np.asarray(self._rival_words.sum(axis=1)).ravel()
        nested = common.data == np.minimum(own[common.row], theirs[common.col])
        places = common.row[nested], common.col[nested]
        return csr_matrix((np.ones(nested.sum()), places), shape=(len(phrases), len(self.rivals)))


def _words(phrase: str) -> list[str]:
    return [word.removesuffix("s") for word in phrase.split()]


def grounded_share(phrases: Sequence[Sequence[Phrase]]) -> Metric:
    """Share of a text's visible phrases that one of its photos shows, mean over texts; ``nan`` for one without any."""
    known = [_confidence(row) for row in phrases]
    shares = [np.mean(row >= 0.5) if len(row) else np.nan for row in known]
    return mean_metric(np.array(shares), f"Grounded: share of the visible {_LEVEL}, calibrated, mean over texts, 0–1")


def least_grounded(phrases: Sequence[Sequence[Phrase]]) -> Metric:
    """Confidence of a text's least grounded visible phrase, mean over texts; ½ is the calibrated threshold."""
    lowest = [row.min() if len(row) else np.nan for row in map(_confidence, phrases)]
    return mean_metric(np.array(lowest), f"Least grounded: lowest of the visible {_LEVEL}, mean over texts, 0–1")


def _confidence(row: Sequence[Phrase]) -> Floats:
    values = np.array([phrase.confidence for phrase in row], float)
    return values[~np.isnan(values)]
