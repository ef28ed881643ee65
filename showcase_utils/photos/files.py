"""Whether bytes are a photo, and the JPEG that is kept of them."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from showcase_utils.photos.folder import ENDS, FORMATS

JPEG_QUALITY = 95
SCAN = b"\xff\xda"  # begins a scan; in the picture's own bytes no other than a zero follows ff
MAX_SCANS = 10  # what libjpeg writes for a picture of the most pixels; of a smaller one so many more
LARGE = 10_000_000  # pixels, from which on pictures are decoded one at a time
_ALONE = threading.Lock()


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


def read_photo(path: Path, max_bytes: int) -> bytes | CheckedPhoto:
    """A file's bytes, or why it is no photo: it is too long, cannot be read, or is a device or a pipe, not a file."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # a pipe may never answer
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return CheckedPhoto("not an image", note="not a regular file")
            content = file.read(max_bytes + 1)
    except OSError as error:
        return CheckedPhoto("not an image", note=f"cannot be read: {error.strerror}")
    return content if len(content) <= max_bytes else CheckedPhoto("too large", note=f"more than {max_bytes} bytes")


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
            pixels, size = image.width * image.height, f"{image.width} x {image.height} pixels"
            if pixels > max_pixels:
                return CheckedPhoto("too large", note=size)
            # each scan of a progressive JPEG costs as much as a picture, and there may be thousands
            scans = content.count(SCAN) if image.format in ("JPEG", "MPO") else 1
            if pixels * scans > MAX_SCANS * max_pixels:
                return CheckedPhoto("too large", note=f"{size} in {scans} scans")
            # MPO: a JPEG with further pictures behind it, as some phones write it
            plain = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")
            if upright and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
                plain = False
            with _ALONE if pixels > LARGE else nullcontext():
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
    ImageOps.exif_transpose(image, in_place=True)  # the new file has no EXIF that would say how to turn it
    if image.has_transparency_data:
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        rgb = Image.new("RGB", clear.size, "white")
        rgb.paste(clear, mask=clear.getchannel("A"))
    else:
        rgb = image.convert("RGB")
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return _kept(buffer.getvalue(), rgb, note)
