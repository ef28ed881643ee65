"""The paper's baselines: each learns sixteen samples by heart, generates as ours does, saves and loads."""

import dataclasses

import pytest
import torch

import showcase_utils.generation.dataset as dataset_module
from showcase_utils.generation.baselines.base import causal
from showcase_utils.generation.baselines.floors import floor_texts, most_frequent_sentence, nearest_neighbour
from showcase_utils.generation.baselines.peter import UNKNOWN
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.decoding import generate_texts, model_inputs
from showcase_utils.generation.gpt2 import IGNORED, load_tokenizer
from showcase_utils.generation.systems import SYSTEMS, find_system
from showcase_utils.generation.training import load_system, train_system

BASELINES = ["st", "r2gen", "ref2seq", "peter"]
CPU = torch.device("cpu")


def _sixteen(corpus):
    """A corpus of sixteen training samples with different photos, users, places and references."""
    reviews = corpus.reviews.assign(split="val")
    reviews.loc[[0, 1, 2, 3, 16, 17, 18, 19, 32, 33, 34, 35, 48, 49, 50, 51], "split"] = "train"
    return dataclasses.replace(corpus, reviews=reviews)


@pytest.mark.parametrize(
    ("name", "steps"), [("st", 450), ("r2gen", 120), ("ref2seq", 300), ("peter", 120), ("ours_pc2l", 120)]
)
def test_overfits_sixteen_samples(name, steps, corpus, monkeypatch):
    monkeypatch.setattr(dataset_module, "REFERENCE_TOKENS", 20)
    corpus = _sixteen(corpus)
    system = find_system(name)
    dataset = corpus.dataset("train", swap=system.ccl, reads=system.reads)
    torch.manual_seed(0)
    model = system.build(corpus, corpus.settings).train()
    batch = collate([dataset[index] for index in range(16)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        output = model(**batch)
        (output.loss + (output.context if "context" in output else 0)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    tokenizer = load_tokenizer(corpus.settings.decoder)
    frame = generate_texts(model, tokenizer, dataset, name, 0, device="cpu", progress=False)
    assert (frame["text"] == frame["reference"]).sum() >= 15


@pytest.mark.parametrize("name", BASELINES)
def test_padding_and_batch_change_nothing(name, corpus):
    system = find_system(name)
    dataset = corpus.dataset("train", reads=system.reads)
    torch.manual_seed(0)
    model = system.build(corpus, corpus.settings).eval()
    samples = [dataset[index] for index in (0, 1, 17)]
    together = collate(samples)
    tokens = together["labels"].masked_fill(together["labels"] == IGNORED, 0)
    batch = {key: value for key, value in together.items() if key != "labels"}
    logits = model(**batch, decoder_input_ids=tokens).logits
    for row, sample in enumerate(samples):
        alone = {key: value for key, value in collate([sample]).items() if key != "labels"}
        length = len(sample["labels"])
        expected = model(**alone, decoder_input_ids=tokens[row : row + 1, :length]).logits[0]
        torch.testing.assert_close(logits[row, :length], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", BASELINES)
def test_no_word_sees_the_words_behind_it(name, corpus):
    system = find_system(name)
    torch.manual_seed(0)
    model = system.build(corpus, corpus.settings).eval()
    batch = model_inputs([corpus.dataset("train", reads=system.reads)[0]], CPU)
    tokens = torch.arange(3, 13).unsqueeze(0)
    other = tokens.clone()
    other[0, 6:] = 20
    logits, changed = (model(**batch, decoder_input_ids=ids).logits for ids in (tokens, other))
    torch.testing.assert_close(logits[:, :6], changed[:, :6])
    assert not torch.allclose(logits[:, 6:], changed[:, 6:])


@pytest.mark.parametrize("name", BASELINES)
def test_trains_saves_and_loads_as_ours_do(name, corpus, tmp_path):
    folder = train_system(tmp_path, name, corpus, 0, "cpu", False)
    model, again = load_system(folder), load_system(folder)
    assert type(model) is SYSTEMS[name].model_class
    dataset = corpus.dataset("test", "selected", reads=SYSTEMS[name].reads)
    batch = model_inputs([dataset[index] for index in range(4)], CPU)
    assert torch.equal(model.generate(**batch), again.generate(**batch))
    assert model.generate(**batch, num_beams=3).shape[0] == 4
    assert model.generate(**batch, do_sample=True, num_return_sequences=2).shape[0] == 8


def test_unseen_users_share_one_number_and_places_are_known(corpus):
    train, test = (corpus.dataset(split, reads=("ids",)) for split in ("train", "test"))
    assert {sample["user"][0] for sample in test} == {UNKNOWN}
    assert {sample["user"][0] for sample in train} == set(range(1, 13))
    assert {sample["item"][0] for sample in test} == {1, 2, 3, 4}


def test_references_never_hold_the_target(corpus):
    tokens = dict(zip(corpus.reviews["review_id"], corpus.reviews["text"].str.lower(), strict=True))
    decode = corpus.tokenizer.decode
    for split in ("train", "test"):
        dataset = corpus.dataset(split, reads=("references",))
        for row, sample in zip(dataset.reviews.itertuples(), dataset, strict=True):
            past = [tokens[review] for review in corpus.history[row.review_id]]
            assert decode(sample["user_reference"], skip_special_tokens=True) == "".join(past)
            others = corpus.rows("train")
            others = others[(others["business_id"] == row.business_id) & (others["user_id"] != row.user_id)]
            expected = "".join(others["text"].str.lower()[: corpus.settings.history])
            read = decode(sample["item_reference"], skip_special_tokens=True)
            assert expected.startswith(read) and len(read) > 20


def test_causal_mask():
    assert causal(3, CPU).tolist() == [[False, True, True], [False, False, True], [False, False, False]]


def test_the_floors(corpus):
    train, test = corpus.dataset("train"), corpus.dataset("test", "selected")
    assert set(most_frequent_sentence(train, test)) == {"we loved it!"}
    frame = floor_texts("floor_neighbour", train, test, seed=3)
    assert list(frame["text"]) == nearest_neighbour(train, test) and (frame["seed"] == 3).all()
    means = torch.stack([torch.from_numpy(train[index]["images"]).mean(0) for index in range(len(train))])
    for row in range(len(test)):
        near = torch.cosine_similarity(means, torch.from_numpy(test[row]["images"]).mean(0, keepdim=True)).argmax()
        assert frame["text"][row] == train.texts[near]
    assert list(frame.columns) == [
        "system",
        "seed",
        "review_id",
        "user_id",
        "business_id",
        "image_ids",
        "text",
        "reference",
    ]
    assert nearest_neighbour(train, train) == train.texts
    with pytest.raises(ValueError, match="no floor 'ceiling'"):
        floor_texts("ceiling", train, test, 0)
