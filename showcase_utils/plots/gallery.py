"""Pictures of showcases: any of them, one place for several users, several places for one user."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from showcase_utils.plots.style import BLUE, BODY, GREEN, INK, MUTED, PURPLE, RED
from showcase_utils.plots.thumbnails import Page

LARGE, PAST, GAP = 1.62, 0.77, 0.08  # inches: a chosen photo, a past one, the space between
LEFT = 0.15 + 3 * (PAST + GAP) + 0.35  # where the chosen photos begin, right of the panel of past ones
MARKS = (BLUE, RED, GREEN, PURPLE)  # of the first, the second, … chosen photo
GROUND = "#f1f3f5"


class Shown(Protocol):
    """What a row needs to know of a showcase, such as ``showcase_utils.showcase.Showcase``.

    ``user`` and ``place`` are names as people read them, or the ids. It may also have ``evidence``: each sentence of
    the text with the place of the photo that bears it out, or None.
    """

    user: str
    place: str
    photos: Sequence[Path]
    text: str
    past_photos: Sequence[Path]


def draw_place(visits: pd.DataFrame, seed: int, guests: int = 4) -> tuple[str, list[str]]:
    """The place of ``same_place`` and its users, by a rule and not by looks.

    Of the places with at least ``guests`` users in ``visits`` (user_id, business_id) the seed draws one, and of its
    users as many as ``guests``. If no place has so many, those with the most are drawn from.
    """
    return _draw(visits, "business_id", "user_id", seed, guests)


def draw_user(visits: pd.DataFrame, seed: int, places: int = 3) -> tuple[str, list[str]]:
    """The user of ``same_user`` and the places they went to, by the rule of ``draw_place`` with roles exchanged."""
    return _draw(visits, "user_id", "business_id", seed, places)


def sheet(showcases: Sequence[Shown], names: Sequence[str], chosen: str = "chosen and written for this user") -> Page:
    """A row per showcase: photos of the user's past small, the chosen ones large, the text; ``chosen`` is the head.

    Facts: ``sets``, how many different sets of photos there are; ``overlap``, the mean Jaccard index of two of them.
    """
    columns = max((len(showcase.photos) for showcase in showcases), default=1)
    page = Page(LEFT + columns * (LARGE + GAP) + 3.7)
    page.alt = f"{len(showcases)} rows of past photos, chosen photos and text: "
    page.alt += " ".join(f"“{showcase.text}”" for showcase in showcases)
    page.words("photographed elsewhere", 0.15, 0.12, size=BODY + 1, colour=MUTED)
    page.words(chosen, LEFT, 0.12, size=BODY + 1, weight="bold")
    y = 0.44
    for showcase, name in zip(showcases, names, strict=True):
        y = _row(page, showcase, name, y)
    sets = [frozenset(map(str, showcase.photos)) for showcase in showcases]
    page.facts["sets"] = len(set(sets))
    shared = [len(a & b) / max(len(a | b), 1) for a, b in combinations(sets, 2)]
    page.facts["overlap"] = float(np.mean(shared or [1.0]))
    return page.cut(y)


def same_place(showcases: Sequence[Shown]) -> Page:
    """One place for several users: a row of ``sheet`` each."""
    place = " and ".join(dict.fromkeys(short(showcase.place) for showcase in showcases))
    names = [short(showcase.user) for showcase in showcases]
    return sheet(showcases, names, f"chosen at {place} for each user, and written")


def same_user(showcases: Sequence[Shown]) -> Page:
    """Several places for one user: a row of ``sheet`` each; at each the user is known by the others."""
    user = " and ".join(dict.fromkeys(short(showcase.user) for showcase in showcases))
    names = [short(showcase.place) for showcase in showcases]
    return sheet(showcases, names, f"chosen at each place for {user}, and written")


def short(name: str, most: int = 24) -> str:
    """A name as it is, and of one too long to be one, as ids are, the end: "…0c2d"."""
    return name if len(name) <= most else f"…{name[-4:]}"


def _draw(visits: pd.DataFrame, one: str, many: str, seed: int, least: int) -> tuple[str, list[str]]:
    partners = visits.drop_duplicates([one, many]).groupby(one)[many].agg(sorted)
    enough = partners[partners.map(len) >= min(least, partners.map(len).max())]
    drawn = np.random.default_rng(seed)
    chosen = enough.index[drawn.integers(len(enough))]
    found = drawn.permutation(enough[chosen])[:least]
    return str(chosen), [str(partner) for partner in found]


def _row(page: Page, showcase: Shown, name: str, y: float) -> float:
    """One showcase: six small past photos on grey, the chosen ones large, the text; returns where the next begins."""
    page.panel(0.05, y, LEFT - 0.25, LARGE + 0.36, GROUND)
    page.words(name, 0.15, y + 0.07, size=BODY - 0.5, colour=MUTED)
    page.photos(showcase.past_photos[:6], 0.15, y + 0.29, PAST, columns=3, gap=GAP)
    if not showcase.past_photos:
        page.words("no photos", 0.15, y + 0.29, size=BODY - 0.5, colour=MUTED)
    top, evidence = y + 0.18, getattr(showcase, "evidence", None) or []
    marked = {photo for _, photo in evidence if photo is not None}
    for place, photo in enumerate(showcase.photos):
        x = LEFT + place * (LARGE + GAP)
        corner = page.photo(photo, x, top, LARGE)
        if place in marked:
            page.badge(place + 1, corner[0] + 0.17, corner[1] + 0.17, MARKS[place % len(MARKS)], 0.12)
    _text(page, showcase.text, evidence, LEFT + len(showcase.photos) * (LARGE + GAP) + 0.15, top)
    return y + LARGE + 0.36 + 0.14


def _text(page: Page, text: str, evidence: Sequence[tuple[str, int | None]], x: float, y: float) -> None:
    """The text; with evidence a sentence a paragraph, each behind the mark of the photo that it speaks of."""
    from showcase_utils.showcase.article import SILENT  # whose folder brings PyTorch, which drawing can do without

    width, size = page.width - x - 0.1, 11.5
    for sentence, photo in evidence or [(text or SILENT, None)]:
        indent = 0.32 if evidence else 0
        if photo is not None:
            page.badge(photo + 1, x + 0.11, y + 0.11, MARKS[photo % len(MARKS)])
        y += page.words(sentence, x + indent, y, width - indent, size, INK, most=9) + 0.08
