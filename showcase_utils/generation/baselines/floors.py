"""Two honest floors: what needs no model at all, and should be beaten."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from showcase_utils.generation.dataset import ShowcaseDataset

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def most_frequent_sentence(train: ShowcaseDataset, dataset: ShowcaseDataset) -> list[str]:
    """For every sample the sentence that stands most often in the training texts; of equals the first in order."""
    counts = Counter(sentence for text in train.texts for sentence in SENTENCE_END.split(text.strip()))
    sentence = min(counts, key=lambda sentence: (-counts[sentence], sentence))
    return [sentence] * len(dataset)


def nearest_neighbour(train: ShowcaseDataset, dataset: ShowcaseDataset, chunk: int = 512) -> list[str]:
    """For every sample the training text whose photos are nearest, by cosine of the mean CLIP features."""
    theirs, ours = _means(train), _means(dataset)
    nearest = [(ours[start : start + chunk] @ theirs.T).argmax(axis=1) for start in range(0, len(ours), chunk)]
    return [train.texts[index] for index in np.concatenate(nearest)]


FLOORS: dict[str, tuple[str, Callable[[ShowcaseDataset, ShowcaseDataset], list[str]]]] = {
    "floor_frequent": ("Most frequent sentence", most_frequent_sentence),
    "floor_neighbour": ("Nearest neighbour's review", nearest_neighbour),
}


def floor_texts(name: str, train: ShowcaseDataset, dataset: ShowcaseDataset, seed: int) -> pd.DataFrame:
    """The floor's texts as ``generate_texts`` gives a system's. Raises ``ValueError`` for an unknown floor."""
    if name not in FLOORS:
        raise ValueError(f"no floor '{name}': choose from {', '.join(FLOORS)}")
    shown = dataset.reviews[["review_id", "user_id", "business_id", "image_ids"]]
    texts = FLOORS[name][1](train, dataset)
    return shown.assign(system=name, seed=seed, text=texts, reference=dataset.texts)[
        ["system", "seed", "review_id", "user_id", "business_id", "image_ids", "text", "reference"]
    ]


def _means(dataset: ShowcaseDataset) -> NDArray[np.float32]:
    """Unit means of the samples' photo features, (n, d); zero for a sample without photos."""
    means = np.zeros((len(dataset), dataset.photos.rows.shape[-1]), np.float32)
    for index, row in enumerate(means):
        if len(dataset.photos[index]):
            row[:] = dataset.photos[index].mean(axis=0)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
