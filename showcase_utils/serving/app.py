"""The app: a page, and behind it the same ``Showcases`` that everybody uses. For this machine alone.

It binds to loopback, answers only to loopback's names (so that no other site can reach it by a name of its own), and
takes only bodies that a page of another site cannot send without asking first. Pages may load nothing from elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import socket
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from showcase_utils.extras import extra
from showcase_utils.photos.files import quiet_about_large_pictures
from showcase_utils.photos.thumbnails import thumbnail
from showcase_utils.serving.asking import Ask, answer
from showcase_utils.serving.page import answer_page, app_page, asset_text
from showcase_utils.serving.uploads import Uploads
from showcase_utils.showcase import Showcases

with extra("serve", "showcase serve"):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, PlainTextResponse, Response
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
NAMES = ["127.0.0.1", "localhost"]
SIZES = (144, 960)  # pixels of the photos that are shown
HEADERS = {
    "content-security-policy": "default-src 'none'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def build_app(showcases: Showcases) -> Starlette:
    """The app over loaded showcases, for any ASGI server; ``serve`` runs it."""
    limits = showcases.settings.download
    uploads = Uploads(limits.max_pixels)
    shown: dict[str, Path] = {}  # photos that a page may ask for, by the digest of their path

    def link(path: Path, size: int) -> str:
        token = hashlib.sha256(str(path).encode()).hexdigest()[:24]
        shown[token] = path
        return f'src="/photos/{token}/{max(SIZES) if size > min(SIZES) else min(SIZES)}"'

    def home(request: Request) -> Response:
        return HTMLResponse(app_page(showcases))

    def photo(request: Request) -> Response:
        path, size = shown.get(request.path_params["token"]), request.path_params["size"]
        if path is None or size not in SIZES:
            raise HTTPException(404)
        buffer = io.BytesIO()
        thumbnail(path, size).save(buffer, "JPEG", quality=85)
        return Response(buffer.getvalue(), media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})

    async def upload(request: Request) -> Response:
        content = await _body(request, "application/octet-stream", limits.max_bytes)
        called = request.query_params.get("name", "")
        return PlainTextResponse(await run_in_threadpool(uploads.add, content, called))

    async def explain(request: Request) -> Response:
        ask = Ask.model_validate_json(await _body(request, "application/json", 1_000_000))

        def make() -> str:
            return answer_page(showcases, ask, *answer(showcases, uploads, ask), link)

        return HTMLResponse(await run_in_threadpool(make))

    routes = [
        Route("/", home),
        Route("/app.css", _asset("text/css", "page.css", "app.css")),
        Route("/app.js", _asset("text/javascript", "app.js")),
        Route("/photos/{token}/{size:int}", photo),
        Route("/photos", upload, methods=["POST"]),
        Route("/explain", explain, methods=["POST"]),
    ]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=NAMES, www_redirect=False), Middleware(_Headers)]
    told = dict.fromkeys((ValueError, KeyError, OSError), _told) | {ValidationError: _misread}
    app = Starlette(routes=routes, middleware=middleware, exception_handlers=told)
    app.state.uploads = uploads
    return app


def serve(showcases: Showcases, port: int, ready: Callable[[str], None]) -> None:
    """Serves the app on loopback until it is interrupted; ``ready`` gets its address.

    Port 0 takes one that is free. Raises ``OSError`` for a port that is taken.
    """
    app = build_app(showcases)
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise OSError(f"port {port}: {error.strerror}; --port 0 takes one that is free") from None
    with listening, quiet_about_large_pictures():
        ready(f"http://{HOST}:{listening.getsockname()[1]}")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, ws="none", lifespan="off",
            limit_concurrency=64,
        )  # fmt: skip
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            app.state.uploads.close()


class _Headers:
    """Adds what every answer says: load nothing from elsewhere, be shown nowhere else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        await self.app(scope, receive, with_headers)


async def _body(request: Request, kind: str, most: int) -> bytes:
    """The body, read no further than ``most`` bytes. Pages of other sites may not send these kinds unasked."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != kind:
        raise HTTPException(415, f"expected {kind}")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise HTTPException(413, f"too large: at most {most / 1e6:.0f} MB")
    return bytes(content)


def _asset(kind: str, *names: str) -> Callable[[Request], Response]:
    text = "\n".join(asset_text(name) for name in names)
    return lambda request: Response(text, media_type=kind, headers={"cache-control": "no-cache"})


def _told(request: Request, error: Exception) -> Response:
    """What a user can mend is said as it is; the page shows it as text."""
    return PlainTextResponse(str(error.args[0] if isinstance(error, KeyError) and error.args else error), 400)


def _misread(request: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    first = error.errors()[0]
    return PlainTextResponse(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 422)
