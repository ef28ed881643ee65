"""What the baselines of the paper's table share: one config, one interface, that of the generator.

A baseline is a file of its own and an entry in ``SYSTEMS``. It gives an ``encoder`` (a module that turns its inputs
into a ``ModelOutput`` of tensors, batch first) and ``states(tokens, encoded)``, the decoder's hidden states; one that
reads more than photos and history says in ``inputs`` what that is. Loss, vocabulary head and ``generate`` are the same
for all. None keeps a cache between steps: prefixes of at most a few dozen tokens are read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
import torch
from torch import Tensor, nn
from transformers import AutoConfig, GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import ModelOutput

from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.gpt2 import DROPOUT, IGNORED, decoder_source, mean_cross_entropy


class BaselineConfig(PreTrainedConfig):
    """Shapes of a baseline: those of the GPT-2 it competes with, so that budgets are alike."""

    model_type = "showcase-baseline"

    vocab_size: int = 50257
    width: int = 768
    heads: int = 12
    layers: int = 3
    dropout: float = 0.1
    feature_dim: int = 512
    max_tokens: int = 64
    is_encoder_decoder: bool | None = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None


@dataclass
class BaselineOutput(ModelOutput):
    """``loss`` is L_CE, there with labels; ``context`` and ``rating`` are further losses where the model has them."""

    loss: Tensor | None = None
    logits: Tensor | None = None  # (B, T, vocabulary), without labels
    context: Tensor | None = None
    rating: Tensor | None = None


class FeatureProjection(nn.Linear):
    """CLIP features into a model's width."""

    def __init__(self, config: BaselineConfig):
        super().__init__(config.feature_dim, config.width, bias=False)


class Baseline(PreTrainedModel, GenerationMixin):
    """Base of the baselines: ``forward`` with labels gives L_CE, else logits; ``generate`` is transformers' own."""

    config_class = BaselineConfig
    base_model_prefix = "baseline"
    origin = "random weights"
    recurrent: bool = False  # a GRU or LSTM reads word vectors as they are: short ones would hardly move its gates

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.width)
        self.head = nn.Linear(config.width, config.vocab_size)
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def inputs(cls, corpus: ShowcaseCorpus, reviews: pd.DataFrame) -> dict[str, list[list[int]]]:
        """What the baseline reads beyond photos and history: by name, a list of numbers per review."""
        return {}

    @classmethod
    def shapes(cls, corpus: ShowcaseCorpus) -> dict[str, int]:
        """Fields of its config beyond those of all baselines."""
        return {}

    @classmethod
    def from_corpus(cls, corpus: ShowcaseCorpus) -> Self:
        """A fresh model with the width, heads, tokenizer and length of the settings' decoder."""
        settings, tokenizer = corpus.settings, corpus.tokenizer
        decoder = AutoConfig.from_pretrained(**decoder_source(settings.decoder))
        eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
        start = eos if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        model = cls(
            cls.config_class(
                vocab_size=decoder.vocab_size,
                width=decoder.hidden_size,
                heads=decoder.num_attention_heads,
                layers=settings.encoder_layers,
                dropout=getattr(decoder, "resid_pdrop", DROPOUT),
                feature_dim=corpus.photos.dim,
                max_tokens=settings.max_tokens,
                eos_token_id=eos,
                decoder_start_token_id=start,
                **cls.shapes(corpus),
            )
        )
        model.generation_config = GenerationConfig(
            max_new_tokens=settings.max_tokens,
            eos_token_id=eos,
            pad_token_id=eos if pad is None else pad,
            bos_token_id=start,
            decoder_start_token_id=start,
            use_cache=False,
        )
        return model

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, FeatureProjection):
            init.normal_(module.weight, std=1.0)  # features are unit vectors: what comes out has unit variance
        elif isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=1.0 if self.recurrent else self.config.width**-0.5)
        else:
            super()._init_weights(module)

    def states(self, tokens: Tensor, encoded: ModelOutput) -> Tensor:
        """Hidden states (B, T, width) that predict the token behind each of ``tokens`` (B, T)."""
        raise NotImplementedError

    def context_loss(self, labels: Tensor, encoded: ModelOutput) -> Tensor | None:
        """A loss over tokens beside L_CE; none for most."""
        return None

    def rating_loss(self, encoded: ModelOutput) -> Tensor | None:
        """A loss over samples beside L_CE: of the rating, where the model predicts one."""
        return None

    def forward(
        self,
        labels: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        encoder_outputs: ModelOutput | None = None,
        images: Tensor | None = None,
        image_mask: Tensor | None = None,
        history: Tensor | None = None,
        history_mask: Tensor | None = None,
        **inputs: Any,
    ) -> BaselineOutput:
        """Labels (B, T) as the generator takes them, −100 behind the end token; all the rest is the encoder's."""
        if encoder_outputs is None:
            given = {"images": images, "image_mask": image_mask, "history": history, "history_mask": history_mask}
            encoder_outputs = self.encoder(**given, **inputs)
        if labels is None:
            return BaselineOutput(logits=self.head(self.states(decoder_input_ids, encoder_outputs)))
        start = labels.new_full((len(labels), 1), self.config.decoder_start_token_id)
        tokens = torch.cat([start, labels[:, :-1]], dim=1)
        tokens = tokens.masked_fill(tokens == IGNORED, self.config.decoder_start_token_id)
        is_token = labels != IGNORED
        logits = self.head(self.states(tokens, encoder_outputs)[is_token])  # (tokens, vocabulary)
        loss = mean_cross_entropy(logits, labels[is_token])
        context, rating = self.context_loss(labels, encoder_outputs), self.rating_loss(encoder_outputs)
        return BaselineOutput(loss=loss, context=context, rating=rating)

    def prepare_inputs_for_generation(self, input_ids: Tensor, **kwargs: Any) -> dict[str, Any]:
        return {"decoder_input_ids": input_ids, "encoder_outputs": kwargs["encoder_outputs"]}

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False


def causal(length: int, device: torch.device) -> Tensor:
    """True where a position may not look, (T, T): behind itself."""
    return torch.ones(length, length, dtype=torch.bool, device=device).triu(1)


class Positions(nn.Module):
    """Learned positions added to embeddings, (B, T, width) → (B, T, width)."""

    def __init__(self, length: int, width: int):
        super().__init__()
        self.table = nn.Embedding(length, width)

    def forward(self, embedded: Tensor) -> Tensor:
        return embedded + self.table(torch.arange(embedded.shape[1], device=embedded.device))


AutoConfig.register(BaselineConfig.model_type, BaselineConfig)
