from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

from showcase_utils.plots.encoding import image_similarity, retrieval_grid, similarity_heatmap


def draw(figure) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), dpi=40)


def test_the_retrieval_grid_shows_each_query_with_its_photos(photos, numbers, words) -> None:
    page = retrieval_grid(["ramen 🍜", "a room"], [photos[:3], photos[3:6]], np.arange(6).reshape(2, 3) / 10)
    draw(page)
    assert numbers(page) == [0, 1, 2, 3, 4, 5]
    assert words(page) == "“ramen ” 0.00 0.10 0.20 “a room” 0.30 0.40 0.50"


def test_the_heat_map_frames_what_belongs_together_and_counts_it(photos) -> None:
    similarity = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.4]])
    framed = np.array([[False, True], [True, False], [True, False]])
    figure = similarity_heatmap(similarity, framed, photos[:3], ["first 🍜 sentence", "second " * 30])
    draw(figure)
    axis = figure.axes[0]
    assert [tuple(np.round(patch.get_xy())) for patch in axis.patches] == [(0, 1), (1, 0), (2, 0)]
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels[0] == "first sentence" and labels[1].endswith("…") and len(labels[1]) < 60
    assert figure.facts == {"brightest": 2} and axis.get_title("left").startswith("In 2 of 3 columns")


def test_image_similarity_names_its_groups_and_says_how_alike_they_are(photos) -> None:
    similarity = np.full((6, 6), 0.1)
    similarity[:2, :2], similarity[2:5, 2:5], similarity[5, 5] = 0.5, 0.7, 1
    figure = image_similarity(similarity, photos[:6], ["a", "a", "b", "b", "b", "c"])
    draw(figure)
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b", "c"]
    assert len(figure.axes[0].artists) == 12
    assert figure.facts == pytest.approx({"within": (2 * 0.5 + 6 * 0.7) / 8, "between": 0.1})
    assert "0.65 in one group, 0.10 in two" in figure.axes[0].get_title("left")
