"""The published files of GEST: reviews, photos, and every row that was not accepted, with the reason.

``streams.py`` cuts the files into rows, ``rows.py`` has the rules by which a row is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, compress, count
from operator import not_
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from showcase_utils.data.frames import (
    REJECT_SCHEMA,
    REVIEW_SCHEMA,
    to_frame,
    to_list,
    to_lists,
    to_table,
    without_cycle_collector,
)
from showcase_utils.data.rows import ROW_SCHEMA, Rejected, Row, accept, accept_plain
from showcase_utils.data.streams import Block, blocks
from showcase_utils.photos.index import ADDRESS_SCHEMA, printable

MAX_REJECTS, HOPELESS = 500_000, 0.9  # a file of which so many rows, and such a share, are no reviews is another file
RAW_CHARACTERS, RAW_TAIL = 500, 150  # how much of a rejected row is kept, and how much of that from its end
_COLUMNS = REVIEW_SCHEMA.remove(REVIEW_SCHEMA.get_field_index("image_ids"))
FEW = 64  # lines of which one is odd, and so few, are looked at singly; of more, each half again


@dataclass
class Batch:
    """Some rows of a file: the accepted ones as columns of equal length, and the rejected ones.

    ``reviews`` has ``REVIEW_SCHEMA`` without ``image_ids``, which are better kept as the lists that they are.
    ``photo_ids`` and ``urls`` are the photos as the file gives them, an id perhaps twice; there are no ``urls`` if they
    were not asked for. ``rejects`` has ``REJECT_SCHEMA``; ``line`` counts from 1, within its split for the file of
    splits. ``splits`` and ``histories`` (lists of ``[review_id, text]``) are empty unless the file has splits.
    """

    reviews: pa.Table
    image_ids: list[list[str]]
    photo_ids: list[list[str]]
    urls: list[list[str]]
    rejects: pa.Table
    splits: list[str]
    histories: list[list[list[str]]]

    def new_photos(self, listed: set[int]) -> list[tuple[str, str, str, str]]:
        """Rows of ``PHOTO_SCHEMA``, one per photo: the first review that shows it, the first address that is given.

        ``listed`` holds hashes of the ids that were listed before, and gets those of the new ones: half the memory of
        the ids; two ids of one hash are not to be expected.
        """
        rows = []
        review_ids, businesses = to_list(self.reviews["review_id"]), to_list(self.reviews["business_id"])
        for review_id, business_id, ids, urls in zip(review_ids, businesses, self.photo_ids, self.urls, strict=True):
            first: dict[str, str] = {}
            for image_id, url in zip(ids, urls, strict=True):
                first[image_id] = first.get(image_id) or url
            for image_id, url in first.items():
                if hash(image_id) not in listed:
                    listed.add(hash(image_id))
                    rows.append((image_id, review_id, business_id, url))
        return rows


def read_reviews(path: Path | str, progress: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reviews and rejects of ``image_review_all.json`` or ``filter_all_t.json``, plain or gzipped.

    Reviews: ``review_id, user_id, business_id, rating, text, image_ids`` in the order of the file; ``review_id``
    is unique. Rejects: ``source, line, reason, raw``. Accepted + rejected = rows of the file.
    Raises ``FileNotFoundError``, and ``ValueError`` for a file that is neither of the two or is damaged.
    """
    tables, rejects, image_ids = [_COLUMNS.empty_table()], [REJECT_SCHEMA.empty_table()], []
    with without_cycle_collector():
        for batch in batches(path, progress, addresses=False):
            tables.append(batch.reviews)
            rejects.append(batch.rejects)
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


def batches(path: Path | str, progress: bool = True, addresses: bool = True) -> Iterator[Batch]:
    """The file a few thousand rows at a time. Raises what ``read_reviews`` does, also where hardly any row is one."""
    path, names, accepted, rejected = Path(path).expanduser(), _Names(), 0, 0
    for block in blocks(path, progress):
        batch = _batch(block, path.name, names, addresses)
        accepted, rejected = accepted + len(batch.reviews), rejected + len(batch.rejects)
        if rejected > MAX_REJECTS and rejected > HOPELESS * (accepted + rejected):
            source, line, reason, raw = batch.rejects.slice(len(batch.rejects) - 1).to_pylist()[0].values()
            raise ValueError(
                f"{path}: {rejected:,} of the first {accepted + rejected:,} rows cannot be used, so it is not read on; "
                f"{source} line {line}: {reason}: {raw!r}"
            )
        yield batch


