from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from showcase_utils.encoding.clip import Features
from showcase_utils.encoding.features import FeatureStore, StoreError, adopt_features, write_features

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


def write(folder: Path, ids: Sequence[str], encoder: Callable | None = None, **changes: object) -> FeatureStore:
    options = {"dim": DIM, "fingerprint": "f" * 64, "shard_rows": 5, "batch_size": 2, "progress": False, **changes}
    sources = [f"{key} source" for key in ids]
    return write_features(folder, ids, sources, encoder or Encoder(), **options)


def names(n: int) -> list[str]:
    return [f"bad {i}" if i % 7 == 3 else f"photo {i}" for i in range(n)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 5e-4), ("float32", 0)])
def test_rows_come_back_in_the_order_asked_for(tmp_path: Path, dtype: str, tolerance: float) -> None:
    store = write(tmp_path / "s", names(17), dtype=dtype)
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
    options = {"dim": DIM, "fingerprint": "f", "progress": False}
    store = write_features(tmp_path / "s", ["a", "b", "a", "c", "d"], ["x", "y", "z", "x", "bad"], encoder, **options)
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
            write(tmp_path / "s", names(8), **change)
    assert len(FeatureStore.open(tmp_path / "s")) == 3


def test_a_second_writer_gets_a_clear_error(tmp_path: Path) -> None:
    encoder = Encoder()

    def meanwhile(sources: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        with pytest.raises(StoreError, match="another process is writing to the store 's'"):
            write(tmp_path / "s", names(9))
        yield from encoder(sources, batches)

    store = write(tmp_path / "s", names(9), meanwhile)
    assert len(store) == 8 and len(encoder.seen) == 9
    assert len(write(tmp_path / "s", names(10))) == 9  # the lock is free again


def test_features_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    def broken(sources: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        for batch in batches:
            yield Features(np.full((len(batch), DIM), np.nan, np.float32), list(batch), [])

    with pytest.raises(StoreError, match="not finite"):
        write(tmp_path / "s", ["a"], broken)
    assert len(write(tmp_path / "s", ["a"])) == 1


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
        for features in Encoder()(sources, batches):
            self.tick()
            yield features


def _write_until(last: int, folder: Path) -> None:
    write(folder, names(23), Clock(last, pytest.MonkeyPatch()).encode)


def test_a_store_killed_at_any_moment_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        clock = Clock(None, patch)
        write(tmp_path / "whole", names(23), clock.encode)
    whole = contents(tmp_path / "whole")
    moments = np.random.default_rng(0).permutation(clock.step)[:24]
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


def test_a_kept_store_is_taken_over_where_it_fits(tmp_path: Path) -> None:
    write(tmp_path / "old", names(12))
    adopt_features(tmp_path / "old", tmp_path / "other", "0" * 64, "float16")
    adopt_features(tmp_path / "nowhere", tmp_path / "other", "f" * 64, "float16")
    assert not (tmp_path / "other").exists()
    adopt_features(tmp_path / "old", tmp_path / "new", "f" * 64, "float16")
    encoder = Encoder()
    assert len(write(tmp_path / "new", names(14), encoder)) == 12
    assert encoder.seen == ["photo 12 source", "photo 13 source"]
    shutil.rmtree(tmp_path / "old")
    np.testing.assert_allclose(FeatureStore.open(tmp_path / "new")["photo 0"][0], feature("photo 0 source"), atol=5e-4)
