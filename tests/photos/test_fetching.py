from __future__ import annotations

import email.utils
import hashlib
import io
import os
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from showcase_utils.config import Download
from showcase_utils.photos import fetching
from showcase_utils.photos.addresses import Guard, RefusedAddress, is_public
from showcase_utils.photos.fetching import address, fetch_photos
from showcase_utils.photos.files import check_photo
from showcase_utils.photos.folder import PhotoFolder
from showcase_utils.photos.index import ADDRESS_SCHEMA
from showcase_utils.photos.store import PhotoStore
from tests.photos.conftest import load_index


def picture(form: str = "JPEG", mode: str = "RGB", size: tuple[int, int] = (16, 12), **options) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def photo_path(folder: Path, image_id: str) -> Path:
    return folder / "photos" / PhotoFolder(folder / "photos").status(image_id)[1]


def table(**urls: str) -> pa.Table:
    return pa.table([list(urls), list(urls.values())], schema=ADDRESS_SCHEMA)


@pytest.fixture
def settings(server):
    return Download(
        hosts=(server.host,), suffix="", retries=2, backoff=0.01, min_interval=0, max_wait=0.2, timeout=5,
        concurrency=4, allow_http=True, allow_private=True,
    )  # fmt: skip


@pytest.fixture
def fetch(tmp_path, settings):
    """Fetch photos by id and address into a store, and return its index by id."""

    def run(again: bool = False, photos: pa.Table | None = None, changes=(), **urls: str):
        with PhotoStore(tmp_path / "photos") as store:
            changed = settings.model_copy(update=dict(changes))
            fetch_photos(table(**urls) if photos is None else photos, store, changed, again=again, progress=False)
        return load_index(tmp_path / "photos").set_index("image_id")

    return run


def test_a_photo_is_kept_byte_for_byte_with_its_evidence(server, answering, fetch, tmp_path):
    photo = picture(size=(40, 30))
    url = server.answer("/p/a", answering(200, photo))
    row = fetch(a=url).loc["a"]
    assert row.drop("note").to_dict() == {
        "status": "ok", "http_status": 200, "bytes": len(photo), "width": 40, "height": 30,
        "sha256": hashlib.sha256(photo).hexdigest(), "url": url,
    }  # fmt: skip
    path = photo_path(tmp_path, "a")
    assert path.read_bytes() == photo
    assert len(path.relative_to(tmp_path / "photos").parts) == 3


@pytest.mark.parametrize("code", [404, 403, 410])
def test_what_is_gone_is_asked_for_once(server, answering, fetch, code):
    row = fetch(a=server.answer("/a", answering(code))).loc["a"]
    assert (row["status"], row["http_status"], server.hits["/a"]) == ("expired", code, 1)


@pytest.mark.parametrize("code", [500, 502, 503, 429, 408])
def test_what_may_pass_is_asked_for_again(server, answering, fetch, code):
    photo = picture()

    def first_fails(handler, hit):
        (answering(code) if hit == 1 else answering(200, photo))(handler, hit)

    index = fetch(a=server.answer("/a", first_fails), b=server.answer("/b", answering(code)))
    assert index["status"].to_dict() == {"a": "ok", "b": "unreachable"}
    assert index["http_status"].to_dict() == {"a": 200, "b": code}
    assert server.hits == {"/a": 2, "/b": 3}


