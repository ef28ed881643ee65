"""The teller of a run, opened without its generator, which loads when it is first asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from showcase_utils.alignment.phi import load_phi
from showcase_utils.artifacts import Stages
from showcase_utils.encoding.features import open_features
from showcase_utils.generation.quotes import Bounds, Quotes
from showcase_utils.generation.telling import Encode, Teller
from showcase_utils.generation.tone import Tone

if TYPE_CHECKING:
    from showcase_utils.generation.telling import Generator

QUOTES, TONE, BOUNDS = "quotes.parquet", "tone.parquet", "bounds.json"


def open_teller(stages: Stages, encode: Encode, seed: int | None = None, system: str = "") -> Teller:
    """The teller of a run, as its settings want it: for whoever has photos and a user.

    ``encode`` gives CLIP features of texts. ``system`` takes the place of ``telling.system``; ``seed`` is that of a
    generator, by default the first. Raises ``StaleStage`` that names the notebook to run, ``FileNotFoundError`` for a
    system that was not trained.
    """
    first = stages.settings.seed + stages.settings.generation.seeds[0]
    return read_teller(stages, stages.path("texts"), encode, first if seed is None else seed, system)


def read_teller(stages: Stages, texts: Path, encode: Encode, seed: int, system: str = "") -> Teller:
    """As ``open_teller``, from a folder of the stage ``texts`` that may still be in the making."""
    features, settings, generation = open_features(stages), stages.settings.telling, stages.path("generation")
    name = system or settings.system

    def load() -> Generator:
        from showcase_utils.generation.gpt2 import load_tokenizer
        from showcase_utils.generation.trained import load_system

        chosen = name or telling_system(generation, seed)
        folder = generation / f"{chosen}-{seed}"
        return (load_system(folder), load_tokenizer(folder)) if chosen else None

    if name and not (generation / f"{name}-{seed}").is_dir():
        known = sorted(folder.name for folder in generation.glob("*-*") if folder.is_dir())
        raise FileNotFoundError(
            f"system '{name}' with seed {seed} was not trained: there are {', '.join(known)} (system-seed); "
            "generation.systems and generation.seeds name what notebook 04 trains"
        )
    quotes = Quotes.gather(pd.read_parquet(texts / QUOTES), features.photos, features.sentences)
    bounds = Bounds(**json.loads((texts / BOUNDS).read_text(encoding="utf-8")))
    return Teller(load, quotes, Tone.load(texts / TONE), load_phi(stages), encode, settings, bounds)


def telling_system(generation: Path, seed: int) -> str:
    """Of the generators that see photos the one with the lowest L_CE on validation, with true photos.

    Empty where no such system was trained.
    """
    from showcase_utils.generation.systems import SYSTEMS
    from showcase_utils.generation.trained import training_records

    records = [record for record in training_records(generation) if record["seed"] == seed]
    seeing = [record for record in records if SYSTEMS[record["system"]].tells]
    return min(seeing, key=lambda record: record["val_ce"])["system"] if seeing else ""
