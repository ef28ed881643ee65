"""The published files of GEST as tidy frames: reviews, photos, and every row that was not accepted, with the reason.

``streams.py`` cuts the files into rows, ``rows.py`` has the rules by which a row is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from showcase_utils.config import Data
from showcase_utils.data.frames import (
    PHOTO_SCHEMA,
    REJECT_SCHEMA,
    REVIEW_SCHEMA,
    to_frame,
    to_table,
    without_cycle_collector,
)
from showcase_utils.data.rows import Rejected, first_url, judge
from showcase_utils.data.streams import Block, blocks

RAW_CHARACTERS = 500  # how much of a rejected row is kept


@dataclass
class Batch:
    """Some rows of a file: the accepted ones as columns of equal length, and the rejected ones.

    ``pics`` are the photos as the file gives them; they, ``splits`` and ``histories`` (lists of
    ``[review_id, text]``) are kept only if they were asked for.
    """

    reviews: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    image_ids: list[list[str]] = field(default_factory=list)
    pics: list[list[Any]] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    histories: list[list[list[str]]] = field(default_factory=list)
    rejects: list[tuple[str, int, str, str]] = field(default_factory=list)

    def review_table(self) -> pa.Table:
        """``REVIEW_SCHEMA``, without ``image_ids``, which are better kept as the lists that they are."""
        schema = REVIEW_SCHEMA.remove(REVIEW_SCHEMA.get_field_index("image_ids"))
        return to_table(self.reviews, schema)

    def photos(self) -> list[tuple[str, str, str, str]]:
        """Rows of ``PHOTO_SCHEMA``: one per photo of a review, with the first address that the file gives."""
        rows = []
        for review, ids, pics in zip(self.reviews, self.image_ids, self.pics, strict=True):
            urls: dict[str, str] = {}
            for pic in pics:
                if type(pic) is dict:
                    urls.setdefault(pic["id"], first_url(pic.get("url")))
            rows += [(image_id, review[0], review[2], urls.get(image_id, "")) for image_id in ids]
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
    seen: dict[str, int] = {}
    for block in blocks(path, progress):
        yield _batch(block, path.name, everything, seen)


def locate(data: Data, world: Path | None) -> tuple[Path, Path | None]:
    """Where the reviews and the folder of photos lie: in the demo world's folder, or where ``data`` says.

    The folder is ``None`` if ``data.images`` is not set: photos are then not checked.
    """
    if data.source == "demo":
        if world is None:
            raise ValueError("data.source is 'demo': the folder of the demo world is needed")
        return world / "image_review_all.json", world / "images"
    if data.reviews is None:
        raise ValueError("data.source is 'files': set data.reviews to image_review_all.json or filter_all_t.json")
    return data.reviews, data.images


def _batch(block: Block, name: str, everything: bool, seen: dict[str, int]) -> Batch:
    batch = Batch()
    source = f"{name}:{block.split}" if block.split else name
    add_review, add_image_ids = batch.reviews.append, batch.image_ids.append
    for number, raw in enumerate(block.rows, start=block.first):
        try:
            review_id, user, business, rating, text, ids, history, row = judge(raw)
            # Compared only among reviews with the same id, so that 64 bits are plenty.
            mark = hash((user, rating, text, *ids))
            if review_id in seen:
                review_id = _repeat_visit(review_id, mark, seen)
        except Rejected as rejected:
            if raw.strip() or block.split:  # a blank line is not a row, nothing between two commas is one
                reason = str(rejected)
                if block.torn and reason.startswith("not valid"):
                    reason = "cut off at the end of the file"
                excerpt = raw[:RAW_CHARACTERS].strip().decode("utf-8", "backslashreplace")
                batch.rejects.append((source, number, reason, excerpt))
            continue
        seen[review_id] = mark
        add_review((review_id, user, business, rating, text))
        add_image_ids(ids)
        if everything:
            batch.pics.append(row["pics"])
            if block.split:
                batch.splits.append(block.split)
                batch.histories.append(history)
    return batch


def _repeat_visit(base: str, mark: int, seen: dict[str, int]) -> str:
    """The review id of one more visit; ``Rejected`` if it says the same as an earlier one."""
    review_id, visit = base, 1
    while review_id in seen:
        if seen[review_id] == mark:
            raise Rejected("duplicate row")
        visit += 1
        review_id = f"{base}_{visit}"
    return review_id


def _review_frame(tables: list[pa.Table], image_ids: list[list[str]]) -> pd.DataFrame:
    frame = to_frame(pa.concat_tables(tables))
    frame["image_ids"] = pd.Series(image_ids, dtype="object", index=frame.index)
    return frame
