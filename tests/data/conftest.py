"""Small published files, written row by row, and a server to fetch things from."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

USER = "114937200137348359038"


class Published:
    """Writes files in the two published formats under a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def row(self, **changes) -> dict:
        """A good row of ``image_review_all.json`` with some keys changed; a key set to ``...`` is left out."""
        row = {
            "business_id": "6050fa9f5b4ccec8d5cae994",
            "user_id": USER,
            "rating": 4,
            "review_text": "Yams wasn't hot everything else was.",
            "pics": [{"id": "AF1QipA", "url": ["https://lh5.googleusercontent.com/p/AF1QipA=w150"]}],
        } | changes
        return {key: value for key, value in row.items() if value is not ...}

    def lines(self, *rows: dict | bytes, end: bytes = b"\n", last_end: bool = True) -> Path:
        encoded = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path = self.folder / "image_review_all.json"
        path.write_bytes(end.join(encoded) + (end if last_end else b""))
        return path

    def splits(self, **splits: list) -> Path:
        path = self.folder / "filter_all_t.json"
        path.write_text(json.dumps(splits), encoding="utf-8")
        return path

    def photo(self, image_id: str, size: tuple[int, int] = (8, 6), form: str = "JPEG", folder: str = "images") -> Path:
        path = self.folder / folder / f"{image_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (200, 90, 30)).save(path, format=form)
        return path


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


class Server:
    """A real HTTP server on loopback; ``answer`` says how it (mis)behaves at a path, ``hits`` counts requests."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.under_way = self.most_under_way = 0
        self.closing = threading.Event()
        self._answers: dict[str, Callable[[BaseHTTPRequestHandler, int], None]] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with outer._lock:
                    outer.hits[self.path] += 1
                    outer.requests.append((self.path, dict(self.headers)))
                    hit = outer.hits[self.path]
                    outer.under_way += 1
                    outer.most_under_way = max(outer.most_under_way, outer.under_way)
                try:
                    outer._answers.get(self.path, status(404))(self, hit)
                finally:
                    with outer._lock:
                        outer.under_way -= 1

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # clients that hang up are part of the tests
                    super().handle()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def answer(self, path: str, behaviour: Callable[[BaseHTTPRequestHandler, int], None]) -> str:
        self._answers[path] = behaviour
        return self.url + path

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


def status(code: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler, int], None]:
    """An answer with its right length unless ``content_length`` says otherwise."""

    def behave(handler: BaseHTTPRequestHandler, hit: int) -> None:
        handler.send_response(code)
        for name, value in ({"content_length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(body)
            if headers.get("content_length", str(len(body))) != str(len(body)):
                handler.close_connection = True

    return behave


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def answering():
    return status