def test_other_refusals_are_not_repeated(server, answering, fetch):
    row = fetch(a=server.answer("/a", answering(400))).loc["a"]
    assert (row["status"], row["http_status"], server.hits["/a"]) == ("unreachable", 400, 1)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_holds_for_the_whole_host_and_is_capped(server, answering, fetch, form):
    far = "1000" if form == "seconds" else email.utils.formatdate(time.time() + 1000)
    came: list[tuple[str, float]] = []

    def busy(handler, hit):
        came.append(("busy", time.monotonic()))
        (answering(429, retry_after=far) if hit == 1 else answering(200, picture()))(handler, hit)

    def other(handler, hit):
        came.append(("other", time.monotonic()))
        answering(200, picture())(handler, hit)

    urls = {"a": server.answer("/a", busy), "b": server.answer("/b", other)}
    assert set(fetch(changes={"concurrency": 1}, **urls)["status"]) == {"ok"}  # one after the other
    came.clear()
    server.hits.clear()
    urls = {"c": server.answer("/c", busy), "d": server.answer("/d", other), "e": server.answer("/e", other)}
    assert set(fetch(changes={"per_host": 1}, **urls)["status"]) == {"ok"}
    assert [name for name, _ in came].count("busy") == 2
    assert came[1][1] - came[0][1] >= 0.19  # nobody else went to the host meanwhile; 0.2 is the cap


def test_an_interval_and_a_number_at_a_time_for_each_host(server, fetch, answering):
    under_way, most, lock = 0, 0, threading.Lock()

    def behave(handler, hit):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.03)
        with lock:
            under_way -= 1
        answering(200, picture())(handler, hit)

    urls = {f"p{n}": server.answer(f"/p{n}", behave) for n in range(8)}
    started = time.monotonic()
    fetch(changes={"concurrency": 8, "per_host": 2, "min_interval": 0.05}, **urls)
    assert time.monotonic() - started >= 7 * 0.05
    assert most <= 2


def test_slow_bytes_and_cut_connections(server, answering, fetch, tmp_path):
    photo = picture()

    def drip(handler, hit):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(photo)))
        handler.end_headers()
        for byte in photo:
            handler.wfile.write(bytes([byte]))
            if server.closing.wait(0.03):
                return

    def cut(handler, hit):
        if hit == 2:
            return answering(200, photo)(handler, hit)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(photo)))
        handler.end_headers()
        handler.wfile.write(photo[:50])
        handler.close_connection = True

    def mute(handler, hit):
        handler.close_connection = True

    index = fetch(
        changes={"timeout": 0.2, "retries": 1},
        drip=server.answer("/drip", drip), cut=server.answer("/cut", cut), mute=server.answer("/mute", mute),
    )  # fmt: skip
    assert index["status"].to_dict() == {"drip": "unreachable", "cut": "ok", "mute": "unreachable"}
    assert server.hits == {"/drip": 2, "/cut": 2, "/mute": 2}
    assert "TimeoutError" in index.loc["drip", "note"]
    assert len(list((tmp_path / "photos").rglob("*.jpg"))) == 1


def test_wrong_lengths(server, answering, fetch):
    photo = picture()
    index = fetch(
        long=server.answer("/long", answering(200, photo, content_length=str(len(photo) + 9))),
        short=server.answer("/short", answering(200, photo, content_length=str(len(photo) - 200))),
    )
    assert index["status"].to_dict() == {"long": "unreachable", "short": "not an image"}
    assert server.hits["/long"] >= 2  # a try on a connection that was just closed is not seen here


def test_bytes_decide_what_is_an_image(server, answering, fetch, tmp_path):
    photo = picture(size=(64, 64))
    bodies = {
        "html": b"<html>gone</html>", "empty": b"", "truncated": photo[:-200], "bmp_bomb": b"BM" + b"\xff" * 60,
        "text_type": photo,
    }  # fmt: skip
    types = {"text_type": "text/plain"}
    urls = {
        name: server.answer(f"/{name}.jpg", answering(200, body, content_type=types.get(name, "image/jpeg")))
        for name, body in bodies.items()
    }
    index = fetch(**urls)
    assert index["status"].to_dict() == dict.fromkeys(bodies, "not an image") | {"text_type": "ok"}
    assert "truncated" in index.loc["truncated", "note"]
    assert [path.stem for path in (tmp_path / "photos").rglob("*.jpg")] == ["text_type"]


