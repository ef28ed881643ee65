"""The published files of GEST: reviews, photos, and every row that was not accepted, with the reason.

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
    REJECT_SCHEMA,
    REVIEW_SCHEMA,
    to_frame,
    to_table,
    without_cycle_collector,
)
from showcase_utils.data.rows import Accepted, Rejected, accept, accept_plain, first_url
from showcase_utils.data.streams import Block, blocks
from showcase_utils.photos.index import ADDRESS_SCHEMA, printable

MAX_REJECTS, HOPELESS = 500_000, 0.9  # a file of which so many rows, and such a share, are no reviews is another file
RAW_CHARACTERS, RAW_TAIL = 500, 150  # how much of a rejected row is kept, and how much of that from its end
AT_ONCE = 64  # rows that are looked at together; one that is not plain has the others of its group looked at singly


@dataclass
class Batch:
    """Some rows of a file: the accepted ones as columns of equal length, and the rejected ones.

    ``pics`` are the photos as the file gives them, if they were asked for. ``splits`` and ``histories`` (lists of
    ``[review_id, text]``) are empty unless the file has splits.
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

    def add(self, review_ids: list[str], rows: Accepted, split: str, pics: bool) -> None:
        """Append accepted rows and the ids that they got; without ``pics`` what was parsed can go at once."""
        self.review_ids += review_ids
        self.user_ids += rows.users
        self.business_ids += rows.businesses
        self.ratings += rows.ratings
        self.texts += rows.texts
        self.image_ids += rows.image_ids
        if pics:
            self.pics += rows.pics
        if split:
            self.splits += [split] * len(review_ids)
            self.histories += rows.histories

    def review_table(self) -> pa.Table:
        """``REVIEW_SCHEMA``, without ``image_ids``, which are better kept as the lists that they are."""
        schema = REVIEW_SCHEMA.remove(REVIEW_SCHEMA.get_field_index("image_ids"))
        columns = [self.review_ids, self.user_ids, self.business_ids, self.ratings, self.texts]
        return pa.table([pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)], schema)

    def new_photos(self, listed: set[int]) -> list[tuple[str, str, str, str]]:
        """Rows of ``PHOTO_SCHEMA``, one per photo: the first review that shows it, the first address that is given.

        ``listed`` holds hashes of the ids that were listed before, and gets those of the new ones: half the memory of
        the ids; two ids of one hash are not to be expected.
        """
        rows = []
        for review_id, business_id, pics in zip(self.review_ids, self.business_ids, self.pics, strict=True):
            urls: dict[str, str] = {}
            for pic in pics:
                image_id, url = (pic["id"], pic.get("url")) if type(pic) is dict else (pic, None)
                urls[image_id] = urls.get(image_id) or first_url(url)
            for image_id, url in urls.items():
                if hash(image_id) not in listed:
                    listed.add(hash(image_id))
                    rows.append((image_id, review_id, business_id, url))
        return rows

    def reject_table(self) -> pa.Table:
        """``REJECT_SCHEMA``; ``line`` counts from 1, within its split for the file of splits."""
        return to_table(self.rejects, REJECT_SCHEMA)


