"""Training: folders, resuming, what is kept."""

import dataclasses
import json
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from showcase_utils.generation import training
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.scoring import cross_entropy
from showcase_utils.generation.systems import SYSTEMS
from showcase_utils.generation.trained import load_system, training_table
from showcase_utils.generation.trainer import ShowcaseTrainer, training_arguments
from showcase_utils.generation.training import train_system
from tests.generation.conftest import make_corpus, make_settings

pytestmark = pytest.mark.slow


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
    best = log[log["split"] == "val"].set_index("step").loc[record["best_step"]]
    assert record["val_loss"] == pytest.approx(best["loss"], rel=1e-4)
    assert record["val_ce"] == pytest.approx(best["ce"], rel=1e-4) and record["val_ce"] < record["val_loss"]
    assert not model.training
    assert load_tokenizer(folder).eos_token_id == model.generation_config.eos_token_id


def test_the_best_epoch_is_kept_and_training_stops_early(corpus, settings, tmp_path):
    folder = train_system(tmp_path, "img_gpt2", _hopeless(corpus, settings, patience=1), 0, "cpu", False)
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


@pytest.mark.slow
def test_kill_and_resume_end_with_the_weights_of_an_uninterrupted_run(corpus, decoder_with_dropout, tmp_path):
    """Dropout and the order of samples go on where they were; a half-written checkpoint is passed over."""
    conftest = Path(__file__).with_name("conftest.py")
    made = runpy.run_path(str(conftest))
    corpus = dataclasses.replace(corpus, settings=made["make_settings"](decoder_with_dropout, epochs=3))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train_system(tmp_path / "whole", "ours_pc2l", corpus, 0, "cpu", False)
        command = [sys.executable, "-c", KILLED, str(tmp_path / "cut"), str(decoder_with_dropout), str(conftest)]
        outcome = subprocess.run(command, cwd=conftest.parents[2], capture_output=True, text=True)
        assert outcome.returncode == -signal.SIGKILL, outcome.stderr
        checkpoints = tmp_path / "cut" / "ours_pc2l-0" / "checkpoints"
        assert [folder.name for folder in checkpoints.iterdir()] == ["checkpoint-3"]
        (checkpoints / "checkpoint-6").mkdir()
        (checkpoints / "checkpoint-6" / "trainer_state.json").write_text('{"global_step": 6, "best')
        resumed = train_system(tmp_path / "cut", "ours_pc2l", corpus, 0, "cpu", False)
    finally:
        torch.set_num_threads(threads)
    _assert_same(whole, resumed)


def _assert_same(whole, resumed):
    want, got = load_file(whole / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert want.keys() == got.keys()
    for key, value in want.items():
        assert torch.equal(value, got[key]), key
    for name in ("log.csv", "samples.csv", "training.json", "config.json", "generation_config.json", "tokenizer.json"):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name


def _hopeless(corpus, settings, **changes):
    """Validation texts run backwards, so what is learned of the training texts soon makes them less likely."""
    long = settings.model_copy(update={"lr": 0.01, "epochs": 12} | changes)
    backwards = corpus.reviews["text"].map(lambda text: " ".join(text.split()[::-1]))
    reviews = corpus.reviews.assign(text=corpus.reviews["text"].where(corpus.reviews["split"] == "train", backwards))
    return dataclasses.replace(corpus, settings=long, reviews=reviews)


class Cut(Exception):
    """Stands for a kill."""


def _cut(*args):
    raise Cut


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"patience": 1}, {"epochs": 2}], ids=["stopped early", "all epochs"])
def test_a_kill_behind_the_last_epoch_trains_no_further(corpus, settings, tmp_path, monkeypatch, changes):
    hopeless = _hopeless(corpus, settings, **changes)
    whole = train_system(tmp_path / "whole", "img_gpt2", hopeless, 0, "cpu", False)
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(training, "_finish", _cut)
        train_system(tmp_path / "cut", "img_gpt2", hopeless, 0, "cpu", False)
    (tmp_path / "cut" / "img_gpt2-0" / "log.csv").unlink()  # the kill may come before it is written
    monkeypatch.setattr(ShowcaseTrainer, "training_step", _cut)
    _assert_same(whole, train_system(tmp_path / "cut", "img_gpt2", hopeless, 0, "cpu", False))


