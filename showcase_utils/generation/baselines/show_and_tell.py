"""ST, Show and Tell (Vinyals et al. 2015): an LSTM that is shown the image first, then the words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import ModelOutput

from showcase_utils.generation.baselines.base import Baseline, BaselineConfig, FeatureProjection
from showcase_utils.generation.encoder import masked_mean


@dataclass
class Shown(ModelOutput):
    """The one image that the LSTM is shown."""

    image: Tensor = None  # (B, width)


class ImageEncoder(nn.Module):
    """The mean of a sample's photos, projected: the original is shown one image. No photo is a zero vector."""

    main_input_name = "images"

    def __init__(self, config: BaselineConfig):
        super().__init__()
        self.projection = FeatureProjection(config)

    def forward(self, images: Tensor, image_mask: Tensor, **unused: Any) -> Shown:
        return Shown(image=self.projection(masked_mean(images, image_mask)))


class ShowAndTell(Baseline):
    """LSTM(image, start, y_1, …, y_{t−1}) → y_t."""

    main_input_name = "images"
    recurrent = True

    def __init__(self, config: BaselineConfig):
        super().__init__(config)
        self.encoder = ImageEncoder(config)
        self.lstm = nn.LSTM(config.width, config.width, batch_first=True)
        self.post_init()

    def states(self, tokens: Tensor, encoded: Shown) -> Tensor:
        shown = torch.cat([encoded.image.unsqueeze(1), self.words(tokens)], dim=1)  # (B, 1 + T, width)
        return self.dropout(self._read(self.dropout(shown))[:, 1:])

    def _read(self, shown: Tensor) -> Tensor:
        """On a CPU in float32, also under autocast: without AVX-512, oneDNN has no LSTM in bfloat16."""
        if shown.device.type != "cpu":
            return self.lstm(shown)[0]
        with torch.autocast("cpu", enabled=False):
            return self.lstm(shown.float())[0]