def read_reviews(path: Path | str, progress: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reviews and rejects of ``image_review_all.json`` or ``filter_all_t.json``, plain or gzipped.

    Reviews: ``review_id, user_id, business_id, rating, text, image_ids`` in the order of the file; ``review_id``
    is unique. Rejects: ``source, line, reason, raw``. Accepted + rejected = rows of the file.
    Raises ``FileNotFoundError``, and ``ValueError`` for a file that is neither of the two or is damaged.
    """
    tables, rejects, image_ids = [Batch().review_table()], [Batch().reject_table()], []
    with without_cycle_collector():
        for batch in batches(path, progress, pics=False):
            tables.append(batch.review_table())
            rejects.append(batch.reject_table())
            image_ids += batch.image_ids
    reviews = to_frame(pa.concat_tables(tables))
    reviews["image_ids"] = pd.Series(image_ids, dtype="object", index=reviews.index)
    return reviews, to_frame(pa.concat_tables(rejects))


def photos_named(path: Path | str, progress: bool = True) -> pa.Table:
    """``image_id, url``: every photo that a published file names, once; the address is empty if the file has none."""
    listed: set[int] = set()
    tables = [ADDRESS_SCHEMA.empty_table()]
    for batch in batches(path, progress):
        rows = [(printable(image_id), printable(url)) for image_id, _, _, url in batch.new_photos(listed)]
        tables.append(to_table(rows, ADDRESS_SCHEMA))
    return pa.concat_tables(tables)


def batches(path: Path | str, progress: bool = True, pics: bool = True) -> Iterator[Batch]:
    """The file a few thousand rows at a time. Raises what ``read_reviews`` does, also where hardly any row is one.

    Without ``pics`` there are no addresses, and reading takes a seventh less time.
    """
    path, names, accepted, rejected = Path(path).expanduser(), _Names(), 0, 0
    for block in blocks(path, progress):
        batch = _batch(block, path.name, names, pics)
        accepted, rejected = accepted + len(batch.review_ids), rejected + len(batch.rejects)
        if rejected > MAX_REJECTS and rejected > HOPELESS * (accepted + rejected):
            source, line, reason, raw = batch.rejects[-1]
            raise ValueError(
                f"{path}: {rejected:,} of the first {accepted + rejected:,} rows cannot be used, so it is not read on; "
                f"{source} line {line}: {reason}: {raw!r}"
            )
        yield batch


class _Names:
    """Ids of reviews: ``user_business``, and ``user_business_2`` … for repeat visits.

    Only hashes are kept, of the ids that are taken and of what was accepted: texts and ids would need a gigabyte. Among
    1.5 million rows two of one hash are a chance of one in ten million.
    """

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._accepted: set[int] = set()
        self._visits: dict[str, Iterator[int]] = {}

    def name(self, row: Accepted) -> str:
        """The id of a single row. Raises ``Rejected`` if it repeats an earlier one."""
        pair, (content,) = f"{row.users[0]}_{row.businesses[0]}", _contents(row)
        if content in self._accepted:
            raise Rejected("duplicate row")
        self._accepted.add(content)
        name = pair
        while hash(name) in self._taken:
            name = f"{pair}_{next(self._visits.setdefault(pair, count(2)))}"
        self._taken.add(hash(name))
        return name

    def name_new(self, rows: Accepted) -> list[str] | None:
        """The ids of rows whose pairs of user and business are all new; ``None`` if they are not."""
        names = [f"{user}_{business}" for user, business in zip(rows.users, rows.businesses, strict=True)]
        hashes = set(map(hash, names))
        if len(hashes) < len(names) or not self._taken.isdisjoint(hashes):
            return None
        self._taken |= hashes
        self._accepted.update(_contents(rows))
        return names


def _contents(rows: Accepted) -> Iterable[int]:
    """A hash of everything that a review consists of, for each row."""
    photos = map(tuple, rows.image_ids)
    return map(hash, zip(rows.users, rows.businesses, rows.ratings, rows.texts, photos, strict=True))


def _batch(block: Block, file: str, names: _Names, pics: bool) -> Batch:
    batch, source = Batch(), f"{file}:{block.split}" if block.split else file
    for begin in range(0, len(block.rows), AT_ONCE):
        some = block.rows[begin : begin + AT_ONCE]
        plain = accept_plain(some)
        if plain is not None and (review_ids := names.name_new(plain)) is not None:
            batch.add(review_ids, plain, block.split, pics)
            continue
        for line, raw in enumerate(some, start=block.first + begin):
            if not raw.strip():
                continue  # a blank line is not a row
            try:
                row = accept(raw)
                batch.add([names.name(row)], row, block.split, pics)
            except Rejected as rejected:
                torn = block.torn and str(rejected).startswith("not valid")
                reason = "cut off at the end of the file" if torn else str(rejected)
                batch.rejects.append((source, line, reason, _excerpt(raw)))
    return batch


def _excerpt(raw: bytes) -> str:
    """A rejected row, or its beginning and its end: what is wrong with a row may be in its last bytes."""
    raw = raw.strip()
    if len(raw) > RAW_CHARACTERS:
        raw = raw[: RAW_CHARACTERS - RAW_TAIL] + " … ".encode() + raw[-RAW_TAIL:]
    return raw.decode("utf-8", "backslashreplace")
