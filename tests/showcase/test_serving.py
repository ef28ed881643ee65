"""The local app: what it answers, what it refuses, and that only this machine reaches it."""

import io
import re
import socket
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from showcase_utils.serving import app as serving
from showcase_utils.serving import uploads
from showcase_utils.serving.app import HEADERS, build_app
from showcase_utils.showcase import Showcases
from showcase_utils.showcase.pulls import source
from showcase_utils.showcase.result import PastItem
from tests.showcase.conftest import BUSINESSES, ClipByName

PHOTO = {"content-type": "application/octet-stream"}


def picture(colour, kind="JPEG", size=(40, 30)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def client(showcases):
    return TestClient(build_app(showcases), base_url="http://127.0.0.1:7860")


def drop(client, *contents):
    return [client.post("/photos", content=content, headers=PHOTO).text for content in contents]


def test_a_user_at_a_place_by_id(client, showcases):
    html = client.post("/explain", json={"reader": "user0", "place": "place1", "k": 2}).text
    shown = showcases.explain("user0", "place1", k=2)
    assert html.count("<figure>") == 2 and "&lt;tacos&gt; &amp; tea" in html
    assert [name in html for name in shown.image_ids] == [True, True]
    links = re.findall(r'src="(/photos/[0-9a-f]+/\d+)"', html)
    assert len(links) > 2 and "data:" not in html
    for link in links:
        assert client.get(link).headers["content-type"] == "image/jpeg"


def test_the_page_lists_readers_places_methods_and_trained_systems(client):
    html = client.get("/").text
    for words in ("user4", *BUSINESSES[:1], "metric_dpp", "ours_pc2l", "retrieval"):
        assert f">{words}</option>" in html
    assert not re.search(r'(src|href)="(https?:)?//', html)
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', html):
        assert client.get(asset).status_code == 200


def test_a_saved_folder_is_served_as_the_run_is(client, showcases, tmp_path):
    saved = Showcases.load(showcases.save(tmp_path / "saved"))
    saved.encoder._clip = ClipByName()
    other = TestClient(build_app(saved), base_url="http://localhost:7860")
    ask = {"reader": "user0", "place": "place1", "k": 2}
    shown = [
        re.search("<blockquote>.*?</blockquote>", one.post("/explain", json=ask).text)[0] for one in (client, other)
    ]
    assert shown[0] == shown[1] and ">user4</option>" in other.get("/").text


def test_material_of_ones_own_with_a_photo_pinned_and_one_left_out(client):
    mine = drop(client, picture("red"))
    place = drop(client, *(picture(colour) for colour in ("blue", "green", "gold")))
    ask = {"texts": ["Great ramen."], "photos": mine, "candidates": place, "place_name": "Kew", "k": 2}
    html = client.post("/explain", json=ask | {"pin": [place[2]], "leave_out": [place[0]], "stranger": True}).text
    assert "Kew <small>for you" in html and "for a stranger" in html
    assert html.count('<article class="showcase"') == 2
    first = html[html.index('class="offered"') :].split("<li>")[1]
    assert f'name="pin" value="{place[2]}" checked' in first and "chosen as photo" in first


def test_reasons_call_a_photo_as_its_file_was_called(client):
    files = [("IMG_00.jpg", "red"), ("IMG_00.jpg", "blue"), ("img_00.JPG", "green"), ("IMG_00.jpg", "red")]
    kept = [client.post(f"/photos?name={name}", content=picture(one), headers=PHOTO).text for name, one in files]
    assert kept == ["IMG_00.jpg", "IMG_00 (2).jpg", "img_00 (3).JPG", "IMG_00.jpg"]
    for name, path in zip(kept, client.app.state.uploads.paths(kept), strict=True):
        assert source([PastItem("photo", str(path), 1.0, 1.0)]) == f"your photo {name}"


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "", "a\0b\n.jpg", "C:\\x.jpg", "é" * 999, "<svg onload=1>"])
def test_no_name_leads_out_of_the_folder(client, name):
    kept = client.post("/photos", params={"name": name}, content=picture("red"), headers=PHOTO).text
    folder = Path(client.app.state.uploads._folder.name)
    assert [path.name for path in folder.iterdir()] == [kept] and re.fullmatch(r"[\w .()-]{1,60}", kept)


