"""What a person's camera does to a picture: where it points, how it renders light and colour."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter

from showcase_utils.demo_world.cameras import Look

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
MIDDLE = 0.45  # the brightness that contrast leaves as it is


def frame_size(width: int, height: int, look: Look, smallest: int, largest: int) -> tuple[int, int]:
    """Width and height in pixels after the camera's own aspect, each within ``smallest`` … ``largest``."""
    stretch = math.exp(look.aspect / 2)
    wide, high = (min(largest, max(smallest, round(side))) for side in (width * stretch, height / stretch))
    return wide, high


def point(picture: Image.Image, look: Look) -> Image.Image:
    """Turns, shifts and magnifies, with as much magnification as keeps the picture's edge out of sight."""
    w, h = picture.size
    c, s = math.cos(math.radians(look.angle)), math.sin(math.radians(look.angle))
    cover = c + abs(s) * max(w / h, h / w)
    zoom = cover * math.exp(look.closeness) / (1 - 2 * max(abs(look.right), abs(look.down)))
    c, s = c / zoom, s / zoom
    x, y = w * (0.5 + look.right), h * (0.5 + look.down)  # what comes to the middle
    affine = (c, s, x - c * w / 2 - s * h / 2, -s, c, y + s * w / 2 - c * h / 2)
    return picture.transform((w, h), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)


def focus(picture: Image.Image, look: Look) -> Image.Image:
    if look.sharpness < 0:
        return picture.filter(ImageFilter.GaussianBlur(-look.sharpness))
    return picture.filter(ImageFilter.UnsharpMask(radius=1.5, percent=round(80 * look.sharpness), threshold=0))


def render(pixels: np.ndarray, look: Look) -> np.ndarray:
    """White balance, exposure, contrast, saturation and filter; pixels (h, w, 3) float32, 0 … 255, may leave it."""
    gains = np.exp([look.warmth - look.tint / 2, look.tint, -look.warmth - look.tint / 2]).astype(np.float32)
    light = pixels / 255.0 * (gains * np.float32(2.0**look.exposure))
    light = MIDDLE + (light - MIDDLE) * np.float32(math.exp(look.contrast))
    light = _saturate(light, math.exp(look.saturation))
    return 255.0 * _filter(light, look.filter, min(1.0, 0.6 * look.filter_strength))


def _saturate(light: np.ndarray, factor: float) -> np.ndarray:
    grey = (light @ LUMA)[:, :, None]
    return grey + (light - grey) * np.float32(factor)


def _filter(light: np.ndarray, name: str, amount: float) -> np.ndarray:
    """One of ``cameras.FILTERS``; ``amount`` 0 … 1."""
    if name == "vignette":
        h, w = light.shape[:2]
        x, y = np.linspace(-1, 1, w, dtype=np.float32), np.linspace(-1, 1, h, dtype=np.float32)[:, None]
        return light * (1.0 - 0.35 * amount * np.minimum(1.5, x * x + y * y))[:, :, None]
    if name == "warm":
        return light * np.array([1 + 0.12 * amount, 1 + 0.02 * amount, 1 - 0.16 * amount], np.float32)
    if name == "cold":
        return light * np.array([1 - 0.12 * amount, 1.0, 1 + 0.12 * amount], np.float32)
    if name == "faded":
        return _saturate(0.14 * amount + light * (1 - 0.2 * amount), 1 - 0.3 * amount)
    return light
