"""A file like ``image_review_all.json``, made from a seed: its counts of rows, users, businesses and ratings.

Texts and photo ids are random; lengths are those of the published data (36 words and 2.5 photos per review).
"""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np

ROWS, USERS, BUSINESSES = 1_487_747, 868_937, 64_527
RATINGS = {5: 0.681, 4: 0.194, 3: 0.060, 2: 0.026, 1: 0.039}
WORDS, PHOTOS = 36.26, 2.50
BLOCK = 20_000
_SYMBOLS = np.frombuffer((string.ascii_letters + string.digits + "-_").encode(), dtype=np.uint8)


def write(path: Path, rows: int = ROWS, seed: int = 0) -> None:
    """Write ``rows`` rows; with fewer than published, users and businesses are fewer in proportion."""
    rng = np.random.default_rng(seed)
    users = _owners(rows, max(1, round(USERS * rows / ROWS)), rng)
    businesses = _owners(rows, max(1, round(BUSINESSES * rows / ROWS)), rng)
    ratings = rng.permutation(np.repeat(list(RATINGS), _shares(rows)))
    vocabulary = _vocabulary(rng)
    with path.open("w", encoding="utf-8") as file:
        for begin in range(0, rows, BLOCK):
            end = min(begin + BLOCK, rows)
            words = np.maximum(1, rng.lognormal(np.log(WORDS) - 0.405, 0.9, end - begin)).astype(int)
            picked = vocabulary[rng.zipf(1.2, words.sum()) % len(vocabulary)].tolist()
            photos = rng.geometric(1 / PHOTOS, end - begin)
            ids = _photo_ids(photos.sum(), rng)
            word, photo = 0, 0
            for row, count, pictures in zip(range(begin, end), words.tolist(), photos.tolist(), strict=True):
                record = {
                    "business_id": f"{0x604A_0000_0000_0000_0000_0000 + int(businesses[row]) * 7919:024x}",
                    "user_id": str(100_000_000_000_000_000_000 + int(users[row]) * 15_485_863),
                    "rating": int(ratings[row]),
                    "review_text": " ".join(picked[word : word + count]),
                    "pics": [
                        {"id": image_id, "url": [f"https://lh5.googleusercontent.com/p/{image_id}=w150-h150-k-no-p"]}
                        for image_id in ids[photo : photo + pictures]
                    ],
                }
                file.write(json.dumps(record) + "\n")
                word, photo = word + count, photo + pictures


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
