"""Training: the order of samples, the terms of the loss, resuming, folders."""

import dataclasses
import json
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from showcase_utils.generation import training
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.losses import cross_modal_contrastive, personalized_contrastive
from showcase_utils.generation.model import load_tokenizer
from showcase_utils.generation.systems import SYSTEMS, find_system
from showcase_utils.generation.training import LengthBuckets, load_system, train_system


def test_an_epoch_is_a_permutation_of_like_lengths():
    lengths = np.random.default_rng(0).integers(4, 40, size=107)
    buckets = LengthBuckets(lengths, batch_size=8, seed=3)
    orders = []
    for epoch in range(2):
        buckets.set_epoch(epoch)
        order = list(buckets)
        assert sorted(order) == list(range(107))
        batches = [lengths[order[start : start + 8]] for start in range(0, 104, 8)]
        assert np.mean([np.ptp(batch) for batch in batches]) < 5  # at random it is about 28
        assert [batch.mean() for batch in batches] != sorted(batch.mean() for batch in batches)
        orders.append(order)
    assert orders[0] != orders[1]
    again = LengthBuckets(lengths, batch_size=8, seed=3)
    again.set_epoch(1)
    assert list(again) == orders[1]
    assert list(lengths[list(LengthBuckets(lengths, 8, shuffle=False))]) == sorted(lengths)


def _trainer(model, corpus, settings, folder):
    arguments = training.training_arguments(folder, settings, 0, "cpu", False, 48)
    return training.ShowcaseTrainer(model, arguments, eval_dataset=corpus.dataset("val"), settings=settings)


@pytest.mark.parametrize("name", ["text_gpt2", "ours_ce", "ours_ccl", "ours_pcl", "ours_pc2l"])
def test_the_loss_is_the_sum_of_its_terms(name, corpus, settings, tmp_path):
    system = find_system(name)
    torch.manual_seed(0)
    model = system.build(corpus, settings)
    dataset = corpus.dataset("train", swap=system.ccl)
    trainer = _trainer(model, corpus, settings, tmp_path)
    inputs = collate([dataset[index] for index in range(12)])
    loss, outputs = trainer.compute_loss(model, inputs, return_outputs=True)
    expected, terms = outputs.loss, {"ce"}
    if system.ccl:
        expected = expected + settings.lambda_ccl * cross_modal_contrastive(
            outputs.visual, outputs.target, outputs.swapped, settings.temperature
        )
        terms |= {"ccl"}
    if system.pcl:
        profile = torch.stack([torch.from_numpy(dataset[index]["history"]).mean(0) for index in range(12)])
        expected = expected + settings.lambda_pcl * personalized_contrastive(
            outputs.history, outputs.target, profile, settings.temperature, settings.alpha
        )
        terms |= {"pcl"}
    torch.testing.assert_close(loss, expected)
    assert set(trainer._drain()) == terms


def test_lambda_zero_is_cross_entropy(corpus, settings, tmp_path):
    off = settings.model_copy(update={"lambda_ccl": 0.0, "lambda_pcl": 0.0})
    batch = collate([corpus.dataset("train", swap=True)[index] for index in range(8)])
    gradients = []
    for name in ("ours_pc2l", "ours_ce"):
        torch.manual_seed(0)
        model = find_system("ours_pc2l").build(corpus, off)
        if name == "ours_ce":
            model.phi = torch.nn.ModuleDict()
        _trainer(model, corpus, off, tmp_path).compute_loss(model, batch).backward()
        gradients.append({key: weight.grad for key, weight in model.named_parameters() if "phi" not in key})
    for key, want in gradients[1].items():
        torch.testing.assert_close(gradients[0][key], want)