def test_a_name_is_not_given_to_another_photo_when_its_own_has_gone(client, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_PHOTOS", 1)
    assert drop(client, picture("red"), picture("blue"), picture("red")) == ["photo.jpg", "photo (2).jpg", "photo.jpg"]


def test_one_photo_dropped_twice_is_one(client):
    assert len(set(drop(client, picture("red"), picture("red"), picture("red", "PNG")))) == 2  # a PNG is encoded anew


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"hello", "not an image"), (b"", "not an image"), (picture("red")[:200], "not an image"),
     (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not an image")],
)  # fmt: skip
def test_what_is_no_photo_is_said(client, content, words):
    reply = client.post("/photos", content=content, headers=PHOTO)
    assert reply.status_code == 400 and words in reply.text


def test_photos_beyond_the_limits(client, showcases, monkeypatch):
    monkeypatch.setattr(client.app.state.uploads, "max_pixels", 1000)
    reply = client.post("/photos", content=picture("red"), headers=PHOTO)
    assert reply.status_code == 400 and "too large (40 x 30 pixels)" in reply.text
    body = bytes(showcases.settings.download.max_bytes + 1)
    assert client.post("/photos", content=body, headers=PHOTO).status_code == 413
    monkeypatch.setattr(client.app.state.uploads, "max_pixels", 10_000)
    monkeypatch.setattr(uploads, "MOST_PHOTOS", 2)
    kept = drop(client, *(picture(colour) for colour in ("blue", "green", "gold")))
    reply = client.post("/explain", json={"reader": "user0", "candidates": kept})
    assert reply.status_code == 400 and reply.text == "A photo is not here any more: drop it in again."
    assert client.post("/explain", json={"reader": "user0", "candidates": kept[1:]}).status_code == 200


@pytest.mark.parametrize(
    ("ask", "status", "words"),
    [
        ({"reader": "user9", "place": "place1"}, 400, "did you mean user"),
        ({"reader": "user0"}, 400, "Drop in some photos of the place"),
        ({"reader": "user0", "candidates": ["../../etc/passwd"]}, 400, "not here any more"),
        ({"reader": "user0", "place": "place1", "pin": ["nope"]}, 400, "photo nope is none of the 13 of place1"),
        ({"reader": "user0", "place": "place1", "k": 99}, 422, "k: Input should be less than or equal to 12"),
        ({"reader": "user0", "place": "place1", "thta": 1}, 422, "thta: Extra inputs are not permitted"),
        ({"texts": ["a"] * 101, "place": "place1"}, 422, "texts: List should have at most 100 items"),
        ({"reader": "user0", "place": "place1", "system": "peter"}, 400, "system 'peter' was not trained"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(client, ask, status, words):
    reply = client.post("/explain", json=ask)
    assert reply.status_code == status and words in reply.text
    assert reply.headers["content-type"].startswith("text/plain")


def test_what_is_typed_never_becomes_markup(client):
    hostile = "</script><svg onload=alert(1)>"
    place = drop(client, picture("red"))
    html = client.post("/explain", json={"texts": [hostile], "candidates": place, "place_name": hostile}).text
    assert "<svg" not in html and "&lt;svg onload=alert(1)&gt;" in html


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "169.254.1.1", ""])
def test_another_name_for_this_machine_is_refused(client, host):
    """A site whose name is bound anew to 127.0.0.1 still sends its own name."""
    assert client.get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_body_that_another_site_could_send_is_refused(client, kind):
    for path in ("/explain", "/photos"):
        assert client.post(path, content=b"{}", headers={"content-type": kind}).status_code == 415


@pytest.mark.parametrize("path", ["/photos/..%2F..%2Fetc%2Fpasswd/144", "/photos/0/144", "/../pyproject.toml", "/docs"])
def test_only_photos_that_were_shown_are_served(client, path):
    assert client.get(path).status_code == 404


def test_every_answer_forbids_loading_from_elsewhere(client):
    for reply in (client.get("/"), client.post("/explain", json={}), client.get("/nope")):
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    assert "http" not in HEADERS["content-security-policy"]


def test_it_binds_to_loopback_says_so_and_leaves_nothing(showcases, monkeypatch):
    seen = {}

    def run(server, sockets):
        seen["bound"] = sockets[0].getsockname()
        seen["folder"] = Path(server.config.app.state.uploads._folder.name)
        assert seen["folder"].is_dir()

    monkeypatch.setattr(serving.uvicorn.Server, "run", run)
    serving.serve(showcases, 0, lambda address: seen.update(address=address))
    assert seen["bound"][0] == "127.0.0.1" and seen["address"] == f"http://127.0.0.1:{seen['bound'][1]}"
    assert not seen["folder"].exists()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use.*; --port 0 takes"):
        serving.serve(showcases, taken.getsockname()[1], print)
