"""What a training writes down: texts of a few samples after every epoch."""

import dataclasses

import pytest
import torch
from transformers import TrainerControl, TrainerState

from showcase_utils.generation import callbacks
from showcase_utils.generation.callbacks import SampleTexts, read_samples
from showcase_utils.generation.decoding import generate_texts
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.training import train_system

pytestmark = pytest.mark.slow


def test_the_last_rows_are_what_the_trained_system_writes(corpus, tmp_path):
    folder = train_system(tmp_path, "ours_pc2l", corpus, 0, "cpu", False)
    written = read_samples(folder / "samples.csv")
    held_out = corpus.dataset("val", "chosen")
    rows = [0, round((len(held_out) - 1) / 2), len(held_out) - 1]
    shown = list(held_out.reviews["review_id"].iloc[rows])
    assert list(written["epoch"]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert list(written["review_id"]) == shown * 3
    now = generate_texts(load_system(folder), corpus.tokenizer, held_out, "ours_pc2l", 0, progress=False)
    assert list(written["text"][-3:]) == list(now["text"].iloc[rows])  # the second epoch is the best one
    assert list(written["text"][:3]) != list(written["text"][-3:])


@pytest.mark.parametrize("name", ["ours_pc2l", "peter"])
def test_training_does_not_notice(name, corpus, decoder_with_dropout, tmp_path, monkeypatch):
    """Dropout draws from the global generator: were it touched, or the mode left, the weights would differ."""
    settings = corpus.settings.model_copy(update={"decoder": str(decoder_with_dropout)})
    corpus = dataclasses.replace(corpus, settings=settings)
    weights = []
    for kept in (True, False):
        if not kept:
            monkeypatch.setattr(SampleTexts, "_write", lambda *args: None)
        folder = train_system(tmp_path / str(kept), name, corpus, 0, "cpu", False)
        assert (folder / "samples.csv").is_file() == kept
        weights.append((folder / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_an_epoch_trained_again_replaces_its_rows(corpus, tmp_path):
    model = find_system("ours_ce").build(corpus).train()
    held_out = corpus.dataset("val", "chosen")
    state, control = TrainerState(is_world_process_zero=True), TrainerControl()
    before = torch.get_rng_state()
    callback = SampleTexts(tmp_path, corpus.tokenizer, held_out)
    callback.on_train_begin(None, state, control, model=model)
    for epoch in (1.0, 2.0, 3.0, 2.0):  # cut off in the fourth, resumed behind the first
        state.epoch, state.global_step = epoch, 3 * round(epoch)
        if epoch == 2.0:
            callback = SampleTexts(tmp_path, corpus.tokenizer, held_out)
            callback.on_train_begin(None, state, control, model=model)
        callback.on_epoch_end(None, state, control, model=model)
    assert list(read_samples(tmp_path / "samples.csv")["epoch"]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert model.training and torch.equal(torch.get_rng_state(), before)


def test_an_empty_text_is_read_back_as_one(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "write_texts", lambda model, tokenizer, samples: ["", "NA", 'a "quote", 1'])
    callback = SampleTexts(tmp_path, corpus.tokenizer, corpus.dataset("val"))
    model = find_system("ours_ce").build(corpus)
    callback.on_train_begin(None, TrainerState(is_world_process_zero=True), TrainerControl(), model=model)
    assert list(read_samples(tmp_path / "samples.csv")["text"]) == ["", "NA", 'a "quote", 1']


def test_no_more_samples_than_there_are(corpus, tmp_path):
    few = dataclasses.replace(corpus, reviews=corpus.rows("val").head(2))
    assert list(SampleTexts(tmp_path, corpus.tokenizer, few.dataset("val")).rows) == [0, 1]
