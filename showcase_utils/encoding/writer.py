"""Writes feature stores: shard by shard, each committed whole, so that an interrupted run goes on where it was."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import filelock
import numpy as np
from numpy.typing import NDArray

from showcase_utils.encoding.features import ANEW, FORMAT, INDEX, FeatureStore, StoreError, read_index, short
from showcase_utils.encoding.reuse import EarlierRows, Mark, Position, text_mark
from showcase_utils.progress import Bar, progress_bar


class Encoded(Protocol):
    """Rows for the sources at ``indices``, and rejects as (source, reason)."""

    @property
    def rows(self) -> NDArray[np.float32]: ...

    @property
    def indices(self) -> list[int]: ...

    @property
    def rejects(self) -> list[tuple[int, str]]: ...


Encode = Callable[[Sequence[str], Sequence[list[int]]], Iterator[Encoded]]


@dataclass(frozen=True)
class FeatureWriter:
    """Writes stores with the features of one encoder, whose ``dim`` and ``fingerprint`` they record."""

    dim: int
    fingerprint: str
    dtype: Literal["float16", "float32"] = "float16"
    shard_rows: int = 4096
    batch_size: int = 128
    progress: bool = True

    @property
    def facts(self) -> dict[str, Any]:
        """What a store says of all its rows."""
        return {"format": FORMAT, "dim": self.dim, "dtype": self.dtype, "fingerprint": self.fingerprint}

    def write(
        self,
        folder: str | Path,
        ids: Sequence[str],
        sources: Sequence[str],
        encode: Encode,
        *,
        mark: Mark = text_mark,
        previous: Path | None = None,
        unit: str = "rows",
    ) -> FeatureStore:
        """Adds to the store in ``folder`` what it lacks of ``ids``, encoded from ``sources`` (same length), in order.

        An id that comes twice is encoded once, from its first source, and so are equal sources within a shard; ids
        that were rejected before are not tried again. Damaged shards are made anew. ``encode(sources, batches)`` gives
        features batch by batch; batches start anew at every shard, so that a shard depends on nothing but its own ids
        (and what ``previous`` has of them), and a resumed run ends with the same bytes.

        What is in ``folder`` is trusted: an id that it has is taken to stand for the same source still, as the recipe
        of a stage sees to. ``previous``, the folder of an earlier store, is not: a row of it is reused only where
        encoder, dtype and the mark of the content (``mark(source)``; for files, ``file_mark``) are the same. Its
        rejects are tried again; its damaged shards, or all of a store that cannot be read, count as not there. A file
        must not change while it is encoded.

        Raises ``StoreError`` when another process is writing, when the store was made by another encoder, when its
        index is damaged, when making a damaged shard anew would lose ids, and when features are not finite or not
        ``(n, dim)``. What was committed before is kept.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if len(ids) != len(sources):
            raise ValueError(f"{len(ids)} ids for {len(sources)} sources")
        with _alone(folder):
            store = FeatureStore(folder, _matching_index(folder, self.facts))
            source = dict(zip(reversed(ids), reversed(sources), strict=True))  # the first of an id that comes twice
            plan = _plan(store, list(dict.fromkeys(ids)), self.shard_rows)
            earlier = EarlierRows(previous, self.facts)
            total = sum(len({source[key] for key in keys}) for _, keys in plan)
            with progress_bar(total=total, unit=f" {unit}", disable=not self.progress) as bar:
                shards = [_Shard.of(number, keys, source, earlier, mark, bar) for number, keys in plan]
                encoded = self._encoded([shard.new for shard in shards], encode, bar)
                for shard, (rows, reasons) in zip(shards, encoded, strict=True):
                    rows |= {content: earlier[position] for content, position in shard.reused.items()}
                    marks = shard.marks | {content: mark(content) for content in rows if content not in shard.marks}
                    kept = [key for key in shard.ids if source[key] not in reasons]
                    features = np.stack([rows[source[key]] for key in kept]) if kept else self._no_rows()
                    content = {
                        "ids": kept,
                        "marks": [marks[source[key]] for key in kept],
                        "rejects": [(key, reasons[source[key]]) for key in shard.ids if source[key] in reasons],
                    }
                    _commit(folder, store.index, shard.number, features, content)
        return FeatureStore.open(folder)

    def _encoded(
        self, shards: list[list[str]], encode: Encode, bar: Bar
    ) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, str]]]:
        """Per shard the features, and the reasons of rejection, by source, from one stream that never pauses."""
        sources = [source for shard in shards for source in shard]
        ends = np.cumsum([len(shard) for shard in shards], dtype=np.int64)
        batches = [
            list(range(at, min(at + self.batch_size, end)))
            for shard, end in zip(shards, ends.tolist(), strict=True)
            for at in range(end - len(shard), end, self.batch_size)
        ]
        stream, asked = encode(sources, batches), iter(batches)
        for shard in shards:
            rows: dict[str, NDArray[Any]] = {}
            reasons: dict[str, str] = {}
            for _ in range(0, len(shard), self.batch_size):
                part, batch = next(stream), next(asked)
                features = self._checked(part, batch)
                rows |= {sources[index]: row for index, row in zip(part.indices, features, strict=True)}
                reasons |= {sources[index]: reason for index, reason in part.rejects}
                bar.update(len(batch))
            yield rows, reasons

    def _checked(self, part: Encoded, batch: list[int]) -> NDArray[Any]:
        """The rows of ``part`` in the store's dtype; with its rejects, they are exactly what ``batch`` asked for."""
        encoder, expected = f"the encoder {short(self.fingerprint)} gave", (len(part.indices), self.dim)
        if sorted([*part.indices, *(index for index, _ in part.rejects)]) != batch:
            raise StoreError(f"{encoder} features of other sources than it was asked for")
        if part.rows.shape != expected:
            raise StoreError(f"{encoder} features of shape {part.rows.shape}, not {expected}")
        with np.errstate(over="ignore"):  # what is too large for the dtype becomes infinite, and is refused below
            features = part.rows.astype(self.dtype)
        if not np.isfinite(features).all():
            raise StoreError(f"{encoder} features that are not finite in {self.dtype}: its weights are broken")
        return features

    def _no_rows(self) -> NDArray[Any]:
        return np.empty((0, self.dim), self.dtype)


