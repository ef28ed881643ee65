"""Makes generators and their processor known to transformers' Auto classes."""

from __future__ import annotations

from transformers import AutoModel, AutoProcessor

from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.processor import ShowcaseProcessor
from showcase_utils.generation.shapes import ShowcaseConfig

__all__ = ["ShowcaseConfig", "ShowcaseGenerator", "ShowcaseProcessor"]

AutoModel.register(ShowcaseConfig, ShowcaseGenerator, exist_ok=True)
AutoProcessor.register(ShowcaseConfig, ShowcaseProcessor, exist_ok=True)
