"""The pictures that people see first: who is on them, by which rule, and what marks a sentence's photo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from showcase_utils.plots import gallery


@dataclass
class Shown:
    user: str
    place: str
    photos: tuple[Path, ...]
    text: str
    past_photos: tuple[Path, ...]
    evidence: tuple[tuple[str, int | None], ...] = ()


@pytest.fixture
def shown(photos):
    return Shown("Daan L.", "Sesame & Salt", photos[:3], "the ramen. the room.", photos[3:8], ())


def test_the_place_is_drawn_among_those_with_enough_guests():
    rows = [(f"u{user}", place) for place, users in {"a": 2, "b": 4, "c": 5}.items() for user in range(users)]
    visits = pd.DataFrame(rows * 2, columns=["user_id", "business_id"])  # a repeat visit is no further guest
    drawn = {seed: gallery.draw_place(visits, seed) for seed in range(20)}
    assert {place for place, _ in drawn.values()} == {"b", "c"}
    assert all(len(set(users)) == 4 for _, users in drawn.values())
    assert len({tuple(users) for place, users in drawn.values() if place == "c"}) > 1
    assert gallery.draw_place(visits.sample(frac=1, random_state=1), 3) == drawn[3]  # the order of rows says nothing
    assert gallery.draw_place(visits, 0, guests=9)[0] == "c" and len(gallery.draw_place(visits, 0, guests=9)[1]) == 5


def test_the_user_is_drawn_among_those_with_enough_places():
    visits = pd.DataFrame({"user_id": list("aabbb"), "business_id": list("xyxyz")})
    assert {gallery.draw_user(visits, seed)[0] for seed in range(9)} == {"b"}
    assert sorted(gallery.draw_user(visits, 0)[1]) == ["x", "y", "z"]


def test_same_place_shows_past_and_chosen_photos_of_each_user(shown, photos, numbers, words):
    other = replace(
        shown, user="6084a818d1e0c2a30c960002aa", photos=photos[1:3], past_photos=photos[:1], text="the beer."
    )
    page = gallery.same_place([shown, other])
    assert numbers(page) == [3, 4, 5, 6, 7, 0, 1, 2, 0, 1, 2]
    small, large = page.sheet.images[0].get_extent(), page.sheet.images[5].get_extent()
    assert large[1] - large[0] > 1.5 * (small[1] - small[0])
    order = [words(page).index(word) for word in ("Daan L.", "ramen", "…02aa", "beer")]
    assert order == sorted(order)
    assert page.facts == pytest.approx({"sets": 2, "overlap": 2 / 3})
    assert "“the beer.”" in page.alt and "chosen at Sesame & Salt for each user" in words(page)


def test_a_sentence_and_its_photo_bear_the_same_mark(shown):
    told = replace(shown, evidence=(("the ramen.", 2), ("the room.", None)))
    marks = [text for text in gallery.same_place([told]).sheet.texts if text.get_text() == "3"]
    assert len(marks) == 2, "one on the photo, one before the sentence"
    assert not any(text.get_text() in "123" for text in gallery.same_place([shown]).sheet.texts)


def test_where_nothing_is_told_the_row_says_so(shown, words):
    assert "Nothing is said: no sentence" in words(gallery.same_user([replace(shown, text="")]))


def test_a_missing_photo_is_shown_as_one(shown):
    with pytest.warns(UserWarning, match="nowhere.jpg"):
        page = gallery.same_user([replace(shown, photos=(*shown.photos[:2], Path("/nowhere.jpg")))])
    assert len(page.sheet.images) == 8
