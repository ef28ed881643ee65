"""A folder of photos that fills up over days: files ``{image_id}.jpg``, and an index of what became of every photo.

The folder can be read by ``folder.PhotoFolder`` at any time. Files lie two folders deep, spread by a hash of their id
(ids differ in case only, and some file systems do not tell); files of an older layout stay where they are.

A file is written elsewhere and renamed, so there is never half a photo under its name. What became of it goes as one
line into ``journal.jsonl`` *after* that, and lines are only ever appended: whatever moment the process is killed at,
a photo has its line, or has its file and gets its line at the next start, or was not begun. Opening and closing the
store fold the journal into ``index.parquet``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath

import filelock
import pyarrow as pa

from showcase_utils.config import Download
from showcase_utils.photos.files import CheckedPhoto, check_photo, quiet_about_large_pictures, read_photo
from showcase_utils.photos.folder import PLAIN_NAME, JpegFiles
from showcase_utils.photos.index import JOURNAL, STATUSES, entries, fold_journal, printable
from showcase_utils.progress import progress_bar

PENDING = 32  # photos of a folder or tar that are in memory at a time
MAX_HEADER = 1 << 20  # of a tar's headers that hold long names
LONG_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE)
SUFFIXES = (".jpg", ".jpeg", ".png")  # of photos that are taken over, in any letter case


class PhotoStore:
    """The photos of a folder and their index; a context manager, for one process at a time.

    A photo whose file is gone, or not as long as the index says, is forgotten when the store is opened.
    Raises ``ValueError`` if another process has the store open.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).expanduser().resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.folder / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ValueError(f"{self.folder}: another process is writing photos here: wait until it is done") from None
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> None:
        self._unfinished = self.folder / ".unfinished"
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir()
        self._fresh_names = count()
        self._files = JpegFiles(self.folder)
        self._damaged: set[str] = set()
        self._fold_journal()
        self._statuses = self._read_statuses()
        self._journal = (self.folder / JOURNAL).open("ab", buffering=0)

    def __enter__(self) -> PhotoStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold the journal into ``index.parquet`` and let other processes in."""
        self._journal.close()
        self._fold_journal()
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._lock.release()

    def __len__(self) -> int:
        return len(self._statuses)

    def status(self, image_id: str) -> str | None:
        """What became of a photo, one of ``STATUSES``; ``None`` if nothing is known."""
        return self._statuses.get(image_id)

    def counts(self, image_ids: pa.ChunkedArray) -> dict[str, int]:
        """How many of the photos have which status, in the order of ``STATUSES``; ``missing``: nothing is known."""
        found = Counter(self.status(image_id.as_py()) or "missing" for image_id in image_ids)
        return {status: found[status] for status in (*STATUSES, "missing") if found[status]}

    def path(self, image_id: str) -> Path:
        """Where a photo lies or will lie. Raises ``ValueError`` for an id that is not a plain name."""
        if image_id in self._files:
            return Path(self._files[image_id])
        if not PLAIN_NAME.fullmatch(image_id):
            raise ValueError(f"{image_id!r} is not a plain name: no file is called so")
        spread = hashlib.sha256(image_id.encode()).hexdigest()
        return self.folder / spread[:2] / spread[2:4] / f"{image_id}.jpg"

    def keep(self, image_id: str, content: bytes) -> None:
        """Write a photo, all of it or nothing; ``record`` says afterwards that it is there."""
        path = self.path(image_id)  # first, for it refuses ids that are not plain names
        fresh = self._fresh()
        fresh.write_bytes(content)
        self._appear(fresh, path)

    def record(
        self,
        image_id: str,
        status: str,
        checked: CheckedPhoto | None = None,
        http: int | None = None,
        url: str = "",
        note="",
    ) -> None:
        """Note what became of a photo, with the evidence."""
        facts = checked or CheckedPhoto(status)
        row = {
            "image_id": printable(image_id),
            "status": status,
            "http_status": http,
            "bytes": facts.bytes,
            "width": facts.width,
            "height": facts.height,
            "sha256": facts.sha256,
            "url": printable(url),
            "note": printable(note or facts.note),
        }
        self._journal.write(json.dumps(row).encode() + b"\n")
        self._statuses[image_id] = status

    def adopt(self, source: Path | str, limits: Download, progress: bool = True) -> dict[str, int]:
        """Take over the photos of a folder, by hard links, or of a tar, as it is read; how many have which status.

        Files are called ``{id}.jpg``, ``.jpeg`` or ``.png``. A good photo replaces whatever the store knows of it but
        ``ok``; what is no photo gets an entry only if nothing was known. Whole JPEGs are known by their beginning and
        end; ``limits.decode_adopted`` decodes each of them instead. The store's own folder may be given: files without
        an entry get one. A photo that lies there is somebody's original: it stays byte for byte, also where one from
        elsewhere would be re-encoded; only a file that is no photo gives way to a good one.
        Raises ``FileNotFoundError``, and ``ValueError`` for a file that is not a tar or is damaged; what was read
        until then stays.
        """
        source = Path(source).expanduser().resolve()
        if not source.exists():
            raise FileNotFoundError(f"{source}: no such folder or tar of photos")
        if source != self.folder:
            self.adopt(self.folder, limits, progress=False)  # first, so that no original is taken for missing
        jobs = self._jobs_of_folder(source, limits) if source.is_dir() else self._jobs_of_tar(source, limits)
        counts: dict[str, int] = {}
        pending: dict[str, Future[CheckedPhoto]] = {}

        def finish_one() -> None:
            image_id = next(iter(pending))
            checked = pending.pop(image_id).result()
            damaged = source == self.folder and image_id in self._damaged  # to be fetched anew, so nothing is noted
            if checked.status == "ok" or not (damaged or self.status(image_id)):
                self.record(image_id, checked.status, checked)
                counts[checked.status] = counts.get(checked.status, 0) + 1

        with (
            quiet_about_large_pictures(),
            ThreadPoolExecutor(4) as pool,
            progress_bar(unit="photo", desc=f"taking over {source.name}", disable=not progress) as bar,
        ):
            try:
                for image_id, job in jobs:
                    while image_id in pending:  # two files of one name: the second only if the first is no photo
                        finish_one()
                    if not self._known(image_id):
                        pending[image_id] = pool.submit(job)
                    if len(pending) >= PENDING:
                        finish_one()
                    bar.update()
            finally:
                while pending:
                    finish_one()
        return counts

    def _jobs_of_folder(self, source: Path, limits: Download) -> Iterator[tuple[str, Callable[[], CheckedPhoto]]]:
        for folder, folders, names in os.walk(source):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                image_id, suffix = os.path.splitext(name)
                if suffix.lower() in SUFFIXES and not self._known(image_id):
                    path = Path(folder, name)
                    yield image_id, partial(self._take_file, image_id, path, limits)

    def _jobs_of_tar(self, source: Path, limits: Download) -> Iterator[tuple[str, Callable[[], CheckedPhoto]]]:
        try:
            # a stream: 100 GB are read once, and only to the next photo
            with tarfile.open(source, "r|*", tarinfo=_Header) as tar:
                for member in iter(tar.next, None):
                    tar.members.clear()  # type: ignore[attr-defined]  # else it keeps all headers
                    if member.isdir():
                        continue
                    image_id, problem = _id_of_member(member)
                    if problem:
                        yield image_id, partial(CheckedPhoto, "refused", note=problem)
                    elif self._known(image_id):
                        continue
                    elif member.size > limits.max_bytes:
                        yield image_id, partial(CheckedPhoto, "too large", note=f"{member.size} bytes")
                    else:
                        file = tar.extractfile(member)
                        content = file.read() if file else b""
                        yield image_id, partial(self._take, image_id, content, limits)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"{source}: not a tar, or a damaged one ({error}): download it again; photos before the damage stay"
            ) from None

    def _known(self, image_id: str) -> bool:
        return self._statuses.get(image_id) == "ok"

    def _take_file(self, image_id: str, path: Path, limits: Download) -> CheckedPhoto:
        if not PLAIN_NAME.fullmatch(image_id):
            return CheckedPhoto("refused", note="not a plain name")
        content = read_photo(path, limits.max_bytes)
        return content if isinstance(content, CheckedPhoto) else self._take(image_id, content, limits, path)

    def _take(self, image_id: str, content: bytes, limits: Download, path: Path | None = None) -> CheckedPhoto:
        own = path == self.path(image_id)
        checked = check_photo(content, limits.max_pixels, limits.decode_adopted, as_it_is=own)
        if checked.status != "ok" or own:
            return checked.without_content()
        if checked.content is not content or path is None:
            self.keep(image_id, checked.content)
        else:
            self._link(Path(os.path.realpath(path)), image_id)  # a link of a link would end with what it points to
        return checked.without_content()

    def _link(self, path: Path, image_id: str) -> None:
        fresh = self._fresh()
        try:
            os.link(path, fresh)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                raise
            shutil.copyfile(path, fresh)  # another disk, or a file system without links
        self._appear(fresh, self.path(image_id))

    def _fresh(self) -> Path:
        return self._unfinished / f"{next(self._fresh_names)}.part"

    def _appear(self, fresh: Path, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh, path)
        fresh.unlink(missing_ok=True)  # renaming a link onto another link of the same file leaves both
        self._files.add(path)

    def _read_statuses(self) -> dict[str, str]:
        """Statuses by id; a photo whose file somebody removed, shortened or replaced is forgotten."""
        found = {}
        for image_id, status, size in entries(self.folder, ["image_id", "status", "bytes"]):
            if status != "ok":
                found[image_id] = status
            elif image_id in self._files:
                if os.stat(self._files[image_id]).st_size == size:
                    found[image_id] = status
                else:
                    self._damaged.add(image_id)
        return found

    def _fold_journal(self) -> None:
        fold_journal(self.folder, self._unfinished / "index.part")


class _Header(tarfile.TarInfo):
    """A tar's header; one that is damaged is an error, not the tar's end, and a long one is not read into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            header = super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from None
        if header.type == tarfile.GNUTYPE_SPARSE or header.type in LONG_HEADERS and header.size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {header.size} bytes" if header.size else "a sparse file")
        return header

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError("a sparse file")  # its list of holes may be of any length


def _id_of_member(member: tarfile.TarInfo) -> tuple[str, str]:
    """The photo's id, and what is wrong with the member; its path is never used to write anything."""
    path = PurePosixPath(member.name)
    if not member.isfile():
        return member.name, "tar member: a link or a device, not a file"
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        return member.name, "tar member: its path leads out of the tar"
    if path.suffix.lower() not in SUFFIXES or not PLAIN_NAME.fullmatch(path.stem):
        return member.name, "tar member: not called {id}.jpg"
    return path.stem, ""
