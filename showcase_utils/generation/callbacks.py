"""What a training writes down as it goes on: the log, the seconds, and texts of a few samples after every epoch."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import EarlyStoppingCallback, PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

from showcase_utils.generation.dataset import ShowcaseDataset
from showcase_utils.generation.decoding import write_texts
from showcase_utils.progress import progress_bar
from showcase_utils.recipes import TIMING, seal

LOG, SAMPLES = "log.csv", "samples.csv"
SHOWN = 3  # samples whose texts are kept


class Steps(TrainerCallback):
    """The steps of a system, for whoever watches a run in batch; elsewhere Trainer shows its own bar."""

    def __init__(self, name: str):
        self.name = name

    def on_train_begin(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        begin, end = state.global_step, state.max_steps
        self.bar = progress_bar(total=end, initial=begin, desc=self.name, unit=" steps", disable=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        self.bar.update(state.global_step - self.bar.n)

    def on_train_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        self.bar.close()


class Records(TrainerCallback):
    """Writes ``log.csv`` and the seconds spent so far, over all attempts, at the end of every epoch.

    A checkpoint is sealed: what a later process goes on from is what was written, to its end and to the bit.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        timing = folder / TIMING
        self.earlier = json.loads(timing.read_text())["seconds"] if timing.is_file() else 0.0
        self.started = time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        if args.process_index:
            torch.manual_seed(args.seed + args.process_index)  # else all processes would drop the same units

    def on_epoch_end(self, args: Any, state: Any, control: Any, **unused: Any) -> Any:
        control.should_log = True  # so that a checkpoint leaves no half-summed terms behind
        self._write_seconds(state)  # before the checkpoint, which may be the last that is seen of this process
        return control

    def on_save(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        if state.is_world_process_zero:
            write_log(self.folder, state.log_history)
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self._write_seconds(state)

    def _write_seconds(self, state: Any) -> None:
        if state.is_world_process_zero:
            seconds = self.earlier + time.perf_counter() - self.started
            (self.folder / TIMING).write_text(json.dumps({"seconds": round(seconds, 1)}))


class TwoStages(EarlyStoppingCallback):
    """Sequential tuning of a model with a language model to ``freeze``: first all but that, then all.

    The first stage ends when validation stops getting better, at the latest after half of the epochs; training, when
    that happens in the second. A checkpoint knows the stage.
    """

    second = False

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **unused: Any) -> None:
        super().on_train_begin(args, state, control)
        model.freeze(not self.second)  # the optimizer has all weights by now, and skips those without a gradient

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **unused: Any) -> None:
        super().on_evaluate(args, state, control, **unused)
        if not self.second and (control.should_training_stop or state.epoch >= args.num_train_epochs / 2):
            self.second, self.early_stopping_patience_counter = True, 0
            control.should_training_stop = False
            model.freeze(False)

    def state(self) -> dict[str, Any]:
        kept = super().state()
        kept["attributes"]["second"] = self.second
        return kept


class SampleTexts(TrainerCallback):
    """Writes ``samples.csv`` (epoch, review_id, text): what the model says of a few samples, before and as it learns.

    Greedy, so nothing random is drawn and training does not notice. An epoch that is trained again after an
    interruption replaces its rows.
    """

    def __init__(self, folder: Path, tokenizer: PreTrainedTokenizerBase, dataset: ShowcaseDataset):
        """The samples are ``SHOWN`` of ``dataset``, at equal distances."""
        self.path, self.tokenizer, self.dataset = folder / SAMPLES, tokenizer, dataset
        self.rows = np.unique(np.linspace(0, len(dataset) - 1, SHOWN).round().astype(int))

    def on_train_begin(self, args: Any, state: Any, control: Any, model: PreTrainedModel, **unused: Any) -> None:
        if state.is_world_process_zero and state.global_step == 0:
            self._write(0, model)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: PreTrainedModel, **unused: Any) -> None:
        if state.is_world_process_zero:
            self._write(round(state.epoch), model)

    def _write(self, epoch: int, model: PreTrainedModel) -> None:
        training = model.training
        texts = write_texts(model.eval(), self.tokenizer, [self.dataset[row] for row in self.rows])
        model.train(training)
        review_ids = self.dataset.reviews["review_id"].iloc[self.rows]
        frame = pd.DataFrame({"epoch": epoch, "review_id": review_ids, "text": texts})
        if epoch and self.path.is_file():
            earlier = read_samples(self.path)
            frame = pd.concat([earlier[earlier["epoch"] < epoch], frame])
        half = self.path.with_suffix(".new")
        frame.to_csv(half, index=False)
        half.replace(self.path)


def read_samples(path: str | Path) -> pd.DataFrame:
    """The rows of ``samples.csv``: epoch (0 is before training), review_id, text, which may be empty."""
    return pd.read_csv(path, dtype={"review_id": str, "text": str}, keep_default_na=False)


def write_log(folder: Path, log_history: list[dict[str, float]]) -> None:
    """Trainer's log as ``log.csv``: step, epoch, split (train, val), loss and its terms, learning_rate, grad_norm."""
    rows = []
    for entry in log_history:
        split = "val" if "eval_loss" in entry else "train"
        values = {name.removeprefix("eval_"): value for name, value in entry.items()}
        if "loss" in values:
            rows.append({"step": values["step"], "epoch": values["epoch"], "split": split} | values)
    wanted = ["step", "epoch", "split", "loss", "ce", "ccl", "pcl", "context", "rating", "learning_rate", "grad_norm"]
    frame = pd.DataFrame(rows)
    frame[[name for name in wanted if name in frame]].to_csv(folder / LOG, index=False, float_format="%.6g")
