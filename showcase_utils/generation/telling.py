"""What a showcase says: candidate sentences from several writers, and a rule that decides which of them are told.

The paper's generator writes one greedy line, whatever it is worth. Here every sentence must be borne out by a shown
photo, as far as Φ can tell, and every photo should be spoken of; of several candidates those win on which the writers
agree, and which are in the user's manner. Nothing that runs the place down is told. Where nothing is borne out, less
is said. ``Telling`` holds every decision as a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from showcase_utils.alignment.phi import Phi
from showcase_utils.config import Telling
from showcase_utils.data.sentences import split_sentences
from showcase_utils.generation.decoding import write_texts
from showcase_utils.generation.quotes import Quotes
from showcase_utils.generation.tone import Tone

Floats = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]
_MANNER = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=2**15, alternate_sign=False)


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


@dataclass(frozen=True)
class Told:
    """A sentence and its evidence: the number of the photo that bears it out best, and Φ's confidence in that."""

    sentence: str
    photo: int
    confidence: float
    writer: str


@dataclass
class _Pool:
    """The candidate sentences for one request; ``about`` is the photo they were written beside, −1 for all of them."""

    texts: list[str] = field(default_factory=list)
    writers: list[str] = field(default_factory=list)
    about: list[int] = field(default_factory=list)

    def add(self, texts: Sequence[str], writer: str, about: int) -> None:
        self.texts += texts
        self.writers += [writer] * len(texts)
        self.about += [about] * len(texts)


class Teller:
    """A trained generator, quotes of training reviews, and the judges of what they offer."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        quotes: Quotes,
        tone: Tone,
        phi: Phi,
        encode: Encode,
        settings: Telling,
    ):
        """``encode`` gives the CLIP features of texts, (n, d), in the space of the photos'."""
        self.model, self.tokenizer, self.quotes = model.eval(), tokenizer, quotes
        self.tone, self.phi, self.encode, self.settings = tone, phi, encode, settings

    @torch.inference_mode()
    def tell(self, requests: Sequence[Request], seed: int = 0) -> list[list[Told]]:
        """The sentences of each showcase, in the order of its photos; none where nothing is borne out.

        Sampling draws from ``seed``, so texts depend on the requests made together; the global generator stays.
        """
        pools = [_Pool() for _ in requests]
        if "retrieval" in self.settings.writers:
            for request, pool in zip(requests, pools, strict=True):
                for number, photo in enumerate(request.photos):
                    rows = self.quotes.nearest(photo, self.settings.quotes, request.place)
                    pool.add(self.quotes.sentences["text"].iloc[rows].tolist(), "retrieval", number)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for writer, strategy in self._strategies().items():
                self._write(requests, pools, writer, strategy)
        every = list(dict.fromkeys(text for pool in pools for text in pool.texts))
        features = dict(zip(every, self.encode(every), strict=True)) if every else {}
        tones = dict(zip(every, self.tone.score(every), strict=True))
        return [
            self._choose(request, pool, features, tones) if pool.texts else []
            for request, pool in zip(requests, pools, strict=True)
        ]

    def _strategies(self) -> dict[str, dict]:
        chosen = self.settings
        ways: dict[str, dict] = {
            "greedy": {},
            "beam": {"num_beams": 4},
            "sample": {"do_sample": True, "top_p": chosen.top_p, "num_return_sequences": chosen.samples},
        }
        return {writer: way for writer, way in ways.items() if writer in chosen.writers}

    def _write(self, requests: Sequence[Request], pools: Sequence[_Pool], writer: str, strategy: dict) -> None:
        """Adds what the generator writes beside all photos, and with ``each_photo`` beside every one alone."""
        samples, owners = [], []
        for number, request in enumerate(requests):
            sets = [(-1, request.photos)]
            if self.settings.each_photo and len(request.photos) > 1:
                sets += [(photo, request.photos[photo : photo + 1]) for photo in range(len(request.photos))]
            for about, photos in sets:
                samples.append({"images": photos, "history": request.history, "labels": []})
                owners.append((number, about))
        copies = strategy.get("num_return_sequences", 1)
        texts = []
        for start in range(0, len(samples), 64):
            texts += write_texts(self.model, self.tokenizer, samples[start : start + 64], **strategy)
        for index, sentences in enumerate(split_sentences(texts)):
            number, about = owners[index // copies]
            pools[number].add(sentences, writer, about)

    def _choose(
        self, request: Request, pool: _Pool, features: dict[str, Floats], tones: dict[str, float]
    ) -> list[Told]:
        """The best sentence for each photo in turn, until all are spoken of or nothing that is borne out is left."""
        settings = self.settings
        texts = list(dict.fromkeys(pool.texts))
        rows = np.stack([features[text] for text in texts])  # (n, d)
        support = self._support(request.photos, rows)  # (k, n)
        limit = self.phi.threshold if settings.support is None else settings.support
        fit = settings.agreement * _agreement(pool, texts, rows, len(request.photos))
        fit = fit + settings.manner * _manner(texts, request.past)
        kind = np.array([settings.tone is None or tones[text] >= settings.tone for text in texts])
        told: list[Told] = []
        open_photos, taken = set(range(len(request.photos))), np.zeros(len(texts), bool)
        while open_photos and len(told) < settings.most_sentences:
            value = np.where((support >= limit) & kind & ~taken, np.log(np.maximum(support, 1e-6)) + fit, -np.inf)
            value[[photo for photo in range(len(value)) if photo not in open_photos]] = -np.inf
            photo, best = np.unravel_index(int(value.argmax()), value.shape)
            if not np.isfinite(value[photo, best]):
                break
            writer = pool.writers[pool.texts.index(texts[best])]
            told.append(Told(texts[best], int(photo), float(support[photo, best]), writer))
            open_photos -= {int(photo)}
            taken |= rows @ rows[best] >= settings.same
        return sorted(told, key=lambda sentence: sentence.photo)

    def _support(self, photos: Floats, rows: Floats) -> Floats:
        """Φ of every photo with every sentence, (k, n)."""
        pairs = np.repeat(photos, len(rows), axis=0), np.tile(rows, (len(photos), 1))
        return self.phi.score(*pairs).reshape(len(photos), len(rows))


def _agreement(pool: _Pool, texts: Sequence[str], rows: Floats, photos: int) -> Floats:
    """How near each text is, by cosine, to what the writers say beside each photo, (k, n).

    Errors differ from candidate to candidate, and what is right is said again and again (self-consistency, Wang et al.
    2023; minimum Bayes risk decoding).
    """
    number = {text: index for index, text in enumerate(texts)}
    means = np.zeros((photos, rows.shape[1]), np.float32)
    for photo in range(photos):
        said = [number[text] for text, about in zip(pool.texts, pool.about, strict=True) if about in (photo, -1)]
        if said:
            means[photo] = rows[said].mean(axis=0)
    return means @ rows.T


def _manner(texts: Sequence[str], past: Sequence[str]) -> NDArray[np.float64]:
    """How much each text is in the manner of the past ones: cosine of counts of letter groups, (n,)."""
    if not len(past):
        return np.zeros(len(texts))
    own = np.asarray(_MANNER.transform([text.lower() for text in past]).mean(axis=0))[0]
    return np.asarray(_MANNER.transform(texts) @ own) / max(float(np.linalg.norm(own)), 1e-12)
