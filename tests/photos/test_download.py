from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import threading
import time

import pytest
from PIL import Image
from typer.testing import CliRunner

from showcase_utils.artifacts import STAGES
from showcase_utils.cli import app
from showcase_utils.config import Download, Settings, SettingsError, load_settings
from showcase_utils.photos import download
from showcase_utils.photos.download import DownloadError, Fetched, Published, download_gest

NAME = "image_review_all.json"
CONTENT = bytes(range(256)) * 1000


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The published file is ``CONTENT`` here; the real values are checked in a test of their own."""
    real = dict(download.PUBLISHED)
    monkeypatch.setattr(download, "PUBLISHED", {NAME: Published(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())})
    return real


@pytest.fixture
def settings(server):
    return Download(
        base_url=server.url + "/gest/", files=(NAME,), retries=2, backoff=0.01, timeout=5,
        allow_http=True, allow_private=True,
    )  # fmt: skip


@pytest.fixture
def get(tmp_path, settings):
    def run(**changes) -> list[Fetched]:
        return download_gest(tmp_path / "to", settings.model_copy(update=changes), progress=False)

    return run


def ranges(content: bytes, cut_at: int | None = None, cuts: int = 0):
    """A server that knows ranges; its first ``cuts`` answers end after ``cut_at`` bytes."""

    def behave(handler, hit):
        begin = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        if begin >= len(content):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(content)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        body = content[begin:]
        handler.send_response(206 if begin else 200)
        handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:cut_at] if hit <= cuts else body)
        handler.close_connection = hit <= cuts

    return behave


def asked_ranges(server) -> list[str | None]:
    return [headers.get("Range") for _, headers in server.requests]


def test_the_published_values(known):
    assert known == {
        "image_review_all.json": Published(
            1087842416, "72b7809c2daf8f62dd91192bc27283e75319924c6cabab820772d1af8acc88bc"
        ),
        "filter_all_t.json": Published(117893558, "eaa68db0cafd100c28ffccce1c605eaa3a72afe0d88bd939cfb265100598f58e"),
    }
    assert set(Download().files) == set(known)


def test_a_file_is_fetched_checked_and_then_left_alone(server, get, tmp_path):
    server.answer(f"/gest/{NAME}", ranges(CONTENT))
    assert get() == [Fetched(tmp_path / "to" / NAME, "downloaded", True)]
    assert (tmp_path / "to" / NAME).read_bytes() == CONTENT
    assert get() == [Fetched(tmp_path / "to" / NAME, "was there", True)]
    assert len(server.requests) == 1
    assert [path.name for path in (tmp_path / "to").iterdir()] == [NAME]


def test_a_cut_download_goes_on_where_it_ended(server, get, tmp_path):
    server.answer(f"/gest/{NAME}", ranges(CONTENT, cut_at=100_000, cuts=2))
    assert get()[0].how == "downloaded"
    begins = [int(asked[6:-1]) if asked else 0 for asked in asked_ranges(server)]
    assert len(begins) == 3 and begins == sorted(set(begins))
    assert (tmp_path / "to" / NAME).read_bytes() == CONTENT


def test_a_later_run_goes_on_too(server, get, tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / f"{NAME}.part").write_bytes(CONTENT[:12345])
    server.answer(f"/gest/{NAME}", ranges(CONTENT))
    assert get()[0].how == "resumed"
    assert asked_ranges(server) == ["bytes=12345-"]
    assert (tmp_path / "to" / NAME).read_bytes() == CONTENT


def test_a_beginning_of_something_else_is_dropped(server, get, tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / f"{NAME}.part").write_bytes(b"x" * 12345)
    server.answer(f"/gest/{NAME}", ranges(CONTENT))
    assert get()[0].how == "downloaded"
    assert asked_ranges(server) == ["bytes=12345-", None]
    assert (tmp_path / "to" / NAME).read_bytes() == CONTENT


def test_servers_that_know_no_ranges_or_answer_another_one(server, answering, get, tmp_path):
    for number, behaviour in enumerate(
        [
            answering(200, CONTENT),
            lambda handler, hit: (
                answering(206, CONTENT[7:], content_range=f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")
                if hit == 1
                else answering(200, CONTENT)
            )(handler, hit),
        ]
    ):
        server.answer(f"/{number}/{NAME}", behaviour)
        (tmp_path / "to").mkdir(exist_ok=True)
        (tmp_path / "to" / f"{NAME}.part").write_bytes(CONTENT[:500])
        get(base_url=f"{server.url}/{number}")
        assert (tmp_path / "to" / NAME).read_bytes() == CONTENT
        assert server.hits[f"/{number}/{NAME}"] == number + 1
        (tmp_path / "to" / NAME).unlink()


def test_a_wrong_checksum(server, answering, get, tmp_path):
    server.answer(f"/gest/{NAME}", answering(200, CONTENT[:-1] + b"?"))
    with pytest.raises(DownloadError, match="sha256 is .* download.base_url=.* data.reviews"):
        get()
    assert [path.name for path in (tmp_path / "to").iterdir()] == [f"{NAME}.unexpected"]
    (tmp_path / "to" / NAME).write_bytes(b"mine")
    with pytest.raises(DownloadError, match="is there, but it has 4 bytes"):
        get()
    assert (tmp_path / "to" / NAME).read_bytes() == b"mine"


def test_a_wrong_length_is_seen_before_anything_is_fetched(server, answering, get, tmp_path):
    server.answer(f"/gest/{NAME}", answering(200, b"<html>moved</html>"))
    with pytest.raises(DownloadError, match=f"18 bytes, the published file has {len(CONTENT)}"):
        get()
    assert not list((tmp_path / "to").iterdir())


@pytest.mark.parametrize(("code", "asked"), [(404, 1), (403, 1), (500, 3), (429, 3)])
def test_a_dead_address_says_what_to_set(server, answering, get, tmp_path, code, asked):
    server.answer(f"/gest/{NAME}", answering(code))
    with pytest.raises(DownloadError) as error:
        get()
    for words in (f"HTTP {code}", "--set download.base_url=", str(tmp_path / "to" / NAME), "download.files"):
        assert words in str(error.value)
    assert len(server.requests) == asked


def test_endless_answers_and_endless_redirects_end(server, answering, get, tmp_path):
    def endless(handler, hit):
        handler.send_response(200)
        handler.end_headers()
        while not server.closing.is_set():
            handler.wfile.write(bytes(1 << 16))

    server.answer(f"/gest/{NAME}", endless)
    with pytest.raises(DownloadError, match="bytes instead of"):
        get()
    server.answer(f"/loop/{NAME}", answering(302, location=f"/loop/{NAME}"))
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        get(base_url=server.url + "/loop")


def test_http_and_private_addresses_are_refused_by_default(server, answering, get):
    server.answer(f"/gest/{NAME}", ranges(CONTENT))
    with pytest.raises(DownloadError, match="download.allow_http=true"):
        get(allow_http=False)
    with pytest.raises(DownloadError, match="download.allow_private=true"):
        get(allow_private=False)
    assert not server.requests


def tar_of(*names: str, content: bytes = CONTENT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_files_without_a_checksum(server, get, tmp_path):
    plain = tar_of("a.bin")
    packed = gzip.compress(plain)
    (tmp_path / "to").mkdir()
    (tmp_path / "to/google-images.tar.gz.part").write_bytes(packed)  # killed just before it got its name
    server.answer("/gest/google-images.tar.gz", ranges(packed))
    server.answer("/gest/other.tar", ranges(plain, cut_at=1000, cuts=1))
    found = get(files=("google-images.tar.gz", "other.tar"))
    assert [(file.how, file.checked) for file in found] == [("resumed", False), ("downloaded", False)]
    assert (tmp_path / "to/google-images.tar.gz").read_bytes() == packed
    assert (tmp_path / "to/other.tar").read_bytes() == plain
    assert server.hits["/gest/google-images.tar.gz"] == 1


@pytest.mark.parametrize("body", [b"<html>the data have moved</html>", b"  <!doctype html>" + bytes(5000), CONTENT])
def test_what_is_no_tar_is_refused(server, answering, get, tmp_path, body):
    server.answer("/gest/photos.tar", answering(200, body))
    with pytest.raises(DownloadError, match="(web page|not a tar).*download.base_url"):
        get(files=("photos.tar",))
    assert not (tmp_path / "to/photos.tar").exists()


def test_two_versions_of_a_file_never_mix(server, get, tmp_path):
    old, new = tar_of("a.bin"), tar_of("a.bin", "b.bin", content=CONTENT[::-1])

    def changed_on_the_way(handler, hit):
        content, tag = (old, '"v1"') if hit == 1 else (new, '"v2"')
        begin = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        if handler.headers.get("If-Range", tag) != tag:
            begin = 0  # as the standard asks
        handler.send_response(206 if begin else 200)
        handler.send_header("ETag", tag)
        handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - begin))
        handler.end_headers()
        handler.wfile.write(content[begin:60_000] if hit == 1 else content[begin:])
        handler.close_connection = True

    server.answer("/gest/photos.tar", changed_on_the_way)
    get(files=("photos.tar",))
    assert (tmp_path / "to/photos.tar").read_bytes() == new
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["photos.tar"]
    assert server.requests[1][1]["If-Range"] == '"v1"'


def test_another_range_than_asked_for_is_not_appended(server, answering, get, tmp_path):
    def shifted(handler, hit):
        if hit > 1:
            return ranges(CONTENT)(handler, hit)
        answering(206, CONTENT[501:], content_range=f"bytes 501-{len(CONTENT) - 1}/{len(CONTENT)}")(handler, hit)

    (tmp_path / "to").mkdir()
    (tmp_path / "to/other.bin.part").write_bytes(CONTENT[:500])
    server.answer("/gest/other.bin", shifted)
    get(files=("other.bin",))
    assert (tmp_path / "to/other.bin").read_bytes() == CONTENT


PATIENCE = 120  # seconds until a process that a test starts is given up
KILLED = """
import sys
from showcase_utils.config import Download
from showcase_utils.photos import download
url, name, size, sha256, folder = sys.argv[1:]
download.PUBLISHED = {name: download.Published(int(size), sha256)}
download.download_gest(
    folder, Download(base_url=url, files=(name,), allow_http=True, allow_private=True), progress=False
)
"""


@pytest.mark.slow
def test_killed_in_mid_file(server, get, tmp_path):
    let_go = threading.Event()

    def half(handler, hit):
        if hit > 1:
            return ranges(CONTENT)(handler, hit)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:100_000])
        handler.wfile.flush()
        let_go.wait(PATIENCE)

    server.answer(f"/gest/{NAME}", half)
    part = tmp_path / "to" / f"{NAME}.part"
    known = [str(len(CONTENT)), hashlib.sha256(CONTENT).hexdigest()]
    process = subprocess.Popen([sys.executable, "-c", KILLED, f"{server.url}/gest", NAME, *known, str(part.parent)])
    try:
        deadline = time.monotonic() + PATIENCE
        while not (part.exists() and part.stat().st_size == 100_000):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
        let_go.set()
    assert not (part.parent / NAME).exists()
    assert get()[0].how == "resumed"
    assert asked_ranges(server) == [None, "bytes=100000-"]
    assert (part.parent / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/x", "", ".hidden"])
def test_names_of_files_are_plain(name):
    with pytest.raises(SettingsError, match="download.files"):
        load_settings("demo", {"download.files": [name]})


def test_no_stage_depends_on_the_download():
    assert not any("download" in key for stage in STAGES.values() for key in stage.settings)
    assert "download" in Settings.model_fields


@pytest.fixture
def invoke(server, tmp_path, monkeypatch):
    """``showcase download``, of gest unless told otherwise, with its loopback settings and further arguments."""
    monkeypatch.setenv("SHOWCASE_ARTIFACTS", str(tmp_path / "artifacts"))
    sets = [
        f"download.base_url={server.url}/gest", f"download.files=[{NAME}]", f"download.hosts=['{server.host}']",
        "download.allow_http=true", "download.allow_private=true", "download.suffix=''", "download.backoff=0.01",
    ]  # fmt: skip
    options = [part for item in sets for part in ("-s", item)]
    return lambda *arguments, what="gest": CliRunner().invoke(app, ["download", what, *options, *arguments])


def test_the_command(server, answering, invoke, tmp_path, monkeypatch, published):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10)).save(buffer, "JPEG")
    photo = server.answer("/p/good", answering(200, buffer.getvalue()))
    rows = published.row(pics=[{"id": "good", "url": [photo]}, {"id": "gone", "url": [server.url + "/p/gone"]}])
    content = json.dumps(rows).encode() + b"\n"
    monkeypatch.setitem(download.PUBLISHED, NAME, Published(len(content), hashlib.sha256(content).hexdigest()))
    server.answer(f"/gest/{NAME}", ranges(content))
    result = invoke("--images", "--to", str(tmp_path / "to"))
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [NAME, "downloaded", "sha256", "fits"] in lines
    assert ["ok", "1", "50.00%"] in lines and ["expired", "1", "50.00%"] in lines
    assert f"data.reviews={tmp_path / 'to' / NAME}" in result.stdout
    assert f"data.images={tmp_path / 'to' / 'photos'}" in result.stdout

    hits = server.hits.total()
    again = invoke("--images", "--to", str(tmp_path / "to"))
    assert again.exit_code == 0 and server.hits.total() == hits


def test_the_command_adopts_and_takes_a_reviews_file_that_is_here(server, invoke, tmp_path, published):
    reviews = published.lines(published.row(pics=["mine", "other"]))
    published.photo("mine", folder="mine")
    result = invoke("--adopt", str(tmp_path / "mine"), "-s", f"data.reviews={reviews}")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["ok", "1", "50.00%"] in lines and ["missing", "1", "50.00%"] in lines
    assert (tmp_path / "artifacts/downloads/photos/index.parquet").is_file()
    assert not server.requests


def test_photos_of_any_reviews_are_fetched_by_their_own_name(server, answering, invoke, tmp_path, published):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10)).save(buffer, "JPEG")
    photo = server.answer("/p/good", answering(200, buffer.getvalue()))
    reviews = published.lines(published.row(pics=[{"id": "good", "url": [photo]}]))
    result = invoke("--to", str(tmp_path / "to"), "-s", f"data.reviews={reviews}", what="photos")
    assert result.exit_code == 0 and ["ok", "1", "100.00%"] in [line.split() for line in result.stdout.splitlines()]
    assert [path for path, _ in server.requests] == ["/p/good"]
    refused = invoke(what="photos")
    assert refused.exit_code == 1 and "data.reviews" in refused.stderr


def test_the_command_fails_with_a_sentence(invoke, tmp_path):
    result = invoke("--to", str(tmp_path / "to"))
    assert result.exit_code == 1
    assert "download.base_url" in result.stderr and "Traceback" not in result.output
    assert CliRunner().invoke(app, ["download", "yelp"]).exit_code == 1
