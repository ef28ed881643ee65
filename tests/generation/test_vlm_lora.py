"""A vision-language model that learns by LoRA, on a tiny random LLaVA: its losses, what is saved, what it writes."""

import dataclasses

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from showcase_utils.checking.vlm import vlm_needs
from showcase_utils.config import load_settings
from showcase_utils.generation.decoding import generate_texts, write_texts
from showcase_utils.generation.gpt2 import IGNORED
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.training import train_system
from showcase_utils.generation.vlm import questions, vlm_texts
from showcase_utils.generation.vlm_lora import VlmLora
from tests.generation.conftest import make_corpus, make_settings
from tests.generation.decoders import learn_by_heart
from tests.generation.vlms import save_idefics3, save_llava, save_photos, save_qwen


@pytest.fixture(scope="module")
def llava(tmp_path_factory, decoder):
    return save_llava(tmp_path_factory.mktemp("llava-tiny"), decoder)


@pytest.fixture
def corpus(world, decoder, llava, tmp_path):
    corpus = make_corpus(world, make_settings(decoder, vlm=str(llava), lora_rank=8, history=2))
    return dataclasses.replace(corpus, paths=save_photos(tmp_path / "photos", corpus, 0))


def test_fresh_adapters_answer_as_the_model_without_training(corpus, llava):
    torch.manual_seed(0)
    model, dataset = VlmLora.from_corpus(corpus), find_system("vlm_lora").dataset(corpus, "test", "chosen")
    got = generate_texts(model, corpus.tokenizer, dataset, "vlm_lora", 0, device="cpu", progress=False)
    want = vlm_texts(str(llava), corpus, corpus.paths, "cpu", progress=False)
    assert list(got["text"]) == list(want["text"]) and list(got["review_id"]) == list(want["review_id"])


@pytest.mark.parametrize("save", [save_llava, save_idefics3, save_qwen])
def test_the_loss_is_that_of_the_answers_tokens_behind_each_question(corpus, decoder, tmp_path, save):
    """And an answer does not depend on the questions beside it, in the formats of SmolVLM and Qwen2.5-VL too."""
    source = save(tmp_path / "model", decoder)
    corpus = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update={"vlm": str(source)}))
    torch.manual_seed(0)
    model, dataset = VlmLora.from_corpus(corpus).eval(), find_system("vlm_lora").dataset(corpus, "train")
    samples = [dataset[index] for index in (0, 1, 17)]  # of one photo and of two
    batch, plain = model.collate(samples), AutoModelForImageTextToText.from_pretrained(source).eval()
    losses = []
    for sample, labels in zip(samples, batch["labels"], strict=True):
        alone = dict(questions(model.processor, [(sample["files"], sample["past"])]))
        ids = model.processor.tokenizer(sample["text"], add_special_tokens=False)["input_ids"]
        ids = [*ids[: corpus.settings.max_tokens - 1], model.processor.tokenizer.eos_token_id]
        assert labels[labels != IGNORED].tolist() == ids
        answer = torch.tensor([ids])
        behind = {"input_ids": answer, "attention_mask": torch.ones_like(answer)}
        asked = alone["input_ids"].shape
        for name in [name for name, value in alone.items() if value.shape == asked]:
            alone[name] = torch.cat([alone[name], behind.get(name, torch.zeros_like(answer))], dim=1)
        with torch.no_grad():
            chances = plain(**alone).logits[0, -len(ids) - 1 : -1].log_softmax(-1)
        losses += [-chances[place, token] for place, token in enumerate(ids)]
    torch.testing.assert_close(model(**batch).loss, sum(losses) / len(losses), rtol=1e-4, atol=1e-4)
    together = model.write(samples, eos_token_id=2, pad_token_id=0)
    assert together == [model.write([sample], eos_token_id=2, pad_token_id=0)[0] for sample in samples]


def test_only_adapters_of_the_language_model_train_and_are_saved(corpus, tmp_path):
    torch.manual_seed(0)
    model = VlmLora.from_corpus(corpus)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained and all("lora_" in name and "language_model" in name for name in trained)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(tmp_path / "saved")
    saved = load_file(tmp_path / "saved" / "model.safetensors")  # under the names that such a checkpoint has
    assert len(saved) == len(trained) and all("lora_" in name for name in saved)
    again, dataset = VlmLora.from_pretrained(tmp_path / "saved"), find_system("vlm_lora").dataset(corpus, "val")
    batch = model.collate([dataset[0], dataset[1]])
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(**batch).loss, model.eval()(**batch).loss)
    assert {name for name, weight in again.named_parameters() if weight.requires_grad} == trained


def test_what_is_missing_is_named(corpus):
    with pytest.raises(ValueError, match="name one in generation.vlm"):
        VlmLora.from_corpus(dataclasses.replace(corpus, settings=corpus.settings.model_copy(update={"vlm": None})))
    with pytest.raises(ValueError, match="does not know where its photos lie"):
        find_system("vlm_lora").dataset(dataclasses.replace(corpus, paths=None), "val")


def test_two_visits_show_the_photos_of_both(corpus):
    corpus = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update={"joined": 1.0}))
    dataset = find_system("vlm_lora").dataset(corpus, "train")
    for row, sample in zip(dataset.reviews.itertuples(), dataset, strict=True):
        assert sample["files"] == [corpus.paths[image] for image in row.image_ids]
        assert sample["text"] == row.text.lower() and row.text not in sample["past"]
    assert max(len(sample["files"]) for sample in dataset) == 4


def test_the_check_states_memory_and_time(llava):
    changes = {"generation.vlm": str(llava), "generation.systems": ["vlm_lora"], "telling.vlm": str(llava)}
    asked, trained = vlm_needs(load_settings("demo", changes))
    weights = sum(value.numel() for value in load_file(llava / "model.safetensors").values())
    assert f"{weights / 1e6:,.0f} million weights" in asked and asked.startswith("telling.vlm")
    assert trained.startswith("generation.vlm, LoRA") and "per sample and epoch" in trained
    assert vlm_needs(load_settings("demo", {"telling.vlm": "nobody/has-it"})) == [
        "telling.vlm: memory and time are known when nobody/has-it is here"
    ]
    assert vlm_needs(load_settings("demo", {"generation.vlm": str(llava)})) == []  # named, and trained by nobody


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_goes_the_way_of_all_systems(corpus, tmp_path, checkpointing):
    changes = {"lr": 1e-2, "epochs": 3, "lora_rank": 0, "gradient_checkpointing": checkpointing}
    corpus = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update=changes))
    folder = train_system(tmp_path, "vlm_lora", corpus, 0, "cpu", False)
    log = pd.read_csv(folder / "log.csv").query("split == 'train'")
    assert log["ce"].iloc[-1] < 0.9 * log["ce"].iloc[0]
    model, dataset = load_system(folder), find_system("vlm_lora").dataset(corpus, "test", "chosen")
    assert model.config.lora_rank == 16 and len(write_texts(model, corpus.tokenizer, [dataset[0], dataset[1]])) == 2


@pytest.mark.slow
def test_eight_samples_to_the_letter(corpus):
    corpus = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update={"lora_rank": 32}))
    torch.manual_seed(0)
    model, dataset = VlmLora.from_corpus(corpus).train(), find_system("vlm_lora").dataset(corpus, "train")
    samples = [dataset[index] for index in range(0, 48, 6)]
    batch = model.collate(samples)
    learn_by_heart(model, batch, 1e-2, 100, 0.02)
    assert write_texts(model.eval(), corpus.tokenizer, samples) == [sample["text"] for sample in samples]
