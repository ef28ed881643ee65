"""The generation stage through the real command, by one process and by two."""

import json
import os
import runpy
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from showcase_utils.artifacts import Artifacts, StaleStage
from showcase_utils.config import SettingsError, load_settings
from showcase_utils.data.frames import save_reviews
from showcase_utils.encoding.clip import Features
from showcase_utils.encoding.writer import FeatureWriter
from showcase_utils.generation import build as stage
from showcase_utils.generation.build import train_generation, train_systems
from showcase_utils.generation.corpus import open_corpus
from showcase_utils.generation.entities import EntitySwapper
from showcase_utils.generation.systems import SYSTEMS
from tests.generation.weights import assert_same_weights

DIM = 16
ROOT = Path(__file__).parents[2]


def _write_store(folder, features):
    def stream(ids, batches):
        for batch in batches:
            yield Features(features[[ids[index] for index in batch]], list(batch), [])

    ids = list(features.rows)
    FeatureWriter(DIM, "f", "float32", progress=False).write(folder, ids, ids, stream)


def _store(root, world, overrides):
    """Artifacts of a run up to the stage: 64 reviews of 16 users, with other photos chosen for val and test."""
    store = Artifacts(load_settings("smoke", overrides), root)
    reviews = world["reviews"]
    held_out = reviews[reviews["split"] != "train"]
    chosen = pd.DataFrame({"review_id": held_out["review_id"], "image_ids": list(held_out["image_ids"])[::-1]})

    def data(context):
        save_reviews(reviews, context.out / "s1.parquet")
        world["history"].rename("history").rename_axis("review_id").reset_index().to_parquet(
            context.out / "histories.parquet"
        )

    def features(context):
        _write_store(context.out / "photos", world["photos"])
        for name in ("reviews", "sentences"):
            _write_store(context.out / name, world["review_features"])

    for name, build in {
        "world": lambda context: (context.out / "x").touch(),
        "data": data,
        "features": features,
        "alignment": lambda context: save_reviews(reviews, context.out / "s2.parquet"),
        "selection": lambda context: chosen.to_parquet(context.out / "chosen.parquet", index=False),
    }.items():
        store.make(name, build)
    return store


def _train(corpus, out, seed=0, jobs=1, **changes):
    settings = corpus.settings.model_copy(update={"jobs": jobs, **changes})
    train_systems(out, replace(corpus, settings=settings, seed=seed), "cpu", progress=False)


def _overrides(decoder, **changes):
    small = {"batch_size": 16, "epochs": 2, "lr": 1e-4, "max_tokens": 24, "encoder_layers": 1, "entities": "phrases"}
    small |= {"pretrained": None, "decoder": str(decoder), "systems": ["ours_pc2l", "r2gen", "ref2seq", "peter"]}
    return {f"generation.{key}": value for key, value in (small | changes).items()} | {"device": "cpu"}


