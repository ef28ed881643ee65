"""Photos to features with ViT-B-32: end to end, forward only, and open_clip's README loop, one photo at a time.

Run: python benchmarks/bench_encoding.py [--sizes N N N] [--threads T] [--device NAME]. Writes results/encoding.json.

Weights are random, which costs what trained ones cost. Photos are JPEGs of 800 × 600, smooth with some detail, about
as large as phone photos from a review site. "Forward only" has all pixels decoded and in memory; end to end over
forward only is the share of the time in which the model works. Systems are compared on the middle size. End to end is
measured at every size; the slope is that of log seconds over log photos, 1 where the cost of a photo stays the same.

clip-retrieval takes part where its code lies on the path, without all that it depends on:

    pip install --no-deps --target FOLDER clip-retrieval all_clip
    PYTHONPATH=FOLDER python benchmarks/bench_encoding.py
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file
from summary import Row, as_fast, store

from showcase_utils.config import Encoding
from showcase_utils.encoding.clip import Clip, load_clip
from showcase_utils.encoding.reuse import file_mark
from showcase_utils.encoding.writer import FeatureWriter

MODEL, WEIGHTS = "ViT-B-32", "open_clip_model.safetensors"
REPEATS = 2


def save_random_clip(folder: Path) -> Path:
    """ViT-B-32 with random weights in open_clip's folder format."""
    folder.mkdir()
    config = open_clip.get_model_config(MODEL)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    model = open_clip.create_model(MODEL)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)
    return folder


def save_photos(folder: Path, count: int) -> list[str]:
    """JPEGs of 800 × 600: coarse noise blown up, with finer noise on top."""
    folder.mkdir()
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize((800, 600), Image.BICUBIC)
        fine = Image.fromarray(rng.integers(0, 255, (150, 200, 3), dtype=np.uint8)).resize((800, 600), Image.BILINEAR)
        paths.append(str(folder / f"{number}.jpg"))
        Image.blend(coarse, fine, 0.3).save(paths[-1], quality=85)
    return paths


def seconds(function: Callable[[], object], repeats: int = REPEATS) -> float:
    """The best of some runs: the least disturbed one."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def end_to_end(clip: Clip, paths: list[str]) -> None:
    """Files to a feature store on disk, as notebook 02 does it."""
    with tempfile.TemporaryDirectory() as folder:
        writer = FeatureWriter(clip.dim, clip.fingerprint, batch_size=clip.settings.batch_size, progress=False)
        writer.write(Path(folder) / "photos", paths, paths, clip.stream_images, mark=file_mark)


@torch.inference_mode()
def forward_only(clip: Clip, pixels: list[torch.Tensor]) -> None:
    for batch in pixels:
        with torch.autocast(clip.device.type, torch.bfloat16, enabled=clip.autocast):
            clip.model.encode_image(batch.to(clip.device), normalize=True).cpu()


def readme_loop(clip: Clip, paths: list[str]) -> None:
    """The loop of open_clip's README: open, preprocess, encode, normalise, for each photo alone."""
    for path in paths:
        image = clip.preprocess(Image.open(path)).unsqueeze(0).to(clip.device)
        with torch.no_grad(), torch.autocast(clip.device.type, torch.bfloat16, enabled=clip.autocast):
            features = clip.model.encode_image(image)
            features /= features.norm(dim=-1, keepdim=True)
            features.cpu()