@pytest.mark.parametrize(
    ("form", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB"), ("GIF", "P"), ("JPEG", "CMYK")]
)
def test_other_pictures_become_rgb_jpegs(server, answering, fetch, tmp_path, form, mode):
    body = picture(form, mode)
    row = fetch(a=server.answer("/a.jpg", answering(200, body))).loc["a"]
    assert row["status"] == "ok"
    assert row["note"].startswith(f"{form} ") and hashlib.sha256(body).hexdigest() in row["note"]
    path = photo_path(tmp_path, "a")
    assert (row["bytes"], row["sha256"]) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (16, 12))


def test_transparent_becomes_white_and_grey_stays():
    clear = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    with Image.open(io.BytesIO(check_photo(clear.getvalue(), 64).content)) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)
    grey = picture(mode="L")
    assert check_photo(grey, 10**6).content == grey
    several = picture("MPO", save_all=True, append_images=[Image.new("RGB", (16, 12))])
    assert check_photo(several, 10**6).content == several


def test_caps_on_bytes_and_pixels(server, answering, fetch):
    huge = bytearray(picture("PNG"))
    huge[16:24] = struct.pack(">2I", 20_000, 20_000)  # its header says 400 million pixels
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))

    def endless(handler, hit):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while not server.closing.is_set():
            handler.wfile.write(b"1000\r\n" + bytes(4096) + b"\r\n")

    index = fetch(
        changes={"max_bytes": 100_000, "max_pixels": 5000},
        huge=server.answer("/huge", answering(200, bytes(huge))),
        pixels=server.answer("/pixels", answering(200, picture(size=(100, 60)))),
        endless=server.answer("/endless", endless),
        announced=server.answer("/announced", answering(200, picture(), content_length="100001")),
        fits=server.answer("/fits", answering(200, picture(size=(50, 100)))),
    )
    assert index["status"].to_dict() == dict.fromkeys(["huge", "pixels", "endless", "announced"], "too large") | {
        "fits": "ok"
    }
    assert (index["http_status"] == 200).all()


def test_redirects_are_addresses_too(server, answering, fetch):
    photo = server.answer("/photo", answering(200, picture()))
    index = fetch(
        near=server.answer("/near", answering(302, location="/photo")),
        absolute=server.answer("/absolute", answering(301, location=photo)),
        far=server.answer("/far", answering(302, location="http://elsewhere.example/p")),
        port=server.answer("/port", answering(302, location="http://127.0.0.1:1/p")),
        file=server.answer("/file", answering(302, location="file:///etc/passwd")),
        loop=server.answer("/loop", answering(302, location="/loop")),
    )
    assert index["status"].to_dict() == {
        "near": "ok", "absolute": "ok", "far": "refused", "port": "refused", "file": "refused", "loop": "unreachable",
    }  # fmt: skip
    assert "elsewhere.example" in index.loc["far", "note"]
    other = f"localhost:{server.host.rpartition(':')[2]}"
    server.answer("/across", answering(302, location=f"http://{other}/photo"))
    hosts = (server.host, other)
    assert fetch(changes={"hosts": hosts}, across=f"{server.url}/across").loc["across", "status"] == "ok"
    assert server.requests[-1][1]["Host"] == other
    assert server.hits["/loop"] == 6


def test_addresses_that_are_never_asked(server, answering, fetch):
    server.answer("/a", answering(200, picture()))
    index = fetch(
        changes={"hosts": (server.host, "127.0.0.1")},
        other_host="http://localhost/a", password=f"http://u:p@{server.host}/a", scheme="ftp://127.0.0.1/a",
        no_address="nonsense", no_host="http:///a", broken="http://[::1/a",
    )  # fmt: skip
    assert set(index["status"]) == {"refused"}
    assert not server.hits


@pytest.mark.parametrize(
    "url", ["https://xn--a.example/x", "https://xn--\u0661.example/", "https://exa\u2024mple\u00ad./"]
)
def test_names_that_are_none_are_refused(fetch, url):
    assert fetch(changes={"hosts": ("elsewhere.example",)}, a=url).loc["a", "status"] == "refused"


