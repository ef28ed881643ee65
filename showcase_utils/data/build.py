"""The data stage: everything that notebook 01 leaves for the others, written in memory that stays small."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from showcase_utils.artifacts import BuildContext
from showcase_utils.config import Data
from showcase_utils.data.filtering import (
    drop_gone_photos,
    drop_rare_users,
    gest_s1,
    gone_ids,
    history,
    split_users,
    waterfall,
)
from showcase_utils.data.frames import (
    HISTORY_SCHEMA,
    IMAGE_SCHEMA,
    REJECT_SCHEMA,
    REVIEW_SCHEMA,
    load_reviews,
    photo_root,
    save_reviews,
    to_table,
    without_cycle_collector,
)
from showcase_utils.data.gest import batches
from showcase_utils.data.leaks import STOPPING, count_leaks, digests, find_leaks, history_entries, published_entries
from showcase_utils.photos.folder import PhotoFolder, usable_ids


def build_data(context: BuildContext) -> None:
    """The stage ``data``, from the demo world or from the files that ``data.reviews`` and ``data.images`` name."""
    data = context.settings.data
    reviews = context.path("world") / "image_review_all.json" if data.source == "demo" else data.reviews
    if reviews is None:
        raise ValueError("data.source is 'files': set data.reviews to image_review_all.json or filter_all_t.json")
    write_data(context.out, reviews, photo_root(context), data, context.progress)


def write_data(
    out: Path, reviews_path: Path, images_folder: Path | None, settings: Data, progress: bool = True
) -> None:
    """Read a published file, look at its photos, and filter and split it (paper, section 3).

    Without a folder of photos none is looked for. Writes

    - ``reviews.parquet``: all accepted rows; ``rejects.parquet``: the others;
    - ``images.parquet``: the photos, with paths from the folder, so that it is the same wherever that lies;
    - ``s1.parquet``: GEST-s1 with ``split``, and with ``gone_ids`` if any photo of it is gone;
    - ``histories.parquet``: for every review of GEST-s1 what may be known of its user;
    - ``waterfall.csv``, ``orders.csv`` (what the rules leave in the paper's order and the other way round);
    - ``leaks.csv``: which histories would give something away;
    - from the file of splits also ``published.parquet``: its splits and histories. That file is filtered already: its
      rows and its splits are kept, only photos that are gone go.

    Raises ``RuntimeError`` if a history gives its own target away, ``ValueError`` if no review is left, and what
    reading raises.
    """
    published = _read(out, reviews_path, images_folder, progress)
    _refuse_no_rows(out, reviews_path)
    s1 = _filter(out, 1 if len(published) else settings.min_reviews_per_user)
    if s1.empty:
        _refuse_nothing(out, reviews_path, images_folder)
    texts = load_reviews(out / "reviews.parquet", columns=["review_id", "text"], reviews=s1["review_id"])
    s1.insert(REVIEW_SCHEMA.get_field_index("text"), "text", texts["text"].array)
    del texts
    by_user = split_users(s1["user_id"], settings.split)
    s1["split"] = s1["review_id"].map(published["split"]) if len(published) else s1["user_id"].map(by_user)
    save_reviews(s1, out / "s1.parquet")
    histories = history(s1)
    pq.write_table(pa.table([histories.index, histories], HISTORY_SCHEMA), out / "histories.parquet")
    if len(published):
        published.reset_index().to_parquet(out / "published.parquet", index=False)
    _check_leaks(out, reviews_path, s1, histories, published)
    pa.default_memory_pool().release_unused()  # a notebook goes on in this process


def _filter(out: Path, minimum: int) -> pd.DataFrame:
    """GEST-s1 without its texts, and the tables of what the rules drop: filtering needs no texts."""
    reviews = load_reviews(out / "reviews.parquet", columns=[name for name in REVIEW_SCHEMA.names if name != "text"])
    available = usable_ids(pq.read_table(out / "images.parquet", columns=["image_id", "status"]).to_pandas())
    rejected = pq.read_metadata(out / "rejects.parquet").num_rows
    waterfall(reviews, available, minimum, rejected).to_csv(out / "waterfall.csv", index=False)
    s1 = gest_s1(reviews, available, minimum)
    orders = {"users first": s1, "photos first": drop_rare_users(drop_gone_photos(reviews, available), minimum)}
    rows = [
        {"order": order, "reviews": len(left), "only one of their user": int(_only_ones(left).sum())}
        for order, left in orders.items()
    ]
    pd.DataFrame(rows).to_csv(out / "orders.csv", index=False)
    del orders  # frames of a million rows
    gone = gone_ids(reviews.loc[reviews["review_id"].isin(s1["review_id"]), ["image_ids"]], available)
    return s1.assign(gone_ids=pd.Series(gone, dtype="object")) if any(gone) else s1


def _only_ones(reviews: pd.DataFrame) -> pd.Series:
    return reviews["user_id"].map(reviews["user_id"].value_counts()) == 1


def _read(out: Path, reviews_path: Path, images_folder: Path | None, progress: bool) -> pd.DataFrame:
    """Write reviews, photos and rejects as they are read; the published splits and histories by review id."""
    folder = None if images_folder is None else PhotoFolder(images_folder)
    if folder is not None and not len(folder):
        raise ValueError(
            f"{images_folder}: no photo in it, none called {{image_id}}.jpg: `showcase download photos` fetches "
            "them, --adopt takes over a folder or tar of them; without data.images none are looked for"
        )
    listed: set[int] = set()
    review_ids, splits, histories = [], [], []
    with (
        pq.ParquetWriter(out / "reviews.parquet", REVIEW_SCHEMA) as reviews,
        pq.ParquetWriter(out / "images.parquet", IMAGE_SCHEMA) as images,
        pq.ParquetWriter(out / "rejects.parquet", REJECT_SCHEMA) as rejects,
        without_cycle_collector(),
    ):
        for batch in batches(reviews_path, progress=progress):
            ids = pa.array(batch.image_ids, type=REVIEW_SCHEMA.field("image_ids").type)
            reviews.write_table(batch.reviews.append_column(REVIEW_SCHEMA.field("image_ids"), ids))
            if len(batch.rejects):
                rejects.write_table(batch.rejects)
            photos = batch.new_photos(listed)
            image_ids = [photo[0] for photo in photos]
            found = [("unchecked", "")] * len(photos) if folder is None else folder.statuses(image_ids)
            rows = [(*photo, path, status) for photo, (status, path) in zip(photos, found, strict=True)]
            images.write_table(to_table(rows, IMAGE_SCHEMA))
            if batch.splits:
                review_ids += batch.reviews["review_id"].to_pylist()
                splits += batch.splits
                histories += batch.histories
    return pd.DataFrame({"split": splits, "history": histories}, index=pd.Index(review_ids, name="review_id"))


def _refuse_no_rows(out: Path, path: Path) -> None:
    """Raises ``ValueError`` if no row was accepted: say why, show the first, and what can be done."""
    if pq.read_metadata(out / "reviews.parquet").num_rows:
        return
    rejects = pq.read_table(out / "rejects.parquet").to_pandas()
    if rejects.empty:
        raise ValueError(f"{path}: no row in it: download it again, or set data.reviews to another file")
    first = rejects.iloc[0]
    raise ValueError(
        f"{path}: none of {len(rejects)} rows could be used: {_listed(rejects['reason'].value_counts())}; the first, "
        f"{first['source']} line {first['line']}: {first['raw']!r}. Set data.reviews to image_review_all.json or "
        "filter_all_t.json as published; showcase_utils/data/rows.py says what a row must have"
    )


def _refuse_nothing(out: Path, path: Path, images_folder: Path | None) -> None:
    """Raises ``ValueError``: nothing could follow, so say what became of rows and photos."""
    accepted = pq.read_metadata(out / "reviews.parquet").num_rows
    photos = pq.read_table(out / "images.parquet", columns=["status"])["status"].to_pandas().value_counts()
    searched = f" in {images_folder}: `showcase download photos` fetches them" if images_folder else ""
    raise ValueError(
        f"{path}: no review is left of {accepted}, for want of users with several reviews (lower "
        f"data.min_reviews_per_user) or of photos ({_listed(photos)}){searched}"
    )


def _listed(numbers: pd.Series) -> str:
    return ", ".join(f"{number} {what}" for what, number in numbers.head(5).items())


def _check_leaks(out: Path, path: Path, s1: pd.DataFrame, histories: pd.Series, published: pd.DataFrame) -> None:
    """Write what leaks from our histories and from the published ones. Raises ``RuntimeError`` if ours give targets."""
    texts = digests(s1["text"])  # from Arrow memory, without a list of all texts
    entries = history_entries(histories, s1, texts)
    leaks = find_leaks(s1, entries, texts)
    tables = [count_leaks(leaks).assign(histories="ours")]
    if len(published):
        theirs = published_entries(published.loc[s1["review_id"], "history"])
        tables.append(count_leaks(find_leaks(s1, theirs, texts)).assign(histories="published"))
    pd.concat(tables)[["histories", "leak", "rows", "share"]].to_csv(out / "leaks.csv", index=False)
    touched = {leak: s1["review_id"][leaks[leak]] for leak in STOPPING if leaks[leak].any()}
    if touched:
        raise RuntimeError(
            f"{path}: histories give their own target away: "
            + "; ".join(f"{leak}: {len(ids)} reviews, {', '.join(ids.head(3))}" for leak, ids in touched.items())
            + f". All counts are in {out / 'leaks.csv'}. This is a fault of filtering.history, not of the file: report "
            "it with these reviews; without them in data.reviews the stage can be built"
        )
