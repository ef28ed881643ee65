from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from showcase_utils.alignment.metrics import alignment_curves
from showcase_utils.plots.encoding import (
    distillation_page,
    diversity_distributions,
    image_similarity,
    phi_curves,
    phi_variants,
    retrieval_grid,
    similarity_heatmap,
)


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / f"{number}.png") for number in range(6)]
    for number, path in enumerate(paths):
        Image.new("RGB", (120 + number, 90), (40 * number, 90, 200)).save(path)
    return paths


def draw(figure: Figure) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), dpi=40, bbox_inches="tight")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_the_retrieval_grid_shows_each_query_with_its_photos(photos: list[str]) -> None:
    figure = retrieval_grid(["ramen 🍜", "a room"], [photos[:3], photos[3:]], np.arange(6).reshape(2, 3) / 10)
    draw(figure)
    assert len(figure.axes) == 6
    assert [axis.get_xlabel() for axis in figure.axes] == ["0.00", "0.10", "0.20", "0.30", "0.40", "0.50"]
    assert {"“ramen”", "“a room”"} <= set(texts(figure))


def test_the_heat_map_frames_what_belongs_together(photos: list[str]) -> None:
    similarity = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.4]])
    figure = similarity_heatmap(similarity, similarity > 0.5, photos[:3], ["first 🍜 sentence", "second " * 30])
    draw(figure)
    assert [patch.get_xy() for patch in figure.axes[0].patches] == [(0, 1), (1, 0)]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "first sentence" and labels[1].endswith("…") and len(labels[1]) <= 60


def test_image_similarity_names_its_groups(photos: list[str]) -> None:
    figure = image_similarity(np.eye(6), photos, ["a", "a", "b", "b", "b", "c"])
    draw(figure)
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b", "c"]
    assert len(figure.axes[0].artists) == 12


def test_phi_curves_mark_the_threshold() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 200)
    confidence = (0.3 * label + 0.7 * rng.random(200)).astype(np.float32)
    test = pd.DataFrame({"label": label, "confidence": confidence})
    figure = phi_curves(test, alignment_curves(label, confidence), threshold=0.5)
    draw(figure)
    recall, precision = (float(value[0]) for value in figure.axes[0].lines[1].get_data())
    kept = confidence >= 0.5
    assert precision == pytest.approx(label[kept].mean()) and recall == pytest.approx(kept[label == 1].mean())


def test_the_distillation_page_tells_what_stays(photos: list[str]) -> None:
    page = distillation_page(
        [[("Great 🍜 tacos.", 0.9), ("We waited.", 0.1)], [("so " * 60, 0.2)]],
        [[(photos[0], 0.9), (photos[1], 0.2)], [(photos[2], 0.2)]],
        threshold=0.5,
    )
    draw(page)
    weights = {text.get_text(): text.get_fontweight() for text in page.findobj(lambda a: hasattr(a, "get_fontweight"))}
    assert weights["Great  tacos."] == "bold" and weights["We waited."] == "normal"
    assert texts(page).count("0.20") == 1  # once for a sentence of several lines


def test_diversity_distributions_name_means_and_intervals() -> None:
    kinds = ["intra business", "inter business", "intra user", "inter user"]
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame({"kind": np.repeat(kinds, 50), "distance": rng.random(200)})
    summary = pd.DataFrame({"mean": 0.5, "low": 0.4, "high": 0.6}, index=kinds)
    figure = diversity_distributions(pairs, summary)
    draw(figure)
    assert "inter user: 0.500 [0.400, 0.600]" in texts(figure)


def test_variants_of_phi_stand_below_each_other() -> None:
    facts = {"auc": 0.9, "auc_interval": [0.85, 0.93], "f1": 0.6, "f1_interval": [0.5, 0.7]}
    figure = phi_variants({"one layer": facts, "hidden layer": facts})
    draw(figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["hidden layer", "one layer"]