@pytest.mark.parametrize(
    "location",
    [
        "javascript:x",
        "data:text/html,x",
        "http:\\\\x",
        "http://[::1",
        "//xn--a.example/",
        "http://a:99999999/",
    ],
)
def test_redirects_to_no_address_are_refused_and_the_next_photo_is_fetched(server, answering, fetch, location):
    def redirect(handler, hit):
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    index = fetch(
        changes={"concurrency": 1}, a=server.answer("/a", redirect), b=server.answer("/b", answering(200, picture()))
    )
    assert index["status"].to_dict() == {"a": "refused", "b": "ok"}
    assert server.hits["/a"] == 1


def test_http_and_loopback_are_refused_by_default(server, answering, fetch):
    url = server.answer("/a", answering(200, picture()))
    index = fetch(changes={"allow_http": False}, a=url)
    assert (index.loc["a", "status"], "allow_http" in index.loc["a", "note"]) == ("refused", True)
    index = fetch(changes={"allow_private": False}, b=url)
    assert (index.loc["b", "status"], "allow_private" in index.loc["b", "note"]) == ("refused", True)
    assert not server.hits
    assert (Download().allow_http, Download().allow_private) == (False, False)


def test_names_are_resolved_once_and_every_number_is_checked(server, answering, fetch, monkeypatch):
    server.answer("/a", answering(200, picture()))
    port = int(server.host.rpartition(":")[2])
    answers = {
        "mixed.example": [["93.184.215.14", "127.0.0.1"]],
        "inside.example": [["10.0.0.1"]],
        "rebound.example": [["127.0.0.1"], ["10.255.255.1"]],
    }

    def resolve(host, *args, **kwargs):
        numbers = answers[host].pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port)) for number in numbers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    hosts = tuple(f"{name}:{port}" for name in answers)
    urls = {name.split(".")[0]: f"http://{name}:{port}/a" for name in answers}
    index = fetch(changes={"hosts": hosts, "allow_private": False}, mixed=urls["mixed"], inside=urls["inside"])
    assert set(index["status"]) == {"refused"}
    index = fetch(changes={"hosts": hosts}, rebound=urls["rebound"])
    assert index.loc["rebound", "status"] == "ok"
    assert answers["rebound.example"] == [["10.255.255.1"]]
    assert server.requests[-1][1]["Host"] == f"rebound.example:{port}"


@pytest.mark.parametrize(
    "number",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1"],
)  # fmt: skip
def test_numbers_that_are_not_public(number):
    assert not is_public(number)
    with pytest.raises(RefusedAddress, match="not a public address"):
        Guard(Download(), None).check_number(number)


@pytest.mark.parametrize("number", ["8.8.8.8", "142.250.185.65", "2a00:1450:4001:82b::2001", "64:ff9b::808:808"])
def test_numbers_that_are_public(number):
    assert is_public(number)


def test_the_default_hosts():
    guard = Guard(Download(), Download().hosts)
    guard.check("https://LH5.googleusercontent.com./p/a=w1")
    host = "lh5.googleusercontent.com"
    for place in (f"{host}.evil.example/", f"{host}:22/", f"evil.example/{host}", f"{host}@evil.example/"):
        with pytest.raises(RefusedAddress):
            guard.check(f"https://{place}")


def test_sizes_are_asked_for_by_suffix():
    settings = Download(suffix="=w400-h400-k-no-p")
    wanted = "https://lh5.googleusercontent.com/p/AF1Q_-x=w400-h400-k-no-p"
    assert address("AF1Q_-x", "https://lh5.googleusercontent.com/p/AF1Q_-x=w150-h150-k-no-p", settings) == wanted
    assert address("AF1Q_-x", "https://lh5.googleusercontent.com/p/AF1Q_-x", settings) == wanted
    assert address("AF1Q_-x", "", settings) == wanted
    assert address("a", "https://h/p/a=w150", Download(suffix="")) == "https://h/p/a=w150"


