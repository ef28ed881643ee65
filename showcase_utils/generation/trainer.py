r"""transformers' Trainer with the loss of PC²L, on one device or on several (paper, section 4.2).

.. math:: L = L_{CE} + \lambda_1 L_{CCL} + \lambda_2 L_{PCL}
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments

from showcase_utils.config import Generation
from showcase_utils.devices import resolve_device
from showcase_utils.generation.dataset import ShowcaseDataset
from showcase_utils.generation.encoder import masked_mean
from showcase_utils.generation.gpt2 import IGNORED
from showcase_utils.generation.losses import cross_modal_contrastive, personalized_contrastive
from showcase_utils.generation.sampler import LengthBuckets

LOGS_PER_EPOCH = 10


class ShowcaseTrainer(Trainer):
    """Trainer with the loss of PC²L; its logs carry ``ce``, ``ccl``, ``pcl``, PETER's ``context`` and NRT's ``rating``.

    Terms over tokens (``ce``, ``context``) are means over all tokens of a step, whatever processes and micro-batches it
    is split into. The others are means over samples; the negatives of the contrastive ones are the texts of a micro-
    batch on all processes.
    """

    loss_is_scaled_for_ga = True  # ``compute_loss`` divides by the micro-batches itself

    def __init__(self, *args: Any, settings: Generation, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = True  # asks for the number of tokens in the step
        self.current_gradient_accumulation_steps = self.args.gradient_accumulation_steps
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
        """The loss of a micro-batch; ``num_items_in_batch`` are the tokens of the whole step, on all processes."""
        outputs, options = model(**inputs), self.settings
        parts = self.current_gradient_accumulation_steps if model.training else 1
        terms = self._token_terms(model, inputs, outputs, parts, num_items_in_batch) | self._contrast(inputs, outputs)
        if "rating" in outputs:
            terms["rating"] = outputs.rating
        ce, ccl, pcl, context, rating = (terms.get(name, 0.0) for name in ("ce", "ccl", "pcl", "context", "rating"))
        loss = ce + options.lambda_ccl * ccl + options.lambda_pcl * pcl + context + rating
        size = len(inputs["labels"])
        for name, value in terms.items():
            self._sums[name] += value.detach() * size
        self._samples += size
        loss = loss / parts
        return (loss, outputs) if return_outputs else loss

    def _token_terms(
        self, model: torch.nn.Module, inputs: dict[str, Tensor], outputs: Any, parts: int, step: Tensor | int | None
    ) -> dict[str, Tensor]:
        """L_CE, and PETER's context loss: means over tokens, weighted by this micro-batch's share of the step's."""
        share: Tensor | float = 1.0
        if model.training and step is not None:
            share = (inputs["labels"] != IGNORED).sum() * (parts * self.args.world_size) / step
        terms = {"ce": outputs.loss * share}
        return terms | {"context": outputs.context * share} if "context" in outputs else terms

    def _contrast(self, inputs: dict[str, Tensor], outputs: Any) -> dict[str, Tensor]:
        """L_CCL and L_PCL of a model that has the heads for them."""
        terms, options = {}, self.settings
        if "visual" in outputs:
            has_swapped = (inputs["swapped"] != IGNORED).any(dim=1)  # (B,)
            terms["ccl"] = cross_modal_contrastive(
                outputs.visual, outputs.target, outputs.swapped, options.temperature, has_swapped
            )
        if "history" in outputs:
            profile = masked_mean(inputs["history"], inputs["history_mask"])  # R̃
            terms["pcl"] = personalized_contrastive(
                outputs.history, outputs.target, profile, options.temperature, options.alpha
            )
        return terms

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
        return LengthBuckets(dataset.lengths, self.settings.batch_size, self.args.seed)

    def _get_eval_sampler(self, eval_dataset: ShowcaseDataset) -> Sampler[int]:
        return LengthBuckets(eval_dataset.lengths, self.settings.batch_size, shuffle=False)


def current_process(device: str) -> PartialState:
    """The running process, among those that ``torchrun`` or ``accelerate launch`` started."""
    return PartialState(cpu=resolve_device(device).type == "cpu")


def training_arguments(
    checkpoints: Path, settings: Generation, lr: float, seed: int, device: str, progress: bool, samples: int
) -> TrainingArguments:
    """Trainer's arguments of a system: AdamW, linear warm-up and decay, clipping at 1, a checkpoint per epoch.

    ``settings.batch_size`` is shared out among processes and micro-batches. Raises ``ValueError`` where it can't be.
    """
    kind, process = resolve_device(device).type, current_process(device)
    parts = process.num_processes * settings.accumulation
    if settings.batch_size % parts:
        raise ValueError(
            f"generation.batch_size = {settings.batch_size} can't be split into {process.num_processes} processes × "
            f"{settings.accumulation} micro-batches: set it, or generation.accumulation, so that it divides"
        )
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=settings.batch_size // parts,
        per_device_eval_batch_size=settings.batch_size // process.num_processes,
        gradient_accumulation_steps=settings.accumulation,
        average_tokens_across_devices=True,
        ddp_find_unused_parameters=False,
        torch_compile=settings.compile,
        num_train_epochs=settings.epochs,
        learning_rate=lr,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        bf16=settings.precision == "bf16",
        fp16=settings.precision == "fp16",
        use_cpu=kind == "cpu",
        dataloader_num_workers=4 if kind == "cuda" else 0,
        dataloader_pin_memory=kind == "cuda",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,  # the best and the last
        restore_callback_states_from_checkpoint=True,  # patience goes on counting where it was
        load_best_model_at_end=True,
        metric_for_best_model="eval_ce",  # the one term that all systems have, so the rule is the same for all
        greater_is_better=False,
        logging_steps=max(1, samples // settings.batch_size // LOGS_PER_EPOCH),
        logging_nan_inf_filter=False,
        prediction_loss_only=True,
        remove_unused_columns=False,
        label_names=["labels"],
        seed=seed,
        report_to="none",
        disable_tqdm=not progress,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # more GPUs are for more processes: DataParallel would take the batch's losses apart
    return arguments
