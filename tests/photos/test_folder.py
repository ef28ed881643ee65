from __future__ import annotations

import json
import warnings

import pandas as pd
import pytest
from PIL import Image

from showcase_utils.config import Download
from showcase_utils.photos import folder as images
from showcase_utils.photos.folder import PhotoFolder, images_table
from showcase_utils.photos.store import PhotoStore


def reviews_with(*photos: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "review_id": [f"r{n}" for n in range(len(photos))],
            "business_id": [f"b{n}" for n in range(len(photos))],
            "image_ids": list(photos),
        }
    )


def status_of(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["image_id"], table["status"], strict=True))


def test_every_photo_gets_its_status(published, tmp_path):
    folder = tmp_path / "images"
    published.photo("good")
    published.photo("png", form="PNG")
    (folder / "html.jpg").write_bytes(b"<html>404</html>")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.txt").write_bytes(b"x")
    (folder / "header.jpg").write_bytes((folder / "good.jpg").read_bytes()[:12])
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:-20])
    (folder / "cut_png.jpg").write_bytes((folder / "png.jpg").read_bytes()[:-30])
    (folder / "trailer.jpg").write_bytes((folder / "good.jpg").read_bytes() + bytes(100))
    table = images_table(
        reviews_with(
            ["good", "png", "html", "empty"],
            ["header", "cut", "cut_png", "trailer", "gone", "text"],
            ["../good", "a/b", "", "x" * 129],
        ),
        folder,
        progress=False,
    )
    assert table.columns.tolist() == ["image_id", "review_id", "business_id", "url", "path", "status"]
    assert status_of(table) == {
        "good": "ok",
        "png": "ok",
        "html": "not an image",
        "empty": "not an image",
        "header": "not an image",
        "cut": "not an image",
        "cut_png": "not an image",
        "trailer": "ok",
        "gone": "expired",
        "text": "expired",
        "../good": "refused",
        "a/b": "refused",
        "": "refused",
        "x" * 129: "refused",
    }
    usable = [str(folder / f"{name}.jpg") for name in ("good", "png", "trailer")]
    assert table.loc[table["status"] == "ok", "path"].tolist() == usable
    assert (table.loc[table["status"] != "ok", "path"] == "").all()


def test_photos_lie_flat_or_up_to_two_folders_deep(published, tmp_path):
    for image_id, folder in (("a", "images"), ("b", "images/0"), ("c", "images/0/1"), ("d", "images/0/1/2")):
        published.photo(image_id, folder=folder)
    table = images_table(reviews_with(["a", "b", "c", "d"]), tmp_path / "images", progress=False)
    assert status_of(table) == {"a": "ok", "b": "ok", "c": "ok", "d": "expired"}
    assert len(PhotoFolder(tmp_path / "images")) == 3


def test_ids_are_told_apart_by_letter_case(published, tmp_path):
    published.photo("AbC")
    table = images_table(reviews_with(["AbC", "aBc"]), tmp_path / "images", progress=False)
    assert status_of(table) == {"AbC": "ok", "aBc": "expired"}


@pytest.mark.parametrize("limit", [47, 10])
def test_too_many_pixels(published, tmp_path, monkeypatch, limit):
    published.photo("wide", size=(8, 6))
    monkeypatch.setattr(images, "MAX_PIXELS", limit)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # 47: Pillow warns, 10: it raises
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = images_table(reviews_with(["wide"]), tmp_path / "images", progress=False)
    assert status_of(table) == {"wide": "too large"}


def test_addresses_come_along_and_a_shared_photo_is_listed_once(published, tmp_path):
    published.photo("a")
    table = images_table(reviews_with(["a", "b"], ["a"], []), tmp_path / "images", {"a": "https://x/a"}, progress=False)
    assert table[["image_id", "review_id", "url"]].to_numpy().tolist() == [["a", "r0", "https://x/a"], ["b", "r0", ""]]


def test_without_a_folder_nothing_is_known(tmp_path):
    table = images_table(reviews_with(["a", "../b"]), None, progress=False)
    assert set(table["status"]) == {"unchecked"} and set(table["path"]) == {""}
    with pytest.raises(FileNotFoundError, match="data.images"):
        images_table(reviews_with(["a"]), tmp_path / "nowhere", progress=False)


def test_no_photos_at_all(tmp_path):
    table = images_table(reviews_with(), tmp_path, progress=False)
    assert table.empty and table.columns.tolist()[-1] == "status"


@pytest.fixture
def store(published, tmp_path):
    """Photos with one of every fate, two of them only in the journal of a process that was killed."""
    folder = tmp_path / "images"
    for name in ("good", "shorter", "cut", "removed"):
        published.photo(name, size=(60, 40))
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:-50])
    with PhotoStore(folder) as store:
        store.adopt(folder, Download(), progress=False)
        for status in ("expired", "unreachable", "too large", "refused", "not an image"):
            store.record(status.replace(" ", "_"), status)
        store.record("unreachable_then_expired", "unreachable")
    lines = [{"image_id": "unreachable_then_expired", "status": "expired"}, {"image_id": "later", "status": "expired"}]
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"image_id": "to')
    (folder / "removed.jpg").unlink()
    (folder / "shorter.jpg").write_bytes((folder / "shorter.jpg").read_bytes()[:-50])
    published.photo("new")
    return folder


def test_the_index_of_a_store_tells_why_a_photo_is_not_there(store):
    names = ["good", "new", "shorter", "cut", "removed", "never_asked", "expired", "unreachable", "too_large"]
    names += ["refused", "not_an_image", "unreachable_then_expired", "later"]
    assert status_of(images_table(reviews_with(names), store, progress=False)) == {
        "good": "ok",
        "new": "ok",  # a file that nobody recorded
        "shorter": "not an image",  # cut off since it was recorded
        "cut": "not an image",
        "removed": "missing",
        "never_asked": "missing",
        "expired": "expired",
        "unreachable": "unreachable",
        "too_large": "too large",
        "refused": "refused",
        "not_an_image": "not an image",
        "unreachable_then_expired": "expired",
        "later": "expired",
    }


def test_files_that_the_index_vouches_for_are_not_opened(store, monkeypatch):
    opened = []
    monkeypatch.setattr(images, "file_status", lambda path: opened.append(str(path)) or "ok")
    table = images_table(reviews_with(["good", "shorter"]), store, progress=False)
    assert set(table["status"]) == {"ok"}
    assert opened == [str(store / "shorter.jpg")]
