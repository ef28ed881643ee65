"""Faults made on purpose, one a trial: what is killed, cut off, filled up or flipped, and what must hold afterwards.

A trial returns nothing where all held; it raises ``Lost`` for bytes, work or a sentence that is gone, and ``LetIn`` for
what should have been refused. ``campaign.py`` counts them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pyarrow as pa
from PIL import Image

from showcase_utils.artifacts import DAMAGED, FRESH, STAGES, Artifacts, StaleStage
from showcase_utils.config import Download, load_settings
from showcase_utils.data.gest import read_reviews
from showcase_utils.photos.addresses import Guard, RefusedAddress
from showcase_utils.photos.fetching import fetch_photos
from showcase_utils.photos.folder import damaged_photos
from showcase_utils.photos.index import ADDRESS_SCHEMA, INDEX
from showcase_utils.photos.store import PhotoStore
from showcase_utils.recipes import MANIFEST, TIMING
from tests.photos.conftest import Server, load_index, status

SENTENCE = 3  # how a child ends that was stopped by an error which the command line tells in a sentence


class Lost(Exception):
    """Bytes that are others or gone, work that was done twice, or an error that is no sentence."""


class LetIn(Exception):
    """Damage or a stranger's order that was taken for good."""


def store_at(root: Path) -> Artifacts:
    return Artifacts(load_settings("smoke", ["device=cpu"]), root)


def made(base: Path) -> list[str]:
    """The stages that a run has made so far."""
    return [stage for stage in STAGES if (base / "smoke" / stage).is_dir()]


def beside(base: Path, root: Path) -> Artifacts:
    """A copy of a run whose files are links: no stage is written to once it has its name."""
    for stage in made(base):
        shutil.copytree(base / "smoke" / stage, root / "smoke" / stage, copy_function=os.link)
    return store_at(root)


def in_child(work: Callable[[], object], log: Path) -> int:
    """Starts ``work`` in a process and a session of its own; its id. What it says goes to ``log``."""
    if child := os.fork():
        return child
    os.setsid()
    with log.open("ab") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        try:
            work()
            os._exit(0)
        except (OSError, StaleStage, ValueError) as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())  # a test has put its own in place of sys.stderr
            os._exit(SENTENCE)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(4)


