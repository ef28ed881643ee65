from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment.metrics import alignment_curves
from showcase_utils.plots.alignment import distillation_page, diversity_distributions, phi_curves, phi_variants


def test_phi_curves_mark_the_threshold() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 200)
    confidence = (0.3 * label + 0.7 * rng.random(200)).astype(np.float32)
    test = pd.DataFrame({"label": label, "confidence": confidence})
    figure = phi_curves(test, alignment_curves(label, confidence), threshold=0.5)
    recall, precision = (float(value[0]) for value in figure.axes[0].lines[1].get_data())
    kept = confidence >= 0.5
    assert precision == pytest.approx(label[kept].mean()) and recall == pytest.approx(kept[label == 1].mean())
    assert figure.facts["precision"] == pytest.approx(precision) and 0 < figure.facts["off_calibration"] < 0.5


def test_the_distillation_page_tells_what_stays(photos, numbers) -> None:
    page = distillation_page(
        [[("Great 🍜 tacos.", 0.9), ("We waited.", 0.1)], [("so " * 60, 0.2)]],
        [[(photos[0], 0.9), (photos[1], 0.2)], [(photos[2], 0.2)]],
        threshold=0.5,
    )
    weights = {text.get_text(): text.get_fontweight() for text in page.sheet.texts}
    assert weights["Great tacos."] == weights["0.90"] == "bold" and weights["We waited."] == "normal"
    assert [text.get_text() for text in page.sheet.texts].count("0.20") == 1  # once for a sentence of several lines
    assert numbers(page) == [0, 1, 2]


def test_diversity_distributions_name_means_and_intervals() -> None:
    kinds = ["intra business", "inter business", "intra user", "inter user"]
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame({"kind": np.repeat(kinds, 50), "distance": rng.random(200)})
    summary = pd.DataFrame({"mean": 0.5, "low": 0.4, "high": 0.6}, index=kinds)
    figure = diversity_distributions(pairs, summary)
    labels = [text.get_text() for axis in figure.axes for text in axis.get_legend().get_texts()]
    assert labels == [f"{kind}: 0.500 [0.400, 0.600]" for kind in kinds]


def test_variants_of_phi_stand_below_each_other() -> None:
    facts = {"auc": 0.9, "auc_interval": [0.85, 0.93], "f1": 0.6, "f1_interval": [0.5, 0.7]}
    figure = phi_variants({"one layer": facts, "hidden layer": facts | {"auc": 0.92}})
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["one layer", "hidden layer"]
    assert axis.yaxis_inverted() and axis.lines[3].get_xdata() == pytest.approx([0.92])
