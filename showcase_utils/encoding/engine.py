"""From a CLIP's settings to filled feature stores, on this machine or on the devices of a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from showcase_utils.config import Encoding
from showcase_utils.encoding.clip import Clip, load_clip
from showcase_utils.encoding.features import FeatureStore
from showcase_utils.encoding.reuse import file_mark
from showcase_utils.encoding.writer import FeatureWriter

if TYPE_CHECKING:
    from showcase_utils.encoding.ray_engine import RayClip


@dataclass(frozen=True)
class StoreEncoder:
    """Encodes photos and texts into stores; ``open_encoder`` makes it."""

    streams: Clip | RayClip
    writer: FeatureWriter

    def photos(
        self, folder: Path, ids: Sequence[str], paths: Sequence[str], previous: Path | None = None
    ) -> FeatureStore:
        return self.writer.write(
            folder, list(ids), list(paths), self.streams.stream_images, mark=file_mark, previous=previous, unit="photos"
        )

    def texts(
        self, folder: Path, ids: Sequence[str], texts: Sequence[str], previous: Path | None = None
    ) -> FeatureStore:
        unit = folder.name  # reviews, sentences
        return self.writer.write(
            folder, list(ids), list(texts), self.streams.stream_texts, previous=previous, unit=unit
        )


@contextlib.contextmanager
def open_encoder(settings: Encoding, device: str, progress: bool = True) -> Iterator[StoreEncoder]:
    """The CLIP of ``settings`` with its engine (this machine, or a Ray cluster) and a writer of its features."""
    clip = load_clip(settings, device)
    writer = FeatureWriter(
        clip.dim, clip.fingerprint, settings.dtype, settings.shard_rows, settings.batch_size, progress
    )
    if settings.engine == "local":
        yield StoreEncoder(clip, writer)
        return
    from showcase_utils.encoding.ray_engine import RayClip  # Ray is an extra

    with RayClip(clip, device) as streams:
        yield StoreEncoder(streams, writer)
