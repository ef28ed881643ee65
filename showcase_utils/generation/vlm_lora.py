"""A vision-language model that learns our task by LoRA: photos as pixels, past reviews as words, the review as answer.

The model is asked as ``vlm.py`` asks it without training, and learns what to answer: L_CE on the answer's tokens and
its end. Adapters stand beside the linear layers of its language model; all else stays as it is, and is saved nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    PreTrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.configuration_utils import SubConfigSpec

from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.dataset import ShowcaseDataset
from showcase_utils.generation.gpt2 import IGNORED, quietly
from showcase_utils.generation.prefix import ADAPTER, add_adapters, checkpoint_names, train_adapters
from showcase_utils.generation.vlm import load_processor, questions

RANK = 16  # where generation.lora_rank is 0, as for decoders that train in full


class VlmConfig(PreTrainedConfig):
    """``network`` is the whole configuration of the model, whose ``name_or_path`` says where its weights are."""

    model_type = "showcase-vlm"
    sub_configs_defaults = {"network": SubConfigSpec(config_class=AutoConfig, model_type="llava")}

    network: PreTrainedConfig | dict | None = None
    lora_rank: int = RANK
    lora_alpha: int = 32
    max_tokens: int = 64


class Asked(ShowcaseDataset):
    """Samples with the files of their photos, what the user wrote before, and the text to answer with."""

    files: list[list[str]]
    past: list[list[str]]

    @classmethod
    def of(cls, corpus: ShowcaseCorpus, split: str, photos: Literal["true", "chosen"]) -> Asked:
        """Raises ``ValueError`` for a corpus that does not know where its photos lie."""
        if corpus.paths is None:
            raise ValueError("this corpus does not know where its photos lie: set generation.vlm before it is opened")
        joined = split == "train" and corpus.settings.joined > 0
        dataset = cast(Asked, corpus.dataset(split, photos, joined=joined, kind=cls))
        reviews, limit = dataset.reviews, corpus.settings.history
        dataset.files = [[corpus.paths[image] for image in images] for images in reviews["image_ids"]]
        dataset.past = [
            [corpus.past_texts[past] for past in dataset.histories[review][:limit]] for review in reviews["review_id"]
        ]
        return dataset

    def __getitem__(self, index: int) -> dict[str, Any]:
        own = {"files": self.files[index], "past": self.past[index], "text": self.texts[index]}
        return super().__getitem__(index) | own


@dataclass
class Answers:
    """A batch for training: questions side by side, padded in front, and behind them the answers, padded at the end."""

    processor: ProcessorMixin
    max_tokens: int

    def __call__(self, samples: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        tokenizer = self.processor.tokenizer
        batch = dict(questions(self.processor, [(sample["files"], sample["past"]) for sample in samples]))
        texts = [sample["text"] for sample in samples]
        answers = [
            [*tokens[: self.max_tokens - 1], tokenizer.eos_token_id]
            for tokens in tokenizer(texts, add_special_tokens=False)["input_ids"]
        ]
        length = max(map(len, answers))
        labels = torch.tensor([tokens + [IGNORED] * (length - len(tokens)) for tokens in answers])  # (B, T)
        asked = batch["input_ids"].shape  # (B, question)
        of_tokens = [name for name, value in batch.items() if value.shape == asked]
        behind = {"input_ids": labels.clamp(min=0), "attention_mask": (labels != IGNORED).long()}
        for name in of_tokens:  # some models tell kinds of tokens: those of an answer are of kind 0, words
            batch[name] = torch.cat([batch[name], behind.get(name, torch.zeros_like(labels))], dim=1)
        batch["labels"] = F.pad(labels, (asked[1], 0), value=IGNORED)
        return batch


class VlmLora(PreTrainedModel):
    """Any model of ``AutoModelForImageTextToText`` with adapters in its language model."""

    config_class = VlmConfig
    base_model_prefix = "vlm"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    origin = "the vision-language model"

    def __init__(self, config: VlmConfig):
        super().__init__(config)
        network: Any = config.network
        self.network = AutoModelForImageTextToText.from_config(network, dtype=torch.get_default_dtype())
        self.post_init()
        add_adapters(self.network.get_decoder(), config.lora_rank, config.lora_alpha)
        self._keys_to_ignore_on_save = {f"network.{name}" for name in checkpoint_names(self.network).values()}

    @classmethod
    def from_corpus(cls, corpus: ShowcaseCorpus) -> VlmLora:
        """The model that ``generation.vlm`` names, with fresh adapters, which change nothing at first.

        Raises ``ValueError`` where none is named or it has no chat template, ``OSError`` when there is none.
        """
        settings = corpus.settings
        if not settings.vlm:
            raise ValueError("vlm_lora trains a vision-language model: name one in generation.vlm")
        load_processor(settings.vlm)
        with quietly():
            network = AutoConfig.from_pretrained(settings.vlm, trust_remote_code=False)
        network.name_or_path = settings.vlm
        shapes = {"lora_rank": settings.lora_rank or RANK, "lora_alpha": settings.lora_alpha}
        model = cls(VlmConfig(network=network, max_tokens=settings.max_tokens, **shapes))
        model._take_checkpoint()
        return model

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As transformers', and all that adapters stand beside from where it was taken."""
        with quietly():
            model = super().from_pretrained(*args, **kwargs)
        model._take_checkpoint()
        return model

    dataset = staticmethod(Asked.of)

    @cached_property
    def processor(self) -> ProcessorMixin:
        return load_processor(self.config.network.name_or_path)

    @property
    def collate(self) -> Answers:
        """What makes batches of samples to learn from."""
        return Answers(self.processor, self.config.max_tokens)

    def forward(self, **inputs: Any) -> Any:
        """The network's output; with ``labels`` its ``loss`` is L_CE."""
        return self.network(**inputs)

    @torch.inference_mode()
    def write(self, samples: Sequence[dict[str, Any]], **strategy: Any) -> list[str]:
        """What it answers to each sample, greedily without a ``strategy``."""
        asked = questions(self.processor, [(sample["files"], sample["past"]) for sample in samples])
        asked = asked.to(self.device, self.network.dtype)
        options = {"max_new_tokens": self.config.max_tokens, "do_sample": False} | strategy
        with quietly():
            said = self.network.generate(**asked, **options)
        answers = self.processor.batch_decode(said[:, asked["input_ids"].shape[1] :], skip_special_tokens=True)
        return [" ".join(answer.lower().split()) for answer in answers]

    def _take_checkpoint(self) -> None:
        with quietly():
            source = self.config.network.name_or_path
            plain = AutoModelForImageTextToText.from_pretrained(source, trust_remote_code=False, dtype=torch.float32)
        names = checkpoint_names(self.network)
        weights = {names.get(name, name): value for name, value in plain.state_dict().items()}
        fresh, alien = self.network.load_state_dict(weights, strict=False)
        if alien or any(ADAPTER not in name for name in fresh):
            raise ValueError(f"'{source}' does not fit its config: missing {fresh}, unexpected {alien}")
        train_adapters(self.network)


AutoConfig.register(VlmConfig.model_type, VlmConfig)
