"""The feature store: one row per id in append-only shards, safe against kill -9, damage and a second writer.

A store is a folder with ``store.json`` (dimension, dtype, fingerprint of the encoder, and per shard its checksums)
and per shard ``NNNNN.npy`` (rows) and ``NNNNN.json`` (their ids, and the rejects with their reasons). A shard exists
when ``store.json`` names it, and is never touched again; what an interruption left half-written is written over.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import filelock
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

INDEX = "store.json"
FORMAT = 1


class Encoded(Protocol):
    """Rows for the sources at ``indices``, and rejects as (source, reason)."""

    rows: NDArray[np.float32]
    indices: list[int]
    rejects: list[tuple[int, str]]


Encode = Callable[[Sequence[str], Sequence[list[int]]], Iterator[Encoded]]


class StoreError(ValueError):
    """A store that cannot be read or written as asked; the message says what to do."""


class FeatureStore:
    """A store to read from: ``FeatureStore.open(folder)[ids] -> (n, d) float32``, rows in the order of ``ids``.

    Rows are memory-mapped; a shard's checksum is verified when it is first touched.
    """

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder, self._index = folder, index
        self.dim: int = index["dim"]
        self.dtype: str = index["dtype"]
        self.fingerprint: str = index["fingerprint"]
        self._ends = np.cumsum([shard["rows"] for shard in index["shards"]], dtype=np.int64)
        self._maps: dict[int, NDArray[Any]] = {}

    @classmethod
    def open(cls, folder: str | Path) -> FeatureStore:
        """The store in ``folder``. Raises ``StoreError`` when there is none."""
        folder = Path(folder)
        index = _read_index(folder)
        if index is None:
            raise StoreError(f"no feature store in {folder}: run notebook 02_clip_encoding first")
        return cls(folder, index)

    @cached_property
    def _contents(self) -> list[dict[str, Any]]:
        return [self._read_ids(number) for number in range(len(self._index["shards"]))]

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
            start = self._ends[number] - self._index["shards"][number]["rows"]
            out[where] = self._shard(int(number))[rows[where] - start]
        return out

    def damaged(self) -> list[int]:
        """The numbers of the shards whose files are missing, cut short or altered."""
        return [number for number in range(len(self._index["shards"])) if not self._intact(number)]

    def _shard(self, number: int) -> NDArray[Any]:
        if number not in self._maps:
            path = self.folder / f"{number:05d}.npy"
            if _sha256(path) != self._index["shards"][number]["features"]:
                raise StoreError(_damage(path))
            self._maps[number] = np.load(path, mmap_mode="r")
        return self._maps[number]

    def _read_ids(self, number: int) -> dict[str, Any]:
        path = self.folder / f"{number:05d}.json"
        if _sha256(path) != self._index["shards"][number]["ids"]:
            raise StoreError(_damage(path))
        return json.loads(path.read_text(encoding="utf-8"))

    def _intact(self, number: int) -> bool:
        shard, name = self._index["shards"][number], self.folder / f"{number:05d}"
        found = _sha256(name.with_suffix(".npy")), _sha256(name.with_suffix(".json"))
        return found == (shard["features"], shard["ids"])


def write_features(
    folder: str | Path,
    ids: Sequence[str],
    sources: Sequence[str],
    encode: Encode,
    *,
    dim: int,
    fingerprint: str,
    dtype: Literal["float16", "float32"] = "float16",
    shard_rows: int = 4096,
    batch_size: int = 128,
    unit: str = "rows",
    progress: bool = True,
) -> FeatureStore:
    """Adds to the store in ``folder`` what it lacks of ``ids``, encoded from ``sources`` (same length), in order.

    An id that comes twice is encoded once, from its first source, and so are equal sources within a shard; ids that
    were rejected before are not tried again. Damaged shards are made anew. ``encode(sources, batches)`` gives
    features batch by batch; batches start anew at every shard, so that a shard depends on nothing but its own ids
    and a resumed run ends with the same bytes.

    Raises ``StoreError`` when another process is writing, or when the store was made by another encoder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if len(ids) != len(sources):
        raise ValueError(f"{len(ids)} ids for {len(sources)} sources")
    lock = filelock.FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise StoreError(f"another process is writing to the store '{folder.name}': wait until it has ended") from None
    try:
        index = _matching_index(folder, {"format": FORMAT, "dim": dim, "dtype": dtype, "fingerprint": fingerprint})
        source = dict(zip(reversed(ids), reversed(sources), strict=True))  # the first of an id that comes twice
        plan = _plan(FeatureStore(folder, index), list(dict.fromkeys(ids)), shard_rows)
        todo = [list(dict.fromkeys(source[key] for key in keys)) for _, keys in plan]
        with tqdm(total=sum(map(len, todo)), unit=f" {unit}", disable=not progress) as bar:
            shards = _encoded(todo, encode, batch_size, dim, bar)
            for (number, keys), (rows, reasons) in zip(plan, shards, strict=True):
                kept = [key for key in keys if source[key] not in reasons]
                rejects = [(key, reasons[source[key]]) for key in keys if source[key] in reasons]
                features = np.stack([rows[source[key]] for key in kept]) if kept else np.empty((0, dim))
                _commit(folder, index, number, features.astype(dtype), kept, rejects)
    finally:
        lock.release()
    return FeatureStore.open(folder)


