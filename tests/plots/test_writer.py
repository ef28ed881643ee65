import json
import warnings

import pytest

from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
from showcase_utils.plots.style import Drawing
from showcase_utils.plots.writer import Figures, stamp


@pytest.fixture
def figures(tmp_path):
    return Figures(Artifacts(load_settings("smoke"), tmp_path), "03_dpp_selection")


def drawing(title="kernel", alt=""):
    figure = Drawing(2, 2, alt)
    figure.subplots().set_title(title)
    return figure


def index(figures):
    return json.loads((figures.folder / "index.json").read_text())


def test_saved_indexed_and_shown_as_it_is(figures):
    kernel = drawing(alt="A square")
    kernel.facts["spread"] = 1 / 3
    image = figures.save(kernel, "kernel_heatmap", "The kernel")
    assert (figures.folder / "03_kernel_heatmap.png").read_bytes() == image.data
    entry = index(figures)["03_kernel_heatmap.png"]
    assert entry == {
        "notebook": "03_dpp_selection", "profile": "smoke", "caption": "The kernel", "alt": "A square",
        "facts": {"spread": 0.333333},
    }  # fmt: skip
    assert {path.name for path in figures.folder.glob("*.png*")} == {"03_kernel_heatmap.png"}


def test_without_an_alternative_text_the_caption_stands_in(figures):
    image = figures.save(drawing(), "kernel", "The kernel")
    assert index(figures)["03_kernel.png"]["alt"] == image.alt == "The kernel"


def test_a_stamp_marks_the_figures_of_its_notebook_only(figures):
    figures.save(drawing(), "kernel", "The kernel")
    other = Figures(figures_store(figures), "05_metric_evaluation")
    other.save(drawing(), "claims")
    stamp(figures.folder, "03_dpp_selection", {"commit": "abc"})
    entries = index(figures)
    assert entries["03_kernel.png"]["commit"] == "abc" and entries["03_kernel.png"]["caption"] == "The kernel"
    assert "commit" not in entries["05_claims.png"]


def figures_store(figures):
    return Artifacts(load_settings("smoke"), figures.folder.parent.parent)


def test_the_same_drawing_is_the_same_file(figures):
    assert figures.save(drawing(), "one").data == figures.save(drawing(), "two").data


def test_letters_that_the_font_lacks_leave_no_warning_in_a_notebook(figures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with_emoji = figures.save(drawing("good \N{STEAMING BOWL}\N{CJK UNIFIED IDEOGRAPH-597D}"), "emoji").data
    assert with_emoji == figures.save(drawing("good "), "plain").data


def test_slug_becomes_a_file_name(figures):
    with pytest.raises(ValueError, match="lower-case words"):
        figures.save(drawing(), "Kernel heatmap")
