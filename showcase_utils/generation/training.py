r"""Training of every system with transformers' Trainer (paper, section 4.2).

.. math:: L = L_{CE} + \lambda_1 L_{CCL} + \lambda_2 L_{PCL}

A system's folder ``<system>-<seed>`` holds the model in ``save_pretrained``'s format, its tokenizer, ``log.csv`` (the
terms of the loss over the steps) and ``training.json``, written last: a folder that has it is done.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from showcase_utils.config import Generation
from showcase_utils.devices import resolve_device
from showcase_utils.generation.dataset import FeatureMap, ShowcaseCorpus, ShowcaseDataset, collate
from showcase_utils.generation.losses import cross_modal_contrastive, personalized_contrastive
from showcase_utils.generation.model import IGNORED, quietly
from showcase_utils.generation.systems import find_system

DONE = "training.json"
TIMING = "timing.json"
LOGS_PER_EPOCH = 10


class LengthBuckets(Sampler[int]):
    """Samples in an order whose consecutive batches hold texts of like length, so that little is padded.

    The order depends on the seed and the epoch alone, which makes resuming exact. Without ``shuffle`` it is by length.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int = 0, shuffle: bool = True, pool: int = 32):
        """``pool``: batches that are sorted together; the larger, the less padding and the less mixing."""
        self.lengths, self.batch_size, self.seed, self.shuffle, self.pool = lengths, batch_size, seed, shuffle, pool
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(np.argsort(self.lengths, kind="stable").tolist())
        rng = np.random.default_rng((self.seed, self.epoch))
        order = rng.permutation(len(self.lengths))
        size = self.batch_size * self.pool
        pools = [order[start : start + size] for start in range(0, len(order), size)]
        order = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        batches = np.split(order, range(self.batch_size, len(order), self.batch_size))
        # a last batch that is not full stays last, or the loader would cut all later ones elsewhere
        full = len(order) // self.batch_size
        batches = [batches[index] for index in rng.permutation(full)] + batches[full:]
        return iter(np.concatenate(batches).tolist())


class ShowcaseTrainer(Trainer):
    """Trainer with the loss of PC²L; its logs carry each term, ``ce``, ``ccl``, ``pcl`` (PETER: ``context``)."""

    loss_is_scaled_for_ga = False  # a mean over the batch: Trainer divides by the accumulation steps

    def __init__(self, *args: Any, settings: Generation, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = False
        self.settings = settings
        self._sums: dict[str, Tensor | float] = defaultdict(float)  # term → sum over samples, stays on the device
        self._samples = 0

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, Any]:
        outputs = model(**inputs)
        terms, loss = {"ce": outputs.loss}, outputs.loss
        options = self.settings
        if "visual" in outputs:
            named = (inputs["swapped"] != IGNORED).any(dim=1)  # (B,)
            terms["ccl"] = cross_modal_contrastive(
                outputs.visual, outputs.target, outputs.swapped, options.temperature, named
            )
            loss = loss + options.lambda_ccl * terms["ccl"]
        if "history" in outputs:
            profile = mean_history(inputs["history"], inputs["history_mask"])
            terms["pcl"] = personalized_contrastive(
                outputs.history, outputs.target, profile, options.temperature, options.alpha
            )
            loss = loss + options.lambda_pcl * terms["pcl"]
        if "context" in outputs:
            terms["context"] = outputs.context
            loss = loss + terms["context"]
        size = len(inputs["labels"])
        for name, value in terms.items():
            self._sums[name] += value.detach() * size
        self._samples += size
        return (loss, outputs) if return_outputs else loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        self._drain()  # what training left over belongs to no evaluation
        return super().evaluate(*args, **kwargs)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        prefix = "eval_" if "eval_loss" in logs else ""
        logs |= {f"{prefix}{name}": value for name, value in self._drain().items()}
        super().log(logs, start_time)

    def _drain(self) -> dict[str, float]:
        """The means of the terms since the last call, over all processes."""
        means = {
            name: self.accelerator.reduce(value / self._samples, "mean").item() for name, value in self._sums.items()
        }
        self._sums.clear()
        self._samples = 0
        return means

    def _get_train_sampler(self, train_dataset: ShowcaseDataset | None = None) -> Sampler[int]:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        return LengthBuckets(dataset.lengths, self.args.train_batch_size, self.args.seed)

    def _get_eval_sampler(self, eval_dataset: ShowcaseDataset) -> Sampler[int]:
        return LengthBuckets(eval_dataset.lengths, self.args.eval_batch_size, shuffle=False)


