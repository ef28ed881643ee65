"""The stage ``texts``: what every trained system writes for the test reviews, beside the photos that step 1 chose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from showcase_utils.artifacts import BuildContext
from showcase_utils.generation.baselines.floors import FLOORS, floor_texts
from showcase_utils.generation.corpus import ShowcaseCorpus, open_corpus
from showcase_utils.generation.decoding import generate_texts
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.training import load_system


def build_texts(context: BuildContext) -> None:
    """Write ``texts.parquet`` (system, seed, ids, image_ids shown, text, reference)."""
    generation = context.path("generation")
    write_all_texts(context.out, generation, open_corpus(context), context.settings.device, context.progress)


def write_all_texts(
    out: Path, generation: Path, corpus: ShowcaseCorpus, device: str = "auto", progress: bool = True
) -> None:
    """Every system of ``corpus.settings.systems`` writes for the test split, greedily as in the paper, on every seed.

    Two floors that need no training stand beside the systems. ``generation`` is the folder of the trained systems.
    Runs that an interrupted call has finished are kept. Raises ``FileNotFoundError`` for a system that was not trained.
    """
    parts = []
    for seed in (corpus.seed + seed for seed in corpus.settings.seeds):
        for name in (*FLOORS, *corpus.settings.systems):
            part = out / f".{name}-{seed}.parquet"
            parts.append(part)
            if part.is_file():
                continue
            if name in FLOORS:
                texts = floor_texts(name, corpus.dataset("train"), corpus.dataset("test", "chosen"), seed)
            else:
                folder = generation / f"{name}-{seed}"
                model, own = load_system(folder), replace(corpus, tokenizer=load_tokenizer(folder))
                dataset = find_system(name).dataset(own, "test", "chosen", swap=False)
                texts = generate_texts(model, own.tokenizer, dataset, name, seed, device=device, progress=progress)
            half = part.with_suffix(".new")
            texts.to_parquet(half, index=False)
            half.replace(part)
    pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True).to_parquet(
        out / "texts.parquet", index=False
    )
    for part in parts:
        part.unlink()
