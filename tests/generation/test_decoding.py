"""The texts frame: order, determinism, what a model may see."""

import numpy as np
import pytest
import torch
from transformers import TopPLogitsWarper

from showcase_utils.generation.decoding import NucleusSampling, generate_texts, model_inputs


@pytest.mark.slow
def test_one_row_per_sample_in_order(trained):
    model, tokenizer, corpus = trained
    dataset = corpus.dataset("test", "chosen")
    frame = generate_texts(model, tokenizer, dataset, "ours_ce", 7, batch_size=3, device="cpu", progress=False)
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
    assert list(frame["review_id"]) == list(dataset.reviews["review_id"])
    assert list(frame["reference"]) == [text.lower() for text in dataset.reviews["text"]]
    assert list(frame["image_ids"]) == list(dataset.reviews["image_ids"])
    assert (frame["seed"] == 7).all() and (frame["system"] == "ours_ce").all()
    for row, text in enumerate(frame["text"]):  # each text is that of its own photos and history
        alone = model.generate(**model_inputs([dataset[row]], torch.device("cpu")))
        assert tokenizer.decode(alone[0], skip_special_tokens=True).strip() == text
    assert frame["text"].str.contains("was").all() and not frame["text"].str.contains(r"<\|").any()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [{}, {"num_beams": 3}], ids=["greedy", "beam"])
def test_the_batch_size_does_not_matter(trained, strategy):
    model, tokenizer, corpus = trained
    dataset = corpus.dataset("test")
    frames = [generate_texts(model, tokenizer, dataset, "s", 0, size, "cpu", False, **strategy) for size in (1, 8)]
    assert frames[0].equals(frames[1])
    greedy = generate_texts(model, tokenizer, dataset, "s", 0, 8, "cpu", False, num_beams=1, do_sample=False)
    assert strategy or frames[0].equals(greedy)  # the default


@pytest.mark.slow
def test_more_than_one_text_per_sample_is_refused(trained):
    model, tokenizer, corpus = trained
    dataset = corpus.dataset("test")
    with pytest.raises(ValueError, match="num_return_sequences = 2"):
        generate_texts(model, tokenizer, dataset, "s", 0, 8, "cpu", False, do_sample=True, num_return_sequences=2)
    assert len(generate_texts(model, tokenizer, dataset, "s", 0, 8, "cpu", False, num_return_sequences=1)) == 8


@pytest.mark.slow
def test_sampling_is_seeded_and_leaves_the_global_generator(trained):
    model, tokenizer, corpus = trained
    dataset = corpus.dataset("test")
    before = torch.get_rng_state()
    frames = [
        generate_texts(model, tokenizer, dataset, "s", seed, 4, "cpu", False, do_sample=True, temperature=3.0)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    assert frames[0].equals(frames[1])
    assert list(frames[0]["text"]) != list(frames[2]["text"])


@pytest.mark.slow
def test_a_model_never_sees_its_target(trained):
    _, _, corpus = trained
    inputs = model_inputs([corpus.dataset("train", swap=True)[0]], torch.device("cpu"))
    assert set(inputs) == {"images", "image_mask", "history", "history_mask"}
    assert all(torch.isfinite(value.float()).all() for value in inputs.values())


def test_rows_sample_the_nucleus_each_from_its_own_stream():
    shares = torch.tensor([0.5, 0.3, 0.15, 0.05])
    rows = 4000

    def drawn(seeds):
        none_yet = torch.zeros(len(seeds), 0, dtype=torch.long)
        return NucleusSampling(0.9, seeds)(none_yet, shares.log().repeat(len(seeds), 1)).argmax(1).numpy()

    found = drawn([(7, row) for row in range(rows)])
    expected = np.array([0.5, 0.3, 0.15, 0.0]) / 0.95  # the last one is outside
    assert np.bincount(found, minlength=4) / rows == pytest.approx(expected, abs=4 * np.sqrt(0.25 / rows))
    assert drawn([(7, 3), None, (7, 5)]).tolist() == [found[3], 0, found[5]]  # greedy in between


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 1.0])
def test_the_nucleus_is_that_of_transformers(top_p):
    scores = 3 * torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    none_yet = torch.zeros(3, 0, dtype=torch.long)
    inside = TopPLogitsWarper(top_p)(none_yet, scores).isfinite()
    drawn = torch.zeros_like(inside)
    for seed in range(600):
        drawn[range(3), NucleusSampling(top_p, [seed, seed, seed])(none_yet, scores).argmax(dim=1)] = True
    assert not (drawn & ~inside).any()
    likely = inside & (scores.softmax(dim=1) > 0.02)  # of which 600 draws miss one in 200,000 times
    assert (drawn & likely).sum() == likely.sum()
