"""The feature store: one row per id in append-only shards, safe against kill -9, damage and a second writer.

A store is a folder with ``store.json`` (dimension, dtype, fingerprint of the encoder, and per shard its checksums)
and per shard ``NNNNN.npy`` (rows) and ``NNNNN.json`` (their ids, the marks of the contents that were encoded, and the
rejects with their reasons). A shard exists when ``store.json`` names it, and is never touched again; what an
interruption left half-written is written over.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import filelock
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from showcase_utils.encoding.takeover import EarlierRows, Mark, text_mark
from showcase_utils.progress import Bar, progress_bar

INDEX = "store.json"
FORMAT = 2
READABLE = (1, FORMAT)  # format 1 has no marks: it is read as ever, but nothing is taken over from it
INDEX_KEYS = {"format": int, "dim": int, "dtype": str, "fingerprint": str, "shards": list}
SHARD_KEYS = {"rows": int, "rejects": int, "features": str, "ids": str}
ANEW = "delete it (the store of a run: its stage's whole folder) and run notebook 02_clip_encoding again"


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
        return [self.content(number) for number in range(len(self._index["shards"]))]

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
            out[where] = self.shard(int(number))[rows[where] - start]
        return out

    def check(self, fingerprint: str) -> None:
        """Raises ``StoreError`` when these are not features of the CLIP with this ``fingerprint``."""
        if fingerprint != self.fingerprint:
            raise StoreError(
                f"the features in '{self.folder.name}' are of another CLIP ({_short(self.fingerprint)}) than "
                f"encoding.model is now ({_short(fingerprint)}): {ANEW}"
            )

    def damaged(self) -> list[int]:
        """The numbers of the shards whose files are missing, cut short or altered."""
        return sorted(set(range(len(self._index["shards"]))) - set(self.whole()))

    def whole(self) -> list[int]:
        """The numbers of the shards whose files are as they were written."""
        return [number for number in range(len(self._index["shards"])) if self._intact(number)]

    def shard(self, number: int) -> NDArray[Any]:
        """The rows of one shard as they are stored. Raises ``StoreError`` when its file is damaged."""
        if number not in self._maps:
            path = self.folder / f"{number:05d}.npy"
            if _sha256(path) != self._index["shards"][number]["features"]:
                raise StoreError(_damage(path))
            self._maps[number] = np.load(path, mmap_mode="r")
        return self._maps[number]

    def content(self, number: int) -> dict[str, Any]:
        """One shard's ids, marks and rejects. Raises ``StoreError`` when its file is damaged."""
        path = self.folder / f"{number:05d}.json"
        if _sha256(path) != self._index["shards"][number]["ids"]:
            raise StoreError(_damage(path))
        return json.loads(path.read_text(encoding="utf-8"))

    def _ids_intact(self, number: int) -> bool:
        return _sha256(self.folder / f"{number:05d}.json") == self._index["shards"][number]["ids"]

    def _intact(self, number: int) -> bool:
        features = _sha256(self.folder / f"{number:05d}.npy")
        return features == self._index["shards"][number]["features"] and self._ids_intact(number)


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
    mark: Mark = text_mark,
    previous: FeatureStore | Path | None = None,
) -> FeatureStore:
    """Adds to the store in ``folder`` what it lacks of ``ids``, encoded from ``sources`` (same length), in order.

    An id that comes twice is encoded once, from its first source, and so are equal sources within a shard; ids that
    were rejected before are not tried again. Damaged shards are made anew. ``encode(sources, batches)`` gives
    features batch by batch; batches start anew at every shard, so that a shard depends on nothing but its own ids
    (and what ``previous`` has of them), and a resumed run ends with the same bytes.

    What is in ``folder`` is trusted: an id that it has is taken to stand for the same source still, as the recipe of
    a stage sees to. ``previous``, an earlier store in another folder, is not: a row is taken over from it only where
    encoder, dtype and the mark of the content (``mark(source)``; for files, ``file_mark``) are the same. Its rejects
    are tried again; its damaged shards, or all of a store that cannot be read, count as not there. A file must not
    change while it is encoded.

    Raises ``StoreError`` when another process is writing, when the store was made by another encoder, when its index
    is damaged, when making a damaged shard anew would lose ids, and when features are not finite or not ``(n, dim)``.
    What was committed before is kept.
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
        facts = {"format": FORMAT, "dim": dim, "dtype": dtype, "fingerprint": fingerprint}
        index = _matching_index(folder, facts)
        source = dict(zip(reversed(ids), reversed(sources), strict=True))  # the first of an id that comes twice
        plan = _plan(FeatureStore(folder, index), list(dict.fromkeys(ids)), shard_rows)
        earlier = EarlierRows(_opened(previous, facts), source)
        shards = [list(dict.fromkeys(source[key] for key in keys)) for _, keys in plan]
        with progress_bar(total=sum(map(len, shards)), unit=f" {unit}", disable=not progress) as bar:
            known = [earlier.compare(keys, source, mark, bar) for _, keys in plan]
            todo = [
                [text for text in shard if text not in same] for shard, (_, same) in zip(shards, known, strict=True)
            ]
            encoded = _encoded(todo, encode, batch_size, facts, bar)
            for (number, keys), (marks, same), (rows, reasons) in zip(plan, known, encoded, strict=True):
                rows |= {text: earlier.row(*place) for text, place in same.items()}
                marks |= {text: mark(text) for text in rows if text not in marks}
                kept = [key for key in keys if source[key] not in reasons]
                rejects = [(key, reasons[source[key]]) for key in keys if source[key] in reasons]
                features = np.stack([rows[source[key]] for key in kept]) if kept else np.empty((0, dim), dtype)
                _commit(folder, index, number, features, kept, [marks[source[key]] for key in kept], rejects)
    finally:
        lock.release()
    return FeatureStore.open(folder)


def _opened(previous: FeatureStore | Path | None, facts: dict[str, Any]) -> FeatureStore | None:
    """The earlier store, if it is of the same encoder, dtype and format."""
    try:
        store = FeatureStore.open(previous) if isinstance(previous, Path) else previous
    except StoreError:  # none there, or a broken one
        return None
    if store is not None and any(store._index[key] != value for key, value in facts.items()):
        return None
    return store


def _plan(store: FeatureStore, ids: list[str], shard_rows: int) -> list[tuple[int, list[str]]]:
    """Shard numbers with the ids to encode for them: damaged shards first, each with the ids that it had.

    Where a shard's list of ids is damaged too, it gets as many as it had of those that no other shard has.
    """
    shards, place = store._index["shards"], {key: number for number, key in enumerate(ids)}
    contents = {number: store.content(number) for number in range(len(shards)) if store._ids_intact(number)}
    listed = {n: [*shard["ids"], *(key for key, _ in shard["rejects"])] for n, shard in contents.items()}
    done = {key for keys in listed.values() for key in keys}
    missing = [key for key in ids if key not in done]
    plan = []
    for number in store.damaged():
        size = shards[number]["rows"] + shards[number]["rejects"]
        if number in listed:
            keys = sorted((key for key in listed[number] if key in place), key=place.__getitem__)
        else:
            keys, missing = missing[:size], missing[size:]
        if len(keys) < size:
            lost = [key for key in listed.get(number, []) if key not in place][:3]
            raise StoreError(
                f"{store.folder.name}/{number:05d} is damaged, and making it anew would lose {size - len(keys)} ids "
                f"whose sources are not given{f', such as {lost}' if lost else ''}: give them too, or {ANEW}"
            )
        plan.append((number, keys))
    starts = range(0, len(missing), shard_rows)
    return plan + [(len(shards) + step, missing[start : start + shard_rows]) for step, start in enumerate(starts)]


def _encoded(
    todo: list[list[str]], encode: Encode, batch_size: int, facts: dict[str, Any], bar: Bar
) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, str]]]:
    """Per shard the features, and the reasons of rejection, by source, from one stream that never pauses."""
    sources = [source for shard in todo for source in shard]
    ends = np.cumsum([len(shard) for shard in todo], dtype=np.int64)
    batches = [
        list(range(at, min(at + batch_size, end)))
        for shard, end in zip(todo, ends.tolist(), strict=True)
        for at in range(end - len(shard), end, batch_size)
    ]
    stream, asked = encode(sources, batches), iter(batches)
    for shard in todo:
        rows: dict[str, NDArray[Any]] = {}
        reasons: dict[str, str] = {}
        for _ in range(0, len(shard), batch_size):
            part, batch = next(stream), next(asked)
            features = _checked(part, batch, facts)
            rows |= {sources[position]: row for position, row in zip(part.indices, features, strict=True)}
            reasons |= {sources[position]: reason for position, reason in part.rejects}
            bar.update(len(batch))
        yield rows, reasons


def _checked(part: Encoded, batch: list[int], facts: dict[str, Any]) -> NDArray[Any]:
    """The rows of ``part`` in the store's dtype; with its rejects, they are exactly what ``batch`` asked for."""
    encoder, expected = f"the encoder {_short(facts['fingerprint'])} gave", (len(part.indices), facts["dim"])
    if sorted([*part.indices, *(position for position, _ in part.rejects)]) != batch:
        raise StoreError(f"{encoder} features of other sources than it was asked for")
    if part.rows.shape != expected:
        raise StoreError(f"{encoder} features of shape {part.rows.shape}, not {expected}")
    with np.errstate(over="ignore"):  # what is too large for the dtype becomes infinite, and is refused below
        features = part.rows.astype(facts["dtype"])
    if not np.isfinite(features).all():
        raise StoreError(f"{encoder} features that are not finite in {facts['dtype']}: its weights are broken")
    return features