def test_ids_that_are_not_plain_names(server, answering, fetch, tmp_path):
    url = server.answer("/a", answering(200, picture()))
    names = ["../../escape", "/etc/x", "a/b", "", "x" * 129, "a.b", "nul\x00"]
    index = fetch(photos=pa.table([names, [url] * len(names)], schema=ADDRESS_SCHEMA))
    assert index.index.tolist() == names
    assert set(index["status"]) == {"refused"}
    assert not server.hits
    assert not list(tmp_path.rglob("*.jpg"))
    with PhotoStore(tmp_path / "photos") as store, pytest.raises(ValueError, match="not a plain name"):
        store.keep("../../escape", b"")


def test_a_second_run_asks_only_for_what_is_new_or_wanted_again(server, answering, fetch, settings, tmp_path):
    photo = answering(200, picture())
    urls = {
        "ok": server.answer("/ok", photo), "gone": server.answer("/gone", answering(404)),
        "html": server.answer("/html", answering(200, b"<html>")), "down": server.answer("/down", answering(500)),
    }  # fmt: skip
    fetch(**urls)
    before = server.hits.copy()
    assert len(fetch(**urls)) == 4
    assert server.hits == before
    server.answer("/down", photo)
    index = fetch(again=True, **urls)
    assert index.loc["down", "status"] == "ok"
    assert server.hits - before == {"/down": 1, "/html": settings.retries + 1}  # a page may stand for a busy host
    photo_path(tmp_path, "ok").unlink()  # somebody removed a file: it is missing again
    assert fetch(**urls).loc["ok", "status"] == "ok"
    assert server.hits["/ok"] == 2


def test_a_dead_network_ends_the_run(fetch, monkeypatch, settings):
    monkeypatch.setattr(fetching, "FAILURES_IN_A_ROW", 5)
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        urls = {f"p{n}": f"http://{host}/{n}" for n in range(50)}
        with pytest.raises(ValueError, match="--retry"):
            fetch(changes={"hosts": (host,), "retries": 0}, **urls)


KILLED = """
import sys
import pyarrow as pa
from showcase_utils.config import Download
from showcase_utils.photos.fetching import fetch_photos
from showcase_utils.photos.store import PhotoStore
folder, url, host = sys.argv[1:]
ids = [f"p{n}" for n in range(40)]
settings = Download(hosts=(host,), suffix="", concurrency=4, min_interval=0, allow_http=True, allow_private=True)
with PhotoStore(folder) as store:
    fetch_photos(pa.table({"image_id": ids, "url": [f"{url}/{i}" for i in ids]}), store, settings, progress=False)
"""


@pytest.mark.slow
def test_killed_in_mid_run(server, answering, fetch, tmp_path):
    photo, let_go = picture(), threading.Event()

    def half(handler, hit):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(photo)))
        handler.end_headers()
        handler.wfile.write(photo[: len(photo) // 2])
        handler.wfile.flush()
        let_go.wait(20)
        handler.wfile.write(photo[len(photo) // 2 :])

    urls = {f"p{n}": server.answer(f"/p{n}", answering(200, photo) if n < 20 else half) for n in range(40)}
    folder = tmp_path / "photos"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), server.url, server.host])
    try:
        journal, deadline = folder / "journal.jsonl", time.monotonic() + 25
        while not (journal.exists() and journal.read_bytes().count(b"\n") == 20 and server.under_way == 4):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(ValueError, match="another process"):
            PhotoStore(folder)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        let_go.set()
    for path in folder.rglob("*.jpg"):
        assert path.read_bytes() == photo
    begun = server.hits.copy()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:18]) + lines[18][:30])  # as if killed two photos earlier, in mid-line
    index = fetch(**urls)
    assert index["status"].value_counts().to_dict() == {"ok": 40}
    assert all(server.hits[f"/p{n}"] == 1 for n in range(20))  # also the two that had a file and no line
    assert server.hits.total() - begun.total() == 20
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [".lock", "index.parquet"]
    assert not list(folder.rglob("*.part"))


