"""The published files of GEST as tidy frames: reviews, photos, and every row that was not accepted, with the reason.

``streams.py`` cuts the files into rows, ``rows.py`` has the rules by which a row is accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from showcase_utils.data.frames import (
    PHOTO_SCHEMA,
    REJECT_SCHEMA,
    REVIEW_SCHEMA,
    to_frame,
    to_table,
    without_cycle_collector,
)
from showcase_utils.data.rows import Accepted, Rejected, first_url, judge, judge_plain
from showcase_utils.data.streams import Block, blocks
from showcase_utils.photos.fetching import ADDRESS_SCHEMA
from showcase_utils.photos.store import printable

RAW_CHARACTERS, RAW_TAIL = 500, 150  # how much of a rejected row is kept, and how much of that from its end
AT_ONCE = 64  # rows that are judged together; a row that is not plain has the others of its group judged singly


@dataclass
class Batch:
    """Some rows of a file: the accepted ones as columns of equal length, and the rejected ones.

    ``pics`` are the photos as the file gives them; they, ``splits`` and ``histories`` (lists of
    ``[review_id, text]``) are kept only if they were asked for.
    """

    review_ids: list[str] = field(default_factory=list)
    user_ids: list[str] = field(default_factory=list)
    business_ids: list[str] = field(default_factory=list)
    ratings: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    image_ids: list[list[str]] = field(default_factory=list)
    pics: list[list[Any]] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    histories: list[list[list[str]]] = field(default_factory=list)
    rejects: list[tuple[str, int, str, str]] = field(default_factory=list)

    def add(self, review_ids: list[str], rows: Accepted, split: str, everything: bool) -> None:
        """Append accepted rows and the ids that they got."""
        self.review_ids += review_ids
        self.user_ids += rows.users
        self.business_ids += rows.businesses
        self.ratings += rows.ratings
        self.texts += rows.texts
        self.image_ids += rows.image_ids
        if everything:
            self.pics += rows.pics
            if split:
                self.splits += [split] * len(review_ids)
                self.histories += rows.histories

    def review_table(self) -> pa.Table:
        """``REVIEW_SCHEMA``, without ``image_ids``, which are better kept as the lists that they are."""
        schema = REVIEW_SCHEMA.remove(REVIEW_SCHEMA.get_field_index("image_ids"))
        columns = [self.review_ids, self.user_ids, self.business_ids, self.ratings, self.texts]
        return pa.table([pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)], schema)

    def photos(self) -> list[tuple[str, str, str, str]]:
        """Rows of ``PHOTO_SCHEMA``: one per photo of a review, with the first address that the file gives."""
        rows = []
        for review_id, business_id, ids, pics in zip(
            self.review_ids, self.business_ids, self.image_ids, self.pics, strict=True
        ):
            urls: dict[str, str] = {}
            for pic in pics:
                if type(pic) is dict and not urls.get(pic["id"]):
                    urls[pic["id"]] = first_url(pic.get("url"))
            rows += [(image_id, review_id, business_id, urls.get(image_id, "")) for image_id in ids]
        return rows

    def reject_table(self) -> pa.Table:
        """``REJECT_SCHEMA``; ``line`` counts from 1, within its split for the file of splits."""
        return to_table(self.rejects, REJECT_SCHEMA)


@dataclass(frozen=True)
class GestFile:
    """A whole published file; unpacks into ``reviews, rejects``.

    ``photos``: ``image_id, review_id, business_id, url``, one row per photo, with the first review that shows it.
    ``published``: ``review_id, split, history``; no rows for a file without splits.
    """

    reviews: pd.DataFrame
    rejects: pd.DataFrame
    photos: pd.DataFrame
    published: pd.DataFrame

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return iter((self.reviews, self.rejects))


def read_reviews(path: Path | str, progress: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reviews and rejects of ``image_review_all.json`` or ``filter_all_t.json``, plain or gzipped.

    Reviews: ``review_id, user_id, business_id, rating, text, image_ids`` in the order of the file; ``review_id``
    is unique. Rejects: ``source, line, reason, raw``. Accepted + rejected = rows of the file.
    Raises ``FileNotFoundError``, and ``ValueError`` for a file that is neither of the two or is damaged.
    """
    tables, rejects, image_ids = [Batch().review_table()], [Batch().reject_table()], []
    with without_cycle_collector():
        for batch in batches(path, everything=False, progress=progress):
            tables.append(batch.review_table())
            rejects.append(batch.reject_table())
            image_ids += batch.image_ids
    return _review_frame(tables, image_ids), to_frame(pa.concat_tables(rejects))


def read_gest(path: Path | str, progress: bool = True) -> GestFile:
    """Like ``read_reviews``, with the photos' addresses and the published splits and histories."""
    tables, rejects, photos = [Batch().review_table()], [Batch().reject_table()], [to_table([], PHOTO_SCHEMA)]
    image_ids, splits, histories = [], [], []
    with without_cycle_collector():
        for batch in batches(path, progress=progress):
            tables.append(batch.review_table())
            rejects.append(batch.reject_table())
            photos.append(to_table(batch.photos(), PHOTO_SCHEMA))
            image_ids += batch.image_ids
            splits += batch.splits
            histories += batch.histories
    reviews = _review_frame(tables, image_ids)
    return GestFile(
        reviews,
        to_frame(pa.concat_tables(rejects)),
        to_frame(pa.concat_tables(photos)).drop_duplicates("image_id", ignore_index=True),
        pd.DataFrame({"review_id": reviews["review_id"][: len(splits)], "split": splits, "history": histories}),
    )


