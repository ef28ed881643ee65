"""Small pictures of photos, for figures and for HTML pages that hold their photos themselves."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

GREY, DARK = "#d0d0d0", "#444444"


def read_thumbnail(path: str | Path, size: int) -> Image.Image:
    """The photo at ``path``, upright, in RGB, at most ``size`` pixels wide and high; raises what Pillow raises."""
    with Image.open(path) as file:
        file.draft("RGB", (size, size))  # a big JPEG need not be decoded in full for a small picture
        image = ImageOps.exif_transpose(file).convert("RGB")
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


def data_address(image: Image.Image) -> str:
    """The picture as a data address, for the ``src`` of an HTML page that needs no other file."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(image)).decode()}"


def jpeg(image: Image.Image) -> bytes:
    """The picture as a JPEG file's content."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
