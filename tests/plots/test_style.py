"""What all figures share: names that keep apart, letters that can be drawn, looks without two alike."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from showcase_utils.plots.style import PALETTE, Drawing, drawable, look, measure, name_points, wrapped


def test_names_cover_neither_points_nor_one_another():
    figure = Drawing(7, 4)
    axis = figure.subplots()
    close = {f"system {number}": (0.5 + 0.004 * number, 0.5 + 0.003 * (number % 3)) for number in range(7)}
    points = close | {"far left": (0, 0), "far right, with a long name": (1, 1)}
    axis.scatter(*zip(*points.values(), strict=True))
    name_points(axis, points)
    boxes = {text.get_text(): text.get_window_extent() for text in axis.texts}
    assert set(boxes) == set(points)
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        assert not first.overlaps(second), f"{one} covers {other}"
    for name, box in boxes.items():
        assert not any(box.contains(*axis.transData.transform(point)) for point in points.values()), name
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, f"{name} leaves the figure"


def test_letters_without_a_glyph_are_left_out_and_lines_wrap_by_width():
    assert drawable("ramen 🍜 好!") == "ramen  !"
    lines = wrapped("one two three four five six", 0.7, 10)
    assert " ".join(lines) == "one two three four five six" and all(measure(line, 10) <= 0.7 for line in lines)
    assert wrapped("one two three four five six", 0.7, 10, most=2)[-1].endswith("…")
    assert wrapped("", 1, 10) == [""]


def test_no_two_names_look_alike():
    looks = look([f"s{number}" for number in range(10)])
    assert len({str(style) for style in looks.values()}) == 10


def luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_every_colour_is_seen_on_white():
    assert all(1.05 / (luminance(colour) + 0.05) > 2 for colour in PALETTE)


@pytest.mark.slow
def test_drawing_imports_neither_seaborn_nor_pyplot():
    code = "import sys; import showcase_utils.plots.gallery, showcase_utils.plots.claims\n"
    code += "print([name for name in ('seaborn', 'matplotlib.pyplot', 'torch', 'scipy.stats') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
