"""Pages that hold what people wrote: no string of the data becomes markup, no photo is stretched or lost."""

from __future__ import annotations

import math
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from showcase_utils.alignment.annotations import labelling_sheet
from showcase_utils.claims.human import write_sheet
from showcase_utils.showcase.page import page
from showcase_utils.showcase.result import PastItem, PhotoReason, SentenceReason, Showcase

HOSTILE = """'"></span><svg onload="alert(1)"><script>alert(2)</script><!--BODY-->"""


class Elements(HTMLParser):
    """The tags and attributes of a page, as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.fixture
def photo(tmp_path) -> Path:
    Image.new("RGB", (40, 30), "tomato").save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def showcase_page(photo: Path, words: str) -> str:
    past = PastItem("review", words, 1.0, 1.0, words, words, photo, quote=words)
    reason = PhotoReason(0.5, 1.0, (past,), words, words, 1, 9, False)
    told = SentenceReason(words, 0, 0.9)
    one = Showcase(words, words, words, words, (words,), (photo,), (words,), words, (reason,), (told,),
                   {"clip_align": math.nan, "unusual": 0.0}, (photo,), (words,))  # fmt: skip
    return page([one, one], words)


def labelling_page(photo: Path, words: str) -> str:
    reviews = pd.DataFrame({"review_id": [words], "text": [words], "image_ids": [[words, "lost"]]})
    images = pd.DataFrame({"image_id": [words, "lost"], "path": [str(photo), "/no/photo.jpg"], "status": "ok"})
    labelling_sheet(reviews, images, photo.with_name("sheet.html"), annotator=words)
    return photo.with_name("sheet.html").read_text()


def rating_page(photo: Path, words: str) -> str:
    row = {"review_id": "r", "user_id": "u", "business_id": "b", "image_ids": [words], "reference": words}
    texts = pd.DataFrame([row | {"system": name, "seed": 0, "text": f"{words} {name}"} for name in ("a", "b")])
    write_sheet(photo.with_name("rate.html"), texts, {words: photo}, samples=1, seed=0)
    return photo.with_name("rate.html").read_text()


@pytest.mark.parametrize("made", [showcase_page, labelling_page, rating_page])
def test_no_string_of_the_data_becomes_markup(made, tmp_path, photo):
    folder = tmp_path / "hostile"
    folder.mkdir()
    hostile = Elements(made(photo.rename(folder / photo.name), HOSTILE))
    assert "svg" not in hostile.tags and "onload" not in hostile.attributes
    assert hostile.tags.count("script") == 1, "the page's own"
    assert hostile.tags.count("img") >= 1


def test_a_photo_that_is_not_there_is_seen_and_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="no photo at .*gone.jpg"):
        shown = showcase_page(tmp_path / "gone.jpg", "ramen")
    assert Elements(shown).tags.count("img") == 6  # two showcases: chosen, what pulled it, past


def test_photos_of_the_labelling_sheet_keep_their_shape(photo):
    """A flex row stretches its items to the height of the tallest unless it is told not to."""
    assert "align-items:flex-start" in labelling_page(photo, "ramen")
