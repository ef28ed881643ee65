"""All that is to be known of this package on a GPU, in one call: parity, speed, memory, two processes.

Run: python benchmarks/gpu.py [--minutes 8] [--device cuda] [--small] [--to FILE]. Writes results/gpu.json, with device
and date, after every part. A part is left out where the time no longer reaches for it, and says so; one that fails
leaves its error, and the rest goes on. ``--small`` is the same in seconds on two CPU cores, where no number means
anything. Weights are random, which costs what trained ones cost. The exit status is 1 where a part failed, or where a
number is out of its bound (``bounds``).
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import math
import platform
import resource
import shutil
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench_encoding
import torch
import torch.distributed as dist
import transformers
from bench_generation import FEATURES, contrastive_loss, decoding_of, make_batch, save_random_decoder, step_of
from torch.nn.parallel import DistributedDataParallel
from transformers import GPT2Config, set_seed

from showcase_utils.config import Encoding
from showcase_utils.encoding.clip import load_clip
from showcase_utils.generation.gpt2 import quietly
from showcase_utils.generation.model import ShowcaseGenerator

RESULTS = Path(__file__).parent / "results" / "gpu.json"
TRAIN = 87_013  # training reviews of GEST-s2
BOUNDS = {  # largest value that is right, by part and name; a CPU's own bf16 has gradients 0.19 off at the small size
    "parity": {"fp32 loss": 1e-4, "fp32 gradient": 1e-3, "bf16 loss": 1e-2, "bf16 gradient": 0.3},
    "two_processes": {"weights": 1e-4},
}
REACH = {"steps": {"seconds of an epoch of GEST-s2, CE, bf16": 60.0}}


@dataclass(frozen=True)
class Bench:
    """Sizes of a run, its device, and when it ends."""

    device: torch.device
    small: bool
    end: float

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    @property
    def batch(self) -> int:
        return 4 if self.small else 32

    @property
    def tokens(self) -> int:
        return 12 if self.small else 64

    @property
    def decoder(self) -> GPT2Config:
        tiny = {"vocab_size": 500, "n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 64}
        return GPT2Config(**tiny, bos_token_id=0, eos_token_id=0) if self.small else GPT2Config()

    def model(self, device: torch.device | None = None, contrast: bool = True) -> ShowcaseGenerator:
        """The same weights at every call: GPT-2 small, or a tiny one."""
        set_seed(0)
        with tempfile.TemporaryDirectory() as folder, quietly():
            save_random_decoder(folder, self.decoder)
            shapes = {"feature_dim": FEATURES, "contrast_visual": contrast, "contrast_history": contrast}
            model = ShowcaseGenerator.from_decoder(folder, max_tokens=self.tokens, **shapes)
        return model.to(device or self.device)

    def samples(self, size: int | None = None, device: torch.device | None = None) -> dict[str, torch.Tensor]:
        return make_batch(size or self.batch, self.tokens, self.decoder.vocab_size, device or self.device)


def parity(bench: Bench) -> dict[str, float]:
    """Loss and gradients of PC²L on the device against the CPU in fp32: relative distances, without dropout."""

    def gradients(device: torch.device, half: bool) -> tuple[torch.Tensor, torch.Tensor]:
        model, batch = bench.model(device).eval(), bench.samples(4, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = contrastive_loss(model, batch)
        loss.backward()
        return loss.detach().cpu(), torch.cat([weight.grad.flatten().cpu() for weight in model.parameters()])

    def distance(got: torch.Tensor, want: torch.Tensor) -> float:
        return ((got - want).norm() / want.norm()).item()

    wanted, found = gradients(torch.device("cpu"), half=False), {}
    for name, half in (("fp32", False), ("bf16", True)):
        for what, got, want in zip(("loss", "gradient"), gradients(bench.device, half), wanted, strict=True):
            found[f"{name} {what}"] = distance(got.double(), want.double())
    return found


def steps(bench: Bench) -> dict[str, float]:
    """Seconds of training steps, batch 32, and what an epoch of GEST-s2 takes with them; peak memory of each."""
    found = {}
    for precision in ("bf16", "fp32"):
        for name, contrast in (("CE", False), ("PC2L", True)):
            _forget_peak(bench.device)
            model, batch = bench.model(contrast=contrast), bench.samples()
            if not contrast:
                del batch["swapped"]
            took = _repeated(bench, step_of(model, _loss(model, batch, precision), bench.device))
            found[f"seconds of a step, {name}, {precision}"] = took
            if not bench.small:
                found[f"seconds of an epoch of GEST-s2, {name}, {precision}"] = took * math.ceil(TRAIN / bench.batch)
            found[f"GiB at most, {name}, {precision}"] = _peak(bench.device)
            del model
    return found


def decoding(bench: Bench) -> dict[str, float]:
    """Samples a second, greedy to the last token, in batches of 64; peak memory."""
    _forget_peak(bench.device)
    size = 2 * bench.batch
    model, batch = bench.model(contrast=False).eval(), bench.samples(size)
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "swapped")}
    exact = {"max_new_tokens": bench.tokens, "min_new_tokens": bench.tokens}
    took = _repeated(bench, decoding_of(lambda: model.generate(**inputs, **exact), bench.device))
    return {"samples a second": size / took, "GiB at most": _peak(bench.device)}


def encoding(bench: Bench) -> dict[str, float]:
    """Photos a second from files to a store, ViT-B-32, and the share of that time in which the device works."""
    with tempfile.TemporaryDirectory() as name:
        folder, count = Path(name), 16 if bench.small else 4096
        settings = Encoding(batch_size=8 if bench.small else 256, workers=0 if bench.small else 8)
        if not bench.small:
            weights = bench_encoding.save_random_clip(folder / "clip")
            settings = settings.model_copy(update={"model": f"local-dir:{weights}"})
        clip, paths = load_clip(settings, str(bench.device)), bench_encoding.save_photos(folder / "photos", count)
        pixels = list(torch.stack([clip.preprocess(bench_encoding.Image.open(path)) for path in paths[:256]]).split(8))
        whole = bench_encoding.seconds(lambda: bench_encoding.end_to_end(clip, paths))
        pixels = [torch.cat(pixels)[: settings.batch_size]] * math.ceil(count / settings.batch_size)
        forward = bench_encoding.seconds(lambda: bench_encoding.forward_only(clip, pixels))
    return {"photos a second": count / whole, "forward only": count / forward, "share busy": forward / whole}


def two_processes(bench: Bench) -> dict[str, float]:
    """Two processes on one device, half a batch each, against one with the whole: distance of the weights.

    Steps of plain gradient descent: Adam would blow rounding up to whole steps where a gradient is nothing else.
    """
    with tempfile.TemporaryDirectory() as folder:
        arguments = (folder, str(bench.device), bench.small)
        torch.multiprocessing.spawn(_one_of_two, arguments, nprocs=2)
        shared = torch.load(Path(folder) / "weights.pt")
    alone = _descend(bench, bench.model().eval(), bench.samples(8))
    start = bench.model().state_dict()
    moved = torch.cat([(alone[name] - start[name].cpu()).flatten() for name in alone])
    apart = torch.cat([(alone[name] - shared[name]).flatten() for name in alone])
    return {"weights": (apart.norm() / moved.norm()).item(), "moved": moved.norm().item()}


def _one_of_two(rank: int, folder: str, device: str, small: bool) -> None:
    torch.set_num_threads(1)
    bench = Bench(torch.device(device), small, math.inf)
    model = bench.model().eval()  # before they meet: then only the first would write the decoder that it starts from
    # NCCL wants a GPU for each process
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    half = {name: value[rank * 4 : rank * 4 + 4] for name, value in bench.samples(8).items()}
    weights = _descend(bench, DistributedDataParallel(model), half)
    if rank == 0:
        torch.save({name.removeprefix("module."): value for name, value in weights.items()}, f"{folder}/weights.pt")
    dist.barrier()
    dist.destroy_process_group()


def _descend(bench: Bench, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for _ in range(3):
        model.zero_grad()
        contrastive_loss(model, batch).backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= 0.05 * weight.grad
    return {name: value.detach().cpu() for name, value in model.state_dict().items()}


def compiled(bench: Bench) -> dict[str, float]:
    """A CE step in bf16 with torch.compile and without; the seconds of its first call. Small: without a compiler."""
    batch, found, plain = bench.samples(), {}, bench.model(contrast=False)
    del batch["swapped"]
    backend = {"backend": "eager"} if bench.small else {}
    wrapped = torch.compile(copy.deepcopy(plain), **backend)
    fast = step_of(wrapped, _loss(wrapped, batch, "bf16"), bench.device)
    found["seconds of the first call"] = fast()
    found["seconds of a step"] = _repeated(bench, fast)
    found["without"] = _repeated(bench, step_of(plain, _loss(plain, batch, "bf16"), bench.device))
    return found


PARTS: dict[str, tuple[Callable[[Bench], dict[str, float]], float]] = {  # with the seconds that must be left for it
    "parity": (parity, 40),
    "steps": (steps, 40),
    "decoding": (decoding, 20),
    "two_processes": (two_processes, 60),
    "encoding": (encoding, 90),
    "compiled": (compiled, 120),
}


def _loss(model: torch.nn.Module, batch: dict[str, torch.Tensor], precision: str) -> Callable[[], torch.Tensor]:
    device = batch["labels"].device.type

    def loss() -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            return contrastive_loss(model, batch) if "swapped" in batch else model(**batch).loss

    return loss


def _repeated(bench: Bench, run: Callable[[], float]) -> float:
    """The median of repeats after two that warm up, as many as five seconds hold, at least three."""
    run(), run()
    taken = [run() for _ in range(3)]
    end = time.monotonic() + (0 if bench.small else 5)
    while time.monotonic() < end:
        taken.append(run())
    return statistics.median(taken)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> float:
    """On a CPU: the whole process so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if platform.system() == "Darwin" else 2**20)


