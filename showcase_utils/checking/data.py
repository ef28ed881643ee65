"""The reviews, photos and labels of a profile, looked at for what a run will make of them."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showcase_utils.checking.findings import Check
from showcase_utils.config import Settings
from showcase_utils.terminal import counted

if TYPE_CHECKING:
    import pandas as pd

ROWS = 40_000  # of a larger file only so many are read
PHOTOS = 1_000  # of a folder without index only so many are opened
FEW_USERS = 30  # of the test split: intervals over fewer say little


def check_data(check: Check, settings: Settings) -> tuple[int, int]:
    """Reviews, photos, users and histories; how many rows and photos there are, roughly where the file is long."""
    import pandas as pd

    from showcase_utils.data.gest import batches

    path = settings.data.reviews
    if path is None:
        check.add("stops", "01", "data.source is 'files', and data.reviews names no file: set it, or `showcase import`")
        return 0, 0
    found: list[Any] = []
    reasons: Counter[str] = Counter()
    rows, whole = 0, True
    try:
        for batch in batches(path, progress=False):
            found.append(_frame(batch))
            reasons.update(batch.rejects["reason"].to_pylist())
            rows += len(batch.reviews) + len(batch.rejects)
            if rows >= ROWS and not batch.splits:
                whole = False
                break
    except (OSError, ValueError) as error:
        check.add("stops", "01", str(error))
        return 0, 0
    reviews = pd.concat(found, ignore_index=True)
    total = rows if whole else _rows_of(path, rows)
    check.counts["rows"] = f"{rows:,}" if whole else f"about {total:,}; what follows is of the first {rows:,}"
    check.counts["accepted"] = f"{len(reviews):,}"
    for reason, number in reasons.most_common(5):
        check.add("note", "01", f"{counted(number, 'row')} cannot be used: {reason}")
    if reviews.empty:
        check.add("stops", "01", f"{path}: no row can be used; showcase_utils/data/rows.py says what a row must have")
        return total, 0
    named = list(dict.fromkeys(image_id for ids in reviews["image_ids"] for image_id in ids))
    shared = sum(len(ids) for ids in reviews["image_ids"]) - len(named)
    if shared:
        check.add("note", "01", f"{counted(shared, 'time')} a photo stands in a second review: it counts for the first")
    _check_filtered(check, settings, reviews, _check_photos(check, settings, named), whole, "split" in reviews)
    return total, round(len(named) * total / max(rows, 1))


def _frame(batch: Any) -> pd.DataFrame:
    import pandas as pd

    frame = batch.reviews.to_pandas()
    frame["image_ids"] = pd.Series(batch.image_ids, dtype="object", index=frame.index)
    return frame.assign(split=batch.splits) if batch.splits else frame


def _rows_of(path: Path, read: int) -> int:
    """About how many rows a file of lines has, from the length of its first ones."""
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            return read
        file.seek(0)
        lengths = [len(line) for line in islice(file, 2000)]
    return round(path.stat().st_size / sum(lengths) * len(lengths))


def _check_photos(check: Check, settings: Settings, named: list[str]) -> frozenset[str]:
    """Which of the photos that reviews name can be used."""
    from showcase_utils.photos.folder import JpegFiles, PhotoFolder, file_status
    from showcase_utils.photos.index import has_index

    folder = settings.data.images
    if folder is None:
        check.add("stops", "02", "data.images names no folder of photos: notebook 01 works without, encoding does not")
        return frozenset(named)
    if not folder.is_dir():
        check.add("stops", "01", f"data.images: {folder} is no folder")
        return frozenset()
    if has_index(folder):
        statuses = dict(zip(named, (status for status, _ in PhotoFolder(folder).statuses(named)), strict=True))
    else:
        files = JpegFiles(folder)
        statuses = {image_id: "ok" if image_id in files else "expired" for image_id in named}
        there = [image_id for image_id in named if image_id in files]
        step = max(1, len(there) // PHOTOS)
        statuses |= {image_id: file_status(files[image_id]) for image_id in there[::step]}
    counts = Counter(statuses.values())
    check.counts["photos"] = ", ".join(f"{number:,} {status}" for status, number in counts.most_common())
    if not counts["ok"]:
        check.add(
            "stops",
            "01",
            f"none of the photos that reviews name ({len(named):,}) is in {folder}, as {{image_id}}.jpg: "
            f"`showcase download photos --profile {settings.source} --to {folder.parent}` fetches them, "
            "`showcase import` brings other files",
        )
    elif lost := len(named) - counts["ok"]:
        check.add(
            "limits", "01", f"missing or broken: {lost:,} of {counted(len(named), 'photo')}; reviews of them may go"
        )
    return frozenset(image_id for image_id, status in statuses.items() if status == "ok")


def _check_filtered(
    check: Check, settings: Settings, reviews: pd.DataFrame, usable: frozenset[str], whole: bool, has_splits: bool
) -> None:
    """What stays for selection and generation: users with a past, splits, places with a choice of photos.

    In the first rows of a long file few users come twice, so there it is only counted.
    """
    from showcase_utils.data.filtering import gest_s1, history, split_users

    if not usable:
        return
    s1 = gest_s1(reviews, usable, 1 if has_splits else settings.data.min_reviews_per_user)
    check.counts["GEST-s1"] = (
        f"{counted(len(s1), 'review')} of {counted(s1['user_id'].nunique(), 'user')}, "
        f"{counted(s1['business_id'].nunique(), 'place')}"
    )
    if s1.empty:
        wanted = f"{counted(settings.data.min_reviews_per_user, 'review')} of a user (data.min_reviews_per_user)"
        text = f"no review is left that has a photo and {wanted}"
        check.add("stops" if whole else "note", "01", text if whole else f"in these first rows {text}")
        return
    split = s1["split"] if has_splits else s1["user_id"].map(split_users(s1["user_id"], settings.data.split))
    users = s1["user_id"].groupby(split).nunique()
    check.counts["users"] = ", ".join(f"{users.get(name, 0):,} {name}" for name in ("train", "val", "test"))
    for name in ("train", "val", "test"):
        if whole and not users.get(name, 0):
            check.add("stops", "03", f"no user falls into {name}: more users, or other shares in data.split")
    if whole and 0 < users.get("test", 0) < FEW_USERS:
        check.add("limits", "05", f"users in test: {users['test']}; differences between systems will mostly be chance")
    lengths = history(s1).map(len)
    check.counts["history"] = f"{lengths.mean():.1f} reviews on average, none for {(lengths == 0).mean():.0%}"
    if whole and (lengths == 0).mean() > 0.5:
        check.add(
            "limits", "03", "most users have no past visit to another place: what is chosen for them is not personal"
        )
    shown = s1[["business_id", "image_ids"]].explode("image_ids").groupby("business_id")["image_ids"].nunique()
    few = counted(settings.selection.k, "photo")
    choice = (s1["business_id"].map(shown) > settings.selection.k).mean()
    check.counts["choice"] = f"{choice:.0%} of the reviews are of places with more than {few}"
    if not whole:
        return
    if choice == 0:
        check.add("stops", "03", f"no place has more than selection.k = {settings.selection.k} photos to choose from")
    elif choice < 0.2:
        check.add("limits", "03", f"few places have more than {few}: there is little to choose")


def check_labels(check: Check, settings: Settings) -> None:
    """Where Φ comes from."""
    if settings.alignment.pretrained is not None:
        check.counts["Φ"] = f"as trained in {settings.alignment.pretrained}"
        if not (settings.alignment.pretrained / "phi.json").is_file():
            check.add("stops", "02", f"alignment.pretrained: no phi.json in {settings.alignment.pretrained}")
    elif settings.data.source == "demo":
        check.counts["Φ"] = "trained on the demo world's labels"
    elif settings.data.annotations is None:
        check.counts["Φ"] = "the cosine of CLIP, for want of labels"
        check.add(
            "limits", "02", "no labels: Φ is CLIP's own cosine with a threshold from the data (`showcase annotate`)"
        )
    else:
        from showcase_utils.alignment.annotations import read_annotations

        try:
            labels = read_annotations(settings.data.annotations)
        except ValueError as error:
            check.add("stops", "02", str(error))
            return
        check.counts["Φ"] = (
            f"trained on {counted(len(labels), 'label')} of {counted(labels['review_id'].nunique(), 'review')}"
        )
        if labels["review_id"].nunique() < 3:
            check.add("stops", "02", "labels of fewer than three reviews cannot be split into train, val and test")
        elif labels["label"].nunique() < 2:
            check.add("stops", "02", "all labels are the same: nothing can be learned from them")
