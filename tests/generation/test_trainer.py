"""The loss and its terms, micro-batches, compiled training."""

import dataclasses
import os
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
import torch._dynamo
from safetensors.torch import load_file
from transformers import TrainerCallback, TrainingArguments

from showcase_utils.generation import trainer as trainer_module
from showcase_utils.generation.callbacks import read_samples
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.losses import cross_modal_contrastive, personalized_contrastive
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.trainer import ShowcaseTrainer, training_arguments
from showcase_utils.generation.training import train_system
from tests.generation.weights import assert_same_weights

pytestmark = pytest.mark.slow


def _trainer(model, corpus, settings, folder):
    arguments = training_arguments(folder, settings, settings.lr, 0, "cpu", False, 48)
    return ShowcaseTrainer(model, arguments, eval_dataset=corpus.dataset("val"), settings=settings)


@pytest.mark.parametrize("name", ["text_gpt2", "ours_ce", "ours_ccl", "ours_pcl", "ours_pc2l"])
def test_the_loss_is_the_sum_of_its_terms(name, corpus, settings, tmp_path):
    system = find_system(name)
    torch.manual_seed(0)
    model = system.build(corpus)
    dataset = system.dataset(corpus, "train")
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
        model = find_system("ours_pc2l").build(dataclasses.replace(corpus, settings=off))
        if name == "ours_ce":
            model.phi = torch.nn.ModuleDict()
        _trainer(model, corpus, off, tmp_path).compute_loss(model, batch).backward()
        gradients.append({key: weight.grad for key, weight in model.named_parameters() if "phi" not in key})
    for key, want in gradients[1].items():
        torch.testing.assert_close(gradients[0][key], want)


def _weights(corpus, out, name, **changes):
    changed = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update=changes))
    folder = train_system(out, name, changed, 0, "cpu", False)
    return load_file(folder / "model.safetensors"), pd.read_csv(folder / "log.csv")


def test_micro_batches_have_the_cross_entropy_of_the_whole_batch(corpus, tmp_path):
    """Texts differ in length and the last step (8 samples) has two micro-batches of four: every token counts once."""
    whole, log = _weights(corpus, tmp_path / "1", "ours_ce", batch_size=20, lr=1e-3)
    split, split_log = _weights(corpus, tmp_path / "4", "ours_ce", batch_size=20, lr=1e-3, accumulation=4)
    assert_same_weights(split, whole)
    assert list(split_log["step"]) == list(log["step"])
    np.testing.assert_allclose(split_log["loss"], log["loss"], rtol=1e-4)


def test_contrast_is_within_a_micro_batch(corpus, tmp_path):
    _, log = _weights(corpus, tmp_path / "1", "ours_pc2l")
    _, split = _weights(corpus, tmp_path / "4", "ours_pc2l", accumulation=4)
    np.testing.assert_allclose(split["loss"], split["ce"] + 0.2 * split["ccl"] + 0.2 * split["pcl"], rtol=1e-4)
    first = log["split"].eq("train").idxmax()
    assert split["ccl"][first] < log["ccl"][first] - 0.5  # four candidates are told apart more easily than sixteen
    assert split["pcl"][first] < log["pcl"][first] - 0.5


def test_a_batch_that_cannot_be_split_is_named(settings, tmp_path):
    odd = settings.model_copy(update={"accumulation": 3})
    with pytest.raises(ValueError, match=r"generation.batch_size = 16 can't be split into 1 processes × 3"):
        training_arguments(tmp_path, odd, odd.lr, 0, "cpu", False, 48)


def test_more_gpus_than_processes_are_left_alone(settings, tmp_path, monkeypatch):
    """Trainer would spread a batch over them, and every loss would see a part of it."""

    class TwoGPUs(TrainingArguments):
        def __post_init__(self):
            super().__post_init__()
            self._n_gpu = 2

    monkeypatch.setattr(trainer_module, "TrainingArguments", TwoGPUs)
    arguments = training_arguments(tmp_path, settings, settings.lr, 0, "cpu", False, 48)
    assert arguments.n_gpu == 1 and arguments.train_batch_size == settings.batch_size