def adopt_features(previous: Path, folder: Path, fingerprint: str, dtype: str) -> None:
    """Copies an earlier store to where ``write_features`` will go on, if it fits and nothing is there already."""
    index = _read_index(previous)
    if index is not None and (index["fingerprint"], index["dtype"]) == (fingerprint, dtype) and not folder.exists():
        shutil.copytree(previous, folder)


def _plan(store: FeatureStore, ids: list[str], shard_rows: int) -> list[tuple[int, list[str]]]:
    """Shard numbers with the ids to encode for them: damaged shards first, each with as many ids as it had."""
    shards, damaged = store._index["shards"], store.damaged()
    kept = [store._read_ids(number) for number in range(len(shards)) if number not in set(damaged)]
    done = {key for shard in kept for key in (*shard["ids"], *(key for key, _ in shard["rejects"]))}
    missing = [key for key in ids if key not in done]
    plan = []
    for number in damaged:
        size = shards[number]["rows"] + shards[number]["rejects"]
        plan.append((number, missing[:size]))
        missing = missing[size:]
    starts = range(0, len(missing), shard_rows)
    return plan + [(len(shards) + step, missing[start : start + shard_rows]) for step, start in enumerate(starts)]


def _encoded(
    todo: list[list[str]], encode: Encode, batch_size: int, dim: int, bar: tqdm
) -> Iterator[tuple[dict[str, NDArray[np.float32]], dict[str, str]]]:
    """Per shard the features, and the reasons of rejection, by source, from one stream that never pauses."""
    sources = [source for shard in todo for source in shard]
    ends = np.cumsum([len(shard) for shard in todo])
    batches = [
        list(range(at, min(at + batch_size, end)))
        for shard, end in zip(todo, ends.tolist(), strict=True)
        for at in range(end - len(shard), end, batch_size)
    ]
    stream = encode(sources, batches)
    for shard in todo:
        rows: dict[str, NDArray[np.float32]] = {}
        reasons: dict[str, str] = {}
        for _ in range(0, len(shard), batch_size):
            part = next(stream)
            if not np.isfinite(part.rows).all():
                raise StoreError("the encoder gave features that are not finite: its weights are broken")
            rows |= {sources[position]: row for position, row in zip(part.indices, part.rows, strict=True)}
            reasons |= {sources[position]: reason for position, reason in part.rejects}
            bar.update(len(part.indices) + len(part.rejects))
        yield rows, reasons


def _commit(
    folder: Path, index: dict[str, Any], number: int, rows: NDArray[Any], ids: list[str], rejects: list[tuple[str, str]]
) -> None:
    """The shard's files first, each under its name only when it is whole on disk; then the index that names them."""
    buffer = io.BytesIO()
    np.save(buffer, rows)
    facts = {
        "rows": len(ids),
        "rejects": len(rejects),
        "features": _write(folder / f"{number:05d}.npy", buffer.getvalue()),
        "ids": _write(folder / f"{number:05d}.json", _json({"ids": ids, "rejects": rejects})),
    }
    index["shards"][number : number + 1] = [facts]
    _write(folder / INDEX, _json(index))


def _matching_index(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    index = _read_index(folder) or {**facts, "shards": []}
    for key, value in facts.items():
        if index[key] != value:
            raise StoreError(
                f"the store '{folder.name}' has {key} {_short(index[key])}, not {_short(value)}: features of two "
                "encoders never mix; write to another folder, or delete this one"
            )
    for half in folder.glob("*.half"):
        half.unlink()
    if not index["shards"]:
        _write(folder / INDEX, _json(index))
    return index


def _read_index(folder: Path) -> dict[str, Any] | None:
    path = folder / INDEX
    if not path.is_file():
        return None
    index = json.loads(path.read_text(encoding="utf-8"))
    if index.get("format") != FORMAT:
        raise StoreError(f"the store '{folder.name}' has format {index.get('format')}, not {FORMAT}: delete it")
    return index


def _write(path: Path, content: bytes) -> str:
    half = path.with_name(path.name + ".half")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)
    return hashlib.sha256(content).hexdigest()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _short(value: Any) -> str:
    return str(value)[:12]


def _damage(path: Path) -> str:
    return (
        f"{path.parent.name}/{path.name} is damaged (its checksum is not the recorded one): "
        "write_features with the same ids makes it anew; so does notebook 02_clip_encoding once its stage is forgotten"
    )
