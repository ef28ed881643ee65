"""Fetching the photos that are missing: many at a time, politely, and each one only once.

| answer | what follows |
|---|---|
| 200 and a picture | ``ok`` |
| 200 and something else, whatever type the server says it has | again, later and later; in the end ``not an image`` |
| 403, 404, 410 | ``expired``, at once |
| 408, 429, 5xx, a cut or slow connection, no connection | again, later and later; in the end ``unreachable`` |
| any other answer, too many redirects | ``unreachable``, at once |
| too many bytes or pixels | ``too large`` |
| an address or a redirect that ``addresses.Guard`` refuses, an id that is not a plain name | ``refused`` |

429 and 503 may say how long to wait; that holds for every photo of the host.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pyarrow as pa

from showcase_utils.config import Download
from showcase_utils.photos.addresses import Guard, RedirectLoop, RefusedAddress, client, opened
from showcase_utils.photos.files import CheckedPhoto, check_photo, quiet_about_large_pictures
from showcase_utils.photos.folder import PLAIN_NAME
from showcase_utils.photos.store import PhotoStore
from showcase_utils.progress import progress_bar

GONE = (403, 404, 410)
TEMPORARY = (408, 429)  # and 5xx
FAILURES_IN_A_ROW = 100  # that many photos without an answer: the network is down, not the photos
TRIED_AGAIN = ("unreachable", "refused", "not an image", "too large")


class TemporaryFailure(Exception):
    """An answer that may not last; ``wait``: how long the host asks us to stay away, in seconds."""

    def __init__(self, http: int, host: str, wait: float | None) -> None:
        super().__init__(f"HTTP {http}")
        self.http = http
        self.host = host
        self.wait = wait


def address(image_id: str, url: str, settings: Download) -> str:
    """Where a photo is asked for: the published address in the wanted size (``…/p/ID=w150`` → ``…/p/ID=w400``)."""
    url = url or settings.photo_url.replace("{id}", image_id)
    if not settings.suffix or "?" in url:
        return url
    folder, slash, name = url.rpartition("/")
    return folder + slash + name.partition("=")[0] + settings.suffix


def fetch_photos(
    photos: pa.Table, store: PhotoStore, settings: Download, again: bool = False, progress: bool = True
) -> dict[str, int]:
    """Fetch the photos that ``store`` knows nothing about; how many photos of the table have which status now.

    ``photos``: a table of ``index.ADDRESS_SCHEMA``; an empty address is made from the id. ``again``: also all that
    failed before, apart from those that are expired. What the store knows when the process dies is not fetched again.
    Raises ``ValueError`` if a hundred photos in a row get no answer at all.
    """
    store.adopt(store.folder, settings, progress=False)  # files that had not got their entry when a process died
    with quiet_about_large_pictures():
        asyncio.run(_Fetcher(store, settings, progress).fetch(photos, again))
    return store.counts(photos["image_id"])


@dataclass(frozen=True)
class _Photo:
    image_id: str
    url: str


class _HostLimits:
    """For each host: so many requests at a time, an interval between them, and pauses that the host asked for."""

    def __init__(self, settings: Download) -> None:
        self.settings = settings
        self._room: dict[str, asyncio.Semaphore] = {}
        self._next: dict[str, float] = {}

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        async with self._room.setdefault(host, asyncio.Semaphore(self.settings.per_host)):
            while (wait := self._next.get(host, 0.0) - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self._next[host] = time.monotonic() + self.settings.min_interval
            yield

    def pause(self, host: str, seconds: float) -> None:
        self._next[host] = max(self._next.get(host, 0.0), time.monotonic() + seconds)


class _Fetcher:
    def __init__(self, store: PhotoStore, settings: Download, progress: bool) -> None:
        self.store = store
        self.settings = settings
        self.progress = progress
        self.guard = Guard(settings, settings.hosts)
        self.hosts = _HostLimits(settings)
        self.failures = 0
        self.counts: Counter[str] = Counter()

    async def fetch(self, photos: pa.Table, again: bool) -> None:
        wanted = {None, *TRIED_AGAIN} if again else {None}
        known = sum(self.store.status(image_id) not in wanted for image_id, _ in _pairs(photos))
        todo = (
            _Photo(image_id, address(image_id, url, self.settings))
            for image_id, url in _pairs(photos)
            if self.store.status(image_id) in wanted
        )
        with (
            ThreadPoolExecutor(2, thread_name_prefix="decode") as self.decoders,
            progress_bar(total=len(photos), initial=known, unit="photo", disable=not self.progress) as self.bar,
        ):
            async with client(self.guard, self.settings) as self.http:
                try:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(self.settings.concurrency):
                            group.create_task(self._worker(todo))
                except ExceptionGroup as errors:  # one failure ends the run, and the others with it
                    raise errors.exceptions[0] from None

    async def _worker(self, todo: Iterator[_Photo]) -> None:
        for photo in todo:
            if not PLAIN_NAME.fullmatch(photo.image_id):
                self._done(photo, CheckedPhoto("refused", note="the id is not a plain name"), None)
                continue
            checked, http = await self._fetch(photo)
            self._done(photo, checked, http)
            self.failures = self.failures + 1 if checked.status == "unreachable" and http is None else 0
            if self.failures >= FAILURES_IN_A_ROW:
                raise ValueError(
                    f"{self.failures} photos in a row got no answer ({checked.note}): the network seems to be down; "
                    "start again later with --retry, what is there stays"
                )

    def _done(self, photo: _Photo, checked: CheckedPhoto, http: int | None) -> None:
        self.store.record(photo.image_id, checked.status, checked, http, photo.url)
        self.counts[checked.status] += 1
        self.bar.set_postfix(self.counts, refresh=False)
        self.bar.update()

    async def _fetch(self, photo: _Photo) -> tuple[CheckedPhoto, int | None]:
        for attempt in range(self.settings.retries + 1):
            pause, http = min(self.settings.backoff * 2**attempt, self.settings.max_wait), None
            try:
                checked, http = await self._try(photo)
                # A cut body need not show it, and a busy host may answer with a page: both may pass.
                if checked.status != "not an image" or attempt == self.settings.retries:
                    return checked, http
            except RefusedAddress as error:
                return CheckedPhoto("refused", note=str(error)), None
            except RedirectLoop as error:
                return CheckedPhoto("unreachable", note=str(error)), error.http
            except TemporaryFailure as error:
                note, http = str(error), error.http
                if error.wait is not None:
                    pause = min(max(error.wait, pause), self.settings.max_wait)
                    self.hosts.pause(error.host, pause)
            except (httpx.HTTPError, TimeoutError) as error:
                note = str(error) or type(error).__name__
            if attempt < self.settings.retries:
                await asyncio.sleep(pause)
        return CheckedPhoto("unreachable", note=f"{note} ({self.settings.retries + 1} times)"), http

    async def _try(self, photo: _Photo) -> tuple[CheckedPhoto, int]:
        """One request. Raises ``TemporaryFailure`` and what ``opened`` raises."""
        async with opened(
            self.http, self.guard, photo.url, slot=self.hosts.slot, seconds=self.settings.timeout
        ) as response:
            http = response.status_code
            if http in GONE:
                return CheckedPhoto("expired", note=f"HTTP {http}"), http
            if http in TEMPORARY or http >= 500:
                raise TemporaryFailure(http, response.url.netloc.decode("ascii"), _retry_after(response))
            if http != 200:
                return CheckedPhoto("unreachable", note=f"HTTP {http}"), http
            content = bytearray()
            announced = response.headers.get("content-length", "")
            if announced.isdecimal() and int(announced) > self.settings.max_bytes:
                return CheckedPhoto("too large", note=f"{announced} bytes announced"), http
            async for part in response.aiter_raw():
                content += part
                if len(content) > self.settings.max_bytes:
                    return CheckedPhoto("too large", note=f"more than {self.settings.max_bytes} bytes"), http
        loop = asyncio.get_running_loop()
        checked = await loop.run_in_executor(self.decoders, self._keep, photo.image_id, bytes(content))
        return checked, http

    def _keep(self, image_id: str, content: bytes) -> CheckedPhoto:
        checked = check_photo(content, self.settings.max_pixels)
        if checked.status == "ok":
            self.store.keep(image_id, checked.content)
        return checked.without_content()


def _pairs(photos: pa.Table) -> Iterator[tuple[str, str]]:
    """Id and address of each photo, without making millions of strings at a time."""
    for batch in photos.to_batches(max_chunksize=4096):
        yield from zip(batch["image_id"].to_pylist(), batch["url"].to_pylist(), strict=True)


def _retry_after(response: httpx.Response) -> float | None:
    """The header in seconds: it holds a number or a date."""
    value = response.headers.get("retry-after", "")
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