def _torchrun(store, overrides, *program):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [*(program or ("-m", "showcase_utils.cli")), "train", "--profile", "smoke"]
    command += ["--artifacts", str(store.root)]
    command += [
        word for key, value in overrides.items() for word in ("--set", f"{key}={'null' if value is None else value}")
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        try:
            output, errors = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            process.terminate()  # torchrun then ends its processes, which a kill would leave behind
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


KILLED = """
import os, signal
from transformers import TrainerCallback
from showcase_utils import cli
from showcase_utils.generation import training

class Killer(TrainerCallback):
    def on_step_end(self, args, state, control, **unused):
        if state.global_step == 5 and args.process_index == 1:
            os.kill(os.getpid(), signal.SIGKILL)

original = training.ShowcaseTrainer.__init__
def with_killer(self, *args, callbacks, **kwargs):
    original(self, *args, callbacks=[*callbacks, Killer()], **kwargs)
training.ShowcaseTrainer.__init__ = with_killer
cli.app()
"""


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_go_on_to_the_stage_that_one_makes(decoder, world, tmp_path):
    """The same samples in every step, tokens weighted alike, negatives from both: weights differ by rounding alone.

    Killed behind the first of two epochs of the first system, they go on with the swapped texts of the first attempt.
    """
    overrides = _overrides(decoder)
    pair, single = (_store(tmp_path / name, world, overrides) for name in ("pair", "single"))
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    outcome = _torchrun(pair, overrides, str(script))
    assert outcome.returncode != 0 and f"exitcode  : -{signal.SIGKILL.value}" in outcome.stderr, outcome.stderr
    (work,) = (pair.folder / ".unfinished").iterdir()
    assert [folder.name for folder in (work / "ours_pc2l-0" / "checkpoints").iterdir()] == ["checkpoint-3"]
    before = (work / "swapped.parquet").stat().st_mtime_ns
    outcome = _torchrun(pair, overrides)
    assert outcome.returncode == 0, outcome.stderr
    assert [line.split()[0] for line in outcome.stdout.splitlines()[-5:-1]] == ["R2Gen", "Ref2Seq", "PETER", "Ours"]
    train_generation(single, progress=False)
    two, one = pair.path("generation"), single.path("generation")  # fresh: notebook 04 finds them done
    assert pair.manifest("generation")["fingerprint"] == single.manifest("generation")["fingerprint"]
    assert (two / "swapped.parquet").stat().st_mtime_ns == before
    assert (two / "peter-0" / "training.json").is_file()  # forgets users at random, so its weights can't be compared
    for name in ("ours_pc2l-0", "r2gen-0", "ref2seq-0"):
        want, got = (load_file(folder / name / "model.safetensors") for folder in (one, two))
        assert_same_weights(got, want)
        log, other = (pd.read_csv(folder / name / "log.csv") for folder in (one, two))
        assert list(other["step"]) == list(log["step"])
        train = log["split"] == "train"
        np.testing.assert_allclose(other["loss"][train], log["loss"][train], rtol=1e-4)
        assert json.loads((two / name / "training.json").read_text())["steps"] == 6


@pytest.mark.slow
def test_what_is_done_is_left_alone_and_what_is_missing_is_named(decoder, world, tmp_path, monkeypatch):
    overrides = _overrides(decoder, systems=["img_gpt2"], epochs=1)
    with pytest.raises(StaleStage, match="run notebook"):
        train_generation(Artifacts(load_settings("smoke", overrides), tmp_path / "empty"), progress=False)
    store = _store(tmp_path / "whole", world, overrides)
    folder = train_generation(store, progress=False)
    assert folder == store.path("generation")
    monkeypatch.setattr(stage, "train_systems", lambda *args, **kwargs: pytest.fail("trained again"))
    assert train_generation(store, progress=False) == folder


def test_the_study_is_every_system_but_one_on_three_seeds(corpus, tmp_path, monkeypatch):
    study = load_settings("study").generation
    runs = []
    monkeypatch.setattr(stage, "train_system", lambda out, name, corpus, seed, *rest: runs.append((name, seed)))
    _train(corpus, tmp_path, seed=40, systems=study.systems, seeds=study.seeds)
    systems = SYSTEMS.keys() - {"vlm_lora"}  # which wants a model to be named
    assert len(runs) == 3 * len(systems)
    assert set(runs) == {(name, 40 + seed) for name in systems for seed in range(3)}


def test_texts_are_swapped_once_for_all_systems_and_attempts(corpus, tmp_path, monkeypatch):
    swapped, made, swap = [], [], EntitySwapper.swap
    monkeypatch.setattr(EntitySwapper, "swap", lambda self, texts, seed: made.append(texts) or swap(self, texts, seed))

    def train(out, name, corpus, *rest):
        swapped.append([corpus.dataset(split, swap=True).swapped for split in ("train", "val")])

    monkeypatch.setattr(stage, "train_system", train)
    for attempt in range(2):
        _train(corpus, tmp_path, seed=3, systems=("ours_ce", "ours_ccl", "ours_pc2l"), seeds=(0, 1))
        assert len(made) == 2 and len(swapped) == 6 * (attempt + 1)  # of train and of val
    frame = pd.read_parquet(tmp_path / "swapped.parquet").set_index("review_id")["text"]
    assert [path.name for path in tmp_path.iterdir()] == ["swapped.parquet"] and len(frame) == 56
    corpus = replace(corpus, seed=3)
    for split, tokens in zip(("train", "val"), swapped[0], strict=True):
        fresh = corpus.dataset(split, swap=True)
        assert tokens == fresh.swapped and sum(map(bool, tokens)) > len(tokens) / 2
        assert frame[fresh.reviews["review_id"]].to_dict() == corpus.swap(split)
    assert all(parts == swapped[0] for parts in swapped)


def test_without_contrast_to_photos_no_text_is_swapped(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "train_system", lambda *args: None)
    _train(corpus, tmp_path, systems=("ours_pcl", "peter"))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_system_is_named_before_anything_is_trained(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "train_system", lambda *args: pytest.fail("trained"))
    for changes in ({"systems": ("ours_ce", "ours")}, {"systems": ("ours_ce",), "lrs": {"ours": 1e-3}}):
        with pytest.raises(ValueError, match="no system 'ours': choose from"):
            _train(corpus, tmp_path, **changes)


def test_a_learning_rate_of_one_system_enters_the_recipe(decoder, world, tmp_path):
    _store(tmp_path, world, _overrides(decoder))
    overrides = (_overrides(decoder), _overrides(decoder) | {"generation.lrs.peter": 0.01})
    stores = [Artifacts(load_settings("smoke", chosen), tmp_path) for chosen in overrides]
    assert stores[1].settings.generation.lrs["peter"] == 0.01
    recipes = [store.statuses("generation")["generation"].recipe["settings"] for store in stores]
    assert recipes[0] != recipes[1]
    with pytest.raises(SettingsError, match="generation.lrs.peter"):
        load_settings("smoke", "generation.lrs.peter=-1")


def test_a_corpus_joins_what_the_stages_left(decoder, world, tmp_path):
    store = _store(tmp_path, world, _overrides(decoder) | {"seed": 5})
    corpus, reviews = open_corpus(store), world["reviews"]
    held_out = reviews[reviews["split"] != "train"]
    assert list(corpus.chosen["review_id"]) == list(held_out["review_id"])
    assert list(corpus.chosen["image_ids"]) == list(held_out["image_ids"])[::-1]
    assert list(corpus.reviews["text"]) == list(reviews["text"]) and corpus.photos.dim == DIM and corpus.seed == 5
    assert corpus.past_texts == dict(zip(reviews["review_id"], reviews["text"], strict=True))
    dataset = corpus.dataset("test", "chosen")
    for row, sample in zip(dataset.reviews.itertuples(), dataset, strict=True):
        np.testing.assert_array_equal(sample["history"], world["review_features"][world["history"][row.review_id]])
        np.testing.assert_array_equal(sample["images"], world["photos"][row.image_ids])


@pytest.mark.slow
def test_systems_trained_side_by_side_are_those_trained_one_after_the_other(tmp_path):
    """Two worker processes with one thread each, and this one with one thread."""
    conftest = runpy.run_path(str(Path(__file__).with_name("conftest.py")))
    world, decoder = conftest["make_world"](), conftest["save_decoder"](tmp_path / "gpt2", separate_pad=True)
    corpus = conftest["make_corpus"](world, conftest["make_settings"](decoder, epochs=1))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for jobs in (1, 2):
            out = tmp_path / str(jobs)
            _train(corpus, out, jobs=jobs, systems=("img_gpt2", "peter"), seeds=(0, 1))
    finally:
        torch.set_num_threads(threads)
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert names == ["img_gpt2-0", "img_gpt2-1", "peter-0", "peter-1"]
    for name in names:
        one, two = (load_file(tmp_path / jobs / name / "model.safetensors") for jobs in "12")
        assert_same_weights(two, one)


def test_the_costliest_systems_begin_first(tmp_path, monkeypatch):
    conftest = runpy.run_path(str(Path(__file__).with_name("conftest.py")))
    world, decoder = conftest["make_world"](), conftest["save_decoder"](tmp_path / "gpt2", separate_pad=True)
    corpus = conftest["make_corpus"](world, conftest["make_settings"](decoder))
    begun = []
    monkeypatch.setattr(
        stage, "side_by_side", lambda tasks, *rest, **options: begun.extend(one[1][1] for one in tasks) or ()
    )
    monkeypatch.setattr(stage, "_jobs", lambda *given: 2)
    _train(corpus, tmp_path, jobs=2, systems=load_settings("demo").generation.systems)
    assert begun == ["ours_pc2l", "ours_ce_scratch", "ours_ce", "text_gpt2", "img_gpt2"]
