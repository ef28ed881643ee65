"""Whether bytes are a photo, and the JPEG that is kept of them."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from showcase_utils.photos.folder import ENDS, FORMATS

JPEG_QUALITY = 95


@dataclass(frozen=True)
class CheckedPhoto:
    """``status`` is ``ok``, ``not an image``, ``too large`` or ``refused``; the rest describes what is kept."""

    status: str
    content: bytes = b""
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    sha256: str = ""
    note: str = ""

    def without_content(self) -> CheckedPhoto:
        """The same without the bytes, which need not wait in memory for their line in the index."""
        return replace(self, content=b"")


def check_photo(
    content: bytes,
    max_pixels: int,
    decode: bool = True,
    as_it_is: bool = False,
    upright: bool = False,
    formats: tuple[str, ...] = FORMATS,
) -> CheckedPhoto:
    """Decode a photo wholly and say what it is; without ``decode`` a JPEG that has its end is taken for whole.

    A JPEG in RGB or grey is kept byte for byte. Anything else that is a picture (PNG, WebP, GIF, BMP, CMYK) becomes
    an RGB JPEG, on white where it is transparent, and ``note`` says so; with ``as_it_is`` it stays, and ``note`` says
    that. With ``upright`` a JPEG that its EXIF says is to be turned is turned and encoded anew. The size in pixels is
    looked at before any pixel is decoded.
    """
    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            if image.width * image.height > max_pixels:
                return CheckedPhoto("too large", note=f"{image.width} x {image.height} pixels")
            # MPO: a JPEG with further pictures behind it, as some phones write it
            plain = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")
            if upright and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
                plain = False
            if decode or not plain or not content.endswith(ENDS["JPEG"]):
                image.load()
            if plain or as_it_is:
                return _kept(content, image, "" if plain else f"{image.format} {image.mode} kept as it is")
            return _re_encoded(content, image)
    except Image.DecompressionBombError as error:
        return CheckedPhoto("too large", note=str(error))
    except UnidentifiedImageError:
        return CheckedPhoto("not an image", note=f"begins with {content[:16]!r}" if content else "no bytes")
    except Exception as error:  # decoders meet hostile bytes with errors of every kind; none may end a long run
        return CheckedPhoto("not an image", note=f"does not decode: {error}"[:200])


@contextmanager
def quiet_about_large_pictures() -> Iterator[None]:
    """Without Pillow's warning: ``check_photo`` looks at the size itself. Not per thread, so around a whole run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _kept(content: bytes, image: Image.Image, note: str = "") -> CheckedPhoto:
    digest = hashlib.sha256(content).hexdigest()
    return CheckedPhoto("ok", content, len(content), image.width, image.height, digest, note)


def _re_encoded(content: bytes, image: Image.Image) -> CheckedPhoto:
    note = f"{image.format} {image.mode} re-encoded as RGB JPEG; sha256 before: {hashlib.sha256(content).hexdigest()}"
    upright = ImageOps.exif_transpose(image)  # the new file has no EXIF that would say how to turn it
    if upright.has_transparency_data:
        clear = upright.convert("RGBA")
        upright = Image.new("RGBA", clear.size, "white")
        upright.alpha_composite(clear)
    rgb = upright.convert("RGB")
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return _kept(buffer.getvalue(), rgb, note)
