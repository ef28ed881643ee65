"""Tables of what people wrote, for notebooks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler


def text_table(frame: pd.DataFrame) -> Styler:
    """The frame with its texts to the left and their line breaks; no text is markup, in a header neither.

    A bare ``frame.style`` hands texts to the browser as HTML.
    """
    for axis in (0, 1):  # Styler writes the axes' names as they are
        labels = frame.axes[axis]
        names = [None if name is None else html.escape(str(name)) for name in labels.names]
        frame = frame.set_axis(labels.set_names(names), axis=axis)
    table = frame.style.format(escape="html").format_index(escape="html").format_index(escape="html", axis=1)
    table = table.set_table_styles([{"selector": "th", "props": "text-align: left"}])
    return table.set_properties(**{"text-align": "left", "white-space": "pre-wrap"})
