"""Addresses that come from a data file are not trusted: which ones are asked, and where a connection really goes.

An address is checked three times. Its text: the scheme, the host and port, no password in it. Its host: every
address that the name resolves to must be public, and the connection goes to one of *those* addresses, in
``CheckedBackend``; checking first and leaving the connection to look the name up again would let a name server
answer differently the second time. Its redirects: they are followed here, one by one, and each is a new address.
The certificate is still checked against the name, since TLS is told the name and not the number.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from typing import Any

import httpcore
import httpx

from showcase_utils import __version__
from showcase_utils.config import Download

MAX_REDIRECTS = 5
CONNECT_SECONDS = 10.0  # for one of a host's addresses; then the next is tried
PORTS = {"https": 443, "http": 80}
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Slot = Callable[[str], AbstractAsyncContextManager[Any]]


class RefusedAddress(ValueError):
    """An address that must not be asked; the message says why and which setting would allow it."""


class RedirectLoop(ValueError):
    """More redirects than ``MAX_REDIRECTS``; ``http`` is the status of the last one."""

    def __init__(self, http: int) -> None:
        super().__init__(f"more than {MAX_REDIRECTS} redirects")
        self.http = http


class Guard:
    """The rules for addresses. ``hosts=None``: any public host, for addresses that the user gave."""

    def __init__(self, settings: Download, hosts: Iterable[str] | None) -> None:
        self.allow_http = settings.allow_http
        self.allow_private = settings.allow_private
        self.hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    def check(self, url: str | httpx.URL) -> httpx.URL:
        """The parsed address. Raises ``RefusedAddress``."""
        try:
            parsed = httpx.URL(url)
            host = parsed.host.rstrip(".").lower()  # decoded only here: a name in punycode may be none
        except (httpx.InvalidURL, UnicodeError) as error:
            raise RefusedAddress(f"not an address: {error}") from None
        if parsed.scheme != "https" and not (parsed.scheme == "http" and self.allow_http):
            raise RefusedAddress(f"scheme '{parsed.scheme}', not https (download.allow_http=true allows http)")
        if parsed.userinfo:
            raise RefusedAddress("a user name or password in the address")
        port = parsed.port or PORTS[parsed.scheme]
        if not host:
            raise RefusedAddress("no host")
        names = {f"{host}:{port}"} | ({host} if port == PORTS[parsed.scheme] else set())
        if self.hosts is not None and self.hosts.isdisjoint(names):
            raise RefusedAddress(f"host {host}:{port} is not one of download.hosts")
        return parsed

    def check_number(self, number: str) -> None:
        """Raises ``RefusedAddress`` for a number that is not on the public internet."""
        if not self.allow_private and not is_public(number):
            raise RefusedAddress(f"{number} is not a public address (download.allow_private=true allows it)")


def is_public(number: str) -> bool:
    """Whether an IP address is a public one, also where an IPv6 address only wraps an IPv4 address."""
    address = ipaddress.ip_address(number)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to numbers that were checked, and to nothing else."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} does not resolve: {error}") from None
        numbers = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for number in numbers:  # all of them: a name that mixes public and private ones means no good
            self.guard.check_number(number)
        limit = CONNECT_SECONDS if timeout is None else min(timeout, CONNECT_SECONDS)
        failure: Exception = httpcore.ConnectError(f"the name {host} has no address")
        for number in numbers:
            try:
                return await self._network.connect_tcp(number, port, limit, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class CheckedTransport(httpx.AsyncBaseTransport):
    """httpx over ``CheckedBackend``. Proxies of the environment are not used: they would look names up themselves."""

    def __init__(self, guard: Guard, connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,  # the callers bound what is under way
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
            network_backend=CheckedBackend(guard),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        core = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            extensions=request.extensions,
        )
        with _as_httpx_errors():
            response = await self._pool.handle_async_request(core)
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise httpx.TransportError(f"{type(error).__name__}: {error}".rstrip(": ")) from error


def client(guard: Guard, settings: Download) -> httpx.AsyncClient:
    """An HTTP client that connects only where ``guard`` allows; to be used through ``opened``."""
    return httpx.AsyncClient(
        transport=CheckedTransport(guard, settings.concurrency),
        timeout=settings.timeout,
        headers={
            "User-Agent": f"personalized-showcases/{__version__}",
            "Accept-Encoding": "identity",  # nothing is unpacked on the way, so the cap on bytes is one on memory
        },
    )


@asynccontextmanager
async def opened(
    http: httpx.AsyncClient,
    guard: Guard,
    url: str,
    headers: dict[str, str] | None = None,
    slot: Slot | None = None,
    seconds: float | None = None,
) -> AsyncIterator[httpx.Response]:
    """The answer to a GET after redirects, its body not read yet.

    ``slot(host)`` is entered for each address that is asked; ``seconds`` may pass from then to the last byte.
    Raises ``RefusedAddress``, ``RedirectLoop``, ``TimeoutError`` and ``httpx.TransportError``.
    """
    target = guard.check(url)
    for _ in range(MAX_REDIRECTS + 1):
        async with nullcontext() if slot is None else slot(target.netloc.decode("ascii")):
            async with asyncio.timeout(seconds), AsyncExitStack() as stack:
                try:
                    response = await stack.enter_async_context(http.stream("GET", target, headers=headers))
                    onward = target.join(response.headers["location"]) if response.has_redirect_location else None
                except (httpx.InvalidURL, httpx.RemoteProtocolError, UnicodeError) as error:  # httpx reads it too
                    raise RefusedAddress(f"redirected to something that is not an address: {error}") from None
                if onward is None:
                    yield response
                    return
        try:
            target = guard.check(onward)
        except RefusedAddress as error:
            raise RefusedAddress(f"redirected: {error}") from None
    raise RedirectLoop(response.status_code)
