"""Ray on one machine: its own little cluster, of which a node is killed, and one that the engine starts itself."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import ray
import torch
from PIL import Image
from ray.cluster_utils import Cluster
from ray.data.exceptions import ExecutionTimeoutError
from ray.exceptions import ActorDiedError, RayTaskError

from showcase_utils.config import Encoding
from showcase_utils.encoding import ray_engine, writer
from showcase_utils.encoding.build import encode_reviews
from showcase_utils.encoding.clip import Clip, Features, load_clip
from showcase_utils.encoding.features import FeatureStore
from showcase_utils.encoding.ray_engine import Layout, RayClip, layout
from showcase_utils.encoding.writer import FeatureWriter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
SETTINGS = Encoding(batch_size=8, shard_rows=32, workers=0, engine="ray")  # the CLIP that ships with the package
MEMORY = 100 * 2**20


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two hundred small photos; one is broken, one is not there."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(200):
        pixels = rng.integers(0, 255, (40, 40 + number % 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
    (folder / "5.jpg").write_bytes(b"broken")
    (folder / "130.jpg").unlink()
    return [str(folder / f"{number}.jpg") for number in range(200)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head that computes nothing, and two nodes of one core each."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # the path of a socket has at most 107 characters
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": MEMORY, "temp_dir": folder}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
    yield cluster
    cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def address(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)


@pytest.fixture(scope="module")
def own() -> Clip:
    return load_clip(SETTINGS, "cpu")


def write(folder: Path, clip: Clip, streams: Clip | RayClip, sources: Sequence[str]) -> FeatureStore:
    encode = streams.stream_images if sources[0].endswith(".jpg") else streams.stream_texts
    options = {"batch_size": SETTINGS.batch_size, "shard_rows": SETTINGS.shard_rows, "progress": False}
    ids = [Path(source).stem for source in sources]
    return FeatureWriter(clip.dim, clip.fingerprint, **options).write(folder, ids, sources, encode)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_a_ray_of_its_own_makes_the_same_stage_and_is_closed_again(
    paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    texts = [f"The ramen was great {number} times. We waited {number} hours!" for number in range(40)]
    s1 = pd.DataFrame({"review_id": [f"r{number}" for number in range(40)], "text": texts})
    s1["image_ids"] = [[f"p{number}", f"p{number + 40}"] for number in range(40)]
    images = pd.DataFrame({"image_id": [f"p{number}" for number in range(80)], "path": paths[:80], "status": "ok"})
    for engine in ("local", "ray"):
        settings = SETTINGS.model_copy(update={"engine": engine, "long_text": "mean_of_sentences"})
        (tmp_path / engine).mkdir()
        encode_reviews(tmp_path / engine, s1, images, settings, "cpu", progress=False)
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert pd.read_parquet(tmp_path / "ray" / "rejects.parquet")["id"].tolist() == ["p5"]
    assert not ray.is_initialized()
    assert capfd.readouterr().err == ""


def reader(path: Path) -> int:
    """The process that has ``path`` open, other than this one."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == str(path) and int(link.parts[2]) != os.getpid():
                return int(link.parts[2])
        except OSError:  # another process, or a file of it, that has just gone
            continue
    raise AssertionError(f"nobody reads {path}")


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds out under /proc which node reads a file")
def test_a_node_killed_at_work_leaves_no_trace_in_the_store(
    cluster: Cluster, address: None, own: Clip, paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo is a pipe, so that its reader stays where it is; when the first shard is there, its node is killed."""
    write(tmp_path / "local", own, own, paths)
    commit, committed = writer._commit, threading.Event()

    def telling(*args: object) -> None:
        commit(*args)
        committed.set()

    monkeypatch.setattr(writer, "_commit", telling)
    monkeypatch.setattr(ray_engine, "PATIENCE", 60)
    pipe, photo = Path(paths[100]), tmp_path / "100.jpg"
    pipe.rename(photo)
    os.mkfifo(pipe)

    def kill() -> int:
        with pipe.open("wb"):  # waits for the reader, which then waits for us to write
            assert committed.wait(timeout=120)
            process = reader(pipe)
            raylet = parent(process)
            shards = len(FeatureStore.open(tmp_path / "ray").shards)
            (node,) = (node for node in cluster.worker_nodes if node.all_processes["raylet"][0].process.pid == raylet)
            shutil.copy(photo, f"{pipe}.new")
            os.replace(f"{pipe}.new", pipe)
            cluster.remove_node(node, allow_graceful=False)
            with contextlib.suppress(ProcessLookupError):  # on one machine a process may outlive its node by a little
                os.kill(process, signal.SIGKILL)
        return shards

    with ThreadPoolExecutor(1) as pool, RayClip(own, "cpu") as engine:
        killed = pool.submit(kill)
        store = write(tmp_path / "ray", own, engine, paths)
        assert 1 <= killed.result() <= 3  # the fourth shard has the photo that nobody could read
    assert len(cluster.worker_nodes) == 1
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert store.rejects.values.tolist() == [
        ["5", "UnidentifiedImageError: cannot identify image file '5.jpg'"],
        ["130", "no such file"],
    ]


def cramp(clip: Clip) -> None:
    """Lets the memory of ``clip`` run out at more than four texts at once."""
    whole = clip.model.encode_text

    def cramped(rows: torch.Tensor) -> torch.Tensor:
        if len(rows) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return whole(rows)

    clip.model.encode_text = cramped


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_what_is_missing_also_when_memory_runs_out(
    address: None, own: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"The ramen was great {number} times." for number in range(150)]
    local = load_clip(SETTINGS, "cpu")
    cramp(local)
    write(tmp_path / "local", local, local, texts)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the nodes have the package, but not its tests

    class Cramped:
        def __init__(self, *args: object) -> None:
            from showcase_utils.encoding.ray_engine import Encoder  # on the node, where nothing is patched

            self.encoder = Encoder(*args)
            cramp(self.encoder.clip)

        def __call__(self, table: pa.Table) -> pa.Table:
            return self.encoder(table)

    monkeypatch.setattr(ray_engine, "Encoder", Cramped)
    commit, asked = writer._commit, []

    def interrupted(folder: Path, index: dict, number: int, *args: object) -> None:
        if number == 2:
            raise KeyboardInterrupt
        commit(folder, index, number, *args)

    class Asked(RayClip):
        def stream_texts(self, texts: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
            asked.append(list(texts))
            return super().stream_texts(texts, batches)

    monkeypatch.setattr(writer, "_commit", interrupted)
    with pytest.raises(KeyboardInterrupt), Asked(own, "cpu") as engine:
        write(tmp_path / "ray", own, engine, texts)
    assert not ray.is_initialized() and len(FeatureStore.open(tmp_path / "ray")) == 64
    monkeypatch.setattr(writer, "_commit", commit)
    with Asked(own, "cpu") as engine:
        write(tmp_path / "ray", own, engine, texts)
    assert asked == [texts, texts[64:]]
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="freezes a process")
def test_work_that_stands_still_is_done_again_over_a_new_connection(
    cluster: Cluster, address: None, own: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every actor is frozen at its second part, without dying: nobody tells Ray, and no place is free for another."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    frozen, nodes = tmp_path / "frozen", len(cluster.worker_nodes)
    frozen.mkdir()

    class Freezing:
        """In place of a ``Clip``, whose import takes longer than all the rest."""

        def __init__(self, *args: object) -> None:
            self.parts = 0

        def __call__(self, table: pa.Table) -> pa.Table:
            self.parts += 1
            if self.parts == 2 and len(list(frozen.iterdir())) < nodes:
                (frozen / str(os.getpid())).touch()
                os.kill(os.getpid(), signal.SIGSTOP)
            texts, batches = pickle.loads(table["work"][0].as_py())
            if "refused" in texts:
                raise ValueError("no such model here")
            rows = [np.array([float(texts[place]) for place in batch]) for batch in batches]
            found = [
                SimpleNamespace(rows=row, indices=batch, rejects=[]) for row, batch in zip(rows, batches, strict=True)
            ]
            return pa.table({"part": table["part"], "features": [pickle.dumps(found)]})

    monkeypatch.setattr(ray_engine, "Encoder", Freezing)
    monkeypatch.setattr(ray_engine, "PATIENCE", 10)
    monkeypatch.setattr(ray_engine, "ATTEMPTS", 6)  # on a busy machine an actor alone takes longer than that to start
    with RayClip(own, "cpu") as engine:
        found = list(engine.stream_texts([str(number) for number in range(16)], [[2 * n, 2 * n + 1] for n in range(8)]))
        with pytest.raises(RayTaskError, match="no such model here"):  # an error of the work itself is no loss
            next(engine.stream_texts(["refused"], [[0]]))
    assert len(list(frozen.iterdir())) == nodes
    assert [(encoded.indices, encoded.rows.tolist()) for encoded in found] == [
        ([n, n + 1],) * 2 for n in range(0, 16, 2)
    ]


def test_a_node_with_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="encoding.model=embedded is another model on node"):
        ray_engine.Encoder(SETTINGS, "cpu", "0" * 64, "stream_texts").clip  # noqa: B018


class Losing(RayClip):
    """Loses its work after ``parts`` parts of one batch each, as often as there are entries; then it loses no more."""

    def __init__(self, clip: Clip, parts: list[int], error: type[Exception] = ActorDiedError) -> None:
        super().__init__(clip, "cpu")
        self.clip, self.parts, self.error = clip, parts, error
        self.starts, self.patience = [], []

    def _parts(
        self, plan: Layout, method: str, sources: Sequence[str], batches: Sequence[list[int]], patience: float
    ) -> Iterator:
        self.starts.append(batches[0][0])
        self.patience.append(patience)
        parts = self.parts.pop(0) if self.parts else None
        for encoded in self.clip.stream_texts(sources, batches[:parts]):
            yield [encoded]
        if parts is not None:
            raise self.error


@pytest.mark.parametrize(("losses", "starts"), [([], [0]), ([3], [0, 3]), ([0, 0, 1, 0, 2], [0, 0, 0, 1, 1, 3])])
def test_lost_work_is_done_again_from_the_first_part_that_lacks(
    own: Clip, monkeypatch: pytest.MonkeyPatch, losses: list[int], starts: list[int]
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "nodes", lambda: [node(2)])
    texts, batches = list("abcdef"), [[number] for number in range(6)]
    engine = Losing(own, losses)
    found = list(engine.stream_texts(texts, batches))
    assert [encoded.indices for encoded in found] == batches and engine.starts == starts
    np.testing.assert_array_equal(
        np.concatenate([encoded.rows for encoded in found]),
        np.concatenate([encoded.rows for encoded in own.stream_texts(texts, batches)]),
    )


def test_a_run_that_loses_the_same_work_again_and_again_gives_up(own: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "nodes", lambda: [node(2)])
    with pytest.raises(RuntimeError, match="lost the work from 'b' on 3 times in a row: nodes go"):
        list(Losing(own, [1, 0, 0, 0]).stream_texts(["a", "b", "c"], [[0], [1], [2]]))


def test_work_that_stands_still_gets_more_time_and_is_given_up_with_the_way_out(
    own: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "nodes", lambda: [node(2)])
    monkeypatch.setattr(ray_engine, "PATIENCE", 5)
    engine = Losing(own, [1, 0, 0], ExecutionTimeoutError)
    with pytest.raises(RuntimeError, match="nothing came for 20 seconds.*goes on.*encoding.engine=local"):
        list(engine.stream_texts(["a", "b"], [[0], [1]]))
    assert engine.starts == [0, 1, 1] and engine.patience == [5, 10, 20]


def node(cpus: float, gpus: int = 0, alive: bool = True) -> dict:
    return {"Alive": alive, "Resources": {"CPU": cpus} | ({"GPU": gpus} if gpus else {})}


@pytest.mark.parametrize(
    ("nodes", "device", "actors", "expected"),
    [
        ([node(2)], "auto", 0, (1, 2, 0)),
        ([node(8), node(4), node(16, alive=False), node(0)], "cpu", 0, (2, 4, 0)),
        ([node(8), node(8)], "cpu", 8, (8, 2, 0)),
        ([node(8), node(8)], "cpu", 1, (1, 8, 0)),
        ([node(1), node(1)], "mps", 5, (5, 1, 0)),
        ([node(32), node(32, 8), node(64, 4)], "auto", 0, (12, 5, 1)),
        ([node(32, 8)], "cuda", 2, (2, 16, 1)),
        ([node(32, 8), node(16)], "cpu", 0, (2, 16, 0)),
    ],
)
def test_there_is_one_actor_per_device_unless_told_otherwise(
    nodes: list[dict], device: str, actors: int, expected: tuple[int, int, int]
) -> None:
    assert layout(nodes, device, actors) == Layout(*expected)


def test_a_cluster_without_what_is_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no node of the Ray cluster has a GPU \(device=cuda\)"):
        layout([node(4)], "cuda", 0)
    with pytest.raises(ValueError, match="no node of the Ray cluster has a CPU"):
        layout([node(0, 1)], "auto", 0)


def test_without_ray_the_error_names_the_extra(own: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "showcase_utils.encoding.ray_engine")
    s1 = pd.DataFrame({"review_id": ["r"], "text": ["Great."], "image_ids": [["p"]]})
    images = pd.DataFrame({"image_id": ["p"], "path": [""], "status": ["expired"]})
    with pytest.raises(ModuleNotFoundError, match=r"pip install '\.\[scale\]'"):
        encode_reviews(tmp_path, s1, images, SETTINGS, "cpu", progress=False)
    encode_reviews(tmp_path, s1, images, SETTINGS.model_copy(update={"engine": "local"}), "cpu", progress=False)
