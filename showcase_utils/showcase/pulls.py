"""What of a reader's past is named as a photo's reason, and how: for words and for pages alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a result makes pages of itself
    from showcase_utils.showcase.result import PastItem

NAMED, LEAST = 3, 0.05  # items of the past that are named, and the least share of one
START = 40  # letters by which a text is told from others
NOTICED = 0.005  # relevance from which on the past is said to speak for a photo: half a percent likelier


def named(past: Sequence[PastItem], relevance: float) -> list[PastItem]:
    """What pulled a photo up enough to be named, the strongest first; nothing where the past does not speak for it."""
    return [item for item in past[:NAMED] if item.share >= LEAST] if relevance >= NOTICED else []


def heading(items: Sequence[PastItem]) -> str:
    """What stands before the named items. A photo need not show the same thing: its light or framing may count."""
    photos = any(item.kind == "photo" for item in items)
    return f"What speaks for it{' (subject, light, colour, framing)' if photos else ''}:"


def sources(items: Sequence[PastItem]) -> list[list[PastItem]]:
    """Items of the past by where they come from, the photos of one place together, the strongest first."""
    groups: dict[tuple[str, str], list[PastItem]] = {}
    for item in items:
        groups.setdefault((item.kind, item.place or item.id), []).append(item)
    return sorted(groups.values(), key=lambda group: -sum(item.share for item in group))


def source(group: Sequence[PastItem]) -> str:
    """What items of one source are to the reader: "your photo from The Old Fig"."""
    first = group[0]
    if first.kind == "photo":
        which = "your photo" if len(group) == 1 else f"your {len(group)} photos"
        return f"{which} from {first.place}" if first.place else f"{which} {Path(first.id).name}"
    if first.place:
        return f"your review of {first.place}"
    return "your words" if first.quote else f"your text “{start(first.text, START)}”"


def start(text: str, most: int) -> str:
    """A text, of one of more than ``most`` letters its first words."""
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"
