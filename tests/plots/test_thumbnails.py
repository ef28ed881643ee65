"""One layout of photos: where they are put, what stands where one is missing, and photos inside HTML."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from showcase_utils.photos.thumbnails import data_address, placeholder, thumbnail
from showcase_utils.plots.thumbnails import Page, beside_texts


def test_thumbnails_are_small_upright_and_keep_their_shape(tmp_path):
    image = Image.new("RGB", (400, 200), "tomato")
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "a.jpg", exif=exif)
    assert thumbnail(tmp_path / "a.jpg", 100).size == (50, 100)


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_photo_that_cannot_be_read_is_a_grey_square_and_a_warning(tmp_path, content):
    path = tmp_path / "gone.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.warns(UserWarning, match="no photo at .*gone.jpg"):
        shown = thumbnail(path, 120)
    assert shown.size == (120, 120) and shown.getpixel((2, 2)) == (208, 208, 208)
    assert np.array_equal(np.asarray(shown), np.asarray(placeholder("missing", 120)))
    assert np.asarray(shown).min() < 100, "the square says nothing"


def test_a_data_address_holds_the_photo(photos):
    kind, _, content = data_address(thumbnail(photos[3], 50)).partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (12, 9)


def test_photos_stand_in_squares_side_by_side(photos, numbers):
    page = Page(5)
    height = page.photos(photos[:5], 1, 2, 1.0, columns=2, gap=0.5)
    assert height == pytest.approx(3 * 1.0 + 2 * 0.5) and numbers(page) == [0, 1, 2, 3, 4]
    left, right, bottom, top = page.sheet.images[3].get_extent()
    assert (left, right) == pytest.approx((2.5, 3.5))  # second column, as wide as its square
    assert (top, bottom) == pytest.approx((3.5 + 0.125, 4.5 - 0.125))  # 4:3, in the middle of its square
    page.cut(7)
    assert page.get_size_inches().tolist() == [5, 7] and page.sheet.get_ylim() == (7, 0)


def test_words_stay_inside_their_width(photos):
    page = Page(6)
    text = "The grilled shrimp tacos came on a wooden board. " * 6 + "https://" + "long" * 60
    height = page.words(text, 1, 1, 2.5, size=10)
    page.cut(10)
    boxes = [line.get_window_extent() for line in page.sheet.texts]
    assert max(box.width for box in boxes) / page.dpi <= 2.5 and len(boxes) * 10 * 1.35 / 72 == pytest.approx(height)
    assert "".join("".join(line.get_text() for line in page.sheet.texts).split()) == "".join(text.split())
    assert Page(6).words(text, 1, 1, 2.5, size=10, most=3) == pytest.approx(3 * 10 * 1.35 / 72)


def test_samples_do_not_overlap(photos, numbers):
    rows = [(photos[:4], [("one", "word " * 90), ("two", "")]), (photos[4:5], [("three", "few words")])]
    page = beside_texts(rows, ["first", "second"])
    assert numbers(page) == [0, 1, 2, 4]  # at most three a row
    boxes = [line.get_window_extent() for line in page.sheet.texts]
    below = [line for line, text in zip(boxes, page.sheet.texts, strict=True) if text.get_text() in ("second", "three")]
    above = boxes[: [text.get_text() for text in page.sheet.texts].index("second")]
    assert max(box.y1 for box in below) < min(box.y0 for box in above)