class _Names:
    """Ids of reviews: ``user_business``, and ``user_business_2`` … for repeat visits.

    Only hashes are kept, of the ids that are taken and of what the reviews consist of: texts and ids would need a
    gigabyte. Among 1.5 million rows two of one hash are a chance of one in ten million.
    """

    def __init__(self) -> None:
        self._contents: dict[int, int] = {}  # by the hash of an id
        self._repeats: set[int] = set()  # contents of repeat visits
        self._visits: dict[str, Iterator[int]] = {}

    def name(self, rows: pa.Table, image_ids: list[list[str]]) -> list[str | None]:
        """The ids of accepted rows (``ROW_SCHEMA``), whose photos are ``image_ids``; ``None`` for a row met before."""
        users, businesses, ratings, texts = rows.columns[1:5]
        pairs = to_list(pc.binary_join_element_wise(users, businesses, pa.scalar("_", users.type)))
        columns = (pairs, *map(to_list, (users, ratings, texts)), map(tuple, image_ids))
        names: list[str | None] = []
        for pair, content in zip(pairs, map(hash, zip(*columns, strict=True)), strict=True):
            if (number := hash(pair)) in self._contents:
                names.append(self._next_visit(pair, content))
            else:
                self._contents[number] = content
                names.append(pair)
        return names

    def _next_visit(self, pair: str, content: int) -> str | None:
        """The id of a row whose ``user_business`` is taken; ``None`` if the row was met before."""
        if content == self._contents[hash(pair)] or content in self._repeats:
            return None
        self._repeats.add(content)
        name = pair
        while hash(name) in self._contents:
            name = f"{pair}_{next(self._visits.setdefault(pair, count(2)))}"
        self._contents[hash(name)] = content
        return name


def _batch(block: Block, file: str, names: _Names, addresses: bool) -> Batch:
    source = f"{file}:{block.split}" if block.split else file
    if block.split:  # whose photos are plain ids
        tables, odd = list[pa.Table](), list(range(block.first, block.first + len(block.rows)))
    else:
        tables, odd = _plain(block.lines, block.first, addresses)
    single: dict[int, Row] = {}
    rejects: dict[int, str] = {}
    for line in odd:
        raw = block.rows[line - block.first]
        if not raw.strip():
            continue  # a blank line is not a row
        try:
            single[line] = accept(raw)
        except Rejected as rejected:
            torn = block.torn and str(rejected).startswith("not valid")
            rejects[line] = "cut off at the end of the file" if torn else str(rejected)
    rows = pa.concat_tables([ROW_SCHEMA.empty_table(), *tables])
    if single:
        some = to_table([(line, *row[:-1]) for line, row in single.items()], ROW_SCHEMA)
        rows = pa.concat_tables([rows, some]).sort_by("line")
    photo_ids = to_lists(rows["photo_ids"])
    repeated = len(set(chain.from_iterable(photo_ids))) < sum(map(len, photo_ids))
    image_ids = [list(dict.fromkeys(ids)) for ids in photo_ids] if repeated else photo_ids
    review_ids = names.name(rows, image_ids)
    if None in review_ids:
        new = [review_id is not None for review_id in review_ids]
        again = compress(rows["line"].to_pylist(), map(not_, new))
        rejects |= dict.fromkeys(again, "duplicate row")
        rows = rows.filter(pa.array(new))
        review_ids = list(compress(review_ids, new))
        image_ids, photo_ids = list(compress(image_ids, new)), list(compress(photo_ids, new))
    kept = rows["line"].to_pylist() if block.split else []
    complaints = [(source, line, rejects[line], _excerpt(block.rows[line - block.first])) for line in sorted(rejects)]
    return Batch(
        pa.table([pa.array(review_ids, pa.large_string()), *rows.columns[1:5]], _COLUMNS),
        image_ids,
        photo_ids,
        to_lists(rows["urls"]) if addresses else [],
        to_table(complaints, REJECT_SCHEMA),
        [block.split] * len(kept),
        [single[line].history for line in kept],
    )


def _plain(lines: bytes, first: int, addresses: bool) -> tuple[list[pa.Table], list[int]]:
    """What ``accept_plain`` takes of lines, in pieces as large as it can read; and the numbers of all other lines."""
    plain = accept_plain(lines, first, addresses)
    if plain is not None:
        return [plain[0]], plain[1]
    rows = lines.count(b"\n") + 1
    if rows <= FEW:
        return [], list(range(first, first + rows))
    cut = lines.find(b"\n", len(lines) // 2)
    cut = lines.rfind(b"\n") if cut < 0 else cut
    tables, odd = _plain(lines[:cut], first, addresses)
    more, others = _plain(lines[cut + 1 :], first + lines.count(b"\n", 0, cut) + 1, addresses)
    return tables + more, odd + others


def _excerpt(raw: bytes) -> str:
    """A rejected row, or its beginning and its end: what is wrong with a row may be in its last bytes."""
    raw = raw.strip()
    if len(raw) > RAW_CHARACTERS:
        raw = raw[: RAW_CHARACTERS - RAW_TAIL] + " … ".encode() + raw[-RAW_TAIL:]
    return raw.decode("utf-8", "backslashreplace")