class Records(TrainerCallback):
    """Writes ``log.csv`` and the seconds spent so far, over all attempts, at the end of every epoch."""

    def __init__(self, folder: Path):
        self.folder = folder
        timing = folder / TIMING
        self.earlier = json.loads(timing.read_text())["seconds"] if timing.is_file() else 0.0
        self.started = time.perf_counter()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **unused: Any) -> Any:
        control.should_log = True  # so that a checkpoint leaves no half-summed terms behind
        return control

    def on_save(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        if state.is_world_process_zero:
            log_frame(state.log_history).to_csv(self.folder / "log.csv", index=False, float_format="%.6g")
            seconds = self.earlier + time.perf_counter() - self.started
            (self.folder / TIMING).write_text(json.dumps({"seconds": round(seconds, 1)}))


def log_frame(log_history: list[dict[str, float]]) -> pd.DataFrame:
    """Trainer's log as a frame: step, epoch, split (train, val), loss and its terms, learning_rate, grad_norm."""
    rows = []
    for entry in log_history:
        split = "val" if "eval_loss" in entry else "train"
        values = {name.removeprefix("eval_"): value for name, value in entry.items()}
        if "loss" in values:
            rows.append({"step": values["step"], "epoch": values["epoch"], "split": split} | values)
    wanted = ["step", "epoch", "split", "loss", "ce", "ccl", "pcl", "context", "learning_rate", "grad_norm"]
    frame = pd.DataFrame(rows)
    return frame[[name for name in wanted if name in frame]]


def mean_history(features: Tensor, mask: Tensor) -> Tensor:
    """R̃, the mean of each user's history features, (B, K, d), (B, K) → (B, d); zero for a user without any."""
    weights = mask.to(features.dtype).unsqueeze(-1)
    return (features * weights).sum(1) / weights.sum(1).clamp(min=1)


def train_system(
    out: Path, name: str, corpus: ShowcaseCorpus, seed: int, device: str = "auto", progress: bool = True
) -> Path:
    """Train one system of ``SYSTEMS`` into ``out/<name>-<seed>`` and return that folder.

    On the users' true photos; validated, and stopped early, on the selected ones where the corpus has them. A folder
    that is done is left as it is; one that was cut off goes on from its last checkpoint, to the weights that an
    uninterrupted run ends with. Under ``torchrun`` or ``accelerate launch`` every process calls this.
    """
    folder = out / f"{name}-{seed}"
    checkpoints = folder / "checkpoints"
    if (folder / DONE).is_file():
        shutil.rmtree(checkpoints, ignore_errors=True)  # a kill right after the end leaves them
        return folder
    system, settings = find_system(name), corpus.settings
    checkpoints.mkdir(parents=True, exist_ok=True)
    set_seed(seed)
    model = system.build(corpus, settings)
    val_photos = "true" if corpus.selected is None else "selected"
    with quietly():
        trainer = ShowcaseTrainer(
            model,
            training_arguments(checkpoints, settings, seed, device, progress, len(corpus.rows("train"))),
            data_collator=collate,
            train_dataset=corpus.dataset("train", "true", system.ccl, system.reads),
            eval_dataset=corpus.dataset("val", val_photos, system.ccl, system.reads),
            callbacks=[Records(folder), EarlyStoppingCallback(settings.patience)],
            settings=settings,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=_last_whole_checkpoint(checkpoints))
        trainer.accelerator.wait_for_everyone()
        if trainer.is_world_process_zero():
            _finish(folder, trainer, corpus)
    trainer.accelerator.wait_for_everyone()
    return folder


def training_arguments(
    checkpoints: Path, settings: Generation, seed: int, device: str, progress: bool, samples: int
) -> TrainingArguments:
    """Trainer's arguments of a profile: AdamW, linear warm-up and decay, clipping at 1, a checkpoint per epoch."""
    kind = resolve_device(device).type
    return TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        num_train_epochs=settings.epochs,
        learning_rate=settings.lr,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup,
        optim="adamw_torch_fused",
        bf16=settings.precision == "bf16",
        fp16=settings.precision == "fp16",
        use_cpu=kind == "cpu",
        dataloader_num_workers=4 if kind == "cuda" else 0,
        dataloader_pin_memory=kind == "cuda",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        logging_steps=max(1, samples // settings.batch_size // LOGS_PER_EPOCH),
        logging_nan_inf_filter=False,
        prediction_loss_only=True,
        remove_unused_columns=False,
        label_names=["labels"],
        seed=seed,
        report_to="none",
        disable_tqdm=not progress,
    )


def build_generation(
    out: Path,
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
    """Write the generation stage: every system of ``settings.systems`` for every seed, one folder each.

    ``s2`` are the samples, ``s1`` the reviews their histories come from; ``selected`` has one row (review_id,
    image_ids) per review of val and test. Every seed of ``settings.seeds`` is shifted by ``seed``. Systems that are
    done are kept, so an interrupted build goes on where it was.
    """
    for name in settings.systems:
        find_system(name)
    corpus = ShowcaseCorpus.from_frames(s2, s1, photos, review_features, settings, selected, seed)
    for s in settings.seeds:
        for name in settings.systems:
            train_system(out, name, corpus, seed + s, device, progress)


def load_system(folder: Path) -> PreTrainedModel:
    """The trained model of a system's folder, ready to generate; its tokenizer comes from ``load_tokenizer(folder)``.

    Raises ``FileNotFoundError`` when its training did not end.
    """
    if not (folder / DONE).is_file():
        raise FileNotFoundError(f"no trained model in '{folder.name}': run notebook 04")
    name = json.loads((folder / DONE).read_text())["system"]
    with quietly():
        return find_system(name).model_class.from_pretrained(folder).eval()


def _finish(folder: Path, trainer: ShowcaseTrainer, corpus: ShowcaseCorpus) -> None:
    trainer.model.save_pretrained(folder)
    corpus.tokenizer.save_pretrained(folder)
    name, _, seed = folder.name.rpartition("-")
    record = {
        "system": name,
        "seed": int(seed),
        "parameters": sum(weight.numel() for weight in trainer.model.parameters()),
        "steps": trainer.state.global_step,
        "best_step": trainer.state.best_global_step,
        "val_loss": trainer.state.best_metric,
    }
    half = folder / (DONE + ".new")
    half.write_text(json.dumps(record, indent=1) + "\n")
    half.rename(folder / DONE)
    shutil.rmtree(folder / "checkpoints")


def _last_whole_checkpoint(checkpoints: Path) -> str | None:
    """The latest checkpoint that was written to its end; what a kill left half-written is removed."""
    whole = []
    for folder in checkpoints.glob("checkpoint-*"):
        if (folder / "trainer_state.json").is_file():  # Trainer writes it last
            whole.append(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return str(max(whole, key=lambda folder: int(folder.name.split("-")[1]))) if whole else None
