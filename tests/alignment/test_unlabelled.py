from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment.unlabelled import best_separation, cosine_phi
from showcase_utils.encoding.clip import Features
from showcase_utils.encoding.features import FeatureStore
from showcase_utils.encoding.writer import FeatureWriter

DIM = 32


def store(folder: Path, rows: dict[str, np.ndarray]) -> FeatureStore:
    table = np.stack(list(rows.values())).astype(np.float32)

    def encode(sources: list[str], batches: list[list[int]]):  # noqa: ANN202
        return iter([Features(table[batch], list(batch), []) for batch in batches])

    return FeatureWriter(DIM, "f", dtype="float32", progress=False).write(folder, list(rows), list(rows), encode)


def unit(row: np.ndarray) -> np.ndarray:
    return row / np.linalg.norm(row)


def city(folder: Path, describing: float) -> tuple[pd.DataFrame, pd.DataFrame, FeatureStore, FeatureStore]:
    """500 reviews of one photo and two sentences, a share of which lie near the photo; the others lie anywhere."""
    rng = np.random.default_rng(0)
    photos, texts, sentences = {}, {}, []
    for number in range(500):
        photos[f"p{number}"] = unit(rng.normal(size=DIM))
        for index in range(2):
            near = 0.15 * photos[f"p{number}"] + 0.15 * unit(rng.normal(size=DIM))
            texts[f"r{number}#{index}"] = unit(near if rng.random() < describing else rng.normal(size=DIM))
            sentences.append((f"r{number}#{index}", f"r{number}", index, "text"))
    s1 = pd.DataFrame({"review_id": [f"r{n}" for n in range(500)], "business_id": [f"b{n % 50}" for n in range(500)]})
    s1["image_ids"] = [[f"p{n}"] for n in range(500)]
    frame = pd.DataFrame(sentences, columns=["sentence_id", "review_id", "index", "text"])
    return s1, frame, store(folder / "photos", photos), store(folder / "texts", texts)


def test_the_best_separation_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    is_own, cosine = rng.integers(0, 2, 200), rng.random(200).round(2)
    cosine[is_own == 1] += 0.2
    gaps = {t: (cosine[is_own == 1] >= t).mean() - (cosine[is_own == 0] >= t).mean() for t in np.unique(cosine)}
    found = best_separation(is_own, cosine)
    assert gaps[found] == pytest.approx(max(gaps.values()))


@pytest.mark.parametrize("describing", [0.15, 0.8])
def test_the_threshold_is_above_noise_however_many_sentences_describe(tmp_path: Path, describing: float) -> None:
    """Cosines of sentences that lie anywhere have a standard deviation of 0.18; those that describe lie at 0.7."""
    phi, facts = cosine_phi(*city(tmp_path, describing), seed=0)
    assert 0.3 < phi.threshold < 0.6 and phi.variant == "CLIP cosine" and phi.fingerprint == "f"
    assert facts["compared_pairs"] > 900
    assert facts["own_against_other_auc"] == pytest.approx(0.5 + describing / 2, abs=0.06)


def test_the_threshold_depends_on_the_seed_only(tmp_path: Path) -> None:
    args = city(tmp_path, 0.5)
    assert cosine_phi(*args, seed=1) == cosine_phi(*args, seed=1)


def test_with_nothing_to_compare_everything_is_kept(tmp_path: Path) -> None:
    s1, *rest = city(tmp_path, 0.5)
    phi, facts = cosine_phi(s1.assign(business_id="b"), *rest, seed=0)
    assert phi.threshold == 0 and facts == {"compared_pairs": 0}