@pytest.mark.slow
def test_patience_goes_on_counting_where_it_was(corpus, settings, tmp_path, monkeypatch):
    hopeless = _hopeless(corpus, settings, patience=2)
    whole = train_system(tmp_path / "whole", "img_gpt2", hopeless, 0, "cpu", False)
    record = json.loads((whole / "training.json").read_text())
    assert record["steps"] == record["best_step"] + 6  # two epochs without a better one

    class Killer(TrainerCallback):
        def on_epoch_begin(self, args, state, control, **unused):
            if state.global_step == record["best_step"] + 3:
                raise Cut

    original = ShowcaseTrainer.__init__
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(
            ShowcaseTrainer,
            "__init__",
            lambda self, *args, callbacks, **kwargs: original(self, *args, callbacks=[*callbacks, Killer()], **kwargs),
        )
        train_system(tmp_path / "cut", "img_gpt2", hopeless, 0, "cpu", False)
    _assert_same(whole, train_system(tmp_path / "cut", "img_gpt2", hopeless, 0, "cpu", False))


def _flip(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.fixture(scope="module")
def trainings(world, decoder, tmp_path_factory):
    """A folder with a whole training, and one that was cut off behind its last checkpoint."""
    corpus, folder = make_corpus(world, make_settings(decoder)), tmp_path_factory.mktemp("trainings")
    train_system(folder / "whole", "img_gpt2", corpus, 0, "cpu", False)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Cut):
        patch.setattr(training, "_finish", _cut)
        train_system(folder / "cut", "img_gpt2", corpus, 0, "cpu", False)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "file", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"]
)
def test_a_checkpoint_that_is_damaged_is_not_trained_on(corpus, trainings, tmp_path, file):
    whole = trainings / "whole" / "img_gpt2-0"
    shutil.copytree(trainings / "cut", tmp_path / "cut")
    for checkpoint in (tmp_path / "cut" / "img_gpt2-0" / "checkpoints").iterdir():
        _flip(checkpoint / file)
    _assert_same(whole, train_system(tmp_path / "cut", "img_gpt2", corpus, 0, "cpu", False))


def test_a_trained_system_that_is_damaged_is_trained_again(corpus, tmp_path):
    folder = train_system(tmp_path, "img_gpt2", corpus, 0, "cpu", False)
    content = (folder / "model.safetensors").read_bytes()
    _flip(folder / "model.safetensors")
    train_system(tmp_path, "img_gpt2", corpus, 0, "cpu", False)
    assert (folder / "model.safetensors").read_bytes() == content


def test_the_tokenizer_is_kept_as_it_came_whatever_was_read_with_it(corpus, tmp_path):
    """Where a run was cut off, the last length that texts were cut to is another one, and so was the file."""
    saved = []
    for length in (7, 256):
        corpus.tokenizer(["ramen"], truncation=True, max_length=length, padding=True)
        training._save_tokenizer(corpus.tokenizer, tmp_path / str(length))
        saved.append((tmp_path / str(length) / "tokenizer.json").read_bytes())
    assert saved[0] == saved[1]


def test_weights_that_are_no_numbers_write_nothing(corpus, tmp_path):
    folder = train_system(tmp_path, "img_gpt2", corpus, 0, "cpu", False)
    weights = load_file(folder / "model.safetensors")
    next(iter(weights.values())).view(-1)[0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="img_gpt2-0: .* not finite"):
        load_system(folder)


