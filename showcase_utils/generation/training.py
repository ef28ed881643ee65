"""Training of one system, resumable, into a folder of its own.

A system's folder ``<system>-<seed>`` holds the model in ``save_pretrained``'s format, its tokenizer, ``log.csv`` (the
terms of the loss over the steps), ``samples.csv`` (texts after every epoch) and ``training.json``, written last: a
folder that has it is done.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PrinterCallback,
    TrainerControl,
    TrainerState,
    set_seed,
)

from showcase_utils.artifacts import TIMING
from showcase_utils.generation.callbacks import Records, SampleTexts, Steps, write_log
from showcase_utils.generation.dataset import ShowcaseCorpus, collate
from showcase_utils.generation.gpt2 import quietly
from showcase_utils.generation.systems import SYSTEMS, System, find_system, learning_rate
from showcase_utils.generation.trainer import ShowcaseTrainer, processes, training_arguments

DONE = "training.json"
STATE = "trainer_state.json"  # Trainer writes it last into a checkpoint


def train_system(
    out: Path, name: str, corpus: ShowcaseCorpus, seed: int, device: str = "auto", progress: bool = True
) -> Path:
    """Train one system of ``SYSTEMS`` into ``out/<name>-<seed>`` and return that folder.

    On the users' true photos; validated, and stopped early, on the selected ones where the corpus has them. A folder
    that is done is left as it is; one that was cut off goes on from its last checkpoint, to the weights that an
    uninterrupted run ends with. Under ``torchrun`` or ``accelerate launch`` every process calls this.

    Raises ``ValueError`` for an unknown system, also one in ``lrs``, or a batch that the processes can't share out.
    """
    system, folder, together = find_system(name), out / f"{name}-{seed}", processes(device)
    checkpoints = folder / "checkpoints"
    done, checkpoint = (folder / DONE).is_file(), _last_whole_checkpoint(checkpoints)
    together.wait_for_everyone()  # all have looked before anyone changes what there is to see
    if done:
        shutil.rmtree(checkpoints, ignore_errors=True)  # a kill right after the end leaves them
        return folder
    checkpoints.mkdir(parents=True, exist_ok=True)
    state = TrainerState.load_from_json(str(checkpoint / STATE)) if checkpoint else None
    with quietly():
        # a run that was cut off behind its last epoch has nothing left to do but to keep the best one
        if not (state and TrainerControl.from_state(state.stateful_callbacks["TrainerControl"]).should_training_stop):
            state = _fit(folder, system, corpus, seed, checkpoint, device, progress)
        together.wait_for_everyone()
        if together.is_main_process:
            _finish(folder, system, state, corpus)
    together.wait_for_everyone()
    return folder


def load_system(folder: Path) -> PreTrainedModel:
    """The trained model of a system's folder, ready to generate; its tokenizer comes from ``load_tokenizer(folder)``.

    Raises ``FileNotFoundError`` when its training did not end.
    """
    if not (folder / DONE).is_file():
        raise FileNotFoundError(f"no trained model in '{folder.name}': run notebook 04")
    name = json.loads((folder / DONE).read_text())["system"]
    with quietly():
        return find_system(name).model_class.from_pretrained(folder).eval()


def training_table(generation: Path) -> pd.DataFrame:
    """A row per trained system and seed: title, seed, parameters, lr, steps, best_step, val_loss, val_ce, seconds.

    ``val_ce`` is the cross-entropy in ``val_loss``, the one term that all systems have. ``seconds`` are those of the
    training on a machine that may have trained others at the same time. ``generation`` is the stage's folder; rows come
    in the order of ``SYSTEMS``. Raises ``FileNotFoundError`` when there is none.
    """
    rows = []
    for record in generation.glob(f"*/{DONE}"):
        seconds = json.loads(record.with_name(TIMING).read_text())["seconds"]
        rows.append(json.loads(record.read_text()) | {"seconds": seconds})
    if not rows:
        raise FileNotFoundError(f"no trained system in '{generation.name}': run notebook 04")
    order = list(SYSTEMS)
    rows.sort(key=lambda row: (order.index(row["system"]), row["seed"]))
    return pd.DataFrame(rows).assign(system=[SYSTEMS[row["system"]].title for row in rows])


def _fit(
    folder: Path,
    system: System,
    corpus: ShowcaseCorpus,
    seed: int,
    checkpoint: Path | None,
    device: str,
    progress: bool,
) -> TrainerState:
    settings, checkpoints = corpus.settings, folder / "checkpoints"
    lr = learning_rate(folder.name.rpartition("-")[0], settings)
    set_seed(seed)
    model = system.build(corpus, settings)
    validation = corpus.dataset("val", "true" if corpus.selected is None else "selected", system.ccl, system.reads)
    trainer = ShowcaseTrainer(
        model,
        training_arguments(checkpoints, settings, lr, seed, device, progress, len(corpus.rows("train"))),
        data_collator=collate,
        train_dataset=corpus.dataset("train", "true", system.ccl, system.reads),
        eval_dataset=validation,
        callbacks=[
            Steps(folder.name),
            Records(folder),
            SampleTexts(folder, corpus.tokenizer, validation),
            EarlyStoppingCallback(settings.patience),
        ],
        settings=settings,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return trainer.state


def _finish(folder: Path, system: System, state: TrainerState, corpus: ShowcaseCorpus) -> None:
    best = state.best_global_step or state.global_step
    model = system.model_class.from_pretrained(folder / "checkpoints" / f"checkpoint-{best}")
    model.save_pretrained(folder)
    corpus.tokenizer.save_pretrained(folder)
    write_log(folder, state.log_history)
    name, _, seed = folder.name.rpartition("-")
    record = {
        "system": name,
        "seed": int(seed),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "lr": learning_rate(name, corpus.settings),
        "steps": state.global_step,
        "best_step": state.best_global_step,
        "val_loss": state.best_metric,
        "val_ce": next(row["eval_ce"] for row in state.log_history if row["step"] == best and "eval_ce" in row),
    }
    half = folder / (DONE + ".new")
    half.write_text(json.dumps(record, indent=1) + "\n")
    half.rename(folder / DONE)
    shutil.rmtree(folder / "checkpoints")


def _last_whole_checkpoint(checkpoints: Path) -> Path | None:
    """The latest checkpoint that was written to its end; a kill may leave a later one half-written."""
    whole = [folder for folder in checkpoints.glob("checkpoint-*") if _readable(folder / STATE)]
    return max(whole, key=lambda folder: int(folder.name.split("-")[1]), default=None)


def _readable(state: Path) -> bool:
    try:
        json.loads(state.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return True
