"""A server to fetch things from."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from showcase_utils.photos.index import read_index
from tests.published_files import published  # noqa: F401


def load_index(folder: Path) -> pd.DataFrame:
    return read_index(folder).to_pandas()


class Server:
    """A real HTTP server on loopback; ``answer`` says how it (mis)behaves at a path, ``hits`` counts requests."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.under_way = 0
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
