"""What is printed in a terminal: texts of the data as they are, neither rich's markup nor orders to the terminal."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console
from rich.text import Text

_ORDERS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # control characters, turned writing


def visible(text: str) -> str:
    """The text with the characters that a terminal obeys written out as in a string of Python."""
    return _ORDERS.sub(lambda found: repr(found[0])[1:-1], text)


def visible_json(text: str) -> str:
    """JSON with the same characters as escapes of JSON, which mean what they meant: they stand in strings alone."""
    return _ORDERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def counted(number: int, thing: str) -> str:
    """So many of a thing: "1 photo", "1,200 photos"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


class PlainConsole(Console):
    """Prints every string as it is, in tables too. ``rich.text.Text`` is for colours of ours."""

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich calls this for every string that it is given."""
        return super().render_str(visible(text), **options)