def test_the_table_has_every_system_and_seed(corpus, tmp_path):
    corpus = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update={"lrs": {"peter": 2e-3}}))
    for name, seed in (("img_gpt2", 1), ("peter", 0), ("img_gpt2", 0)):
        train_system(tmp_path, name, corpus, seed, "cpu", False)
    (tmp_path / "ours_ce-0").mkdir()  # under way
    table = training_table(tmp_path)
    assert list(zip(table["system"], table["seed"], strict=True)) == [("PETER", 0), ("Img GPT-2", 0), ("Img GPT-2", 1)]
    for row in table.itertuples():
        folder = tmp_path / f"{'peter' if row.system == 'PETER' else 'img_gpt2'}-{row.seed}"
        assert row.parameters == sum(weight.numel() for weight in load_system(folder).parameters())
        assert row.seconds == json.loads((folder / "timing.json").read_text())["seconds"] > 0
        assert row.steps == 6
        assert row.lr == (2e-3 if row.system == "PETER" else 3e-3)
        log = pd.read_csv(folder / "log.csv").query("split == 'val'")
        assert row.val_ce == pytest.approx(log.set_index("step")["ce"][row.best_step], rel=1e-4)
    with pytest.raises(FileNotFoundError, match="run notebook 04"):
        training_table(tmp_path / "ours_ce-0")


def test_unknown_and_unfinished_systems_are_named(corpus, tmp_path):
    with pytest.raises(ValueError, match="no system 'ours': choose from .*ours_pc2l"):
        train_system(tmp_path, "ours", corpus, 0, "cpu", False)
    with pytest.raises(FileNotFoundError, match="no trained model in 'ours_ce-0'"):
        load_system(tmp_path / "ours_ce-0")


def test_the_registry_has_the_papers_ablation_and_our_deviations():
    flags = {name: (system.modalities, system.ccl, system.pcl) for name, system in SYSTEMS.items() if "ours" in name}
    assert flags == {
        "ours_ce": ("both", False, False),
        "ours_ccl": ("both", True, False),
        "ours_pcl": ("both", False, True),
        "ours_pc2l": ("both", True, True),
        "ours_pc2l_alone": ("both", True, True),
        "ours_ce_scratch": ("both", False, False),
        "ours_ce_rag": ("both", False, False),
    }
    assert [name for name, system in SYSTEMS.items() if not system.target_attends] == ["ours_pc2l_alone"]
    assert [name for name, system in SYSTEMS.items() if not system.pretrained] == ["ours_ce_scratch"]
    assert [name for name, system in SYSTEMS.items() if system.retrieves] == ["ours_ce_rag"]


def test_the_epoch_is_kept_by_cross_entropy_with_the_true_photos(corpus, tmp_path):
    """The same rule for all systems: contrastive terms and chosen photos have no say."""
    settings = corpus.settings.model_copy(update={"lambda_ccl": 50.0, "lr": 1e-2, "epochs": 4, "patience": 4})
    loud = dataclasses.replace(corpus, settings=settings)
    folder = train_system(tmp_path, "ours_ccl", loud, 0, "cpu", False)
    log, record = pd.read_csv(folder / "log.csv"), json.loads((folder / "training.json").read_text())
    val = log[log["split"] == "val"].set_index("step")
    assert record["best_step"] == val["ce"].idxmin() and record["val_ce"] == pytest.approx(val["ce"].min(), rel=1e-4)
    assert record["val_loss"] == pytest.approx(val["loss"][record["best_step"]], rel=1e-4)
    chosen_by = training_arguments(tmp_path, settings, settings.lr, 0, "cpu", False, 48).metric_for_best_model
    assert chosen_by == "eval_ce"  # also where the total, by chance, would keep the same one
    alone = cross_entropy(load_system(folder), corpus.dataset("val"))
    assert record["val_ce"] == pytest.approx(alone, rel=0.02)  # batches count alike there, tokens here
