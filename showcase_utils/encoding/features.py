"""The feature store: one row per id in append-only shards, safe against kill -9, damage and a second writer.

A store is a folder with ``store.json`` (dimension, dtype, fingerprint of the encoder, and per shard its checksums)
and per shard ``NNNNN.npy`` (rows) and ``NNNNN.json`` (their ids, the marks of the contents that were encoded, and the
rejects with their reasons). A shard exists when ``store.json`` names it, and is never touched again; what an
interruption left half-written is written over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from showcase_utils.artifacts import Stages

INDEX = "store.json"
FORMAT = 2
INDEX_KEYS = {"format": int, "dim": int, "dtype": str, "fingerprint": str, "shards": list}
SHARD_KEYS = {"rows": int, "rejects": int, "features": str, "ids": str}
ANEW = "delete it (the store of a run: its stage's whole folder) and run notebook 02_clip_encoding again"


class StoreError(ValueError):
    """A store that cannot be read or written as asked; the message says what to do."""


class FeatureStore:
    """A store to read from: ``FeatureStore.open(folder)[ids] -> (n, d) float32``, rows in the order of ``ids``.

    Rows are memory-mapped; a shard's checksum is verified when it is first touched.
    """

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder, self.index = folder, index
        self.shards: list[dict[str, Any]] = index["shards"]  # rows, rejects and checksums of each
        self.dim: int = index["dim"]
        self.dtype: str = index["dtype"]
        self.fingerprint: str = index["fingerprint"]
        self._ends = np.cumsum([shard["rows"] for shard in self.shards], dtype=np.int64)
        self._maps: dict[int, NDArray[Any]] = {}

    @classmethod
    def open(cls, folder: str | Path) -> FeatureStore:
        """The store in ``folder``. Raises ``StoreError`` when there is none."""
        folder = Path(folder)
        index = read_index(folder)
        if index is None:
            raise StoreError(f"no feature store in {folder}: run notebook 02_clip_encoding first")
        return cls(folder, index)

    @cached_property
    def _contents(self) -> list[dict[str, Any]]:
        return [self.content(number) for number in range(len(self.shards))]

    @cached_property
    def _rows(self) -> pd.Index:
        return pd.Index([key for shard in self._contents for key in shard["ids"]], dtype=object)

    @property
    def ids(self) -> list[str]:
        """All ids that have a row, in the order in which they were added."""
        return self._rows.tolist()

    @property
    def rejects(self) -> pd.DataFrame:
        """The ids that could not be encoded: id, reason."""
        rows = [pair for shard in self._contents for pair in shard["rejects"]]
        return pd.DataFrame(rows, columns=["id", "reason"], dtype=object)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __getitem__(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Rows of ``ids`` in order, ``(n, d)`` float32 with unit norm. Raises ``KeyError`` naming ids without a row."""
        ids = [ids] if isinstance(ids, str) else list(ids)
        rows = self._rows.get_indexer(pd.Index(ids, dtype=object))
        if (rows < 0).any():
            missing = [ids[position] for position in np.flatnonzero(rows < 0)]
            raise KeyError(f"{len(missing)} ids without features in {self.folder.name}, such as {missing[:3]}")
        out = np.empty((len(ids), self.dim), np.float32)
        shards = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(shards):
            where = np.flatnonzero(shards == number)
            start = self._ends[number] - self.shards[number]["rows"]
            out[where] = self.shard(int(number))[rows[where] - start]
        return out

    def check(self, fingerprint: str) -> None:
        """Raises ``StoreError`` when these are not features of the CLIP with this ``fingerprint``."""
        if fingerprint != self.fingerprint:
            raise StoreError(
                f"the features in '{self.folder.name}' are of another CLIP ({short(self.fingerprint)}) than "
                f"encoding.model is now ({short(fingerprint)}): {ANEW}"
            )

    def damaged(self) -> list[int]:
        """The numbers of the shards whose files are missing, cut short or altered."""
        return sorted(set(range(len(self.shards))) - set(self.whole()))

    def whole(self) -> list[int]:
        """The numbers of the shards whose files are as they were written."""
        return [number for number in range(len(self.shards)) if self._intact(number)]

    def shard(self, number: int) -> NDArray[Any]:
        """The rows of one shard as they are stored. Raises ``StoreError`` when its file is damaged."""
        if number not in self._maps:
            path = self.folder / f"{number:05d}.npy"
            if _sha256(path) != self.shards[number]["features"]:
                raise StoreError(_damage(path))
            self._maps[number] = np.load(path, mmap_mode="r")
        return self._maps[number]

    def content(self, number: int) -> dict[str, Any]:
        """One shard's ids, marks and rejects. Raises ``StoreError`` when its file is damaged."""
        path = self.folder / f"{number:05d}.json"
        if _sha256(path) != self.shards[number]["ids"]:
            raise StoreError(_damage(path))
        return json.loads(path.read_text(encoding="utf-8"))

    def ids_intact(self, number: int) -> bool:
        """Whether the list of one shard's ids is as it was written."""
        return _sha256(self.folder / f"{number:05d}.json") == self.shards[number]["ids"]

    def _intact(self, number: int) -> bool:
        features = _sha256(self.folder / f"{number:05d}.npy")
        return features == self.shards[number]["features"] and self.ids_intact(number)


class FeatureStores(NamedTuple):
    """The three stores of the stage ``features``."""

    photos: FeatureStore
    reviews: FeatureStore
    sentences: FeatureStore


def open_features(stages: Stages) -> FeatureStores:
    """The features of GEST-s1: its photos by image_id, its reviews by review_id, its sentences by sentence_id."""
    folder = stages.path("features")
    return FeatureStores(*(FeatureStore.open(folder / name) for name in FeatureStores._fields))


def load_sentences(stages: Stages) -> pd.DataFrame:
    """The sentences of GEST-s1 that have features: sentence_id, review_id, index, text."""
    return pd.read_parquet(stages.path("features") / "sentences.parquet")


def read_index(folder: Path) -> dict[str, Any] | None:
    """The index of the store in ``folder``, ``None`` where there is none. Raises ``StoreError`` for a damaged one."""
    path = folder / INDEX
    if not path.is_file():
        return None
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        index = None
    if not _has(index, INDEX_KEYS) or not all(_has(shard, SHARD_KEYS) for shard in index["shards"]):
        raise StoreError(f"{folder.name}/{INDEX} is damaged, and without it nothing here can be trusted: {ANEW}")
    if index["format"] != FORMAT:
        raise StoreError(f"the store '{folder.name}' has format {index['format']}, not {FORMAT}: {ANEW}")
    return index


def _has(value: Any, keys: dict[str, type]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), kind) for key, kind in keys.items())


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def short(value: Any) -> str:
    """As much of a fingerprint as a message needs."""
    return str(value)[:12]


def _damage(path: Path) -> str:
    return (
        f"{path.parent.name}/{path.name} is damaged (its checksum is not the recorded one): "
        f"FeatureWriter.write with the same ids makes it anew; else {ANEW}"
    )
