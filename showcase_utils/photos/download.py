"""The published files of GEST: fetched with resumption, and checked against what is known of them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from showcase_utils.config import Download
from showcase_utils.photos.addresses import Guard, RedirectLoop, RefusedAddress, client, opened
from showcase_utils.photos.store import PhotoStore
from showcase_utils.progress import Bar, progress_bar


@dataclass(frozen=True)
class Published:
    """What is known of a published file."""

    bytes: int
    sha256: str


PUBLISHED = {
    "image_review_all.json": Published(
        1_087_842_416, "72b7809c2daf8f62dd91192bc27283e75319924c6cabab820772d1af8acc88bc"
    ),
    "filter_all_t.json": Published(117_893_558, "eaa68db0cafd100c28ffccce1c605eaa3a72afe0d88bd939cfb265100598f58e"),
}


HEAD_BYTES = 262  # as far as the mark of a tar that is not packed
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")


class DownloadError(ValueError):
    """A published file that could not be had; the message says which setting gives another address."""


@dataclass(frozen=True)
class Fetched:
    """A file that is there: ``how`` is ``downloaded``, ``resumed`` or ``was there``; ``checked``: sha256 compared."""

    path: Path
    how: str
    checked: bool


def download_gest(to: Path | str, settings: Download, progress: bool = True) -> list[Fetched]:
    """Fetch ``settings.files`` into a folder, one after the other.

    A file appears under its name when it is whole and has the published size and sha256; until then it is
    ``NAME.part``, and the next call goes on where it ends, if the server still has the version that it named then
    (``NAME.part.version``, an ETag or a date). Files without a known checksum (the tar of photos) are only checked for
    the length that the server announces, and to begin as a tar does. Files that are there already are checked, not
    fetched.
    Raises ``DownloadError``.
    """
    folder = Path(to).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_download(folder, settings, progress))


async def _download(folder: Path, settings: Download, progress: bool) -> list[Fetched]:
    guard = Guard(settings, hosts=None)
    async with client(guard, settings) as http:
        return [await _File(folder / name, settings, progress).have(http, guard) for name in settings.files]


class _File:
    def __init__(self, path: Path, settings: Download, progress: bool) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self.version = path.with_name(path.name + ".part.version")
        self.url = settings.base_url.rstrip("/") + "/" + path.name
        self.known = PUBLISHED.get(path.name)
        self.settings = settings
        self.progress = progress
        self.total: int | None = self.known.bytes if self.known else None

    async def have(self, http: httpx.AsyncClient, guard: Guard) -> Fetched:
        if self.path.exists():
            if problem := self._problem(self.path):
                raise DownloadError(
                    f"{self.path} is there, but {problem}: move it away and start again, "
                    "or name it in data.reviews if it is what you want"
                )
            return Fetched(self.path, "was there", self.known is not None)
        resumed = self._size() > 0
        await self._fetch_whole(http, guard)
        problem = self._problem(self.part)
        if problem and resumed:  # the beginning may stem from another version of the file
            self._drop()
            resumed = False
            await self._fetch_whole(http, guard)
            problem = self._problem(self.part)
        if problem:
            odd = self.path.with_name(self.path.name + ".unexpected")
            os.replace(self.part, odd)
            self._drop()
            raise DownloadError(
                f"{self.url}: {problem}; what came is kept as {odd.name}. {self._way_out()} If you know that it is "
                "right, name it in data.reviews."
            )
        os.replace(self.part, self.path)
        self._drop()
        return Fetched(self.path, "resumed" if resumed else "downloaded", self.known is not None)

    async def _fetch_whole(self, http: httpx.AsyncClient, guard: Guard) -> None:
        """Bring ``NAME.part`` to its full length. Failures count anew whenever some bytes have come."""
        failures = 0
        with progress_bar(
            total=self.total, initial=self._size(), unit="B", unit_scale=True, desc=self.path.name,
            disable=not self.progress,
        ) as bar:  # fmt: skip
            while True:
                before = self._size()
                try:
                    if await self._go_on(http, guard, bar):
                        return
                    problem = f"the connection ended after {self._size()} bytes"
                except RefusedAddress as error:
                    raise DownloadError(f"{self.url}: refused: {error}. {self._way_out()}") from None
                except (httpx.HTTPError, RedirectLoop, TimeoutError) as error:
                    problem = str(error) or type(error).__name__
                failures = 1 if self._size() > before else failures + 1
                if failures > self.settings.retries:
                    raise DownloadError(f"{self.url}: {problem}, {failures} times. {self._way_out()}")
                await asyncio.sleep(min(self.settings.backoff * 2 ** (failures - 1), self.settings.max_wait))

    async def _go_on(self, http: httpx.AsyncClient, guard: Guard, bar: Bar) -> bool:
        """One request for what is missing; whether the file is whole then."""
        begin = self._size()
        if begin and begin == self.total:
            return True
        version = self.version.read_text(encoding="latin-1") if begin and self.version.exists() else ""
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        headers |= {"If-Range": version} if version else {}
        async with opened(http, guard, self.url, headers) as response:
            status, other = response.status_code, _version(response)
            if status == 416 and self.known is None and _range(response) == (None, begin):
                self.total = begin  # nothing is missing: the last run ended just before the file got its name
                return True
            changed = version and other and version != other
            if status == 416 or status == 206 and (_range(response)[0] != begin or changed):
                self._drop()  # not what was asked for: from the beginning
                bar.reset(self.total)
                return False
            self._check_answer(response)
            await self._write(response, bar)
        return self.total is None or self._size() >= self.total

    def _check_answer(self, response: httpx.Response) -> None:
        """Raises ``TransportError`` for an answer that may not last, ``DownloadError`` for one that is no use."""
        status = response.status_code
        if status in (408, 429) or status >= 500:
            raise httpx.TransportError(f"HTTP {status}")
        if status not in (200, 206):
            raise DownloadError(f"{self.url}: HTTP {status}. {self._way_out()}")
        announced = _range(response)[1] if status == 206 else _length(response)
        if self.known is None:
            self.total = announced
        elif announced is not None and announced != self.known.bytes:
            raise DownloadError(
                f"{self.url}: {announced} bytes, the published file has {self.known.bytes}. {self._way_out()}"
            )

    async def _write(self, response: httpx.Response, bar: Bar) -> None:
        """Append what comes, or write the file anew if the server sends it from its first byte."""
        parts = _with_head(response.aiter_raw())
        part = await anext(parts, b"")
        if response.status_code == 200:  # a server that knows no ranges, or a new version
            if problem := self._wrong_beginning(part):  # seen before anything that is here is written over
                raise DownloadError(f"{self.url}: {problem}. {self._way_out()}")
            bar.reset(self.total)
            self._drop()
            self.version.write_text(_version(response), encoding="latin-1")
        with self.part.open("ab") as file:
            while part:
                file.write(part)
                file.flush()  # so that a kill loses nothing that has come
                bar.update(len(part))
                if self.total is not None and file.tell() > self.total:
                    break
                part = await anext(parts, b"")

    def _drop(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def _wrong_beginning(self, head: bytes) -> str:
        """What shows at once that a file is not the one that was asked for; empty if nothing does."""
        if head.lstrip()[:1] == b"<":
            return f"a web page came, which begins with {head.lstrip()[:40]!r}"
        if is_tar(self.path.name) and not (head.startswith(PACKED) or head[257:262] == b"ustar"):
            return f"not a tar: it begins with {head[:16]!r}"
        return ""

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _problem(self, path: Path) -> str:
        """How a file differs from the published one; empty if it does not."""
        size = path.stat().st_size
        if self.total is not None and size != self.total:
            return f"it has {size} bytes instead of {self.total}"
        with path.open("rb") as file:
            if self.known is None:
                return self._wrong_beginning(file.read(HEAD_BYTES))
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return (
            "" if sha256 == self.known.sha256 else f"its sha256 is {sha256}, the published file's {self.known.sha256}"
        )

    def _way_out(self) -> str:
        return (
            "Addresses die: give another one with `--set download.base_url=https://…/`, or get the file in some other "
            f"way and put it at {self.path}; it is checked and taken as it is. (download.files says which are wanted.)"
        )


def is_tar(name: str) -> bool:
    """Whether a file of ``download.files`` is a tar of photos."""
    return re.search(r"\.(tar(\.(gz|bz2|xz))?|tgz)$", name, re.IGNORECASE) is not None


def unpack(tar: Path, photos: PhotoStore, settings: Download, progress: bool = True) -> None:
    """Take over the photos of a fetched tar, unless that was done to its end before. Raises what ``adopt`` does."""
    mark, size = tar.with_name(tar.name + ".unpacked"), str(tar.stat().st_size)
    if not (mark.exists() and mark.read_text() == size):
        photos.adopt(tar, settings, progress)
        mark.write_text(size)


async def _with_head(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes; the first part has at least ``HEAD_BYTES`` of them, if there are so many."""
    head = b""
    async for part in parts:
        if len(head) < HEAD_BYTES:
            head += part
            if len(head) >= HEAD_BYTES:
                yield head
        else:
            yield part
    if 0 < len(head) < HEAD_BYTES:
        yield head


def _version(response: httpx.Response) -> str:
    """What ``If-Range`` may hold to name the version that came; empty if the server does not say."""
    tag = response.headers.get("etag", "")
    return tag if tag.startswith('"') else response.headers.get("last-modified", "")


def _range(response: httpx.Response) -> tuple[int | None, int | None]:
    """First byte and full length of ``Content-Range: bytes 5-9/10``; ``bytes */10`` has no first byte."""
    found = re.fullmatch(r"bytes (?:\*|(\d+)-\d+)/(?:\*|(\d+))", response.headers.get("content-range", "").strip())
    begin, total = found.groups() if found else (None, None)
    return None if begin is None else int(begin), None if total is None else int(total)


def _length(response: httpx.Response) -> int | None:
    value = response.headers.get("content-length", "")
    return int(value) if value.isdecimal() else None
