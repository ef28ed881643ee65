"""From the supersampled picture to a photo: light, lens and sensor."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageFilter

from showcase_utils.demo_world.cameras import Look
from showcase_utils.demo_world.painting.canvas import OVERSAMPLING
from showcase_utils.demo_world.painting.look import focus, point, render

TINTS = ((1.05, 1.0, 0.9), (1.03, 1.0, 0.95), (1.0, 1.0, 1.0), (0.96, 1.0, 1.05))  # warm … cool


def develop(
    picture: Image.Image,
    rng: random.Random,
    grain: np.random.Generator,
    strength: float = 1.0,
    look: Look | None = None,
) -> Image.Image:
    """Downsamples and exposes: mirror, blur, side light, vignette, tint, gamma, grain; ``strength`` < 1 is gentler.

    That is the light of the place; ``look`` is what a person's camera makes of it.
    """
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    small = (point(picture, look) if look else picture).reduce(OVERSAMPLING)
    if rng.random() < 0.3 * strength:
        small = small.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.65)))
    if look:
        small = focus(small, look)
    pixels = np.asarray(small, dtype=np.float32)
    h, w = pixels.shape[:2]
    x = np.linspace(-1, 1, w, dtype=np.float32)
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    slope, fall = rng.uniform(0.0, 0.14) * strength, rng.uniform(0.03, 0.13) * strength
    light = 1.0 - slope * (0.7 * x + y) - fall * (x * x + y * y)
    exposure = rng.choice((1.06, 1.04, 1.0, 0.9)) * rng.uniform(0.97, 1.04)
    tint = np.array(rng.choice(TINTS), dtype=np.float32) * exposure
    pixels = pixels * light[:, :, None] * tint
    if look:
        pixels = render(pixels, look)
    pixels = 255.0 * np.clip(pixels / 255.0, 0.0, 1.0) ** rng.uniform(0.86, 1.06)
    pixels += rng.uniform(1.0, 3.5) * grain.standard_normal((h, w, 1), dtype=np.float32)
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))
