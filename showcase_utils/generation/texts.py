"""The stage ``texts``: what every trained system writes for the test reviews, beside the photos that step 1 chose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from showcase_utils.config import Generation
from showcase_utils.generation.baselines.floors import FLOORS, floor_texts
from showcase_utils.generation.dataset import FeatureMap, ShowcaseCorpus
from showcase_utils.generation.decoding import generate_texts
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.training import load_system


def build_texts(
    out: Path,
    generation: Path,
    s2: pd.DataFrame,
    s1: pd.DataFrame,
    photos: FeatureMap,
    review_features: FeatureMap,
    selected: pd.DataFrame,
    settings: Generation,
    seed: int,
    device: str = "auto",
    progress: bool = True,
) -> None:
    """Write ``texts.parquet`` (system, seed, ids, image_ids shown, text, reference): greedy, as in the paper.

    Two floors that need no training stand beside the systems. ``generation`` is the folder of the trained systems;
    the rest as in ``build_generation``. Runs that an interrupted call has finished are kept. Raises
    ``FileNotFoundError`` for a system that was not trained.
    """
    corpus = ShowcaseCorpus.from_frames(s2, s1, photos, review_features, settings, selected, seed)
    parts = []
    for s in settings.seeds:
        for name in (*FLOORS, *settings.systems):
            part = out / f".{name}-{seed + s}.parquet"
            parts.append(part)
            if part.is_file():
                continue
            if name in FLOORS:
                texts = floor_texts(name, corpus.dataset("train"), corpus.dataset("test", "selected"), seed + s)
            else:
                folder = generation / f"{name}-{seed + s}"
                model, own = load_system(folder), replace(corpus, tokenizer=load_tokenizer(folder))
                dataset = own.dataset("test", "selected", reads=find_system(name).reads)
                texts = generate_texts(model, own.tokenizer, dataset, name, seed + s, device=device, progress=progress)
            half = part.with_suffix(".new")
            texts.to_parquet(half, index=False)
            half.replace(part)
    pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True).to_parquet(
        out / "texts.parquet", index=False
    )
    for part in parts:
        part.unlink()
