"""Figures of the generator: what they show is what they were given."""

import re

import numpy as np
import pandas as pd
import pytest

from showcase_utils.plots import generation as plots


def _unit(seed, n=20, dim=6):
    rows = np.random.default_rng(seed).normal(size=(n, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _words(figure):
    return " ".join(text.get_text() for axis in figure.axes for text in axis.texts)


def test_architecture_says_its_sizes():
    words = _words(plots.architecture(2, 4, 192, 128))
    for part in ("2 layers", "4 layers", "width 192", "CLIP image, 128", "L_{CCL}", "L_{PCL}", "L_{CE}"):
        assert part in words


def test_loss_curves_have_a_panel_per_term_that_is_there():
    rows = {"step": [20, 40, 40], "epoch": [0.5, 1.0, 1.0], "split": ["train", "train", "val"]}
    rows |= {"loss": [3.0, 2, 2], "ce": [3.0, 2, 2]}
    ce = pd.DataFrame(rows)
    assert len(plots.loss_curves({"CE": ce}).axes) == 2
    figure = plots.loss_curves({"CE": ce, "CCL": ce.assign(ccl=[1.0, 0.5, 0.7])})
    assert len(figure.axes) == 3 and len(figure.axes[2].lines) == 2
    assert figure.axes[2].lines[1].get_ydata().tolist() == [0.7]


def test_the_few_steps_that_end_an_epoch_do_not_stand_alone():
    log = pd.DataFrame({"step": [20, 40, 42, 62], "epoch": [0.5, 0.95, 1.0, 1.5], "split": "train"})
    figure = plots.loss_curves({"CE": log.assign(ce=[4.0, 3.0, 14.0, 2.0])})
    line = figure.axes[0].lines[0]
    assert line.get_xdata().tolist() == [0.5, 1.0, 1.5] and line.get_ydata().tolist() == [4.0, 4.0, 2.0]


def test_user_weights_shows_the_extreme_pairs_histories():
    weights = np.full((4, 4), 2.0)
    weights[0, 3], weights[1, 2] = 1.1, 7.0
    figure = plots.user_weights(weights, ["ramen", "tacos", "sushi", "pizza"])
    words = _words(figure)
    assert figure.facts == {"lowest": 1.1, "highest": 7.0}
    assert words.index("most alike: f = 1.10") < words.index("user 0: ramen") < words.index("user 3: pizza")
    assert words.index("least alike: f = 7.00") < words.index("user 1: tacos") < words.index("user 2: sushi")


def test_joint_space_has_one_projection_for_both_panels():
    before, after = ({name: _unit(seed + i) for i, name in enumerate(("visual", "target"))} for seed in (0, 5))
    figure = plots.joint_space(before, after, lines=7)
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim() and len(left.lines) == 7
    apart = np.linalg.norm(after["visual"] - after["target"], axis=1)
    assert figure.facts["after"] == pytest.approx(apart.mean()) != figure.facts["before"]
    rows = np.concatenate([*before.values(), *after.values()])
    axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:2]
    np.testing.assert_allclose(right.collections[1].get_offsets(), (after["target"] - rows.mean(0)) @ axes.T)


def test_alignment_uniformity_goes_from_before_to_after():
    rows = [("photos and texts", "before", 1.5, -0.5), ("photos and texts", "after", 0.6, -2.0)]
    axis = plots.alignment_uniformity(pd.DataFrame(rows, columns=["pair", "when", "alignment", "uniformity"])).axes[0]
    assert tuple(axis.texts[0].xy) == (0.6, -2.0)


def test_word_attention_has_a_column_per_word_and_fits_a_screen(photos):
    columns = ["photo 1", "photo 2", *(f"review {number}" for number in range(1, 11))]
    weights = pd.DataFrame([[0.3, 0.1, *[0.06] * 10]] * 4, index=[" the", " hot", "dog", "<|eos|>"], columns=columns)
    figure = plots.word_attention(weights, photos[:2])
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["the", "hot", "dog", "<|eos|>"]
    np.testing.assert_array_equal(axis.collections[0].get_array(), weights.to_numpy().T)
    assert [label.get_text() for label in axis.get_yticklabels()][:3] == ["", "", "review 1"]
    assert len(axis.artists) == 2 and figure.facts["photos"] == pytest.approx(0.4)
    assert figure.get_figheight() < 6


def test_samples_show_photos_and_every_text(photos, numbers):
    page = plots.samples([(photos[:2], {"CE": "the ramen was great", "PC²L": ""}), (photos[4:5], {"CE": "x"})])
    assert numbers(page) == [0, 1, 4]
    assert "the ramen was great" in _words(page) and "PC²L –" in _words(page)


def test_through_training_goes_from_before_to_the_reference(photos):
    texts = pd.DataFrame(
        [(epoch, review, f"{review} in {epoch}") for epoch in range(12) for review in ("r1", "r2")],
        columns=["epoch", "review_id", "text"],
    )
    shown, references = {"r1": photos[:2], "r2": photos[:1]}, {"r1": "the ramen was great", "r2": "loved it"}
    words = _words(plots.through_training(texts, shown, references, most_epochs=4))
    epochs = [int(number) for number in re.findall(r"r1 in (\d+)", words)]
    assert epochs == [0, 4, 7, 11] and words.count("before training") == words.count("after epoch 11") == 2
    assert words.index("r1 in 11") < words.index("the ramen was great") < words.index("r2 in 0")
    figure = plots.through_training(texts[texts["epoch"] < 2], shown, references)
    assert len(figure.sheet.images) == 3 and "after epoch 1 " in _words(figure) + " "
