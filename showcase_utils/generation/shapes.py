"""The shapes of the generator of showcases, and what a pass of it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec
from transformers.modeling_outputs import ModelOutput

from showcase_utils.generation.encoder import Encoded


class ShowcaseConfig(PreTrainedConfig):
    """Shapes of a ShowcaseGenerator; ``decoder`` is the whole configuration of its language model.

    ``prefix``: H enters as a prefix, not by cross-attention; ``gated``: by gated blocks between the layers.
    ``lora_rank``: 0, or the decoder is the checkpoint that ``decoder.name_or_path`` names, its weights are not saved
    again, and LoRA of that rank is what trains.
    """

    model_type = "showcase"
    sub_configs_defaults = {"decoder": SubConfigSpec(config_class=AutoConfig, model_type="gpt2")}

    decoder: PreTrainedConfig | dict | None = None
    prefix: bool = False
    gated: bool = False
    lora_rank: int = 0
    lora_alpha: int = 32
    feature_dim: int = 512
    modalities: Literal["image", "text", "both"] = "both"
    encoder_layers: int = 3
    contrast_visual: bool = False
    contrast_history: bool = False
    target_attends: bool = True  # False: Ĥ^Y is read without cross-attention, so it holds the text alone
    features: str | None = None  # fingerprint of the CLIP whose features it was trained on, where that matters
    initializer_range: float = 0.02
    is_encoder_decoder: bool | None = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None


@dataclass
class ShowcaseOutput(ModelOutput):
    """``loss`` is L_CE, there with labels; logits only without. The rest is there where its head φ is."""

    loss: Tensor | None = None
    logits: Tensor | None = None  # (B, T, vocabulary)
    visual: Tensor | None = None  # Ĥ^V, (B, h)
    history: Tensor | None = None  # Ĥ^R, (B, h)
    target: Tensor | None = None  # Ĥ^Y, (B, h)
    swapped: Tensor | None = None  # Ĥ^{ent(Y)}, (B, h)
    past_key_values: Any = None
    encoder_outputs: Encoded | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
