"""Trains the embedded GPT-2: Radford et al. 2019, next-token prediction through ``transformers.Trainer``."""

from __future__ import annotations

import math
import shutil
import tempfile
from copy import deepcopy
from pathlib import Path

import torch
import transformers
from torch.utils.data import DataLoader, Dataset
from transformers import DataCollatorForLanguageModeling, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, Trainer

from showcase_utils.backbones.recipe import BOS, EOS, Gpt2Recipe

CONTEXT = 256


class Reviews(Dataset):
    """Lower-cased reviews as token ids between begin and end."""

    def __init__(self, texts: list[str], tokenizer: PreTrainedTokenizerFast) -> None:
        marked = [f"{BOS}{text.lower()}{EOS}" for text in texts]
        self.ids = tokenizer(marked, truncation=True, max_length=tokenizer.model_max_length)["input_ids"]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        return {"input_ids": self.ids[index], "attention_mask": [1] * len(self.ids[index])}


def gpt2_config(tokenizer: PreTrainedTokenizerFast) -> GPT2Config:
    """The architecture, in transformers' own words."""
    return GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=tokenizer.model_max_length,
        n_embd=192,
        n_layer=4,
        n_head=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def train_gpt2(
    texts: list[str], tokenizer: PreTrainedTokenizerFast, recipe: Gpt2Recipe, progress: bool
) -> tuple[GPT2LMHeadModel, list[float]]:
    """A GPT-2 trained on ``texts`` and its logged losses."""
    transformers.set_seed(recipe.seed)
    model = GPT2LMHeadModel(gpt2_config(tokenizer))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            transformers.TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=recipe.batch,
                num_train_epochs=recipe.epochs,
                max_steps=recipe.max_steps or -1,
                learning_rate=recipe.lr,
                lr_scheduler_type="cosine",
                warmup_steps=0.05,
                weight_decay=0.1,
                train_sampling_strategy="group_by_length",
                logging_steps=1 if recipe.max_steps else 50,
                save_strategy="no",
                bf16=True,
                use_cpu=not torch.cuda.is_available(),
                report_to="none",
                dataloader_pin_memory=torch.cuda.is_available(),
                disable_tqdm=not progress,
                seed=recipe.seed,
            ),
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
            train_dataset=Reviews(texts, tokenizer),
        )
        if not progress:
            trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return model.eval().cpu(), [row["loss"] for row in trainer.state.log_history if "loss" in row]


def save_gpt2(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The folder that ``from_pretrained`` loads: weights in half precision, single precision once loaded."""
    model.save_pretrained(folder)
    halved = deepcopy(model).half()
    with tempfile.TemporaryDirectory() as other:
        halved.save_pretrained(other)
        shutil.copy(Path(other) / "model.safetensors", folder / "model.safetensors")
    tokenizer.save_pretrained(folder)


@torch.no_grad()
def perplexity(folder: Path, texts: list[str]) -> float:
    """exp of the mean negative log-likelihood per token over ``texts``, end token included."""
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    total, tokens = 0.0, 0
    for batch in DataLoader(Reviews(texts, tokenizer), 64, collate_fn=collate):
        count = int((batch["labels"][:, 1:] != -100).sum())
        total += model(**batch).loss.item() * count
        tokens += count
    return math.exp(total / tokens)
