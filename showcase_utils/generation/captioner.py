"""The captioner that generators start from: a generator trained elsewhere, as CLIP and GPT-2 are pre-trained."""

from __future__ import annotations

from typing import Any

from showcase_utils.config import Generation
from showcase_utils.generation.dataset import FeatureMap
from showcase_utils.generation.model import ShowcaseConfig, ShowcaseGenerator
from showcase_utils.recipes import BACKBONES

EMBEDDED_CAPTIONER = BACKBONES / "captioner"


def captioner_source(name: str) -> str:
    """Where ``from_pretrained`` finds the setting ``generation.pretrained``; ``embedded`` ships with this package.

    Raises ``FileNotFoundError`` when the embedded one has not been made.
    """
    if name != "embedded":
        return name
    if not (EMBEDDED_CAPTIONER / "config.json").is_file():
        raise FileNotFoundError(
            "the embedded captioner is missing: make it with 'showcase backbones', or set generation.pretrained=null"
        )
    return str(EMBEDDED_CAPTIONER)


def start_from_captioner(settings: Generation, photos: FeatureMap, **shapes: Any) -> ShowcaseGenerator:
    """A generator with the captioner's weights; ``shapes`` are fields of ``ShowcaseConfig``.

    Raises ``ValueError`` when the captioner was trained on the features of another CLIP, or around another decoder or
    encoder than the settings name.
    """
    source = captioner_source(settings.pretrained or "")
    config = ShowcaseConfig.from_pretrained(source)
    fingerprint = getattr(photos, "fingerprint", None)
    wrong = {
        "encoding.model, for it was trained on features of another CLIP": config.feature_dim != photos.dim
        or config.features not in (None, fingerprint),
        f"generation.decoder, for it has '{config.decoder.name_or_path}'": config.decoder.name_or_path
        != settings.decoder,
        f"generation.encoder_layers, for it has {config.encoder_layers}": config.encoder_layers
        != settings.encoder_layers,
        f"generation.lora_rank, for it has {config.lora_rank}": config.lora_rank != settings.lora_rank,
        f"generation.fusion, for it has '{'gated' if config.gated else 'prefix'}'": (config.prefix or config.gated)
        and config.gated != (settings.fusion == "gated"),
        f"generation.max_tokens, for it has {config.decoder.max_position_embeddings} positions": (
            config.decoder.max_position_embeddings < settings.max_tokens
        ),
    }
    for what, differs in wrong.items():
        if differs:
            raise ValueError(
                f"the captioner '{settings.pretrained}' does not fit {what}: set that, or generation.pretrained=null"
            )
    model = ShowcaseGenerator.from_captioner(source, **shapes)
    model.generation_config.max_new_tokens = settings.max_tokens
    return model
