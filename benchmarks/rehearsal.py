"""A rehearsal of the whole pipeline at the published counts, or at shares of them: seconds and memory of every stage.

Run: python benchmarks/rehearsal.py [--share S …] [--folder DIR] [--to STAGE] [--write]. Three shares give slopes.
``--write`` writes results/rehearsal.json and the table of README.md, of all that was measured in the folder. A
rehearsal that is cut off goes on.

The file is made by ``gest_like.py`` (share 1: 1.49 million rows), its photos are an index and empty files, of which
about as many are there as GEST-s1 has, and features are made up: unit vectors of 512 dimensions, random, behind a CLIP
that is small and untrained. All else is what `showcase run` runs, stage by stage, each in a process of its own: the
stages' builders with the settings of the profile ``gest``, but for what stands in ``CUT``. Rankers are trained on some
of the pools, evenly spaced, generators for some of an epoch's steps, and some of the test reviews get texts, which
alone are evaluated: ``EVERY`` says how many; all seconds that are reported are scaled up to the whole. Φ is the cosine,
with the threshold that leaves as large a part of GEST-s1 as GEST-s2 is. Processor seconds count, since other work on
the machine does not change them much, from when the code is imported; one thread, one model at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gest_like
import pandas as pd
import yaml
from bench_reading import GIB, peak_bytes, slope

from showcase_utils.artifacts import FRESH, STAGES, Artifacts
from showcase_utils.claims.report import write_between_marks
from showcase_utils.claims.tables import render
from showcase_utils.config import Settings, load_settings

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "rehearsal.json"
MARKS = ("<!-- rehearsal:start -->", "<!-- rehearsal:end -->")
MEASURED = "measured.json"
SHARES = (1 / 64, 1 / 16, 1)
ORDER = [name for name in STAGES if name != "world"]
DIM = 512
KEPT = 108_888 / 370_563  # of the reviews of GEST-s1 that are in GEST-s2
CUT: dict[str, dict[str, Any]] = {  # what is smaller here than in the profile `gest`
    "selection": {"epochs": 1, "metric_epochs": 1, "jobs": 1},
    "generation": {
        "decoder": "embedded", "precision": "fp32", "entities": "phrases", "epochs": 1, "jobs": 1,
        "systems": ["img_gpt2", "ours_pc2l"],
    },
    "evaluation": {"bertscore_model": "embedded"},
}  # fmt: skip
EVERY = {"selection": 256, "generation": 25, "texts": 8, "evaluation": 8}  # at share 1; of less, as many fewer
SCALED = {"selection": "train", "generation": "train_system", "texts": "write_all_texts", "evaluation": ""}
TRAINING = ("selection", "generation")  # which epochs multiply
PARTS = {  # functions of a builder's module whose seconds are told apart
    "data": ("_read", "_filter", "history", "_check_leaks"),
    "features": ("sentence_frame",),
    "alignment": ("score_pairs", "distil", "write_diversity"),
    "selection": ("open_pools", "train", "choose", "score", "sameness_of_places", "k_curves", "theta_curves"),
    "generation": ("open_corpus", "_swapped", "train_system"),
    "texts": ("open_corpus", "write_all_texts", "_prepare_teller", "read_teller"),
    "evaluation": ("ground_texts", "score_texts", "metric_table", "comparison_table", "ladder_table", "text_evidence"),
}


class MadeUp:
    """Random unit features in place of a CLIP's, the same for the same place in a list."""

    def stream_images(self, sources: Sequence[str], batches: Sequence[list[int]]) -> Iterator[SimpleNamespace]:
        import numpy as np

        for batch in batches:
            rows = np.random.default_rng(batch[0]).standard_normal((len(batch), DIM), np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            yield SimpleNamespace(rows=rows, indices=batch, rejects=[])

    stream_texts = stream_images


def prepare(folder: Path, share: float) -> Path:
    """The file, its photos, a CLIP, Φ and a profile that names them, made once; the profile's path."""
    import open_clip
    import torch
    from safetensors.torch import save_file
    from scipy.stats import norm

    from showcase_utils.alignment.phi import CosinePhi
    from showcase_utils.encoding.clip import load_clip
    from showcase_utils.recipes import BACKBONES

    profile = folder / "rehearsal.yaml"
    if profile.is_file():
        return profile
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    reviews = folder / "image_review_all.json"
    gest_like.write(reviews, max(1, round(share * gest_like.ROWS)))
    gest_like.write_photos(reviews, there=None)
    clip = shutil.copytree(BACKBONES / "clip", folder / "clip")
    config = json.loads((clip / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = DIM
    (clip / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    logging.disable(logging.WARNING)  # that no weights were loaded
    weights = open_clip.create_model(f"local-dir:{clip}", load_weights=False).state_dict()
    save_file({name: weight.contiguous() for name, weight in weights.items()}, clip / "open_clip_model.safetensors")
    tree: dict[str, Any] = {
        "extends": "gest",
        "device": "cpu",
        "threads": 1,
        "data": {"reviews": str(reviews), "images": str(gest_like.photos_beside(reviews))},
        "encoding": {"model": f"local-dir:{clip}", "pretrained": None},
        "alignment": {"pretrained": str(folder / "phi")},
    }
    profile.with_suffix(".new").write_text(yaml.safe_dump(tree | CUT))
    settings = load_settings(profile.with_suffix(".new").rename(folder / "draft.yaml"))
    pairs = 3.5 * 3.8  # of a review, on average
    threshold = float(norm.isf(1 - (1 - KEPT) ** (1 / pairs))) / DIM**0.5
    (folder / "phi").mkdir()
    CosinePhi(threshold, load_clip(settings.encoding, "cpu").fingerprint).save(folder / "phi")
    return (folder / "draft.yaml").rename(profile)


@contextlib.contextmanager
def told_apart(module: Any, names: Sequence[str]) -> Iterator[dict[str, float]]:
    """Processor seconds in some functions of a module, by name, while the context lasts."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable) -> Callable:
        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                seconds[name] += time.process_time() - started

        return call

    originals = {name: getattr(module, name) for name in names}
    for name, function in originals.items():
        setattr(module, name, timed(name, function))
    try:
        yield seconds
    finally:
        for name, function in originals.items():
            setattr(module, name, function)


@contextlib.contextmanager
def made_up_features(settings: Settings) -> Iterator[None]:
    """The stage ``features`` writes its stores as ever; what it writes are made-up rows."""
    from showcase_utils.encoding import build
    from showcase_utils.encoding.clip import load_clip
    from showcase_utils.encoding.engine import StoreEncoder
    from showcase_utils.encoding.writer import FeatureWriter

    @contextlib.contextmanager
    def opened(options: Any, device: str, progress: bool) -> Iterator[StoreEncoder]:
        clip = load_clip(options, "cpu")
        writer = FeatureWriter(
            DIM, clip.fingerprint, options.dtype, options.shard_rows, options.batch_size, progress=progress
        )
        yield StoreEncoder(MadeUp(), writer)  # type: ignore[arg-type]

    original, build.open_encoder = build.open_encoder, opened
    try:
        yield
    finally:
        build.open_encoder = original


@contextlib.contextmanager
def in_part(stage: str, every: int) -> Iterator[None]:
    """The stage sees one of ``every`` so many pools or steps to train on, or reviews to write for."""
    from showcase_utils.generation import training
    from showcase_utils.generation.corpus import ShowcaseCorpus
    from showcase_utils.selection.pools import Pools

    pools_rows, arguments_of, corpus_rows = Pools.rows, training.training_arguments, ShowcaseCorpus.rows

    def pools(self: Pools, split: str, informative: bool = False) -> Any:
        rows = pools_rows(self, split, informative)
        return rows[::every] if informative else rows

    def arguments(*given: Any) -> Any:
        made, settings, samples = arguments_of(*given), given[1], given[-1]
        made.max_steps = max(1, round(samples / settings.batch_size / every))
        return made

    def reviews(self: ShowcaseCorpus, split: str) -> pd.DataFrame:
        rows = corpus_rows(self, split)
        return rows.iloc[::every] if split == "test" else rows

    if stage == "selection":
        Pools.rows = pools  # type: ignore[method-assign]
    if stage == "generation":
        training.training_arguments = arguments
    if stage == "texts":
        ShowcaseCorpus.rows = reviews  # type: ignore[method-assign]
    try:
        yield
    finally:
        Pools.rows = pools_rows  # type: ignore[method-assign]
        ShowcaseCorpus.rows = corpus_rows  # type: ignore[method-assign]
        training.training_arguments = arguments_of


def every_of(stage: str, share: float) -> int:
    """One of how many pools, steps or reviews a stage sees: about as many of them at every share."""
    return max(1, round(EVERY.get(stage, 1) * share))


def work(stage: str, profile: Path, every: int) -> dict[str, Any]:
    """Makes one stage in this process: processor seconds, those of its parts, wall seconds, peak memory."""
    store = Artifacts(load_settings(profile), profile.parent / "artifacts")
    module = importlib.import_module(STAGES[stage].module)
    replaced = made_up_features(store.settings) if stage == "features" else contextlib.nullcontext()
    with told_apart(module, PARTS[stage]) as parts, replaced, in_part(stage, every):
        started, cpu = time.perf_counter(), time.process_time()
        store.make(stage, progress=False)
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - started
    size = sum(row["bytes"] for row in store.manifest(stage)["files"].values())
    found = {"cpu_seconds": cpu, "seconds": seconds, "peak_gib": peak_bytes() / GIB, "gb_on_disk": size / 1e9}
    return {key: round(value, 3) for key, value in found.items()} | {
        "parts": {name: round(spent, 3) for name, spent in parts.items()}
    }


def rehearse(folder: Path, share: float, stages: Sequence[str]) -> None:
    """All ``stages`` at one share, each in a process of its own; what was measured before is not measured again.

    Raises ``SystemExit`` that names the stage and its last words.
    """
    profile = prepare(folder, share)
    store, record = Artifacts(load_settings(profile), folder / "artifacts"), folder / MEASURED
    measured = json.loads(record.read_text()) if record.is_file() else {}
    for number, stage in enumerate(stages, start=1):
        if stage in measured and store.statuses(stage)[stage].state == FRESH:
            continue
        store.forget(stage)
        print(f"share {share:.4g}: {stage}, {number} of {len(stages)} …", end="", flush=True)
        command = [sys.executable, __file__, "--stage", stage, "--profile", str(profile)]
        command += ["--every", str(every_of(stage, share))]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise SystemExit(f"\n{stage} at share {share:.4g} failed: {done.stderr.strip()[-600:]}")
        measured[stage] = json.loads(done.stdout.splitlines()[-1])
        record.write_text(json.dumps(measured, indent=1))
        row = measured[stage]
        print(f" {row['cpu_seconds']:.1f} s, {row['peak_gib']:.2f} GiB", flush=True)


def counts(folder: Path) -> dict[str, int]:
    """How large the stages are: rows, and what is in GEST-s1 and GEST-s2."""
    path = Artifacts(load_settings(folder / "rehearsal.yaml"), folder / "artifacts").folder
    s1 = pd.read_parquet(path / "data" / "s1.parquet", columns=["user_id", "image_ids", "split"])
    found = {
        "s1_reviews": len(s1),
        "s1_photos": int(s1["image_ids"].map(len).sum()),
        "s1_users": int(s1["user_id"].nunique()),
    }
    if (path / "alignment" / "s2.parquet").is_file():
        split = pd.read_parquet(path / "alignment" / "s2.parquet", columns=["split"])["split"].value_counts()
        found |= {"s2_reviews": int(split.sum())} | {f"s2_{name}": int(split[name]) for name in split.index}
    return found


def epochs_left_out(stage: str) -> float:
    """How many times as long the training of a stage is with the epochs of the profile `gest`."""
    settings = load_settings("gest").section(stage)
    return settings["epochs"] / CUT[stage]["epochs"]


def summary(runs: dict[float, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Per stage, and per part of it: seconds by share, slope, and what the published counts would take.

    ``runs`` holds what was measured of each stage by share; the largest shares may lack the last stages. Seconds are of
    the whole: what was done in part is scaled up, all of it, also what would not grow. The published counts take the
    largest share's seconds, grown by the slope, or in proportion where the slope is below one: at small sizes what
    every call costs hides part of it. ``full_epochs`` multiplies training by the epochs that were cut.
    """
    rows = []
    for stage in dict.fromkeys(name for run in runs.values() for name in run):
        scaled, found = SCALED.get(stage), {share: run[stage] for share, run in runs.items() if stage in run}
        largest = found[max(found)]
        for name in ["", *sorted({name for one in found.values() for name in one["parts"]})]:
            if name and name != scaled and largest["parts"].get(name, 0.0) < 0.02 * largest["cpu_seconds"]:
                continue
            seconds = {}
            for share, one in found.items():
                spent = one["parts"].get(name, 0.0) if name else one["cpu_seconds"]
                part = one["parts"].get(scaled, 0.0) if scaled and not name else spent
                every = every_of(stage, share) if name in ("", scaled) or scaled == "" else 1
                seconds[share] = spent + part * (every - 1)
            row = {"stage": stage, "part": name} | _grown(seconds)
            if not name:
                row |= {kind: {share: one[kind] for share, one in found.items()} for kind in ("peak_gib", "gb_on_disk")}
            rows.append(row)
    for stage in TRAINING:
        of = {row["part"]: row for row in rows if row["stage"] == stage}
        if of:
            training = of[SCALED[stage]]
            beside = {share: spent - training["cpu_seconds"][share] for share, spent in of[""]["cpu_seconds"].items()}
            of[""]["beside_training"] = _grown(beside)["whole"]
            of[""]["full_epochs"] = of[""]["beside_training"] + training["whole"] * epochs_left_out(stage)
    return rows


def _grown(seconds: dict[float, float]) -> dict[str, Any]:
    """Seconds by share, their slope (none of a single share), and those of the whole."""
    several = len(seconds) > 1 and min(seconds.values()) > 0
    exponent = slope([*seconds], [*seconds.values()]) if several else None
    whole = seconds[max(seconds)] * (1 / max(seconds)) ** max(1.0, exponent or 1.0)
    return {"cpu_seconds": seconds, "slope": exponent, "whole": whole}


def table(shares: Sequence[float], rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """As the README shows it: seconds and memory at each share, the slope, minutes at the published counts."""
    lines = []
    for row in rows:
        line = {"stage": row["stage"] if not row["part"] else f"– {row['part'].lstrip('_')}"}
        seconds = row["cpu_seconds"]
        line |= {f"s, {share:.4g}": f"{seconds[share]:.1f}" if share in seconds else "" for share in shares}
        line["slope"] = "–" if row["slope"] is None else f"{row['slope']:.2f}"
        line["peak GiB"] = f"{max(row['peak_gib'].values()):.1f}" if "peak_gib" in row else ""
        line["minutes, whole"] = f"{row['whole'] / 60:.1f}"
        line["beside training"] = f"{row['beside_training'] / 60:.1f}" if "beside_training" in row else ""
        line["with all epochs"] = f"{row['full_epochs'] / 60:.0f}" if "full_epochs" in row else ""
        lines.append(line)
    return pd.DataFrame(lines).set_index("stage")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, nargs="+", default=SHARES, help="of the published counts: what is run")
    parser.add_argument("--folder", type=Path, default=Path("artifacts/rehearsal"), help="all is made and stays here")
    parser.add_argument("--to", choices=ORDER, default=ORDER[-1], help="the last stage")
    parser.add_argument("--write", action="store_true", help="results/rehearsal.json and the README's table")
    parser.add_argument("--stage", choices=ORDER, help=argparse.SUPPRESS)
    parser.add_argument("--profile", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--every", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        print(json.dumps(work(arguments.stage, arguments.profile, arguments.every)))
        return
    if not all(0 < share <= 1 for share in arguments.share):
        parser.error("--share: above 0, at most 1")
    shares, stages = sorted(arguments.share), ORDER[: ORDER.index(arguments.to) + 1]
    root = arguments.folder.resolve()
    for share in shares:
        rehearse(root / f"share-{share:.6g}", share, stages)
    folders = {float(path.name.removeprefix("share-")): path for path in root.glob("share-*")}  # of earlier calls too
    runs = {share: json.loads((folders[share] / MEASURED).read_text()) for share in sorted(folders)}
    rows = summary(runs)
    shown = table([*runs], rows)
    print(shown.to_string())
    if arguments.write:
        machine = {"python": platform.python_version(), "cores": os.cpu_count(), "processor": platform.machine()}
        report = {
            "about": "processor seconds of one thread, of the whole; whole: at the published counts, with one epoch",
            "every": EVERY, "cut": CUT, "rows": {share: round(share * gest_like.ROWS) for share in runs},
            "counts": {share: counts(folders[share]) for share in runs}, "machine": machine, "stages": rows,
        }  # fmt: skip
        RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        write_between_marks(HERE / "README.md", render(shown, "markdown", "stage"), *MARKS)


if __name__ == "__main__":
    main()
