"""Small pictures of photos, for figures and for HTML pages that hold their photos themselves."""

from __future__ import annotations

import base64
import html
import io
import warnings
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

GREY, DARK = "#d0d0d0", "#444444"


def read_thumbnail(path: str | Path, size: int) -> Image.Image:
    """The photo at ``path``, upright, in RGB, at most ``size`` pixels wide and high; raises what Pillow raises."""
    with Image.open(path) as image:
        image.draft("RGB", (size, size))  # a big JPEG need not be decoded in full for a small picture
        image = ImageOps.exif_transpose(image).convert("RGB")
    image.thumbnail((size, size))
    return image


def thumbnail(path: str | Path, size: int) -> Image.Image:
    """As ``read_thumbnail``; a photo that cannot be read is a grey square that says so, and a warning names it."""
    try:
        return read_thumbnail(path, size)
    except Exception as error:  # Pillow's plugins raise nearly anything on a broken file
        warnings.warn(f"no photo at {path}: {type(error).__name__}", stacklevel=2)
        return placeholder("missing", size)


def placeholder(word: str, size: int) -> Image.Image:
    """A grey square with ``word`` in it, where a photo would be."""
    image = Image.new("RGB", (size, size), GREY)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(max(size / 7, 8))
    draw.text((size / 2, size / 2), word, fill=DARK, font=font, anchor="mm")
    return image


def img_tag(photo: str | Path | Image.Image, size: int, alt: str = "photo") -> str:
    """An ``<img>`` that holds the photo, at most ``size`` pixels wide and high; a path is read by ``thumbnail``."""
    buffer = io.BytesIO()
    image = photo if isinstance(photo, Image.Image) else thumbnail(photo, size)
    image.save(buffer, "JPEG", quality=85)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/jpeg;base64,{content}">'