def batches(path: Path | str, everything: bool = True, progress: bool = True) -> Iterator[Batch]:
    """The file a few thousand rows at a time; between batches only ids are remembered, to know repeats.

    ``everything``: with the photos as given, the splits and the histories, not only what a review consists of.
    """
    path = Path(path).expanduser()
    seen = _Seen()
    for block in blocks(path, progress):
        yield _batch(block, path.name, everything, seen)


def photos_named(reviews: Path | str, progress: bool = True) -> pa.Table:
    """``image_id, url``: every photo that a published file names, once; the address is empty if the file has none."""
    seen: set[str] = set()
    tables = [ADDRESS_SCHEMA.empty_table()]
    for batch in batches(reviews, progress=progress):
        new: dict[str, str] = {}
        for image_id, _, _, url in batch.photos():
            if image_id not in seen:
                new.setdefault(image_id, url)
        seen.update(new)
        columns = [[printable(text) for text in column] for column in (new.keys(), new.values())]
        tables.append(pa.table(columns, schema=ADDRESS_SCHEMA))
    return pa.concat_tables(tables)


@dataclass
class _Seen:
    """What was accepted, in numbers only: the marks of review ids by their hashes, and of pairs that came again.

    A mark is 64 bits of what a review says, compared only among reviews of one pair, so that this is plenty. Two ids
    of one hash, should that ever happen, cost the later one its plain id and nothing else.
    """

    marks: dict[int, int] = field(default_factory=dict)
    repeated: dict[str, tuple[set[int], Iterator[int]]] = field(default_factory=dict)

    def name_all(self, rows: Accepted) -> list[str] | None:
        """The ids of some accepted rows; ``None`` if one of their pairs has come before: then ask for each."""
        review_ids = [f"{user}_{business}" for user, business in zip(rows.users, rows.businesses, strict=True)]
        keys = list(map(hash, review_ids))
        if len(set(keys)) < len(keys) or not self.marks.keys().isdisjoint(keys):
            return None
        self.marks.update(zip(keys, _marks(rows), strict=True))
        return review_ids

    def name(self, row: Accepted) -> str:
        """The id of a single accepted row; ``""`` if it says the same as an earlier one."""
        review_id, (mark,) = f"{row.users[0]}_{row.businesses[0]}", _marks(row)
        if (key := hash(review_id)) not in self.marks:
            self.marks[key] = mark
            return review_id
        known, visits = self.repeated.setdefault(review_id, ({self.marks[key]}, count(2)))
        if mark in known:
            return ""
        known.add(mark)
        numbered = next(name for visit in visits if hash(name := f"{review_id}_{visit}") not in self.marks)
        self.marks[hash(numbered)] = mark
        return numbered


def _marks(rows: Accepted) -> Iterable[int]:
    """With the lengths of both ids: ``a`` at ``b_2`` does not repeat the second visit of ``a`` at ``b``."""
    lengths = map(len, rows.users), map(len, rows.businesses)
    return map(hash, zip(*lengths, rows.ratings, rows.texts, map(tuple, rows.image_ids), strict=True))


def _batch(block: Block, name: str, everything: bool, seen: _Seen) -> Batch:
    batch = Batch()
    for begin in range(0, len(block.rows), AT_ONCE):
        some = block.rows[begin : begin + AT_ONCE]
        rows = judge_plain(some)
        review_ids = None if rows is None else seen.name_all(rows)
        if review_ids is not None:
            batch.add(review_ids, rows, block.split, everything)
            continue
        for number, raw in enumerate(some, start=block.first + begin):
            try:
                row = judge(raw)
                if not (review_id := seen.name(row)):
                    raise Rejected("duplicate row")
                batch.add([review_id], row, block.split, everything)
            except Rejected as rejected:
                if raw.strip() or block.split:  # a blank line is not a row, nothing between two commas is one
                    reason = str(rejected)
                    if block.torn and reason.startswith("not valid"):
                        reason = "cut off at the end of the file"
                    source = f"{name}:{block.split}" if block.split else name
                    batch.rejects.append((source, number, reason, _excerpt(raw)))
    return batch


def _excerpt(raw: bytes) -> str:
    """A rejected row, or its beginning and its end: what is wrong with a row may be in its last bytes."""
    raw = raw.strip()
    if len(raw) > RAW_CHARACTERS:
        raw = raw[: RAW_CHARACTERS - RAW_TAIL] + " … ".encode() + raw[-RAW_TAIL:]
    return raw.decode("utf-8", "backslashreplace")


def _review_frame(tables: list[pa.Table], image_ids: list[list[str]]) -> pd.DataFrame:
    frame = to_frame(pa.concat_tables(tables))
    frame["image_ids"] = pd.Series(image_ids, dtype="object", index=frame.index)
    return frame
