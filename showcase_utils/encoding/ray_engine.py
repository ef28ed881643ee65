"""Encoding on every device of a cluster, with Ray Data: ``encoding.engine=ray``.

The same ``Clip``, fed with the same batches, runs in one actor per device, and the features come back in the order of
the batches: the one writer makes of them the store that a single machine makes. Every node needs this package with
its ``scale`` extra, the same model, and the photos under the same paths (a shared file system).
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pickle
import warnings
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa

from showcase_utils.config import Encoding
from showcase_utils.encoding.clip import Clip, Features, load_clip

try:
    import ray
    import ray.data
    from ray.data.exceptions import ExecutionTimeoutError
    from ray.exceptions import NodeDiedError, ObjectLostError, RayActorError, WorkerCrashedError
except ImportError as error:
    raise ModuleNotFoundError(
        f"encoding.engine=ray needs Ray ({error}): `pip install '.[scale]'` on every machine of the cluster, "
        "or set encoding.engine=local"
    ) from None

LOST = (RayActorError, NodeDiedError, ObjectLostError, WorkerCrashedError)  # work that died with a process or a node
ATTEMPTS = 3  # losses in a row, with nothing finished in between, at which a run gives up
PATIENCE = 300  # seconds without any progress, at first: a part takes seconds on a GPU, at most minutes on CPUs
PART = 32  # batches that an actor gets at once, at most: at every part it starts its reading processes anew
LOOK_AHEAD = 256 * 2**20  # bytes of finished parts that may wait for an earlier one before the actors pause
STORE = 512 * 2**20  # bytes of shared memory of a Ray that is started here


class Layout(NamedTuple):
    """How many actors, and what each reserves; Ray gives an actor as many threads as it reserves CPUs."""

    actors: int
    num_cpus: int
    num_gpus: int


class RayClip:
    """The two streams of ``clip``, computed by actors; each resolves ``device`` (the setting) on its own node.

    A context: it connects to Ray, or starts one, when there is work. At the end it ends the streams, then what it
    opened itself.
    """

    def __init__(self, clip: Clip, device: str) -> None:
        self.settings, self.device, self.fingerprint = clip.settings, device, clip.fingerprint
        self._ours = False  # whether Ray was not there before, so that the connection may be ended
        self._streams, self._connection = contextlib.ExitStack(), contextlib.ExitStack()

    def __enter__(self) -> RayClip:
        return self

    def __exit__(self, *error: object) -> None:
        with self._connection:
            self._streams.close()

    def stream_images(self, photos: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        """As ``Clip.stream_images``: the same features, to the last bit on CPUs of one kind, in the same order."""
        return self._stream("stream_images", photos, batches)

    def stream_texts(self, texts: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        """As ``Clip.stream_texts``: the same features, to the last bit on CPUs of one kind, in the same order."""
        return self._stream("stream_texts", texts, batches)

    def _stream(self, method: str, sources: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        if batches and not ray.is_initialized():
            self._ours = True
            self._connection.enter_context(_connected())
        stream = self._encoded(method, sources, batches)
        self._streams.callback(stream.close)  # an error of the reader keeps it alive, and Ray cannot go before it
        return stream

    def _encoded(
        self, method: str, sources: Sequence[str], batches: Sequence[list[int]]
    ) -> Generator[Features, None, None]:
        """What is lost with a process or a node is done again by those that are left.

        Ray's own restarts wait until there is a place for the lost actor again, if need be for ever; hence this loop.
        When a node dies Ray may also forget a task, and wait for it for ever beside actors that are idle: what makes
        no progress for ``PATIENCE`` seconds is given up with the connection, whose end frees its actors, and done
        again with twice the patience, in case it was only slow.

        Raises ``RuntimeError`` when the same work is lost ``ATTEMPTS`` times.
        """
        done, losses, patience = 0, 0, PATIENCE
        while done < len(batches):
            plan = layout(ray.nodes(), self.device, self.settings.actors)
            try:
                for part in self._parts(plan, method, sources, batches[done:], patience):
                    yield from part
                    done, losses = done + len(part), 0
            except (*LOST, ExecutionTimeoutError) as error:
                losses += 1
                stalled = isinstance(error, ExecutionTimeoutError)
                if losses == ATTEMPTS:
                    reason = (
                        f"nothing came for {patience} seconds, see `ray status`"
                        if stalled
                        else "nodes go, memory runs out, or a file brings the process down"
                    )
                    raise RuntimeError(
                        f"the cluster lost the work from '{sources[batches[done][0]]}' on {ATTEMPTS} times in a row: "
                        f"{reason}; what was committed is kept, and the same command goes on from there, "
                        "with encoding.engine=local also without a cluster"
                    ) from error
                if stalled:
                    patience *= 2
                    if self._ours:
                        self._connection.close()
                        self._connection.enter_context(_connected())

    def _parts(
        self, plan: Layout, method: str, sources: Sequence[str], batches: Sequence[list[int]], patience: float
    ) -> Iterator[list[Features]]:
        """The features of ``batches``, some consecutive ones at a time, in order.

        Raises ``ExecutionTimeoutError`` when nothing moves for ``patience`` seconds.
        """
        step = min(PART, max(1, len(batches) // (4 * plan.actors)))
        parts = [batches[start : start + step] for start in range(0, len(batches), step)]
        rows = [{"part": number, "work": _pack(sources, part)} for number, part in enumerate(parts)]
        work = ray.data.from_items(rows, override_num_blocks=len(rows))
        work.context.execution_no_progress_timeout_s = patience
        options = work.context.execution_options
        options.preserve_order = True
        options.resource_limits = options.resource_limits.copy(object_store_memory=LOOK_AHEAD)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # max_restarts goes with Ray 2.64, see pyproject.toml
            encoded = work.map_batches(
                Encoder,
                batch_size=1,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=min(plan.actors, len(parts))),
                fn_constructor_args=(self.settings, self.device, self.fingerprint, method),
                num_cpus=plan.num_cpus,
                num_gpus=plan.num_gpus,
                max_restarts=0,
            )
        # no prefetching: its thread outlives a stream that is closed early, and would connect to Ray anew
        results = encoded.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=0)
        for (number, part), row in zip(enumerate(parts), results, strict=True):
            if row["part"][0].as_py() != number:
                raise RuntimeError("Ray Data gave the parts out of order: no feature may go to another photo's id")
            yield _unpack(row["features"][0].as_py(), part)


class Encoder:
    """What runs in an actor: one stream of a ``Clip`` of its own, loaded when the first work comes."""

    def __init__(self, settings: Encoding, device: str, fingerprint: str, method: str) -> None:
        self.settings, self.device, self.fingerprint, self.method = settings, device, fingerprint, method

    @cached_property
    def clip(self) -> Clip:
        clip = load_clip(self.settings, self.device)
        if clip.fingerprint != self.fingerprint:
            raise ValueError(
                f"encoding.model={self.settings.model} is another model on node {ray.util.get_node_ip_address()} than "
                "where the run was started: install the same version of this package and of the weights on every node"
            )
        return clip

    def __call__(self, table: pa.Table) -> pa.Table:
        sources, batches = pickle.loads(table["work"][0].as_py())
        features = list(getattr(self.clip, self.method)(sources, batches))
        return pa.table({"part": table["part"], "features": [pickle.dumps(features)]})


def layout(nodes: Sequence[dict[str, Any]], device: str, actors: int) -> Layout:
    """One actor per GPU of ``nodes`` (as of ``ray.nodes()``), or per node where there is none or another ``device``.

    ``actors`` other than 0 is their number instead; those for which there is no place wait. The CPUs are shared out
    evenly. Raises ``ValueError`` when no node has what is asked for.
    """
    there = [node["Resources"] for node in nodes if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    with_gpu = [node for node in there if node.get("GPU", 0) >= 1 and device in ("auto", "cuda")]
    if not there or (device == "cuda" and not with_gpu):
        wanted = "a GPU (device=cuda)" if there else "a CPU to give"
        raise ValueError(f"no node of the Ray cluster has {wanted}: see `ray status`, or set encoding.engine=local")
    used = with_gpu or there
    actors = actors or int(sum(node["GPU"] for node in with_gpu)) or len(used)
    smallest = int(min(node["CPU"] for node in used))
    return Layout(actors, max(1, min(smallest, smallest * len(used) // actors)), int(bool(with_gpu)))


@contextlib.contextmanager
def _connected() -> Iterator[None]:
    """A connection to the cluster of ``RAY_ADDRESS`` (``auto``: of this machine), else to a Ray that is started here.

    A Ray that is started here sends no statistics of use and has no dashboard, and its actors have the priority of this
    process: at Ray's niceness of 15 they would starve beside other work. Without ``RAY_ADDRESS`` none is looked
    for: what Ray remembers of a cluster that is gone makes it wait for minutes.
    """
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
    else:
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
        ray.init("local", include_dashboard=False, object_store_memory=STORE, **quiet)
    log, context = logging.getLogger("ray.data"), ray.data.DataContext.get_current()
    before = log.level, context.enable_progress_bars
    log.setLevel(logging.ERROR)
    context.enable_progress_bars = False
    try:
        yield
    finally:
        log.setLevel(before[0])
        context.enable_progress_bars = before[1]
        ray.shutdown()


def _pack(sources: Sequence[str], part: Sequence[list[int]]) -> bytes:
    """The sources that the batches of ``part`` name, and the batches as places in them."""
    places = itertools.count()
    batches = [list(itertools.islice(places, len(batch))) for batch in part]
    return pickle.dumps(([sources[index] for batch in part for index in batch], batches))


def _unpack(content: bytes, part: Sequence[list[int]]) -> list[Features]:
    """The features of ``part``, with places turned back into the indices that its batches name."""
    indices = list(itertools.chain.from_iterable(part))
    return [
        Features(
            features.rows,
            [indices[place] for place in features.indices],
            [(indices[place], reason) for place, reason in features.rejects],
        )
        for features in pickle.loads(content)
    ]
