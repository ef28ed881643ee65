"""What a showcase says: candidate sentences from several writers, and a rule that decides which of them are told.

The paper's generator writes one greedy line, whatever it is worth. Here every sentence must be borne out by a shown
photo, as far as Φ can tell, and every photo should be spoken of; of several candidates those win on which the writers
agree, and which are in the user's manner. Nothing that runs the place down is told. Where nothing is borne out, less
is said. The settings' section ``telling`` holds every decision.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from showcase_utils.alignment.phi import Phi
from showcase_utils.config import Telling
from showcase_utils.data.sentences import split_sentences
from showcase_utils.generation.quotes import NO_BOUNDS, Bounds, Quotes
from showcase_utils.generation.tone import WORDS, Tone, manner, speaks_of_its_writer, stammers

if TYPE_CHECKING:  # a second to import, which quotes alone do not need
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Generator = tuple[PreTrainedModel, PreTrainedTokenizerBase] | None

Floats = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]
ALL = -1  # in place of a photo's number: written beside all of them
BATCH = 128


@dataclass(frozen=True)
class Request:
    """One showcase to write: features of its ``photos`` (k, d), and what the user has written elsewhere.

    ``history`` (m, d) are the features of past reviews, ``past`` their texts; ``place`` is a business id, or nothing
    for a place that no training review knows.
    """

    photos: Floats
    history: Floats
    past: Sequence[str] = ()
    place: str = ""

    @cached_property
    def key(self) -> int:
        """What chance is drawn from: the same reader at the same place draws the same, in whatever company."""
        return zlib.crc32("\n".join([self.place, *self.past]).encode())


@dataclass(frozen=True)
class Told:
    """A sentence and its evidence: the number of the photo that bears it out, and Φ's confidence in that."""

    sentence: str
    photo: int
    confidence: float
    writer: str


@dataclass(frozen=True)
class Candidate:
    """A sentence that ``writer`` offers beside photo number ``about``, or beside ``ALL``.

    ``nearness`` is the cosine of that photo with the one that the sentence was written about: 1 but for quotes.
    """

    text: str
    writer: str
    about: int
    nearness: float = 1.0


@dataclass(frozen=True)
class Pool:
    """What the writers offer for one request, and what the judges make of each distinct text.

    ``support`` (k, n) is Φ of every photo with every text, ``cosine`` (k, n) theirs in CLIP's space, ``rows`` (n, d)
    the features of the texts; ``tone`` and ``manner`` (n,) say how kind a text is, and how much in the user's manner.
    ``chance`` (n,) is Gumbel noise of the user's own.
    """

    candidates: list[Candidate]
    texts: list[str]
    rows: Floats
    support: Floats
    cosine: Floats
    tone: NDArray[np.float64]
    manner: NDArray[np.float64]
    chance: NDArray[np.float64]

    def like(self, text: str, settings: Telling) -> NDArray[np.bool_]:
        """Which texts would bore a reader of ``text``, (n,): those that say the same, or in the same words."""
        same = self.rows @ self.rows[self.texts.index(text)] >= settings.same
        words, others = _words(text), [_words(other) for other in self.texts]
        shared = [len(words & other) / max(1, min(len(words), len(other))) for other in others]
        return same | (np.array(shared) >= settings.repeats)


