"""Files like the two published ones, made from a seed: their counts of rows, users, businesses and ratings.

Texts and photo ids are random; lengths are those of the published data (36 words and 2.5 photos per review, in the
file of splits 24 words and 1.9 photos). Run: python benchmarks/gest_like.py FOLDER [ROWS]. Writes both files, the file
of splits smaller in the same proportion.
"""

from __future__ import annotations

import json
import string
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from showcase_utils.photos.index import INDEX, INDEX_SCHEMA

ROWS, USERS, BUSINESSES = 1_487_747, 868_937, 64_527
RATINGS = {5: 0.681, 4: 0.194, 3: 0.060, 2: 0.026, 1: 0.039}
WORDS, PHOTOS = 36.26, 2.50
SPLITS = {"train": 87_013, "val": 10_860, "test": 11_015}
SPLIT_USERS, SPLIT_BUSINESSES, SPLIT_WORDS, SPLIT_PHOTOS = 36_996, 30_831, 24.32, 1.868
BLOCK = 20_000
_SYMBOLS = np.frombuffer((string.ascii_letters + string.digits + "-_").encode(), dtype=np.uint8)


def write(path: Path, rows: int = ROWS, seed: int = 0) -> None:
    """Write ``rows`` rows; with fewer than published, users and businesses are fewer in proportion."""
    rng = np.random.default_rng(seed)
    with path.open("w", encoding="utf-8") as file:
        for record in _records(rows, USERS * rows / ROWS, BUSINESSES * rows / ROWS, WORDS, PHOTOS, rng):
            file.write(json.dumps(record) + "\n")


def write_splits(path: Path, rows: int = sum(SPLITS.values()), seed: int = 0) -> None:
    """Write a file like ``filter_all_t.json``: plain photo ids, split by user, leave-one-out histories."""
    rng = np.random.default_rng(seed)
    scale = rows / sum(SPLITS.values())
    records = list(_records(rows, SPLIT_USERS * scale, SPLIT_BUSINESSES * scale, SPLIT_WORDS, SPLIT_PHOTOS, rng))
    by_user: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_user.setdefault(record["user_id"], []).append(record)
    splits: dict[str, list[dict[str, Any]]] = {name: [] for name in SPLITS}
    names = iter(SPLITS)
    name = next(names)
    for own in by_user.values():
        if len(splits[name]) >= SPLITS[name] * scale:
            name = next(names, name)
        for record in own:
            others = [other for other in own if other is not record]
            history = [[f"{other['user_id']}_{other['business_id']}", other["review_text"]] for other in others]
            pics = [pic["id"] for pic in record["pics"]]
            splits[name].append(record | {"pics": pics, "history_reviews": history})
    path.write_text(json.dumps(splits), encoding="utf-8")


def photos_beside(reviews: Path) -> Path:
    """Where ``write_photos`` makes the store of a file's photos."""
    return reviews.with_suffix(".photos")


def write_photos(reviews: Path, there: float | None = 0.4, seed: int = 0) -> None:
    """A photo store like that of `showcase download`, with all photos that the file names in its index.

    A share of them is ``there``, the others are expired; ``None``: those of users with two reviews of two photos or
    more, in these reviews, which leaves about as many reviews, photos and users as GEST-s1 has. Files are empty: the
    data stage looks at their lengths only.
    """
    owned: list[tuple[str, list[str]]] = []
    with reviews.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            owned.append((row["user_id"], [pic["id"] for pic in row["pics"]]))
    if there is None:
        rich = Counter(user for user, pics in owned if len(pics) > 1)
        of_photo = {pic: len(pics) > 1 and rich[user] > 1 for user, pics in owned for pic in pics}
        ids, found = list(of_photo), np.fromiter(of_photo.values(), bool, len(of_photo))
    else:
        ids = list(dict.fromkeys(pic for _, pics in owned for pic in pics))
        found = np.random.default_rng(seed).random(len(ids)) < there
    photos = photos_beside(reviews)
    for first in range(256):
        (photos / f"{first:02x}").mkdir(parents=True)
    for number in np.flatnonzero(found).tolist():
        (photos / f"{number % 256:02x}" / f"{ids[number]}.jpg").touch()
    columns = {"image_id": ids, "status": np.where(found, "ok", "expired"), "bytes": np.where(found, 0, None)}
    index = {name: columns.get(name, [None] * len(ids)) for name in INDEX_SCHEMA.names}
    pq.write_table(pa.table(index, INDEX_SCHEMA), photos / INDEX)


def _records(
    rows: int, users: float, businesses: float, words: float, photos: float, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Rows of ``image_review_all.json``; ``words`` and ``photos`` are means per review."""
    user = _owners(rows, max(1, round(users)), rng)
    business = _owners(rows, max(1, round(businesses)), rng)
    ratings = rng.permutation(np.repeat(list(RATINGS), _shares(rows)))
    vocabulary = _vocabulary(rng)
    for begin in range(0, rows, BLOCK):
        end = min(begin + BLOCK, rows)
        lengths = np.maximum(1, rng.lognormal(np.log(words) - 0.405, 0.9, end - begin)).astype(int)
        picked = vocabulary[rng.zipf(1.2, lengths.sum()) % len(vocabulary)].tolist()
        pictures = rng.geometric(1 / photos, end - begin)
        ids = _photo_ids(pictures.sum(), rng)
        word, photo = 0, 0
        for row, count, number in zip(range(begin, end), lengths.tolist(), pictures.tolist(), strict=True):
            yield {
                "business_id": f"{0x604A_0000_0000_0000_0000_0000 + int(business[row]) * 7919:024x}",
                "user_id": str(100_000_000_000_000_000_000 + int(user[row]) * 15_485_863),
                "rating": int(ratings[row]),
                "review_text": " ".join(picked[word : word + count]),
                "pics": [
                    {"id": image_id, "url": [f"https://lh5.googleusercontent.com/p/{image_id}=w150-h150-k-no-p"]}
                    for image_id in ids[photo : photo + number]
                ],
            }
            word, photo = word + count, photo + number


def _owners(rows: int, owners: int, rng: np.random.Generator) -> np.ndarray:
    """Who owns each row: everybody at least one, the rest with a long tail."""
    tail = (owners * rng.random(rows - owners) ** 2).astype(np.int64)
    return rng.permutation(np.concatenate([np.arange(owners), tail]))


def _shares(rows: int) -> list[int]:
    counts = [round(share * rows) for share in RATINGS.values()]
    counts[0] += rows - sum(counts)
    return counts


def _vocabulary(rng: np.random.Generator) -> np.ndarray:
    lengths = rng.integers(1, 8, 20_000)
    letters = rng.choice(list("etaoinshrdluc'é!.,"), lengths.sum())
    ends = np.cumsum(lengths)
    return np.array(["".join(letters[end - size : end]) for size, end in zip(lengths, ends, strict=True)])


def _photo_ids(count: int, rng: np.random.Generator) -> list[str]:
    tails = _SYMBOLS[rng.integers(0, len(_SYMBOLS), (count, 38))]
    return ["AF1Qip" + tail.tobytes().decode() for tail in tails]


if __name__ == "__main__":
    folder, rows = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "image_review_all.json", rows)
    write_splits(folder / "filter_all_t.json", max(1, round(sum(SPLITS.values()) * rows / ROWS)))