def ended(child: int) -> int:
    """How a child ended, negative for a signal; whatever it has started ends too."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return code


def stopped(child: int, order: signal.Signals, seconds: float) -> bool:
    """Sends ``order`` to a child after so many seconds; whether it was still at work then. It has ended afterwards."""
    until, over = time.monotonic() + seconds, None
    while time.monotonic() < until and not over:
        time.sleep(0.01)
        over = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if not over:
        os.kill(child, order)
    ended(child)
    return not over


def last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return lines[-1][:200] if lines else "nothing"


def make_whole(artifacts: Artifacts, stage: str, base: Artifacts, log: Path) -> None:
    """Makes a stage to its end. Raises ``Lost`` unless it holds what it holds in ``base``, and the others are fresh."""
    if code := ended(in_child(lambda: artifacts.make(stage, progress=False), log)):
        raise Lost(f"{stage} did not go on ({code}): {last_words(log)}")
    if artifacts.contents(stage) != base.contents(stage):
        ours, theirs = (one.manifest(stage)["files"] for one in (artifacts, base))
        changed = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
        raise Lost(f"{stage} has other bytes: {', '.join(sorted(changed)[:3])}")
    rows = artifacts.statuses().items()
    if states := {name: row.state for name, row in rows if row.state != FRESH and name in made(base.root)}:
        raise Lost(f"after {stage}: {states}")


def stop_in_stage(base: Path, scratch: Path, chance: random.Random, order: signal.Signals, stages: list[str]) -> None:
    """A stage that a signal stops at a random moment, and that is begun again."""
    stage, whole = chance.choice(stages), store_at(base)
    artifacts, seconds = beside(base, scratch), whole.manifest(stage)["seconds"]
    while True:
        artifacts.forget(stage)
        child = in_child(lambda: artifacts.make(stage, progress=False), scratch / "log")
        if stopped(child, order, chance.uniform(0.02, 0.98) * seconds):
            break
        seconds *= 0.7  # the machine is quicker than it was then
    make_whole(artifacts, stage, whole, scratch / "log")


def two_at_once(base: Path, scratch: Path, chance: random.Random, stages: list[str]) -> None:
    stage = chance.choice(stages)
    artifacts = beside(base, scratch)
    artifacts.forget(stage)
    children = [in_child(lambda: artifacts.make(stage, progress=False), scratch / "log") for _ in range(2)]
    if codes := [code for child in children if (code := ended(child))]:
        raise Lost(f"{stage}: {codes} {last_words(scratch / 'log')}")
    make_whole(artifacts, stage, store_at(base), scratch / "log")


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[str], None]]:
    """A disk of ``size`` bytes at ``folder``; what is given mounts it anew with other options. For root alone."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    subprocess.run([*mount, "-o", f"size={max(size, 1 << 15)}"], check=True, capture_output=True)
    try:
        yield lambda options: subprocess.run([*mount, "-o", f"remount,{options}"], check=True, capture_output=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disk(base: Path, scratch: Path, chance: random.Random, stages: list[str]) -> None:
    """A stage for which there is no room, until there is. Without root: files that may not grow, which is alike."""
    stage, whole = chance.choice(stages), store_at(base)
    manifest = whole.manifest(stage)
    root = scratch / "disk"
    with contextlib.ExitStack() as stack:
        resize = None
        if os.geteuid() == 0:
            room = chance.uniform(0.05, 0.9) * sum(row["bytes"] for row in manifest["files"].values())
            resize = stack.enter_context(small_disk(root, int(room)))
        for name in made(base):
            if name != stage:
                (root / "smoke").mkdir(parents=True, exist_ok=True)
                (root / "smoke" / name).symlink_to(base / "smoke" / name)
        artifacts, room = store_at(root), int(0.6 * max(row["bytes"] for row in manifest["files"].values()))

        def make() -> None:
            if resize is None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
            artifacts.make(stage, progress=False)

        code = ended(in_child(make, scratch / "log"))
        if code not in (0, SENTENCE):
            raise Lost(f"{stage}: no sentence ({code}): {last_words(scratch / 'log')}")
        if resize:
            resize("size=2g")
        make_whole(artifacts, stage, whole, scratch / "log")


def read_only(base: Path, scratch: Path, chance: random.Random, stages: list[str]) -> None:
    """A folder that cannot be written to: what is there is read, what is not is a sentence."""
    stage = chance.choice(stages)
    root = scratch / "disk"
    with small_disk(root, 1 << 20) as again:
        (root / "smoke").mkdir()
        for name in made(base):
            if name != stage:
                (root / "smoke" / name).symlink_to(base / "smoke" / name)
        again("ro")
        artifacts = store_at(root)
        if any(row.state != FRESH for name, row in artifacts.statuses(STAGES[stage].inputs[0]).items()):
            raise Lost("stages that lie there cannot be read")
        code = ended(in_child(lambda: artifacts.make(stage, progress=False), scratch / "log"))
        if code != SENTENCE or "Read-only" not in last_words(scratch / "log"):
            raise Lost(f"{stage}: {code}: {last_words(scratch / 'log')}")


PLACES: dict[str, dict] = {
    "spaces": {"folder": "a folder  with spaces "},
    "not ASCII": {"folder": "dossier é 写真 🍜"},
    "quotes and signs": {"folder": "it's;a=$HOME [red] {b}"},
    "long": {"folder": "/".join(["x" * 200] * 12)},
    "no HOME": {"without": ["HOME", "USER", "LOGNAME", "XDG_CACHE_HOME"]},
    "umask 077": {"umask": 0o077},
    "LANG=C": {"with": {"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}},
}


def odd_place(base: Path, scratch: Path, chance: random.Random, place: str) -> None:
    """The command line where things are called oddly: the stages that were moved there are read, one is made."""
    odd = PLACES[place]
    root = scratch / odd.get("folder", "plain")
    artifacts = beside(base, root)
    artifacts.forget("data")
    environment = {name: value for name, value in os.environ.items() if name not in odd.get("without", [])}
    environment |= odd.get("with", {})
    program = (
        "import sys\nfrom showcase_utils.artifacts import Artifacts\nfrom showcase_utils.config import load_settings"
    )
    program += "\nArtifacts(load_settings('smoke', ['device=cpu']), sys.argv[1]).make('data', progress=False)"
    look = ["-m", "showcase_utils.cli", "status", "-p", "smoke", "-s", "device=cpu", "-a", str(root)]
    for arguments in (["-c", program, str(root)], look):
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, umask=odd.get("umask", -1), capture_output=True, text=True
        )
        if done.returncode:
            raise Lost(f"{place}: {done.stderr[-300:]}")
    if artifacts.contents("data") != store_at(base).contents("data") or done.stdout.count("fresh") != len(made(base)):
        raise Lost(f"{place}: {done.stdout}")


def flipped_bit(base: Path, scratch: Path, chance: random.Random, on_disk: bool) -> None:
    """One bit of one stored file. ``on_disk``: the file's time of change does not tell, so all is looked at."""
    root = scratch.parent / "flips"
    if not root.is_dir():
        beside(base, root)
    stage = chance.choice(made(base))
    files = [
        path
        for path in (root / "smoke" / stage).rglob("*")
        if path.name != TIMING and path.is_file() and path.stat().st_size
    ]
    suffix = chance.choice(sorted({path.suffix for path in files}))  # every kind alike, however many photos there are
    path = chance.choice(sorted(path for path in files if path.suffix == suffix))
    original, mark = path.read_bytes(), path.stat()
    place = chance.randrange(len(original) * 8)
    whole = scratch / "whole"
    path.rename(whole)
    try:
        path.write_bytes(
            original[: place // 8] + bytes([original[place // 8] ^ 1 << place % 8]) + original[place // 8 + 1 :]
        )
        if on_disk:
            os.utime(path, ns=(mark.st_atime_ns, mark.st_mtime_ns))
        found = store_at(root).statuses(stage, verify=on_disk)[stage]
        if path.name == MANIFEST:  # seconds and versions are told, not relied on
            same = found.manifest and found.manifest["files"] == json.loads(original)["files"]
        else:
            same = False
        if found.state != DAMAGED and not (found.state != FRESH or same):
            raise LetIn(f"{path.relative_to(root)}: bit {place}")
    finally:
        whole.replace(path)


def _noise() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((24, 18), 60).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


class Photos:
    """Forty photos on a slow loopback server, and a store to fetch them into."""

    def __init__(self, chance: random.Random) -> None:
        self.server = Server()
        self.bodies = {f"photo{number}": _noise() for number in range(40)}
        urls = {}
        for name, body in self.bodies.items():
            pause = chance.uniform(0, 0.03)

            def answer(handler, hit, body=body, pause=pause):
                time.sleep(pause)
                status(200, body)(handler, hit)

            urls[name] = self.server.answer(f"/{name}", answer)
        self.table = pa.table([list(urls), list(urls.values())], schema=ADDRESS_SCHEMA)
        self.settings = Download(
            hosts=(self.server.host,), suffix="", backoff=0.01, min_interval=0, concurrency=4, allow_http=True,
            allow_private=True,
        )  # fmt: skip

    def fetch(self, folder: Path) -> None:
        with PhotoStore(folder) as store:
            fetch_photos(self.table, store, self.settings, progress=False)


def stop_fetching(base: Path, scratch: Path, chance: random.Random, order: signal.Signals) -> None:
    """The fetcher is stopped at a random moment and begun again: all photos, byte for byte, none asked for twice."""
    photos = Photos(chance)
    try:
        stopped(in_child(lambda: photos.fetch(scratch / "photos"), scratch / "log"), order, chance.uniform(0.02, 0.6))
        there = {path.stem for path in (scratch / "photos").rglob("*.jpg")}
        before = photos.server.hits.copy()
        if code := ended(in_child(lambda: photos.fetch(scratch / "photos"), scratch / "log")):
            raise Lost(f"did not go on ({code}): {last_words(scratch / 'log')}")
        found = {path.stem: path.read_bytes() for path in (scratch / "photos").rglob("*.jpg")}
        index = load_index(scratch / "photos")
        if found != photos.bodies or set(index["status"]) != {"ok"} or len(index) != len(found):
            raise Lost(f"{len(found)} photos, {index['status'].value_counts().to_dict()}")
        if twice := [name for name in there if photos.server.hits[f"/{name}"] > before[f"/{name}"]]:
            raise Lost(f"fetched twice: {', '.join(twice)}")
    finally:
        photos.server.close()


def flipped_index(base: Path, scratch: Path, chance: random.Random) -> None:
    """One bit of the index of a store of photos: a sentence that names it, or nothing that matters is another."""
    root = scratch.parent / "indexed"
    photos = Photos(chance)
    try:
        if not root.is_dir():
            photos.fetch(root)
        content = (root / INDEX).read_bytes()
        place = chance.randrange(len(content) * 8)
        shutil.copytree(root, scratch / "photos")
        (scratch / "photos" / INDEX).write_bytes(
            content[: place // 8] + bytes([content[place // 8] ^ 1 << place % 8]) + content[place // 8 + 1 :]
        )
        try:
            changed = load_index(scratch / "photos")
        except ValueError as error:
            if INDEX not in str(error):
                raise Lost(f"bit {place}: {error}") from None
            return
        if not changed.equals(load_index(root)):
            raise LetIn(f"bit {place}")
    finally:
        photos.server.close()


def flipped_photo(base: Path, scratch: Path, chance: random.Random) -> None:
    """One bit of a downloaded photo, of the same length and time of change: looked for, it is found, and it alone."""
    root = scratch.parent / "indexed"
    photos = Photos(chance)
    try:
        if not root.is_dir():
            photos.fetch(root)
        shutil.copytree(root, scratch / "photos")
        path = chance.choice(sorted((scratch / "photos").rglob("*.jpg")))
        content, mark = bytearray(path.read_bytes()), path.stat()
        place = chance.randrange(len(content) * 8)
        content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)
        os.utime(path, ns=(mark.st_atime_ns, mark.st_mtime_ns))
        found = damaged_photos(scratch / "photos", progress=False)
        if [words.partition(":")[0] for words in found] != [path.relative_to(scratch / "photos").as_posix()]:
            raise LetIn(f"{path.name}, bit {place}: {found}")
        path.unlink()
        photos.fetch(scratch / "photos")
        if damaged_photos(scratch / "photos", progress=False):
            raise Lost(f"{path.name} was not fetched anew")
    finally:
        photos.server.close()


def hostile_row(base: Path, scratch: Path, chance: random.Random, rows: int) -> None:
    """Rows of a published file, each changed at random places: accepted or rejected."""
    (source,) = (base / "smoke" / "world").glob("image_review_all.json")
    lines = source.read_bytes().splitlines()
    parts = [
        b"null",
        b"[]",
        b"{}",
        b"1e999",
        b'"\\ud800"',
        b"-1",
        b'"../../x"',
        b'"https://xn--a.example/x"',
        b"\xff",
        b"\\u0000",
    ]
    mutated = []
    for _ in range(rows):
        line = bytearray(chance.choice(lines))
        for _ in range(chance.randint(1, 4)):
            begin = chance.randrange(len(line))
            line[begin : begin + chance.choice((0, 1, 1, 20))] = chance.choice([*parts, bytes([chance.randrange(256)])])
        mutated.append(bytes(line).replace(b"\n", b" ") or b" ")
    (scratch / "rows.json").write_bytes(b"\n".join(lines[:1] + mutated) + b"\n")
    reviews, rejects = read_reviews(scratch / "rows.json", progress=False)
    blank = sum(not line.strip() for line in mutated)
    if len(reviews) + len(rejects) != len(mutated) + 1 - blank:
        raise Lost(f"{len(reviews)} + {len(rejects)} of {len(mutated) + 1} rows")
    if not reviews["review_id"].is_unique or not reviews["rating"].between(1, 5).all():
        raise LetIn("two reviews of one name, or a rating of no stars")


def hostile_server(base: Path, scratch: Path, chance: random.Random, photos: int) -> None:
    """Redirects to anywhere, and answers of any kind: each photo gets its status, and only loopback is asked."""
    server, alphabet = Server(), "javascript:http://[]@\\/.?#%00xn--aé\u2024\t 127.0.0.1:99999data,;"
    try:
        urls = {}
        for number in range(photos):
            place = "".join(chance.choices(alphabet, k=chance.randint(1, 24)))
            place = chance.choice(["", "//", "http:", "http://", "https://xn--", "data:"]) + place
            code = chance.choice([301, 302, 303, 307, 308, 200, 206, 404, 418])

            def answer(handler, hit, place=place, code=code):
                handler.send_response(code)
                with contextlib.suppress(UnicodeEncodeError):
                    handler.send_header("Location", place.replace("\n", ""))
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            urls[f"p{number}"] = server.answer(f"/p{number}", answer)
        settings = Download(
            hosts=(server.host,),
            suffix="",
            retries=0,
            min_interval=0,
            concurrency=8,
            allow_http=True,
            allow_private=True,
        )
        with PhotoStore(scratch / "photos") as store:
            table = pa.table([list(urls), list(urls.values())], schema=ADDRESS_SCHEMA)
            counts = fetch_photos(table, store, settings, progress=False)
        if sum(counts.values()) != photos or counts.get("ok") or counts.get("missing"):
            raise Lost(f"{counts}")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise Lost(f"{type(error).__name__}: {error}") from None
    finally:
        server.close()


def hostile_address(base: Path, scratch: Path, chance: random.Random, addresses: int) -> None:
    """Addresses of all spellings: refused, or one of the hosts that are allowed."""
    guard = Guard(Download(), Download().hosts)
    alphabet = ["http", "https", "://", "@", ":", "/", ".", "lh3.googleusercontent.com", "127.0.0.1", "xn--a", "[::1]"]
    alphabet += ["\\", "\u2024", "é", "%2e", "#", "?", "0x7f.1", "\t", "\0", "\udc80"]
    for _ in range(addresses):
        text = chance.choice(["https://", "", "https:"]) + "".join(chance.choices(alphabet, k=chance.randint(1, 8)))
        try:
            url = guard.check(text)
        except RefusedAddress:
            continue
        except Exception as error:
            raise Lost(f"{text!r}: {type(error).__name__}: {error}") from None
        if url.scheme != "https" or url.host.rstrip(".") not in Download().hosts:
            raise LetIn(f"{text!r} leads to {url.host}")