@contextmanager
def _dtypes_of_linear_layers():
    """What linear layers return in training."""
    seen = set()

    def note(module, inputs, output):
        if isinstance(module, torch.nn.Linear) and module.training:
            seen.add(output.dtype)

    hook = torch.nn.modules.module.register_module_forward_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


def test_full_precision_is_the_default(corpus, tmp_path):
    with _dtypes_of_linear_layers() as seen:
        _weights(corpus, tmp_path, "ours_pc2l", epochs=1)
    assert seen == {torch.float32}


def test_the_rate_warms_up_and_decays_and_gradients_are_clipped(corpus, tmp_path, monkeypatch):
    """Six steps, half of which warm up."""
    rates, norms = [], []

    class Watch(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model, optimizer, **unused):
            rates.append(optimizer.param_groups[0]["lr"])
            norms.append(torch.stack([weight.grad.norm() for weight in model.parameters()]).norm().item())

    original = ShowcaseTrainer.__init__
    monkeypatch.setattr(
        ShowcaseTrainer,
        "__init__",
        lambda self, *args, callbacks, **kwargs: original(self, *args, callbacks=[*callbacks, Watch()], **kwargs),
    )
    _, log = _weights(corpus, tmp_path, "ours_ce", lr=3e-3, warmup=0.5)
    np.testing.assert_allclose(rates, [0, 1e-3, 2e-3, 3e-3, 2e-3, 1e-3], atol=1e-9)
    found = log.loc[log["split"] == "train", "grad_norm"]
    assert found.max() > 1.5
    np.testing.assert_allclose(norms, found.clip(upper=1), rtol=1e-3)


def test_a_system_may_have_a_learning_rate_of_its_own(corpus, tmp_path):
    rates = {}
    for lrs in ({}, {"st": 1e-5}, {"ours_ce": 1e-5}):
        _, log = _weights(corpus, tmp_path / str(len(rates)), "ours_ce", lr=3e-3, lrs=lrs, epochs=1, warmup=0.0)
        rates[len(rates)] = log["learning_rate"].max()
    assert rates[0] == rates[1] == pytest.approx(300 * rates[2])
    with pytest.raises(ValueError, match="no system 'ours_cee'"):
        _weights(corpus, tmp_path, "ours_ce", lrs={"ours_cee": 1e-3})


@pytest.mark.parametrize("name", ["ours_pc2l", "r2gen", "ref2seq", "peter", "st"])
def test_half_precision_trains_and_writes_as_it_learns(name, corpus, tmp_path):
    """Samples are decoded in the middle of a training under autocast."""
    with _dtypes_of_linear_layers() as seen:
        weights, log = _weights(corpus, tmp_path, name, precision="bf16", epochs=1)
    assert seen == {torch.bfloat16}
    assert {value.dtype for value in weights.values()} == {torch.float32}
    assert np.isfinite(log["loss"]).all() and log["ce"].iloc[0] < 7
    assert len(read_samples(tmp_path / f"{name}-0" / "samples.csv")) == 6


@pytest.mark.slow
def test_compiled_training_saves_plain_weights(corpus, tmp_path, monkeypatch):
    """The eager backend: it wraps the model as the others do, and needs no compiler. Other lengths recompile."""
    one_step = {"epochs": 1, "batch_size": 48}
    plain, _ = _weights(corpus, tmp_path / "plain", "img_gpt2", **one_step)

    def eager(torch_compile, **options):
        return TrainingArguments(torch_compile_backend="eager" if torch_compile else None, **options)

    monkeypatch.setattr(trainer_module, "TrainingArguments", eager)
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    try:
        compiled, _ = _weights(corpus, tmp_path / "compiled", "img_gpt2", compile=True, **one_step)
    finally:
        for name in [name for name in os.environ if name.startswith("ACCELERATE_DYNAMO")]:
            del os.environ[name]  # TrainingArguments sets them, and later trainings would compile
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > before
    assert_same_weights(compiled, plain)
    assert load_system(tmp_path / "compiled" / "img_gpt2-0").encoder.modality.isfinite().all()