def test_a_trained_system_is_whole(corpus, tmp_path):
    folder = train_system(tmp_path, "ours_pc2l", corpus, seed=0, device="cpu", progress=False)
    assert folder == tmp_path / "ours_pc2l-0"
    assert {path.name for path in folder.iterdir()} >= {"model.safetensors", "tokenizer.json", "log.csv", "timing.json"}
    assert not (folder / "checkpoints").exists()
    log = pd.read_csv(folder / "log.csv")
    assert set(log["split"]) == {"train", "val"} and (log["split"] == "val").sum() == 2
    total = log["ce"] + 0.2 * log["ccl"] + 0.2 * log["pcl"]
    np.testing.assert_allclose(log["loss"], total, rtol=1e-4)
    assert log[log["split"] == "train"]["ce"].iloc[-1] < log["ce"].iloc[0]
    record = json.loads((folder / "training.json").read_text())
    model = load_system(folder)
    assert record["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert record["val_loss"] == pytest.approx(log[log["split"] == "val"]["loss"].min(), rel=1e-4)
    assert not model.training
    assert load_tokenizer(folder).eos_token_id == model.generation_config.eos_token_id


def test_the_best_epoch_is_kept_and_training_stops_early(corpus, settings, tmp_path):
    long = settings.model_copy(update={"lr": 0.01, "epochs": 12, "patience": 1})
    backwards = corpus.reviews["text"].map(lambda text: " ".join(text.split()[::-1]))
    reviews = corpus.reviews.assign(text=corpus.reviews["text"].where(corpus.reviews["split"] == "train", backwards))
    hopeless = dataclasses.replace(corpus, settings=long, reviews=reviews)
    folder = train_system(tmp_path, "img_gpt2", hopeless, 0, "cpu", False)
    log = pd.read_csv(folder / "log.csv")
    val = log[log["split"] == "val"].set_index("step")["loss"]
    record = json.loads((folder / "training.json").read_text())
    assert len(val) < 12 and record["best_step"] == val.idxmin() == val.index[-2]


def test_done_is_left_alone_and_seeds_differ(corpus, tmp_path):
    folders = [train_system(tmp_path, "img_gpt2", corpus, seed, "cpu", False) for seed in (0, 1)]
    weights = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert weights[0] != weights[1]
    before = (folders[0] / "model.safetensors").stat().st_mtime_ns
    train_system(tmp_path, "img_gpt2", corpus, 0, "cpu", False)
    assert (folders[0] / "model.safetensors").stat().st_mtime_ns == before
    again = train_system(tmp_path / "again", "img_gpt2", corpus, 0, "cpu", False)
    assert (again / "model.safetensors").read_bytes() == weights[0]
    assert (again / "log.csv").read_bytes() == (folders[0] / "log.csv").read_bytes()


KILLED = """
import os, runpy, signal, sys
from pathlib import Path
import torch
from transformers import TrainerCallback
from showcase_utils.generation import training

class Killer(TrainerCallback):
    def on_step_end(self, args, state, control, **unused):
        if state.global_step == 5:
            os.kill(os.getpid(), signal.SIGKILL)

original = training.ShowcaseTrainer.__init__
def with_killer(self, *args, callbacks, **kwargs):
    original(self, *args, callbacks=[*callbacks, Killer()], **kwargs)
training.ShowcaseTrainer.__init__ = with_killer
out, decoder, conftest = sys.argv[1:]
made = runpy.run_path(conftest)
torch.set_num_threads(1)
corpus = made["make_corpus"](made["make_world"](), made["make_settings"](decoder, epochs=3))
training.train_system(Path(out), "ours_pc2l", corpus, 0, "cpu", False)
"""


def test_kill_and_resume_end_with_the_weights_of_an_uninterrupted_run(corpus, tmp_path):
    """Dropout and the order of samples go on where they were; a half-written checkpoint is passed over."""
    conftest = Path(__file__).with_name("conftest.py")
    made = runpy.run_path(str(conftest))
    decoder = made["save_decoder"](tmp_path / "gpt2", separate_pad=True, dropout=0.2)
    corpus = dataclasses.replace(corpus, settings=made["make_settings"](decoder, epochs=3))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train_system(tmp_path / "whole", "ours_pc2l", corpus, 0, "cpu", False)
        command = [sys.executable, "-c", KILLED, str(tmp_path / "cut"), str(decoder), str(conftest)]
        outcome = subprocess.run(command, cwd=conftest.parents[2], capture_output=True, text=True)
        assert outcome.returncode == -signal.SIGKILL, outcome.stderr
        checkpoints = tmp_path / "cut" / "ours_pc2l-0" / "checkpoints"
        assert [folder.name for folder in checkpoints.iterdir()] == ["checkpoint-3"]
        (checkpoints / "checkpoint-6").mkdir()
        resumed = train_system(tmp_path / "cut", "ours_pc2l", corpus, 0, "cpu", False)
    finally:
        torch.set_num_threads(threads)
    want, got = load_file(whole / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert want.keys() == got.keys()
    for key, value in want.items():
        assert torch.equal(value, got[key]), key
    assert (resumed / "log.csv").read_bytes() == (whole / "log.csv").read_bytes()


def test_unknown_and_unfinished_systems_are_named(corpus, tmp_path):
    with pytest.raises(ValueError, match="no system 'ours': choose from .*ours_pc2l"):
        train_system(tmp_path, "ours", corpus, 0, "cpu", False)
    with pytest.raises(FileNotFoundError, match="no trained model in 'ours_ce-0'"):
        load_system(tmp_path / "ours_ce-0")


def test_the_registry_has_the_papers_ablation():
    flags = {name: (system.modalities, system.ccl, system.pcl) for name, system in SYSTEMS.items() if "ours" in name}
    assert flags == {
        "ours_ce": ("both", False, False),
        "ours_ccl": ("both", True, False),
        "ours_pcl": ("both", False, True),
        "ours_pc2l": ("both", True, True),
    }


def test_validation_sees_the_selected_photos(corpus):
    held_out = corpus.dataset("val", "selected").reviews["image_ids"]
    assert list(held_out) != list(corpus.dataset("val", "true").reviews["image_ids"])
    with pytest.raises(ValueError, match="no selected photos were given"):
        corpus.selected = None
        corpus.dataset("val", "selected")
    with pytest.raises(ValueError, match="split 'dev'"):
        corpus.dataset("dev")
