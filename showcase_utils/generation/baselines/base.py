"""What the baselines of the paper's table share: one config, one interface, that of the generator.

A baseline gives an ``encoder`` (a module that turns its inputs into a ``ModelOutput`` of tensors, batch first) and
``states(tokens, encoded)``, the decoder's hidden states. Loss, vocabulary head and ``generate`` are the same for all.
None keeps a cache between steps: prefixes of at most a few dozen tokens are read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import ModelOutput

from showcase_utils.config import Generation
from showcase_utils.generation.dataset import ShowcaseCorpus
from showcase_utils.generation.gpt2 import IGNORED, decoder_source, mean_cross_entropy


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
    users: int = 1
    items: int = 1
    is_encoder_decoder: bool | None = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None


@dataclass
class BaselineOutput(ModelOutput):
    """``loss`` is L_CE, there with labels; ``context`` is a further loss where the model has one."""

    loss: Tensor | None = None
    logits: Tensor | None = None  # (B, T, vocabulary), without labels
    context: Tensor | None = None


class FeatureProjection(nn.Linear):
    """CLIP features into a model's width."""

    def __init__(self, config: BaselineConfig):
        super().__init__(config.feature_dim, config.width, bias=False)


class Baseline(PreTrainedModel, GenerationMixin):
    """Base of the baselines: ``forward`` with labels gives L_CE, else logits; ``generate`` is transformers' own."""

    config_class = BaselineConfig
    base_model_prefix = "baseline"
    reads: tuple[str, ...] = ()  # inputs beside photos and history: "references", "ids"
    recurrent: bool = False  # a GRU or LSTM reads word vectors as they are: short ones would hardly move its gates

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.width)
        self.head = nn.Linear(config.width, config.vocab_size)
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def from_corpus(cls, corpus: ShowcaseCorpus, settings: Generation) -> Self:
        """A fresh model with the width, heads, tokenizer and length of the settings' GPT-2."""
        decoder, tokenizer = AutoConfig.from_pretrained(decoder_source(settings.decoder)), corpus.tokenizer
        eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
        start = eos if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        model = cls(
            BaselineConfig(
                vocab_size=decoder.vocab_size,
                width=decoder.n_embd,
                heads=decoder.n_head,
                layers=settings.encoder_layers,
                dropout=decoder.resid_pdrop,
                feature_dim=corpus.photos.dim,
                max_tokens=settings.max_tokens,
                users=len(corpus.users) + 1,
                items=len(corpus.items) + 1,
                eos_token_id=eos,
                decoder_start_token_id=start,
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
        """A loss beside L_CE; none for most."""
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
        user: Tensor | None = None,
        item: Tensor | None = None,
        user_reference: Tensor | None = None,
        item_reference: Tensor | None = None,
        **unused: Any,
    ) -> BaselineOutput:
        """Labels (B, T) as the generator takes them, −100 behind the end token; each model reads its own inputs."""
        if encoder_outputs is None:
            encoder_outputs = self.encoder(
                images=images,
                image_mask=image_mask,
                history=history,
                history_mask=history_mask,
                user=user,
                item=item,
                user_reference=user_reference,
                item_reference=item_reference,
            )
        if labels is None:
            return BaselineOutput(logits=self.head(self.states(decoder_input_ids, encoder_outputs)))
        start = labels.new_full((len(labels), 1), self.config.decoder_start_token_id)
        tokens = torch.cat([start, labels[:, :-1]], dim=1)
        tokens = tokens.masked_fill(tokens == IGNORED, self.config.decoder_start_token_id)
        spoken = labels != IGNORED
        logits = self.head(self.states(tokens, encoder_outputs)[spoken])  # (tokens, vocabulary)
        loss = mean_cross_entropy(logits, labels[spoken])
        return BaselineOutput(loss=loss, context=self.context_loss(labels, encoder_outputs))

    def prepare_inputs_for_generation(self, input_ids: Tensor, **kwargs: Any) -> dict[str, Any]:
        return {"decoder_input_ids": input_ids, "encoder_outputs": kwargs["encoder_outputs"]}

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False


def causal(length: int, device: torch.device) -> Tensor:
    """True where a position may not look: behind itself. (T, T)"""
    return torch.ones(length, length, dtype=torch.bool, device=device).triu(1)


class Positions(nn.Module):
    """Learned positions added to embeddings, (B, T, width) → (B, T, width)."""

    def __init__(self, length: int, width: int):
        super().__init__()
        self.table = nn.Embedding(length, width)

    def forward(self, embedded: Tensor) -> Tensor:
        return embedded + self.table(torch.arange(embedded.shape[1], device=embedded.device))


AutoConfig.register(BaselineConfig.model_type, BaselineConfig)
