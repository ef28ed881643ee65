from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from showcase_utils import progress
from showcase_utils.config import Encoding
from showcase_utils.encoding import writer
from showcase_utils.encoding.clip import Clip, Features, load_clip
from showcase_utils.encoding.features import FeatureStore, StoreError
from showcase_utils.encoding.reuse import file_mark, text_mark
from showcase_utils.encoding.writer import FeatureWriter

DIM = 6
FORK = multiprocessing.get_context("fork")


def feature(source: str, dim: int = DIM) -> np.ndarray:
    """What the fake encoder makes of a source: the same row every time, unlike any other."""
    row = np.random.default_rng(int(hashlib.sha256(source.encode()).hexdigest()[:8], 16)).normal(size=dim)
    return (row / np.linalg.norm(row)).astype(np.float32)


class Encoder:
    """Encodes sources by ``feature``; those that start with "bad" are rejects. Remembers what it was asked for."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, sources: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        for batch in batches:
            self.batches.append([sources[i] for i in batch])
            good = [i for i in batch if not sources[i].startswith("bad")]
            rows = np.array([feature(sources[i]) for i in good], np.float32).reshape(len(good), DIM)
            yield Features(rows, good, [(i, "looks bad") for i in batch if i not in good])

    @property
    def seen(self) -> list[str]:
        return [source for batch in self.batches for source in batch]


WRITER = FeatureWriter(DIM, "f" * 64, shard_rows=5, batch_size=2, progress=False)


def write(
    folder: Path,
    ids: Sequence[str],
    encoder: Callable | None = None,
    sources: Sequence[str] | None = None,
    writer: FeatureWriter = WRITER,
    **options: object,
) -> FeatureStore:
    sources = [f"{key} source" for key in ids] if sources is None else sources
    return writer.write(folder, ids, sources, encoder or Encoder(), **options)


def names(n: int) -> list[str]:
    return [f"bad {i}" if i % 7 == 3 else f"photo {i}" for i in range(n)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 5e-4), ("float32", 0)])
def test_rows_come_back_in_the_order_asked_for(tmp_path: Path, dtype: str, tolerance: float) -> None:
    store = write(tmp_path / "s", names(17), writer=replace(WRITER, dtype=dtype))
    asked = ["photo 16", "photo 0", "photo 7", "photo 16", "photo 1"]
    rows = FeatureStore.open(tmp_path / "s")[asked]
    assert rows.dtype == np.float32 and store.dtype == dtype and store.dim == DIM
    np.testing.assert_allclose(rows, [feature(f"{key} source") for key in asked], atol=tolerance)
    assert len(store) == 15 and "photo 0" in store and "bad 3" not in store
    assert store.ids == [key for key in names(17) if key.startswith("photo")]
    assert store["photo 1"].shape == (1, DIM) and store[[]].shape == (0, DIM)


def test_ids_without_features_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="2 ids without features in s, such as .*'nobody', 'bad 3'"):
        write(tmp_path / "s", names(9))[["photo 1", "nobody", "bad 3"]]


def test_a_folder_without_a_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no feature store .*02_clip_encoding"):
        FeatureStore.open(tmp_path)


def test_rejects_are_kept_with_their_reasons_and_not_tried_again(tmp_path: Path) -> None:
    encoder = Encoder()
    write(tmp_path / "s", names(17))
    store = write(tmp_path / "s", names(17), encoder)
    assert encoder.batches == []
    assert store.rejects.values.tolist() == [["bad 3", "looks bad"], ["bad 10", "looks bad"]]


def test_duplicate_ids_and_equal_sources_are_encoded_once(tmp_path: Path) -> None:
    encoder = Encoder()
    writer = FeatureWriter(DIM, "f", progress=False)
    store = writer.write(tmp_path / "s", ["a", "b", "a", "c", "d"], ["x", "y", "z", "x", "bad"], encoder)
    assert encoder.seen == ["x", "y", "bad"]
    assert store.ids == ["a", "b", "c"]
    np.testing.assert_array_equal(store[["a", "c"]], np.tile(store["a"], (2, 1)))


def test_only_new_ids_are_encoded_and_old_shards_are_not_touched(tmp_path: Path) -> None:
    write(tmp_path / "s", names(12))
    before, encoder = contents(tmp_path / "s"), Encoder()
    store = write(tmp_path / "s", ["new 1", *names(12), "new 2"], encoder)
    assert encoder.seen == ["new 1 source", "new 2 source"]
    after = contents(tmp_path / "s")
    assert {name: after[name] for name in before if name != "store.json"} == {
        name: content for name, content in before.items() if name != "store.json"
    }
    np.testing.assert_allclose(
        store[["new 2", "photo 2"]], [feature("new 2 source"), feature("photo 2 source")], atol=5e-4
    )


def test_features_of_another_encoder_never_mix(tmp_path: Path) -> None:
    write(tmp_path / "s", names(4))
    for change in ({"fingerprint": "0" * 64}, {"dtype": "float32"}, {"dim": DIM + 1}):
        with pytest.raises(StoreError, match="never mix"):
            write(tmp_path / "s", names(8), writer=replace(WRITER, **change))
    assert len(FeatureStore.open(tmp_path / "s")) == 3


def test_a_second_writer_gets_a_clear_error(tmp_path: Path) -> None:
    """Another process, which writes the same store in another interpreter."""
    program = f"""
        from pathlib import Path
        from showcase_utils.encoding.writer import FeatureWriter
        FeatureWriter({DIM}, "f").write(Path({str(tmp_path / "s")!r}), ["a"], ["a"], None)
        """
    encoder, errors = Encoder(), []

    def meanwhile(sources: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        command = [sys.executable, "-c", textwrap.dedent(program)]
        errors.append(subprocess.run(command, capture_output=True, text=True).stderr)
        yield from encoder(sources, batches)

    store = write(tmp_path / "s", names(9), meanwhile)
    assert "StoreError: another process is writing to the store 's': wait until it has ended" in errors[0]
    assert len(store) == 8 and len(encoder.seen) == 9
    assert len(write(tmp_path / "s", names(10))) == 9  # the lock is free again


def test_features_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    def broken(sources: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        for batch in batches:
            yield Features(np.full((len(batch), DIM), np.nan, np.float32), list(batch), [])

    with pytest.raises(StoreError, match="the encoder ffffffffffff gave features that are not finite"):
        write(tmp_path / "s", ["a"], broken)
    assert len(write(tmp_path / "s", ["a"])) == 1


@pytest.mark.parametrize(
    ("rows", "indices", "message"),
    [
        (np.full((2, DIM), 1e6, np.float32), [0, 1], "not finite in float16"),
        (np.ones((2, DIM + 1), np.float32), [0, 1], r"of shape \(2, 7\), not \(2, 6\)"),
        (np.ones((1, DIM), np.float32), [0, 1], r"of shape \(1, 6\), not \(2, 6\)"),
        (np.ones((1, DIM), np.float32), [0], "of other sources than it was asked for"),
    ],
)
def test_features_that_do_not_fit_the_store_are_refused(
    tmp_path: Path, rows: np.ndarray, indices: list[int], message: str
) -> None:
    encode = lambda sources, batches: iter([Features(rows, indices, [])])  # noqa: E731
    with pytest.raises(StoreError, match=f"the encoder ffffffffffff gave features .*{message}"):
        write(tmp_path / "s", ["a", "b"], encode)
    assert len(FeatureStore.open(tmp_path / "s")) == 0


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: _flip(folder / "00001.npy"),
        lambda folder: (folder / "00001.npy").write_bytes((folder / "00001.npy").read_bytes()[:-8]),
        lambda folder: (folder / "00001.npy").unlink(),
        lambda folder: _flip(folder / "00001.json"),
        lambda folder: [path.unlink() for path in folder.glob("00001.*")],
    ],
    ids=["altered", "cut", "gone", "ids altered", "all gone"],
)
def test_a_damaged_shard_is_never_read_and_is_made_anew(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    write(tmp_path / "s", names(17))
    before, encoder = contents(tmp_path / "s"), Encoder()
    damage(tmp_path / "s")
    assert FeatureStore.open(tmp_path / "s").damaged() == [1]
    with pytest.raises(StoreError, match="s/00001.* is damaged"):
        FeatureStore.open(tmp_path / "s")[["photo 0", "photo 6"]]
    write(tmp_path / "s", names(17), encoder)
    assert encoder.seen == [f"{key} source" for key in names(17)[5:10]]
    assert contents(tmp_path / "s") == before


def test_a_damaged_shard_keeps_its_ids_whatever_else_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "s", names(17))
    before, encoder = contents(tmp_path / "s"), Encoder()
    (tmp_path / "s" / "00001.npy").unlink()
    with pytest.raises(StoreError, match=r"s/00001 is damaged, .*lose 5 ids .*such as \['photo 5', 'photo 6'"):
        write(tmp_path / "s", ["new 1", "new 2"], encoder)
    with pytest.raises(StoreError, match=r"lose 1 ids whose sources are not given, such as \['photo 9'\]"):
        write(tmp_path / "s", [key for key in names(17) if key != "photo 9"], encoder)
    assert encoder.seen == []
    store = write(tmp_path / "s", ["new 1", *names(17)], encoder)
    assert encoder.seen == [f"{key} source" for key in (*names(17)[5:10], "new 1")]
    after = contents(tmp_path / "s")
    assert {name: after[name] for name in before if name != "store.json"} == {
        name: content for name, content in before.items() if name != "store.json"
    }
    assert store.ids[-1] == "new 1"
    _flip(tmp_path / "s" / "00001.json")
    with pytest.raises(StoreError, match="making it anew would lose 3 ids whose sources are not given: give them too"):
        write(tmp_path / "s", names(7))


@pytest.mark.parametrize(
    "content",
    ["", '{"format": 2', "null", "[]", "{}", '{"format": 2, "dim": 6}', "\xff", "one shard without its checksum"],
)
def test_an_index_that_cannot_be_read_says_what_to_do(tmp_path: Path, content: str) -> None:
    write(tmp_path / "s", names(7))
    if content.startswith("one"):
        index = json.loads((tmp_path / "s" / "store.json").read_text())
        del index["shards"][1]["features"]
        content = json.dumps(index)
    (tmp_path / "s" / "store.json").write_bytes(content.encode("latin-1"))
    for use in (FeatureStore.open, lambda folder: write(folder, names(7))):
        with pytest.raises(StoreError, match="s/store.json is damaged, .*delete it .*run notebook 02_clip_encoding"):
            use(tmp_path / "s")


def test_damage_elsewhere_does_not_hinder_reading_the_rest(tmp_path: Path) -> None:
    write(tmp_path / "s", names(17))
    _flip(tmp_path / "s" / "00001.npy")
    np.testing.assert_allclose(FeatureStore.open(tmp_path / "s")["photo 0"][0], feature("photo 0 source"), atol=5e-4)


class Clock:
    """Counts the steps of a write (a batch encoded, a file on disk, a file under its name) and kills -9 at one."""

    def __init__(self, last: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
        self.step, self.last = 0, last
        replace, fsync = os.replace, os.fsync

        def counted_replace(a: Path, b: Path) -> None:
            self.tick()
            replace(a, b)
            self.tick()

        def counted_fsync(descriptor: int) -> None:
            self.tick(descriptor)
            fsync(descriptor)

        monkeypatch.setattr(os, "replace", counted_replace)
        monkeypatch.setattr(os, "fsync", counted_fsync)

    def tick(self, descriptor: int | None = None) -> None:
        if self.step == self.last:
            if descriptor is not None:  # killed while writing: only half of the file has reached the disk
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        self.step += 1

    def encode(self, sources: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        for part in Encoder()(sources, batches):
            self.tick()
            yield part


def _write_until(last: int, folder: Path, previous: Path | None = None) -> None:
    write(folder, names(23), Clock(last, pytest.MonkeyPatch()).encode, previous=previous)


@pytest.mark.slow
def test_a_store_killed_at_any_moment_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        clock = Clock(None, patch)
        write(tmp_path / "whole", names(23), clock.encode)
    whole = contents(tmp_path / "whole")
    moments = np.random.default_rng(0).permutation(clock.step)[:8]
    assert clock.step > 40
    for number, moment in enumerate(moments.tolist()):
        folder = tmp_path / f"killed{number}"
        for last in (moment, moment // 3):  # and once more while it is being finished
            process = FORK.Process(target=_write_until, args=(last, folder))
            process.start()
            process.join()
            assert process.exitcode in (-signal.SIGKILL, 0)
        rest = Encoder()
        write(folder, names(23), rest)
        assert contents(folder) == whole, f"killed at step {moment}"
        assert len(rest.seen) % 5 in (0, 3)  # whole shards of 5, and the last one of 3: nothing else is encoded again


def _write_with_workers(folder: Path, clip: Clip, photos: Sequence[str], count: int) -> FeatureStore:
    """As notebook 02 does it: the real stream, from worker processes. ``count`` ids, with the same photos in turn."""
    sources = [photos[number % len(photos)] for number in range(count)]
    ids = [f"photo {number}" for number in range(count)]
    writer = FeatureWriter(clip.dim, clip.fingerprint, shard_rows=10, batch_size=4, progress=False)
    return writer.write(folder, ids, sources, clip.stream_images, mark=file_mark)


@pytest.mark.slow
def test_a_real_encoding_killed_after_a_while_ends_with_the_same_bytes(
    tmp_path: Path, settings: Encoding, photos: list[str]
) -> None:
    settings = settings.model_copy(update={"workers": 2})
    program = f"""
        from pathlib import Path
        from showcase_utils.config import Encoding
        from showcase_utils.encoding.clip import load_clip
        from tests.encoding.test_features import _write_with_workers
        clip = load_clip(Encoding(**{settings.model_dump()!r}), "cpu")
        _write_with_workers(Path({str(tmp_path / "killed")!r}), clip, {photos!r}, 1000)
        """
    command, root = [sys.executable, "-c", textwrap.dedent(program)], Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "killed" / "00007.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    there = len(FeatureStore.open(tmp_path / "killed"))
    assert 70 <= there < 1000
    clip = load_clip(settings, "cpu")
    _write_with_workers(tmp_path / "killed", clip, photos, there + 100)
    _write_with_workers(tmp_path / "whole", clip, photos, there + 100)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_rows_are_reused_where_their_content_is_the_same(tmp_path: Path) -> None:
    ids = names(12)
    write(tmp_path / "old", ids)
    encoder, sources = Encoder(), [f"{key} source" for key in ids]
    sources[1] = "another text"
    wanted = {"sources": [*sources[:9], "photo 11 source"], "previous": tmp_path / "old"}
    store = write(tmp_path / "new", [*ids[:9], "new"], encoder, **wanted)
    assert encoder.seen == ["another text", "bad 3 source"]  # a reject is tried again
    assert store.ids == [*(key for key in ids[:9] if key != "bad 3"), "new"]  # and what nobody wants any more is gone
    expected = [feature(source) for source in (*(s for s in sources[:9] if s != "bad 3 source"), "photo 11 source")]
    np.testing.assert_allclose(store[store.ids], expected, atol=5e-4)
    marks = json.loads((tmp_path / "new" / "00000.json").read_text())["marks"]
    assert marks == [text_mark(source) for source in sources[:5] if source != "bad 3 source"]
    assert len(marks[0]) == 16
    again = Encoder()
    write(tmp_path / "newer", store.ids, again, sources=[*(s for s in sources[:9] if s[:3] != "bad"), "other"],
          previous=store.folder)  # fmt: skip
    assert again.seen == ["other"]


def test_a_file_is_told_apart_by_its_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.jpg", "b.jpg", "gone.jpg")]
    for path in paths:
        path.write_bytes(b"one")
    options = {"sources": [str(path) for path in paths], "mark": file_mark}
    paths[2].unlink()
    write(tmp_path / "old", ["a", "b", "gone"], **options)
    assert json.loads((tmp_path / "old" / "00000.json").read_text())["marks"] == [file_mark(paths[0])] * 2 + [None]
    paths[1].write_bytes(b"two")
    encoder = Encoder()
    write(tmp_path / "new", ["a", "b", "gone"], encoder, previous=tmp_path / "old", **options)
    assert encoder.seen == options["sources"][1:]


def test_an_earlier_store_that_does_not_fit_or_is_damaged_gives_nothing(tmp_path: Path) -> None:
    def encoded(name: str, **changes: object) -> int:
        encoder, changed = Encoder(), replace(WRITER, **changes)
        assert len(write(tmp_path / name, names(12), encoder, writer=changed, previous=tmp_path / "old")) == 10
        return len(encoder.seen)

    assert encoded("none there") == 12
    write(tmp_path / "old", names(12))
    assert encoded("same") == 2  # the rejects
    assert encoded("other encoder", fingerprint="0" * 64) == encoded("other dtype", dtype="float32") == 12
    _flip(tmp_path / "old" / "00000.npy")
    _flip(tmp_path / "old" / "00002.json")
    assert encoded("damaged") == 7
    (tmp_path / "old" / "store.json").write_text("null")
    assert encoded("no index") == 12


def test_reusing_rows_killed_and_resumed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "old", names(9))
    write(tmp_path / "whole", names(23), previous=tmp_path / "old")
    for last in (3, 12, 20, 33):
        folder = tmp_path / f"killed{last}"
        process = FORK.Process(target=_write_until, args=(last, folder, tmp_path / "old"))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        write(folder, names(23), previous=tmp_path / "old")
        assert contents(folder) == contents(tmp_path / "whole")


def test_the_bar_ends_full_whatever_was_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = []

    def bar(**options: object) -> progress.Bar:
        bars.append(progress.Bar(**options | {"file": io.StringIO(), "disable": False}))
        return bars[-1]

    monkeypatch.setattr(writer, "progress_bar", bar)
    write(tmp_path / "old", names(12))
    write(tmp_path / "new", [*names(12), "x", "y"], previous=tmp_path / "old")
    assert [(bar.n, bar.total) for bar in bars] == [(12, 12), (14, 14)]
