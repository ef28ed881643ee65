"""Training of one system, resumable, into a folder of its own.

A system's folder ``<system>-<seed>`` holds the model in ``save_pretrained``'s format, its tokenizer, ``log.csv`` (the
terms of the loss over the steps), ``samples.csv`` (texts after every epoch), ``training.json``, and ``seal.json``,
written last: a folder is done that is what it says.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from transformers import (
    EarlyStoppingCallback,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerControl,
    TrainerState,
    set_seed,
)

from showcase_utils.generation.callbacks import Records, SampleTexts, Steps, TwoStages, write_log
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.gpt2 import quietly
from showcase_utils.generation.systems import System, find_system, learning_rate
from showcase_utils.generation.trained import DONE
from showcase_utils.generation.trainer import ShowcaseTrainer, current_process, training_arguments
from showcase_utils.recipes import is_intact, seal

STATE = "trainer_state.json"  # Trainer writes it last into a checkpoint


def train_system(
    out: Path, name: str, corpus: ShowcaseCorpus, seed: int, device: str = "auto", progress: bool = True
) -> Path:
    """Train one system of ``SYSTEMS`` into ``out/<name>-<seed>`` and return that folder.

    On the users' true photos. The epoch that is kept, and when to stop, are decided for all systems by L_CE on
    validation, with the true photos too: those are what the texts were written about. A folder that is done is left as
    it is; one that was cut off goes on from its last checkpoint, to the weights that an uninterrupted run ends with.
    Under ``torchrun`` or ``accelerate launch`` every process calls this.

    Raises ``ValueError`` for an unknown system, also one in ``lrs``, or a batch that the processes can't share out.
    """
    system, folder, process = find_system(name), out / f"{name}-{seed}", current_process(device)
    checkpoints = folder / "checkpoints"
    done, checkpoint = is_intact(folder), _last_whole_checkpoint(checkpoints)
    process.wait_for_everyone()  # all have looked before anyone changes what there is to see
    if done:
        shutil.rmtree(checkpoints, ignore_errors=True)  # a kill right after the end leaves them
        return folder
    checkpoints.mkdir(parents=True, exist_ok=True)
    state = TrainerState.load_from_json(str(checkpoint / STATE)) if checkpoint else None
    with quietly():
        # a run that was cut off behind its last epoch has nothing left to do but to keep the best one
        if not (state and TrainerControl.from_state(state.stateful_callbacks["TrainerControl"]).should_training_stop):
            state = _fit(folder, system, corpus, seed, checkpoint, device, progress)
        process.wait_for_everyone()
        if process.is_main_process:
            _finish(folder, system, state, corpus)
    process.wait_for_everyone()
    return folder


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
    model = system.build(corpus)
    if settings.gradient_checkpointing and model.supports_gradient_checkpointing:
        model.activation_checkpointing_enable()
    arguments = training_arguments(checkpoints, settings, lr, seed, device, progress, len(corpus.rows("train")))
    staged = hasattr(model, "freeze")
    arguments.ddp_find_unused_parameters = staged  # what is frozen has no gradient to wait for
    trainer = ShowcaseTrainer(
        model,
        arguments,
        data_collator=getattr(model, "collate", collate),
        train_dataset=system.dataset(corpus, "train"),
        eval_dataset=system.dataset(corpus, "val"),
        callbacks=[
            Steps(folder.name),
            Records(folder),
            SampleTexts(folder, corpus.tokenizer, system.dataset(corpus, "val", "chosen")),
            (TwoStages if staged else EarlyStoppingCallback)(settings.patience),
        ],
        settings=settings,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return trainer.state


def _finish(folder: Path, system: System, state: TrainerState, corpus: ShowcaseCorpus) -> None:
    best = state.best_global_step or state.global_step
    validation = next(row for row in state.log_history if row["step"] == best and "eval_ce" in row)
    model = system.model_class.from_pretrained(folder / "checkpoints" / f"checkpoint-{best}")
    model.save_pretrained(folder)
    _save_tokenizer(corpus.tokenizer, folder)
    write_log(folder, state.log_history)
    name, _, seed = folder.name.rpartition("-")
    record = {
        "system": name,
        "seed": int(seed),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "lr": learning_rate(name, corpus.settings),
        "steps": state.global_step,
        "best_step": state.best_global_step,
        "val_loss": validation["eval_loss"],
        "val_ce": validation["eval_ce"],
    }
    (folder / DONE).write_text(json.dumps(record, indent=1) + "\n")
    seal(folder)
    shutil.rmtree(folder / "checkpoints")


def _save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Without the length that the last call cut texts to, which differs in a run that was cut off and went on."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
    tokenizer.save_pretrained(folder)


def _last_whole_checkpoint(checkpoints: Path) -> Path | None:
    """The latest checkpoint that is what was written, and whose best one is too: a kill may leave half of a later."""
    whole = {int(folder.name.split("-")[1]): folder for folder in checkpoints.glob("checkpoint-*") if is_intact(folder)}
    for _, folder in sorted(whole.items(), reverse=True):
        best = TrainerState.load_from_json(str(folder / STATE)).best_global_step
        if best is None or best in whole:
            return folder
    return None
