from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from showcase_utils.cli import app
from showcase_utils.config import Download
from showcase_utils.photos import folder as folders
from showcase_utils.photos.folder import PhotoFolder, damaged_photos
from showcase_utils.photos.store import PhotoStore


def status_of(folder: Path, *image_ids: str) -> dict[str, str]:
    found = PhotoFolder(folder).statuses(image_ids)
    return {image_id: status for image_id, (status, _) in zip(image_ids, found, strict=True)}


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
    names = ["good", "png", "html", "empty", "header", "cut", "cut_png", "trailer", "gone", "text"]
    names += ["../good", "a/b", "", "x" * 129]
    assert status_of(folder, *names) == {
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
    paths = [path for _, path in PhotoFolder(folder).statuses(names)]
    assert [path for path in paths if path] == ["good.jpg", "png.jpg", "trailer.jpg"]


def test_photos_lie_flat_or_up_to_two_folders_deep(published, tmp_path):
    for image_id, folder in (("a", "images"), ("b", "images/0"), ("c", "images/0/1"), ("d", "images/0/1/2")):
        published.photo(image_id, folder=folder)
    folder = PhotoFolder(tmp_path / "images")
    assert folder.statuses("abcd") == [("ok", "a.jpg"), ("ok", "0/b.jpg"), ("ok", "0/1/c.jpg"), ("expired", "")]
    assert len(folder) == 3


def test_ids_are_told_apart_by_letter_case(published, tmp_path):
    published.photo("AbC")
    assert status_of(tmp_path / "images", "AbC", "aBc") == {"AbC": "ok", "aBc": "expired"}


@pytest.mark.parametrize("limit", [47, 10])
def test_too_many_pixels(published, tmp_path, monkeypatch, limit):
    published.photo("wide", size=(8, 6))
    monkeypatch.setattr(folders, "MAX_PIXELS", limit)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # 47: Pillow warns, 10: it raises
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert status_of(tmp_path / "images", "wide") == {"wide": "too large"}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder; data.images"):
        PhotoFolder(tmp_path / "nowhere")
    assert PhotoFolder(tmp_path).statuses([]) == []


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
    assert status_of(store, *names) == {
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
    monkeypatch.setattr(folders, "file_status", lambda path: opened.append(str(path)) or "ok")
    assert status_of(store, "good", "shorter") == {"good": "ok", "shorter": "ok"}
    assert opened == [str(store / "shorter.jpg")]


def test_a_bit_that_flipped_in_a_photo_is_found_by_whoever_looks(store, published, tmp_path):
    content = bytearray((store / "good.jpg").read_bytes())
    content[len(content) // 2] ^= 1
    (store / "good.jpg").write_bytes(content)
    (store / "new.jpg").unlink()
    assert status_of(store, "good") == {"good": "ok"}, "of the length that the index knows"
    wrong = ["good.jpg: not what was stored", "removed.jpg: gone", "shorter.jpg: not what was stored"]
    assert sorted(damaged_photos(store, progress=False)) == wrong

    settings = f"data.images={json.dumps(str(store))}"
    arguments = ["status", "-p", "gest", "-s", settings, "-a", str(tmp_path / "artifacts"), "--verify"]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 1 and all(words in outcome.stdout for words in ("3 damaged", *wrong))
    assert "download photos" in outcome.stderr

    for name in ("good", "removed", "shorter"):
        published.photo(name, size=(30, 20))
    with PhotoStore(store) as again:
        again.adopt(store, Download(), progress=False)
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0 and "all as stored" in outcome.stdout