def _commit(
    folder: Path,
    index: dict[str, Any],
    number: int,
    rows: NDArray[Any],
    ids: list[str],
    marks: list[str | None],
    rejects: list[tuple[str, str]],
) -> None:
    """The shard's files first, each under its name only when it is whole on disk; then the index that names them."""
    buffer = io.BytesIO()
    np.save(buffer, rows)
    facts = {
        "rows": len(ids),
        "rejects": len(rejects),
        "features": _write(folder / f"{number:05d}.npy", buffer.getvalue()),
        "ids": _write(folder / f"{number:05d}.json", _json({"ids": ids, "marks": marks, "rejects": rejects})),
    }
    index["shards"][number : number + 1] = [facts]
    _write(folder / INDEX, _json(index))


def _matching_index(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    index = _read_index(folder) or {**facts, "shards": []}
    for key, value in facts.items():
        if index[key] != value:
            raise StoreError(
                f"the store '{folder.name}' has {key} {_short(index[key])}, not {_short(value)}: features of two "
                f"encoders, or of two formats, never mix; write to another folder, or {ANEW}"
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
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        index = None
    if not _has(index, INDEX_KEYS) or not all(_has(shard, SHARD_KEYS) for shard in index["shards"]):
        raise StoreError(f"{folder.name}/{INDEX} is damaged, and without it nothing here can be trusted: {ANEW}")
    if index["format"] not in READABLE:
        raise StoreError(f"the store '{folder.name}' has format {index['format']}, not {FORMAT}: {ANEW}")
    return index


def _has(value: Any, keys: dict[str, type]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), kind) for key, kind in keys.items())


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
        f"write_features with the same ids makes it anew; else {ANEW}"
    )
