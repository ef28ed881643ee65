"""A showcase that changes while one moves what it was made with, in a live notebook."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def live_showcase(explain: Callable[..., Any], k: int, most: int = 6) -> object:
    """Sliders over k and θ, and the showcase that ``explain(k=…, theta=…)`` gives; it must have ``_repr_html_``.

    Only kernels that a Jupyter server started carry JPY_SESSION_NAME: under papermill nobody could move a slider, and
    the showcase itself is returned.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        return explain(k=k)
    import ipywidgets

    shown = ipywidgets.HTML()
    photos = ipywidgets.IntSlider(k, 1, most, description="photos", continuous_update=False)
    theta = ipywidgets.FloatSlider(0.5, min=0, max=0.95, step=0.05, description="θ", continuous_update=False)

    def show(_: object = None) -> None:
        shown.value = explain(k=photos.value, theta=theta.value)._repr_html_()

    for slider in (photos, theta):
        slider.observe(show, names="value")
    show()
    return ipywidgets.VBox([ipywidgets.HBox([photos, theta]), shown])