@dataclass(frozen=True)
class _Shard:
    """A shard to write: which of its sources are reused from an earlier store, and which are new."""

    number: int
    ids: list[str]
    reused: dict[str, Position]  # by source
    marks: dict[str, str | None]  # by source, where they are known already
    new: list[str]

    @classmethod
    def of(
        cls, number: int, ids: list[str], source: dict[str, str], earlier: EarlierRows, mark: Mark, bar: Bar
    ) -> _Shard:
        sources = dict.fromkeys(source[key] for key in ids)
        reused, marks = earlier.find(sources, mark)
        bar.update(len(reused))
        return cls(number, ids, reused, marks, [content for content in sources if content not in reused])


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = filelock.FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise StoreError(f"another process is writing to the store '{folder.name}': wait until it has ended") from None
    try:
        yield
    finally:
        lock.release()


def _matching_index(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """The index of the store in ``folder``, a new one where there is none."""
    index = read_index(folder) or {**facts, "shards": []}
    for key, value in facts.items():
        if index[key] != value:
            raise StoreError(
                f"the store '{folder.name}' has {key} {short(index[key])}, not {short(value)}: features of two "
                f"encoders, or of two formats, never mix; write to another folder, or {ANEW}"
            )
    for half in folder.glob("*.half"):
        half.unlink()
    if not index["shards"]:
        _write(folder / INDEX, _json(index))
    return index


def _plan(store: FeatureStore, ids: list[str], shard_rows: int) -> list[tuple[int, list[str]]]:
    """Shard numbers with the ids to encode for them: damaged shards first, each with the ids that it had.

    Where a shard's list of ids is damaged too, it gets as many as it had of those that no other shard has.
    """
    order = {key: number for number, key in enumerate(ids)}
    contents = {number: store.content(number) for number in range(len(store.shards)) if store.ids_intact(number)}
    listed = {n: [*shard["ids"], *(key for key, _ in shard["rejects"])] for n, shard in contents.items()}
    done = {key for keys in listed.values() for key in keys}
    missing = [key for key in ids if key not in done]
    plan = []
    for number in store.damaged():
        size = store.shards[number]["rows"] + store.shards[number]["rejects"]
        if number in listed:
            keys = sorted((key for key in listed[number] if key in order), key=order.__getitem__)
        else:
            keys, missing = missing[:size], missing[size:]
        if len(keys) < size:
            lost = [key for key in listed.get(number, []) if key not in order][:3]
            raise StoreError(
                f"{store.folder.name}/{number:05d} is damaged, and making it anew would lose {size - len(keys)} ids "
                f"whose sources are not given{f', such as {lost}' if lost else ''}: give them too, or {ANEW}"
            )
        plan.append((number, keys))
    starts = range(0, len(missing), shard_rows)
    return plan + [(len(store.shards) + step, missing[start : start + shard_rows]) for step, start in enumerate(starts)]


def _commit(folder: Path, index: dict[str, Any], number: int, rows: NDArray[Any], content: dict[str, Any]) -> None:
    """The shard's files first, each under its name only when it is whole on disk; then the index that names them."""
    buffer = io.BytesIO()
    np.save(buffer, rows)
    facts = {
        "rows": len(content["ids"]),
        "rejects": len(content["rejects"]),
        "features": _write(folder / f"{number:05d}.npy", buffer.getvalue()),
        "ids": _write(folder / f"{number:05d}.json", _json(content)),
    }
    index["shards"][number : number + 1] = [facts]
    _write(folder / INDEX, _json(index))


def _write(path: Path, content: bytes) -> str:
    """Writes a file that appears under its name when it is whole on disk; returns its checksum."""
    half = path.with_name(path.name + ".half")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)
    return hashlib.sha256(content).hexdigest()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
