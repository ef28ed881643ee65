"""Hard negatives: texts whose entities are replaced by others (paper, section 4.2)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from showcase_utils.data.entities import EntityFinder

ARTICLE = re.compile(r"\b(an?)(\s+)$", re.IGNORECASE)


class EntitySwapper:
    """ent(Y): a text with every entity replaced by another of the dataset, drawn as often as the dataset names it."""

    def __init__(self, finder: EntityFinder, texts: Sequence[str]):
        """``texts`` are the dataset whose entities serve as replacements."""
        self.finder = finder
        # kept, for these very texts are the most that will be swapped, and parsing is what takes time
        self._spans = dict(zip(texts, finder.spans(texts), strict=True))
        counts = Counter(text[start:end] for text in texts for start, end in self._spans[text])
        self.entities = sorted(counts)
        self._cumulative = np.cumsum([counts[entity] for entity in self.entities])

    def swap(self, texts: Sequence[str], seed: int) -> list[str]:
        """Each text with its entities replaced, never by the same surface form; "" where there is none to replace.

        "a" and "an" before an entity follow the first letter of what replaces it. Text number i draws from the stream
        (seed, i), so it does not depend on the texts before it.
        """
        if len({entity.lower() for entity in self.entities}) < 2:
            return [""] * len(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._spans]
        found = self._spans | dict(zip(new, self.finder.spans(new), strict=True))
        swapped = []
        for index, text in enumerate(texts):
            rng = np.random.default_rng((seed, index))
            written, end = "", 0
            for start, stop in found[text]:
                other = self._other(text[start:stop], rng)
                written = _with_article(written + text[end:start], other) + other
                end = stop
            swapped.append(written + text[end:] if found[text] else "")
        return swapped

    def _other(self, entity: str, rng: np.random.Generator) -> str:
        while True:
            drawn = np.searchsorted(self._cumulative, rng.integers(self._cumulative[-1]), side="right")
            if self.entities[drawn].lower() != entity.lower():
                return self.entities[drawn]


def _with_article(before: str, noun: str) -> str:
    """What stands before a noun, its "a" or "an" by the noun's first letter."""
    article = ARTICLE.search(before)
    if article is None:
        return before
    return before[: article.start(1)] + article[1][0] + ("n" if noun[0].lower() in "aeiou" else "") + article[2]
