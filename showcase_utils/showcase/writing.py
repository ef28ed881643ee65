"""The text of a showcase, and the photo that each of its sentences rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from showcase_utils.alignment.phi import Phi, load_phi
from showcase_utils.artifacts import Artifacts
from showcase_utils.data.sentences import split_sentences
from showcase_utils.devices import resolve_device
from showcase_utils.generation.decoding import write_texts
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.training import load_system
from showcase_utils.showcase.material import Item, Somebody

Encode = Callable[[Sequence[str]], list[tuple[str, np.ndarray]]]


class Written(NamedTuple):
    """A text; its sentences with the place of the photo that each rests on (None: on none) and Φ's confidence.

    ``clip_align`` is the mean over the photos of their best sentence's confidence; nan without sentences.
    """

    text: str
    sentences: list[tuple[str, int | None, float]]
    clip_align: float


class Writer:
    """A trained system that writes beside photos, and Φ, which says what the sentences rest on."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        phi: Phi,
        limits: tuple[int, int],
        encode: Encode,
    ) -> None:
        self.model, self.tokenizer, self.phi, self.encode = model.eval(), tokenizer, phi, encode
        self.most_photos, self.most_reviews = limits

    @classmethod
    def open(cls, store: Artifacts, encode: Encode, system: str = "", seed: int | None = None) -> Writer:
        """The system of a run: by default the proposed one, or the last that was trained; of the first seed."""
        settings = store.settings.generation
        name = system or ("ours_pc2l" if "ours_pc2l" in settings.systems else settings.systems[-1])
        number = store.settings.seed + settings.seeds[0] if seed is None else seed
        folder = store.path("generation") / f"{name}-{number}"
        model = load_system(folder).to(resolve_device(store.settings.device))
        return cls(model, load_tokenizer(folder), load_phi(store), (settings.max_images, settings.history), encode)

    def write(
        self, photos: Sequence[Sequence[Item]], people: Sequence[Somebody], block: Sequence[str] = ()
    ) -> list[Written]:
        """For each set of photos what is written to its reader; no sentence has a word of ``block``."""
        samples = [
            {
                "images": _rows(shown[: self.most_photos], shown),
                "history": _rows(reader.texts[: self.most_reviews], shown),
                "labels": [],
            }
            for shown, reader in zip(photos, people, strict=True)
        ]
        texts = write_texts(self.model, self.tokenizer, samples)
        blocked = {word.casefold() for word in block}
        split = [[s for s in found if not any(w in s.casefold() for w in blocked)] for found in split_sentences(texts)]
        features = dict(self.encode([sentence for sentences in split for sentence in sentences]))
        return [self._grounded(sentences, shown, features) for sentences, shown in zip(split, photos, strict=True)]

    def _grounded(self, sentences: Sequence[str], photos: Sequence[Item], features: dict[str, np.ndarray]) -> Written:
        known = [sentence for sentence in sentences if sentence in features]
        if not known:
            return Written(" ".join(sentences), [], float("nan"))
        image = np.repeat([item.features for item in photos], len(known), axis=0)
        words = np.tile([features[sentence] for sentence in known], (len(photos), 1))
        confidence = self.phi.score(image, words).reshape(len(photos), len(known))  # (m, s)
        best = confidence.argmax(axis=0)
        rests = [int(photo) if confidence[photo, s] >= self.phi.threshold else None for s, photo in enumerate(best)]
        told = list(zip(known, rests, confidence.max(axis=0).tolist(), strict=True))
        return Written(" ".join(sentences), told, float(confidence.max(axis=1).mean()))


def _rows(items: Sequence[Item], like: Sequence[Item]) -> np.ndarray:
    dim = like[0].features.shape[0]
    return np.stack([item.features for item in items]).astype(np.float32) if items else np.zeros((0, dim), np.float32)
