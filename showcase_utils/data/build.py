"""The data stage: everything that notebook 01 leaves for the others, written in memory that stays small."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from showcase_utils.config import Data
from showcase_utils.data.filtering import (
    gest_s1,
    history,
    history_entries,
    leaks,
    published_entries,
    split_users,
    waterfall,
)
from showcase_utils.data.frames import (
    PHOTO_SCHEMA,
    REJECT_SCHEMA,
    REVIEW_SCHEMA,
    load_reviews,
    save_reviews,
    to_table,
    without_cycle_collector,
)
from showcase_utils.data.gest import batches
from showcase_utils.data.images import PhotoFolder, statuses, usable_ids

IMAGE_SCHEMA = PHOTO_SCHEMA.append(pa.field("path", pa.large_string())).append(pa.field("status", pa.large_string()))


def build_data(
    out: Path, reviews_path: Path, images_folder: Path | None, settings: Data, progress: bool = True
) -> None:
    """Read a published file, look at its photos, and filter and split it (paper, section 3).

    Writes ``reviews.parquet`` (all accepted rows), ``images.parquet``, ``rejects.parquet``, ``s1.parquet`` (with
    ``split``), ``waterfall.csv`` and ``leaks.csv``; from the file of splits also ``history.parquet``, the histories
    as published. That file is filtered already: its rows and its splits are kept, only photos that are gone go.
    Raises ``RuntimeError`` if a history gives its own target away, ``ValueError`` if no review is left, and what
    reading raises.
    """
    splits = _read(out, reviews_path, images_folder, progress)
    available = usable_ids(pq.read_table(out / "images.parquet", columns=["image_id", "status"]).to_pandas())
    minimum = settings.min_reviews_per_user if splits.empty else 1
    rejected = pq.read_metadata(out / "rejects.parquet").num_rows

    # Filtering needs no texts, and the texts of what goes need not be read: a third of the memory.
    columns = [name for name in REVIEW_SCHEMA.names if name != "text"]
    reviews = load_reviews(out / "reviews.parquet", columns=columns)
    waterfall(reviews, available, minimum, rejected).to_csv(out / "waterfall.csv", index=False)
    s1 = gest_s1(reviews, available, minimum)
    del reviews, available
    _refuse_nothing(out, s1, rejected, images_folder)
    texts = load_reviews(out / "reviews.parquet", columns=["review_id", "text"], reviews=s1["review_id"])
    s1.insert(REVIEW_SCHEMA.get_field_index("text"), "text", texts["text"].array)
    del texts
    by_user = split_users(s1["user_id"], settings.split)
    s1["split"] = s1["user_id"].map(by_user) if splits.empty else s1["review_id"].map(splits["split"])
    save_reviews(s1, out / "s1.parquet")
    _check_leaks(out, s1, splits)


def _read(out: Path, reviews_path: Path, images_folder: Path | None, progress: bool) -> pd.DataFrame:
    """Write reviews, photos and rejects as they are read; the published splits and histories by review id."""
    folder = None if images_folder is None else PhotoFolder(images_folder)
    if folder is not None and not len(folder):
        raise ValueError(
            f"{images_folder}: no photo in it, none called {{image_id}}.jpg: `showcase download gest --images` fetches "
            "them, --adopt takes over a folder or tar of them; without data.images none are looked for"
        )
    listed: set[str] = set()
    review_ids, splits, histories = [], [], []
    with (
        pq.ParquetWriter(out / "reviews.parquet", REVIEW_SCHEMA) as reviews,
        pq.ParquetWriter(out / "images.parquet", IMAGE_SCHEMA) as images,
        pq.ParquetWriter(out / "rejects.parquet", REJECT_SCHEMA) as rejects,
        without_cycle_collector(),
    ):
        for batch in batches(reviews_path, progress=progress):
            ids = pa.array(batch.image_ids, type=REVIEW_SCHEMA.field("image_ids").type)
            reviews.write_table(batch.review_table().append_column(REVIEW_SCHEMA.field("image_ids"), ids))
            if batch.rejects:
                rejects.write_table(batch.reject_table())
            new = {photo[0]: photo for photo in reversed(batch.photos()) if photo[0] not in listed}
            photos = list(new.values())[::-1]
            listed.update(new)
            found = statuses(list(new)[::-1], folder, progress=False)
            rows = [(*photo, path, status) for photo, (status, path) in zip(photos, found, strict=True)]
            images.write_table(to_table(rows, IMAGE_SCHEMA))
            if batch.splits:
                review_ids += [review[0] for review in batch.reviews]
                splits += batch.splits
                histories += batch.histories
    return pd.DataFrame({"split": splits, "history": histories}, index=pd.Index(review_ids, name="review_id"))


def _refuse_nothing(out: Path, s1: pd.DataFrame, rejected: int, images_folder: Path | None) -> None:
    """Raises ``ValueError`` if no review is left: nothing could follow, so say what became of rows and photos."""
    if len(s1):
        return
    accepted = pq.read_metadata(out / "reviews.parquet").num_rows
    if not accepted:
        reasons = pq.read_table(out / "rejects.parquet", columns=["reason"])["reason"].to_pandas().value_counts()
        raise ValueError(f"none of {rejected} rows could be used: {_listed(reasons)}")
    photos = pq.read_table(out / "images.parquet", columns=["status"])["status"].to_pandas().value_counts()
    place = f" in {images_folder}: `showcase download gest --images` fetches them" if images_folder else ""
    raise ValueError(
        f"no review is left of {accepted}, for want of users with several reviews (data.min_reviews_per_user) "
        f"or of photos ({_listed(photos)}){place}"
    )


def _listed(numbers: pd.Series) -> str:
    return ", ".join(f"{number} {what}" for what, number in numbers.head(5).items())


def _check_leaks(out: Path, s1: pd.DataFrame, published: pd.DataFrame) -> None:
    """Look for leaks in our histories, and in the published ones if there are any, and write what was found."""
    ours = leaks(s1, history_entries(history(s1), s1))
    found = [ours.assign(histories="ours")]
    if len(published):
        published.reset_index().to_parquet(out / "history.parquet", index=False)
        told = published.loc[s1["review_id"], "history"]
        found.append(leaks(s1, published_entries(told)).assign(histories="published"))
    pd.concat(found)[["histories", "leak", "rows", "share"]].to_csv(out / "leaks.csv", index=False)
    touched = ours[ours["leak"].str.startswith("own") & (ours["rows"] > 0)]
    if len(touched):
        raise RuntimeError(f"histories give their own target away: {touched.to_dict('records')}")
