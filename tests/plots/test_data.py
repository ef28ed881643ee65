from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from showcase_utils.data.frames import save_reviews
from showcase_utils.data.statistics import counts
from showcase_utils.plots.data import cascade, distributions, photo_status, review_page


@pytest.fixture
def reviews() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "review_id": ["u1_b1", "u1_b2", "u2_b1"],
            "user_id": ["u1", "u1", "u2"],
            "business_id": ["b1", "b2", "b1"],
            "rating": [5, 5, 1],
            "text": ["one", "two words", "a text of $5 or $6\\frac words " * 25],
            "image_ids": [["p1"], ["p2", "p3", "p4", "p5", "p6", "p7"], ["p1"]],
        }
    )


def texts(axes) -> list[str]:
    return [text.get_text() for axis in axes for text in axis.texts]


def test_distributions_draw_what_they_say(reviews, tmp_path):
    known = pd.Series([["a", "b"], ["a"], []])
    save_reviews(reviews, tmp_path / "raw.parquet")
    save_reviews(reviews.iloc[:2], tmp_path / "s1.parquet")
    datasets = {name: counts(tmp_path / f"{name}.parquet") for name in ("raw", "s1")}
    figure = distributions(datasets, {"s1": known}, {5: 0.7, 1: 0.3})
    figure.draw_without_rendering()
    panels = {axis.get_title("left"): axis for axis in figure.axes}
    heights = [bar.get_height() for bar in panels["ratings"].patches]
    assert heights[:5] == pytest.approx([1 / 3, 0, 0, 0, 2 / 3]) and heights[5:] == pytest.approx([0, 0, 0, 0, 1])
    (line,) = panels["history reviews per sample"].lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 2 / 3], [2, 1 / 3]])
    assert len(panels["photos per business"].lines) == 2
    mean = [line.get_xdata()[0] for line in panels["words per review (dotted: mean)"].lines]
    assert mean == pytest.approx([(1 + 2 + 175) / 3, 1.5])
    raw = panels["photos per review"].lines[0]
    np.testing.assert_allclose(raw.get_xydata(), [[1, 1], [6, 1 / 3]])


def test_cascade_says_what_every_rule_leaves_and_drops():
    table = pd.DataFrame(
        {
            "rule": ["rejected", "single", "gone"],
            "dropped": [10, 600, 100],
            "reviews": [1000, 400, 300],
            "users": [700, 100, 90],
            "businesses": [50, 50, 49],
            "images": [2000, 900, 600],
        }
    )
    figure = cascade(table)
    assert texts(figure.axes)[:3] == ["1,000\n(−10)", "400\n(−600)", "300\n(−100)"]
    assert texts(figure.axes)[6:9] == ["50", "50", "49\n(−1)"]
    figure.draw_without_rendering()
    for axis in figure.axes:
        for note in axis.texts:
            inside = axis.get_window_extent()
            assert inside.x0 <= note.get_window_extent().x0 and note.get_window_extent().x1 <= inside.x1
    dropped, left = figure.axes[0].containers
    assert [bar.get_width() for bar in left] == [1000, 400, 300]
    assert [bar.get_width() for bar in dropped] == [10, 600, 100]


def test_photo_status_names_every_reason():
    images = pd.DataFrame({"status": ["ok"] * 6 + ["expired"] * 3 + ["not an image"]})
    figure = photo_status(images)
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ok", "expired", "not an image"]
    assert texts([axis]) == [" 6 (60.0%)", " 3 (30.0%)", " 1 (10.0%)"]


def test_review_page_shows_photos_and_why_others_are_missing(reviews, tmp_path):
    Image.new("RGB", (40, 30), (10, 20, 30)).save(tmp_path / "p1.jpg")
    images = pd.DataFrame(
        {
            "image_id": [f"p{n}" for n in range(1, 8)],
            "path": [str(tmp_path / "p1.jpg")] + [""] * 6,
            "status": ["ok"] + ["expired"] * 6,
        }
    )
    page = review_page(reviews, images, photos=4)
    shapes = [photo.get_array().shape[:2] for photo in page.sheet.images]
    assert shapes == [(30, 40), *[(250, 250)] * 4, (30, 40)]  # six photos of the second review, four places
    words = texts([page.sheet])
    assert words.count("★☆☆☆☆") == 1 and words[-1].endswith("…")
    assert not any("$" in text and len(text) > 80 for text in words)