class Teller:
    """A trained generator, quotes of training reviews, and the judges of what they offer."""

    def __init__(
        self,
        load: Callable[[], Generator],
        quotes: Quotes,
        tone: Tone,
        phi: Phi,
        encode: Encode,
        settings: Telling,
        bounds: Bounds = NO_BOUNDS,
    ):
        """``load`` gives the generator with its tokenizer when it is first asked; where it gives None, all is quoted.

        ``encode`` gives the CLIP features of texts, (n, d), in the space of the photos'.
        """
        self._load, self.quotes = load, quotes
        self.tone, self.phi, self.encode, self.settings, self.bounds = tone, phi, encode, settings, bounds
        self._coolest = tone.coolest(quotes.sentences["text"].tolist(), settings.tone)

    @cached_property
    def generator(self) -> Generator:
        return self._load()

    def features(self, texts: Sequence[str]) -> Floats:
        """CLIP features of texts, (n, d); those of quotes are known."""
        known, new = self.quotes.features, {}
        if unknown := [text for text in dict.fromkeys(texts) if text not in known]:
            new = dict(zip(unknown, self.encode(unknown), strict=True))
        rows = [new[text] if text in new else known[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    def tell(self, requests: Sequence[Request], seed: int = 0) -> list[list[Told]]:
        """The sentences of each showcase, in the order of its photos; none where nothing is borne out.

        With ``quotes_first`` the generator is asked only where quotes leave a photo without a sentence, which spares
        most of the time; with ``each_photo`` it then writes of such photos only. What is sampled depends on the
        request and ``seed`` alone, not on what is asked together with it.
        """
        if not self.settings.quotes_first or "retrieval" not in self.settings.writers:
            every = [range(len(request.photos)) for request in requests]
            return [self.choose(pool, self.settings) for pool in self.offer(requests, seed, alone=every)]
        told = [self.choose(pool, self.settings) for pool in self.offer(requests, seed, ("retrieval",))]
        silent = [
            set(range(len(request.photos))) - {one.photo for one in found}
            for request, found in zip(requests, told, strict=True)
        ]
        if not (short := [number for number, photos in enumerate(silent) if photos]):
            return told
        pools = self.offer([requests[number] for number in short], seed, alone=[silent[number] for number in short])
        for number, pool in zip(short, pools, strict=True):
            told[number] = self.choose(pool, self.settings)
        return told

    @torch.inference_mode()
    def offer(
        self,
        requests: Sequence[Request],
        seed: int = 0,
        writers: Sequence[str] = (),
        alone: Sequence[Collection[int]] | None = None,
    ) -> list[Pool]:
        """All that the writers of the settings offer, or some of them, judged.

        ``alone`` are the photos of each request beside which the generator writes with ``each_photo``. By default it
        writes beside each, and beside all together too, so that `choose` can be asked for either.
        """
        asked = [writer for writer in self.settings.writers if not writers or writer in writers]
        offered: list[list[Candidate]] = [[] for _ in requests]
        for together in (("greedy", "sample"), ("beam",)):  # what one call of the generator can write
            if drafting := [writer for writer in asked if writer in together]:
                self._write(requests, offered, drafting, seed, alone)
        if "retrieval" in asked:
            for request, candidates in zip(requests, offered, strict=True):
                for number, photo in enumerate(request.photos):
                    for text, nearness in self.quotes.nearest(photo, self.settings.quotes, request.place).items():
                        candidates.append(Candidate(text, "retrieval", number, nearness))
        every = list(dict.fromkeys(candidate.text for candidates in offered for candidate in candidates))
        features = dict(zip(every, self.features(every), strict=True))
        tones = dict(zip(every, self.tone.score(every), strict=True))
        return [self._judged(*pair, features, tones) for pair in zip(requests, offered, strict=True)]

    def choose(self, pool: Pool, settings: Telling) -> list[Told]:
        """The best sentence for each photo in turn, until all are spoken of or nothing that is borne out is left.

        ``settings`` may ask for fewer writers than have offered something, and for fewer judges.
        """
        asked = [candidate for candidate in pool.candidates if _asked(candidate, settings)]
        told: list[Told] = []
        if settings.quotes_first:
            self._add(told, pool, [candidate for candidate in asked if candidate.writer == "retrieval"], settings)
        self._add(told, pool, asked, settings)
        return sorted(told, key=lambda sentence: sentence.photo)

    def _add(self, told: list[Told], pool: Pool, candidates: Sequence[Candidate], settings: Telling) -> None:
        """Adds a sentence for each photo that none of ``told`` is about, as far as one is borne out."""
        offered = {candidate.text: candidate.writer for candidate in reversed(candidates)}
        limit = self.phi.threshold if settings.support is None else settings.support
        free = np.array([text in offered for text in pool.texts], dtype=bool)
        if settings.tone:
            free &= pool.tone >= self._coolest
        free &= ~np.array([stammers(text) for text in pool.texts], dtype=bool)
        if not settings.company:
            free &= ~np.array([speaks_of_its_writer(text) for text in pool.texts], dtype=bool)
        value = np.log(np.maximum(pool.support, 1e-6)) + settings.manner * pool.manner  # (k, n)
        near = _nearness(pool, candidates)
        least = near[np.isfinite(near)].min(initial=1.0)
        value += settings.nearness * np.maximum(near, least) + settings.agreement * _agreement(pool, candidates)
        value += settings.variety * pool.chance
        value[pool.support < limit] = -np.inf
        if settings.sure:
            value[(pool.cosine < self.bounds.cosine) | (near < self.bounds.nearness)] = -np.inf
        silent = np.ones(len(value), dtype=bool)  # photos that no sentence is about yet
        for sentence in told:
            silent[sentence.photo] = False
            free &= ~pool.like(sentence.sentence, settings)
        while silent.any() and free.any():
            left = np.where(silent[:, None] & free, value, -np.inf)
            photo, best = np.unravel_index(int(left.argmax()), left.shape)
            if left[photo, best] == -np.inf:
                return
            text = pool.texts[best]
            told.append(Told(text, int(photo), float(pool.support[photo, best]), offered[text]))
            silent[photo] = False
            free &= ~pool.like(text, settings)

    def _write(
        self,
        requests: Sequence[Request],
        offered: list[list[Candidate]],
        writers: Sequence[str],
        seed: int,
        alone: Sequence[Collection[int]] | None,
    ) -> None:
        """Adds what the generator writes beside some photos or every one, or beside all together; see `offer`."""
        if self.generator is None:
            return
        from transformers import LogitsProcessorList

        from showcase_utils.generation.decoding import NucleusSampling, write_texts

        samples: list[dict[str, Any]] = []
        drafts: list[tuple[int, int, str]] = []  # number of the request, photo, writer
        seeds: list[tuple[int, ...] | None] = []
        for writer in writers:
            for number, request in enumerate(requests):
                wanted = range(len(request.photos)) if alone is None else sorted(alone[number])
                sets = {photo: request.photos[photo : photo + 1] for photo in wanted if self.settings.each_photo}
                if alone is None or not self.settings.each_photo:
                    sets[ALL] = request.photos
                for about, photos in sets.items():
                    for copy in range(self.settings.samples if writer == "sample" else 1):
                        samples.append({"images": photos, "history": request.history, "labels": []})
                        drafts.append((number, about, writer))
                        seeds.append((seed, request.key, about - ALL, copy) if writer == "sample" else None)
        written: dict[int, str] = {}
        order = sorted(range(len(samples)), key=lambda row: len(samples[row]["images"]))
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            strategy: dict[str, Any] = {"num_beams": 4} if "beam" in writers else {}
            if "sample" in writers:
                own = NucleusSampling(self.settings.top_p, [seeds[row] for row in part])
                strategy = {"logits_processor": LogitsProcessorList([own])}
            texts = write_texts(*self.generator, [samples[row] for row in part], **strategy)
            written |= dict(zip(part, texts, strict=True))
        by_writer = sorted(order, key=lambda row: writers.index(drafts[row][2]))
        for row, sentences in zip(by_writer, split_sentences([written[row] for row in by_writer]), strict=True):
            number, about, writer = drafts[row]
            offered[number] += [Candidate(sentence, writer, about) for sentence in sentences]

    def _judged(
        self, request: Request, candidates: list[Candidate], features: dict[str, Floats], tones: dict[str, float]
    ) -> Pool:
        texts = list(dict.fromkeys(candidate.text for candidate in candidates))
        k, n, dim = len(request.photos), len(texts), request.photos.shape[-1]
        rows = np.stack([features[text] for text in texts]) if texts else np.zeros((0, dim), np.float32)
        pairs = np.repeat(request.photos, n, axis=0), np.tile(rows, (k, 1))
        support = self.phi.score(*pairs).reshape(k, n) if n else np.zeros((k, 0), np.float32)
        tone = np.array([tones[text] for text in texts])
        chance = np.random.default_rng(request.key).gumbel(size=n)
        return Pool(
            candidates, texts, rows, support, request.photos @ rows.T, tone, manner(texts, request.past), chance
        )


def text_of(told: Sequence[Told]) -> str:
    """The sentences as one text."""
    return " ".join(sentence.sentence for sentence in told)


@lru_cache(maxsize=50_000)  # a quote is offered again and again
def _words(text: str) -> frozenset[str]:
    return frozenset(WORDS.findall(text.lower()))


def _asked(candidate: Candidate, settings: Telling) -> bool:
    """Whether the settings ask for such a candidate; quotes are always about one photo."""
    asked = candidate.writer == "retrieval" or (candidate.about != ALL) == settings.each_photo
    return candidate.writer in settings.writers and asked


def _nearness(pool: Pool, allowed: Sequence[Candidate]) -> Floats:
    """The likeness of each photo to the one that each text was written about, (k, n); -inf where nobody offers it."""
    number = {text: index for index, text in enumerate(pool.texts)}
    near = np.full(pool.support.shape, -np.inf, np.float32)
    for candidate in allowed:
        photos = slice(None) if candidate.about == ALL else candidate.about
        cell = near[photos, number[candidate.text]]
        near[photos, number[candidate.text]] = np.maximum(cell, candidate.nearness)
    return near


def _agreement(pool: Pool, allowed: Sequence[Candidate]) -> Floats:
    """How near each text is, by cosine, to what is offered beside each photo, (k, n).

    Errors differ from candidate to candidate, and what is right is said again and again: self-consistency (Wang et al.
    2023), or minimum Bayes risk.
    """
    number = {text: index for index, text in enumerate(pool.texts)}
    means = np.zeros((len(pool.support), pool.rows.shape[1]), np.float32)
    for photo, mean in enumerate(means):
        said = [number[candidate.text] for candidate in allowed if candidate.about in (photo, ALL)]
        if said:
            mean[:] = pool.rows[said].mean(axis=0)
    return means @ pool.rows.T
