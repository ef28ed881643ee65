"""The systems that training left, each in its folder (``training.py``): their weights and what is recorded of them.

Whoever reads a trained system needs nothing that trains: Trainer, accelerate and peft take seconds to import.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import PreTrainedModel

from showcase_utils.generation.gpt2 import quietly
from showcase_utils.generation.systems import SYSTEMS, find_system
from showcase_utils.recipes import TIMING
from showcase_utils.weights import check_finite

DONE = "training.json"


def load_system(folder: str | Path) -> PreTrainedModel:
    """The trained model of a system's folder, ready to generate; its tokenizer comes from ``load_tokenizer(folder)``.

    Raises ``FileNotFoundError`` when its training did not end.
    """
    folder = Path(folder)
    if not (folder / DONE).is_file():
        raise FileNotFoundError(f"no trained model in '{folder.name}': run notebook 04")
    name = json.loads((folder / DONE).read_text())["system"]
    with quietly():
        model = find_system(name).model_class.from_pretrained(folder).eval()
    check_finite(model, folder.name)
    return model


def training_records(generation: str | Path) -> list[dict[str, Any]]:
    """What ``training.json`` says of every system that is trained, and the seconds it took."""
    return [
        json.loads(record.read_text()) | json.loads(record.with_name(TIMING).read_text())
        for record in sorted(Path(generation).glob(f"*/{DONE}"))
    ]


def training_table(generation: str | Path) -> pd.DataFrame:
    """A row per trained system and seed: title, seed, parameters, lr, steps, best_step, val_loss, val_ce, seconds.

    ``val_ce`` is L_CE on validation, by which every system is stopped and kept; ``val_loss`` has all its terms.
    ``seconds`` are those of the training on a machine that may have trained others at the same time. ``generation`` is
    the stage's folder; rows come in the order of ``SYSTEMS``. Raises ``FileNotFoundError`` when there is none.
    """
    rows = training_records(generation)
    if not rows:
        raise FileNotFoundError(f"no trained system in '{Path(generation).name}': run notebook 04")
    order = list(SYSTEMS)
    rows.sort(key=lambda row: (order.index(row["system"]), row["seed"]))
    return pd.DataFrame(rows).assign(system=[SYSTEMS[row["system"]].title for row in rows])