def run_part(name: str, bench: Bench) -> dict[str, Any]:
    """What a part found, with ``seconds`` and whether it is within its ``bounds``, or why it has found nothing."""
    part, needs = PARTS[name]
    needs = needs / 20 if bench.small else needs
    if bench.left < needs:
        return {"left_out": f"{max(0, bench.left):.0f} s were left, {needs:.0f} are needed"}
    started = time.monotonic()
    try:
        with quietly():
            found: dict[str, Any] = {key: float(f"{value:.4g}") for key, value in part(bench).items()}
    except Exception as error:  # whatever it is, the other parts still have something to say
        return {"error": f"{type(error).__name__}: {error}", "where": traceback.format_exc().splitlines()[-12:]}
    if bounds := BOUNDS.get(name):
        found |= {"bounds": bounds, "within": all(found[key] <= bound for key, bound in bounds.items())}
    if (reach := REACH.get(name)) and not bench.small:
        found |= {"reach": reach, "reached": all(found[key] <= goal for key, goal in reach.items())}
    return found | {"seconds": round(time.monotonic() - started, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--to", type=Path, default=RESULTS)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("no GPU is at hand: --small --device cpu tries the script itself")
    if arguments.small:
        torch.set_num_threads(1)  # tiny matrices gain nothing from a second one
    bench = Bench(device, arguments.small, time.monotonic() + 60 * arguments.minutes)
    result: dict[str, Any] = {
        "argv": sys.argv[1:],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {platform.machine()}",
        "small": bench.small,
        "shape": {"batch": bench.batch, "tokens": bench.tokens, "decoder": "tiny" if bench.small else "GPT-2 small"},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "cuda": torch.version.cuda},
        "compiler": shutil.which("c++") is not None,
        "parts": {},
    }
    for name in arguments.parts:
        result["parts"][name] = run_part(name, bench)
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        arguments.to.write_text(json.dumps(result, indent=2) + "\n")
        print(name, json.dumps(result["parts"][name]), flush=True)
    return int(any("error" in part or part.get("within") is False for part in result["parts"].values()))


if __name__ == "__main__":
    sys.exit(main())
