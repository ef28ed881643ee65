"""What transformers imports when a folder asks for our model type, which the package announces (``__init__``)."""

from __future__ import annotations

from transformers import AutoModel, AutoProcessor

from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.processor import ShowcaseProcessor
from showcase_utils.generation.shapes import ShowcaseConfig

__all__ = ["ShowcaseConfig", "ShowcaseGenerator", "ShowcaseProcessor"]

AutoModel.register(ShowcaseConfig, ShowcaseGenerator, exist_ok=True)
AutoProcessor.register(ShowcaseConfig, ShowcaseProcessor, exist_ok=True)
