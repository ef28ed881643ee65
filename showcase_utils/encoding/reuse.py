"""Reuses rows of an earlier feature store: those of the same photo or text, to the last byte, whatever its id.

Whether it is the same, its mark tells: a digest of what was encoded, which the store keeps beside each row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from showcase_utils.encoding.features import FeatureStore, StoreError

Mark = Callable[[str], str | None]
Position = tuple[int, int]  # shard, row in it


def text_mark(text: str) -> str:
    """The mark of a text: 16 hex digits, equal where the text is."""
    return _mark(text.encode("utf-8", "surrogatepass"))


def file_mark(path: str) -> str | None:
    """The mark of what a file holds: 16 hex digits, equal where the bytes are; none for a file that cannot be read."""
    try:
        return _mark(Path(path).read_bytes())
    except OSError:
        return None


class EarlierRows:
    """The rows of an earlier store by their marks, from shards that are whole.

    There are none without a store in ``folder`` that can be read and has the given ``facts`` (format, dim, dtype,
    fingerprint).
    """

    def __init__(self, folder: Path | None, facts: dict[str, Any]) -> None:
        self.store = _matching_store(folder, facts)
        self._positions: dict[str, Position] = {}
        if self.store is None:
            return
        for number in self.store.whole():
            marks = self.store.content(number)["marks"]
            self._positions |= {mark: (number, row) for row, mark in enumerate(marks) if mark is not None}

    def find(self, sources: Iterable[str], mark: Mark) -> tuple[dict[str, Position], dict[str, str | None]]:
        """By source: the positions of the rows that there are, and the marks that had to be made to know it."""
        marks = {source: mark(source) for source in sources} if self._positions else {}
        return {source: self._positions[key] for source, key in marks.items() if key in self._positions}, marks

    def __getitem__(self, position: Position) -> NDArray[Any]:
        """A row as it is stored."""
        if self.store is None:
            raise KeyError(position)
        number, row = position
        return self.store.shard(number)[row]


def _matching_store(folder: Path | None, facts: dict[str, Any]) -> FeatureStore | None:
    try:
        store = None if folder is None else FeatureStore.open(folder)
    except StoreError:
        return None
    if store is None or any(store.index[key] != value for key, value in facts.items()):
        return None
    return store


def _mark(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
