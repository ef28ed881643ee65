"""What an earlier feature store may give to a new one: rows whose content is still the same, as its mark says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from showcase_utils.progress import Bar

if TYPE_CHECKING:
    from showcase_utils.encoding.features import FeatureStore

Mark = Callable[[str], str | None]


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
    """Rows of an earlier store that may be taken over: those with a mark, in shards that are whole."""

    def __init__(self, store: FeatureStore | None, wanted: Container[str]) -> None:
        self.store = store
        self.places: dict[str, tuple[int, int, str]] = {}  # by id: shard, row in it, mark
        for number in store.whole() if store is not None else []:
            shard = store.content(number)
            for row, (key, mark) in enumerate(zip(shard["ids"], shard["marks"], strict=True)):
                if mark is not None and key in wanted:
                    self.places[key] = number, row, mark

    def compare(
        self, ids: list[str], source: dict[str, str], mark: Mark, bar: Bar
    ) -> tuple[dict[str, str | None], dict[str, tuple[int, int]]]:
        """By source: the marks of those that were there, and where the rows are of those that are still the same."""
        marks: dict[str, str | None] = {}
        same: dict[str, tuple[int, int]] = {}
        for key in (key for key in ids if key in self.places):
            (number, row, before), text = self.places[key], source[key]
            if text not in marks:
                marks[text] = mark(text)
            if marks[text] == before and text not in same:
                same[text] = number, row
                bar.update()
        return marks, same

    def row(self, number: int, row: int) -> NDArray[Any]:
        """A row as it is stored, by its shard and its place in it."""
        return self.store.shard(number)[row]


def _mark(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