def clip_retrieval(weights: Path, photos: Path, batch: int, workers: int) -> Callable[[], object] | None:
    """clip-retrieval's reader, mapper and writer under its runner, on the same weights; ``None`` if it is not there.

    The model is loaded before, as ours is. Its ``__init__`` wants an index, a web server and a logging service, its
    mapper a multilingual model, its loader OpenAI's package: none takes part here, so empty modules stand in for them.
    """
    found = importlib.util.find_spec("clip_retrieval")
    if found is None:
        return None
    package = types.ModuleType("clip_retrieval")
    package.__path__ = list(found.submodule_search_locations)
    inference = types.ModuleType("clip_retrieval.clip_inference")
    inference.__path__ = [f"{path}/clip_inference" for path in package.__path__]
    unused = [types.ModuleType(name) for name in ("sentence_transformers", "clip")]
    unused[0].SentenceTransformer = None
    sys.modules |= {module.__name__: module for module in (package, inference, *unused)}
    from all_clip import load_clip as load_theirs
    from clip_retrieval.clip_inference.mapper import ClipMapper
    from clip_retrieval.clip_inference.reader import FilesReader
    from clip_retrieval.clip_inference.runner import Runner
    from clip_retrieval.clip_inference.writer import NumpyWriter

    class Silent:
        start = end = __call__ = lambda self, *unused: None

    model = f"open_clip:{MODEL}/{weights}"
    with contextlib.redirect_stdout(None):
        mapper = ClipMapper(True, False, False, False, model, False, "")
        _, preprocess, tokenizer = load_theirs(model, False)

    def run() -> None:
        with tempfile.TemporaryDirectory() as out:
            Runner(
                lambda sampler: FilesReader(sampler, preprocess, tokenizer, photos, batch, workers, enable_text=False),
                lambda: mapper,
                lambda part: NumpyWriter(part, out, False, True, False, 1),
                lambda part: Silent(),
                1,
            )(0)

    return run


def rows(report: dict) -> tuple[str, list[Row]]:
    return f"{report['model']} on {report['device']}, {report['photos']} photos, threads: {report['threads']}", [
        Row("forward only, pixels in memory", as_fast(report["end_to_end_over_forward_only"]), "at least 0.85"),
        Row("the loop of open_clip's README", as_fast(report["end_to_end_over_readme_loop"])),
        Row("clip-retrieval's inference", as_fast(report["end_to_end_over_clip_retrieval"])),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        name = f"local-dir:{save_random_clip(Path(folder) / 'clip')}"
        sizes = sorted(options.sizes)
        photos = save_photos(Path(folder) / "all", sizes[-1])
        paths = save_photos(Path(folder) / "photos", sizes[len(sizes) // 2])
        clip = load_clip(Encoding(model=name, batch_size=options.batch, workers=options.workers), options.device)
        chunks = [paths[at : at + options.batch] for at in range(0, len(paths), options.batch)]
        pixels = [torch.stack([clip.preprocess(Image.open(path)) for path in chunk]) for chunk in chunks]
        forward_only(clip, pixels[:1])  # warms up
        best = {
            "end to end": seconds(lambda: end_to_end(clip, paths)),
            "forward only": seconds(lambda: forward_only(clip, pixels)),
            "README loop": seconds(lambda: readme_loop(clip, paths)),
        }
        if theirs := clip_retrieval(
            Path(folder) / "clip" / WEIGHTS, Path(folder) / "photos", options.batch, options.workers
        ):
            best["clip-retrieval"] = seconds(theirs)
        decoding = seconds(lambda: [clip.preprocess(Image.open(path)) for path in paths[:128]], 1) / min(
            128, len(paths)
        )
        by_size = {n: seconds(lambda n=n: end_to_end(clip, photos[:n])) for n in sizes}
    count = len(paths)
    slope = np.polyfit(np.log(sizes), np.log(list(by_size.values())), 1)[0]
    results = {
        "model": MODEL,
        "device": str(clip.device),
        "threads": options.threads,
        "workers": options.workers,
        "photos": count,
        "photos_per_second": {name: round(count / value, 2) for name, value in best.items()},
        "end_to_end_over_forward_only": round(best["forward only"] / best["end to end"], 3),
        "end_to_end_over_readme_loop": round(best["README loop"] / best["end to end"], 3),
        "end_to_end_over_clip_retrieval": round(best["clip-retrieval"] / best["end to end"], 3)
        if "clip-retrieval" in best
        else "not installed",
        "decoded_photos_per_second_and_core": round(1 / decoding, 1),
        "milliseconds_per_photo_by_size": {str(n): round(1000 * value / n, 2) for n, value in by_size.items()},
        "slope_over_photos": round(float(slope), 3),
    }
    store("encoding", results, rows(results), ("torch", "open_clip_torch", "clip-retrieval"))


if __name__ == "__main__":
    main()