def test_a_folder_is_taken_over_by_links(published, tmp_path, settings):
    original = published.photo("good", folder="theirs/0")
    published.photo("png", form="PNG", folder="theirs")
    (tmp_path / "theirs/html.jpg").write_bytes(b"<html>")
    (tmp_path / "theirs/cut.jpg").write_bytes(picture(size=(64, 64))[:-200])
    with PhotoStore(tmp_path / "photos") as store:
        assert store.adopt(tmp_path / "theirs", settings, progress=False) == {"ok": 2, "not an image": 2}
        assert store.path("good").samefile(original)
        assert not store.path("png").samefile(tmp_path / "theirs/png.jpg")
        assert store.adopt(tmp_path / "theirs", settings, progress=False) == {}
    index = load_index(tmp_path / "photos").set_index("image_id")
    assert index["status"].to_dict() == {
        "cut": "not an image", "good": "ok", "html": "not an image", "png": "ok",
    }  # fmt: skip
    assert "re-encoded" in index.loc["png", "note"]


def test_every_photo_that_is_taken_over_is_decoded_only_if_asked(tmp_path, settings):
    body = picture(size=(64, 64))
    tables = body.index(b"\xff\xc4") + 4
    damaged = body[:tables] + b"\xff" * 17 + body[tables + 17 :]  # beginning and end are right
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/a.jpg").write_bytes(damaged)
    for decode, status in ((False, "ok"), (True, "not an image")):
        limits = settings.model_copy(update={"decode_adopted": decode})
        with PhotoStore(tmp_path / f"photos-{decode}") as store:
            assert store.adopt(tmp_path / "theirs", limits, progress=False) == {status: 1}


def test_a_folder_becomes_a_store_where_it_stands(published, tmp_path, settings, server):
    original = published.photo("flat")
    before = original.stat().st_ino
    with PhotoStore(tmp_path / "images") as store:
        counts = fetch_photos(table(flat="http://never.asked/"), store, settings, progress=False)
    assert counts == {"ok": 1}
    assert list((tmp_path / "images").rglob("*.jpg")) == [original]
    assert original.stat().st_ino == before


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **changes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in changes.items():
        setattr(member, key, value)
    tar.addfile(member, io.BytesIO(content))


