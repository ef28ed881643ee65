import json
import warnings

import pytest
from matplotlib import pyplot

from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
from showcase_utils.plots.writer import Figures


@pytest.fixture
def figures(tmp_path):
    return Figures(Artifacts(load_settings("smoke"), tmp_path), "03_dpp_selection")


def drawing(title="kernel"):
    figure, axes = pyplot.subplots(figsize=(2, 2))
    axes.set_title(title)
    return figure


def test_saved_indexed_closed_and_shown_as_it_is(figures):
    image = figures.save(drawing(), "kernel_heatmap", "The kernel")
    path = figures.folder / "03_kernel_heatmap.png"
    assert path.read_bytes() == image.data
    assert pyplot.get_fignums() == []
    entry = json.loads((figures.folder / "index.json").read_text())["03_kernel_heatmap.png"]
    assert (entry["notebook"], entry["profile"], entry["caption"]) == ("03_dpp_selection", "smoke", "The kernel")
    assert {path.name for path in figures.folder.glob("*.png*")} == {"03_kernel_heatmap.png"}


def test_the_same_drawing_is_the_same_file(figures):
    assert figures.save(drawing(), "one").data == figures.save(drawing(), "two").data


@pytest.mark.filterwarnings("error")
def test_letters_that_the_font_lacks_leave_no_warning_in_a_notebook(figures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with_emoji = figures.save(drawing("good \N{STEAMING BOWL}\N{CJK UNIFIED IDEOGRAPH-597D}"), "emoji").data
    assert with_emoji == figures.save(drawing("good "), "plain").data


def test_slug_becomes_a_file_name(figures):
    with pytest.raises(ValueError, match="lower-case words"):
        figures.save(drawing(), "Kernel heatmap")
