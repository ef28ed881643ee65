"""The showcase with sliders: in a live notebook they change it, elsewhere there is the showcase."""

from dataclasses import dataclass

import ipywidgets
import pytest

from showcase_utils.plots.live import live_showcase


@dataclass
class Shown:
    k: int
    theta: float

    def _repr_html_(self):
        return f"<p>{self.k} photos at {self.theta}</p>"


def explain(k, theta=0.5):
    return Shown(k, theta)


def test_where_nobody_can_move_it_there_is_the_showcase(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert live_showcase(explain, 3) == Shown(3, 0.5)


@pytest.mark.parametrize("moved", [{"photos": 2}, {"θ": 0.9}])
def test_moving_a_slider_makes_it_anew(monkeypatch, moved):
    monkeypatch.setenv("JPY_SESSION_NAME", "06_showcase_gallery.ipynb")
    box = live_showcase(explain, 3)
    sliders, shown = {slider.description: slider for slider in box.children[0].children}, box.children[1]
    assert isinstance(shown, ipywidgets.HTML) and shown.value == "<p>3 photos at 0.5</p>"
    for name, value in moved.items():
        sliders[name].value = value
    assert shown.value == f"<p>{sliders['photos'].value} photos at {sliders['θ'].value}</p>" != "<p>3 photos at 0.5</p>"