def test_a_tar_is_read_as_a_stream_and_never_trusted(tmp_path, settings):
    photo, settings = picture(), settings.model_copy(update={"max_bytes": 100_000})
    path = tmp_path / "google-images.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "google-images", type=tarfile.DIRTYPE)
        add(tar, "google-images/a.jpg", photo)
        add(tar, "google-images/../../b.jpg", photo)
        add(tar, "/tmp/c.jpg", photo)
        add(tar, "..\\d.jpg", photo)
        add(tar, "e.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(tar, "._a.jpg", photo)
        add(tar, "readme.txt", b"hello")
        add(tar, "big.jpg", bytes(100_001))
        add(tar, "html.jpg", b"<html>")
        add(tar, "deep/er/z.jpg", photo)
    with PhotoStore(tmp_path / "photos") as store:
        counts = store.adopt(path, settings, progress=False)
        assert store.path("a").read_bytes() == store.path("z").read_bytes() == photo
        assert counts == {"ok": 2, "refused": 6, "too large": 1, "not an image": 1}
        written = store.path("a").stat().st_mtime_ns
        assert store.adopt(path, settings, progress=False) == {}  # nothing is written twice
        assert store.path("a").stat().st_mtime_ns == written
    assert sorted(file.name for file in tmp_path.rglob("*.jpg")) == ["a.jpg", "z.jpg"]
    index = load_index(tmp_path / "photos").set_index("image_id")
    assert index.loc["google-images/../../b.jpg", "note"] == "tar member: its path leads out of the tar"


def test_of_members_with_one_name_the_first_good_one_counts(tmp_path, settings):
    path, photos = tmp_path / "photos.tar", [picture(size=(20 + n, 20)) for n in range(8)]
    with tarfile.open(path, "w") as tar:
        add(tar, "0/same.jpg", b"<html>")
        for number, photo in enumerate(photos):
            add(tar, f"{number}/same.jpg", photo)
            add(tar, f"{number}/other{number}.JPEG", photo)
    with PhotoStore(tmp_path / "photos") as store:
        counts = store.adopt(path, settings, progress=False)
        assert counts["ok"] == 9 and store.path("same").read_bytes() == photos[0]
    assert not list((tmp_path / "photos").rglob("*.part"))


def test_a_good_copy_replaces_what_was_no_photo(tmp_path, settings):
    bad, good = tmp_path / "bad", tmp_path / "good"
    for folder, content in ((bad, b"<html>"), (good, picture())):
        folder.mkdir()
        (folder / "a.jpg").write_bytes(content)
    with PhotoStore(tmp_path / "photos") as store:
        assert store.adopt(bad, settings, progress=False) == {"not an image": 1}
        assert store.adopt(good, settings, progress=False) == {"ok": 1}
        assert store.adopt(bad, settings, progress=False) == {}
        assert store.status("a") == "ok"


def test_a_photo_that_lost_bytes_is_fetched_anew(server, answering, fetch, tmp_path):
    photo = picture()
    urls = {"a": server.answer("/a", answering(200, photo)), "b": server.answer("/b", answering(200, photo))}
    fetch(**urls)
    (damaged,) = (tmp_path / "photos").rglob("a.jpg")
    damaged.write_bytes(b"")
    assert fetch(**urls).loc["a", "status"] == "ok"
    assert damaged.read_bytes() == photo and server.hits == {"/a": 2, "/b": 1}


def test_somebodys_originals_stay_as_they_are(tmp_path, settings):
    folder, png = tmp_path / "mine", picture("PNG")
    folder.mkdir()
    (folder / "a.jpg").write_bytes(png)
    with PhotoStore(folder) as store:
        assert store.adopt(folder, settings, progress=False) == {"ok": 1}
        assert (folder / "a.jpg").read_bytes() == png
    with PhotoStore(tmp_path / "another") as store:  # from elsewhere it becomes a JPEG, as every photo of a store
        store.adopt(folder, settings, progress=False)
        assert store.path("a").read_bytes()[:2] == b"\xff\xd8" and (folder / "a.jpg").read_bytes() == png


def test_a_damaged_tar_keeps_what_came_before(tmp_path, settings):
    path = tmp_path / "photos.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "a.jpg", picture())
        add(tar, "b.jpg", picture(size=(300, 300)))
    path.write_bytes(path.read_bytes()[:4000])
    with PhotoStore(tmp_path / "photos") as store:
        with pytest.raises(ValueError, match="photos.tar: not a tar, or a damaged one"):
            store.adopt(path, settings, progress=False)
        assert (store.status("a"), store.status("b")) == ("ok", None)
        with pytest.raises(FileNotFoundError, match="nowhere"):
            store.adopt(tmp_path / "nowhere", settings, progress=False)


def test_links_are_taken_for_what_they_point_to_and_devices_are_left_alone(tmp_path, settings):
    theirs, elsewhere = tmp_path / "theirs", tmp_path / "elsewhere.jpg"
    theirs.mkdir()
    elsewhere.write_bytes(picture())
    (theirs / "link.jpg").symlink_to(elsewhere)
    (theirs / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (theirs / "loop.jpg").symlink_to(theirs / "loop.jpg")
    (theirs / "zero.jpg").symlink_to("/dev/zero")
    (theirs / "folder.jpg").symlink_to(tmp_path)
    os.mkfifo(theirs / "pipe.jpg")
    with PhotoStore(tmp_path / "photos") as store:
        assert store.adopt(theirs, settings, progress=False) == {"not an image": 4, "ok": 1}
        assert not store.path("link").is_symlink() and store.path("link").samefile(elsewhere)
    with PhotoStore(tmp_path / "photos") as store:
        assert store.status("link") == "ok"


def test_a_file_that_is_too_long_is_not_read_to_its_end(tmp_path, settings):
    (tmp_path / "theirs").mkdir()
    with (tmp_path / "theirs/long.jpg").open("wb") as file:
        file.truncate(1 << 40)  # a hole of a terabyte
    with PhotoStore(tmp_path / "photos") as store:
        assert store.adopt(tmp_path / "theirs", settings, progress=False) == {"too large": 1}


def with_long_name(path: Path) -> None:
    with path.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        add(tar, "a.jpg", picture())
        head = tarfile.TarInfo("././@LongLink")
        head.type, head.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
        file.write(head.tobuf())
        file.truncate(file.tell() + (1 << 30))


def with_damaged_header(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        add(tar, "a.jpg", picture())
        second = tar.offset
        add(tar, "b.jpg", picture())
    content = bytearray(path.read_bytes())
    content[second + 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [with_long_name, with_damaged_header])
def test_a_header_of_a_tar_that_is_damaged_or_endless_ends_it_with_a_sentence(tmp_path, settings, damage):
    """tarfile takes the first into memory twice, and the second for the tar's end, so that photos are lost."""
    damage(tmp_path / "photos.tar")
    tracemalloc.start()
    with PhotoStore(tmp_path / "photos") as store:
        with pytest.raises(ValueError, match="photos.tar: not a tar, or a damaged one"):
            store.adopt(tmp_path / "photos.tar", settings, progress=False)
        assert store.status("a") == "ok"
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "line", [b"no json\n", b"[]\n", b"{}\n", b'{"image_id": "a", "status": 7}\n', b"\xff\xfe\n", b"\n"]
)
def test_a_damaged_line_of_the_journal_is_named_and_costs_one_photo_a_look(server, answering, fetch, tmp_path, line):
    urls = {name: server.answer(f"/{name}", answering(200, picture())) for name in "abc"}
    fetch(**urls)
    row = b'{"image_id": "%s", "status": "expired"}\n'
    (tmp_path / "photos/journal.jsonl").write_bytes(row % b"x" + line + row % b"z")
    with pytest.warns(UserWarning, match="journal.jsonl, line 2 is damaged"):
        index = fetch(**urls)
    assert index["status"].to_dict() == dict.fromkeys("abc", "ok") | dict.fromkeys("xz", "expired")
    assert server.hits.total() == 3


def test_a_damaged_index_is_named_and_does_not_lock_the_store(server, answering, fetch, tmp_path):
    urls = {"a": server.answer("/a", answering(200, picture()))}
    fetch(**urls)
    index = tmp_path / "photos/index.parquet"
    content = index.read_bytes()
    damaged = bytearray(content)
    damaged[content.index(b"http://") + 8] ^= 1  # in the data, where only a checksum finds it
    index.write_bytes(damaged)
    with pytest.raises(ValueError, match="index.parquet: damaged"):
        fetch(**urls)
    index.unlink()
    assert fetch(**urls)["status"].to_dict() == {"a": "ok"}
    assert server.hits["/a"] == 1


def test_a_picture_of_many_scans_or_pixels_costs_little():
    photo = picture(size=(64, 64), progressive=True)
    begin = photo.rindex(b"\xff\xda")
    slow = photo[:begin] + photo[begin:-2] * 2000 + photo[-2:]  # its last scan, again and again
    checked = check_photo(slow, max_pixels=100 * 64 * 64)
    assert checked.status == "too large" and "scans" in checked.note
    assert check_photo(photo, max_pixels=64 * 64).status == "ok"
    large = io.BytesIO()
    Image.new("1", (8000, 7000)).save(large, "PNG")
    assert check_photo(large.getvalue(), Download().max_pixels).status == "too large"
