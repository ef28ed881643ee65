"""The paper's baselines: each learns sixteen samples by heart, generates as ours does, saves and loads."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from showcase_utils.generation.baselines import ref2seq
from showcase_utils.generation.baselines.base import causal
from showcase_utils.generation.baselines.floors import floor_texts, most_frequent_sentence, nearest_neighbour
from showcase_utils.generation.baselines.identities import UNKNOWN, Identities
from showcase_utils.generation.baselines.r2gen import ConditionalNorm, RelationalMemory
from showcase_utils.generation.baselines.ref2seq import REFERENCE_TOKENS, References
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.decoding import generate_texts, model_inputs
from showcase_utils.generation.gpt2 import IGNORED, load_tokenizer
from showcase_utils.generation.systems import SYSTEMS, find_system
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.training import train_system
from tests.generation.weights import with_random_weights

BASELINES = ["st", "r2gen", "ref2seq", "peter", "nrt", "att2seq", "pepler"]
CPU = torch.device("cpu")


def _sixteen(corpus):
    """A corpus of sixteen training samples with different photos, users, places and references."""
    reviews = corpus.reviews.assign(split="val")
    reviews.loc[[0, 1, 2, 3, 16, 17, 18, 19, 32, 33, 34, 35, 48, 49, 50, 51], "split"] = "train"
    return dataclasses.replace(corpus, reviews=reviews)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("st", 350),
        ("r2gen", 70),
        ("ref2seq", 220),
        ("peter", 120),
        ("nrt", 220),
        ("att2seq", 250),
        ("pepler", 120),
        ("ours_pc2l", 80),
    ],
)
def test_overfits_sixteen_samples(name, steps, corpus, monkeypatch):
    monkeypatch.setattr(ref2seq, "REFERENCE_TOKENS", 20)
    corpus = _sixteen(corpus)
    system = find_system(name)
    dataset = system.dataset(corpus, "train")
    torch.manual_seed(0)
    model = system.build(corpus).train()
    batch = collate([dataset[index] for index in range(16)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        output = model(**batch)
        sum(output[name] for name in ("loss", "context", "rating") if name in output).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if output["loss"].item() < 0.02:
            break
    tokenizer = load_tokenizer(corpus.settings.decoder)
    frame = generate_texts(model, tokenizer, dataset, name, 0, device="cpu", progress=False)
    assert (frame["text"] == frame["reference"]).sum() >= 15


@pytest.mark.parametrize("name", BASELINES)
def test_padding_and_batch_change_nothing(name, corpus):
    system = find_system(name)
    dataset = system.dataset(corpus, "train")
    torch.manual_seed(0)
    model = system.build(corpus).eval()
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
    model = system.build(corpus).eval()
    batch = model_inputs([system.dataset(corpus, "train")[0]], CPU)
    tokens = torch.arange(3, 13).unsqueeze(0)
    other = tokens.clone()
    other[0, 6:] = 20
    logits, changed = (model(**batch, decoder_input_ids=ids).logits for ids in (tokens, other))
    torch.testing.assert_close(logits[:, :6], changed[:, :6])
    assert not torch.allclose(logits[:, 6:], changed[:, 6:])


@pytest.mark.slow
@pytest.mark.parametrize("name", BASELINES)
def test_trains_saves_and_loads_as_ours_do(name, corpus, tmp_path):
    folder = train_system(tmp_path, name, corpus, 0, "cpu", False)
    model, again = load_system(folder), load_system(folder)
    assert type(model) is SYSTEMS[name].model_class
    dataset = SYSTEMS[name].dataset(corpus, "test", "chosen")
    batch = model_inputs([dataset[index] for index in range(4)], CPU)
    assert torch.equal(model.generate(**batch), again.generate(**batch))
    assert model.generate(**batch, num_beams=3).shape[0] == 4
    assert model.generate(**batch, do_sample=True, num_return_sequences=2).shape[0] == 8


@pytest.mark.parametrize("name", ["st", "r2gen"])
def test_padding_may_hold_anything(name, corpus):
    torch.manual_seed(0)
    model = find_system(name).build(corpus).eval()
    dataset = corpus.dataset("train")
    batch = collate([dataset[0], dataset[1]])  # one photo and two
    assert batch["image_mask"].tolist() == [[True, False], [True, True]]
    spoiled = batch | {"images": batch["images"].masked_fill(~batch["image_mask"].unsqueeze(-1), math.nan)}
    torch.testing.assert_close(model(**spoiled).loss, model(**batch).loss)


def _memory_after(layer, memory, word):
    """R2Gen's memory after one more word, slot by slot and head by head: (slots, width), (width,) → (slots, width)."""
    width, heads = layer.width, layer.attention.num_heads
    of_query, of_key, of_value = layer.attention.in_proj_weight.split(width)
    query_bias, key_bias, value_bias = layer.attention.in_proj_bias.split(width)
    rows = [*memory, word]
    after = []
    for slot in memory:
        read = []
        for head in range(heads):
            own = slice(head * width // heads, (head + 1) * width // heads)
            query = (of_query @ slot + query_bias)[own]
            scores = [query @ (of_key @ row + key_bias)[own] / math.sqrt(width // heads) for row in rows]
            weights = [score.exp() / sum(other.exp() for other in scores) for score in scores]
            read.append(sum(w * (of_value @ row + value_bias)[own] for w, row in zip(weights, rows, strict=True)))
        seen = slot + layer.attention.out_proj.weight @ torch.cat(read) + layer.attention.out_proj.bias
        hidden = F.relu(layer.mlp[0].weight @ seen + layer.mlp[0].bias)
        fresh = seen + F.relu(layer.mlp[2].weight @ hidden + layer.mlp[2].bias)
        gates = layer.gates_of_word.weight @ word + layer.gates_of_word.bias
        gates = gates + layer.gates_of_memory.weight @ slot.tanh() + layer.gates_of_memory.bias
        keep, enter = gates[:width].sigmoid(), gates[width:].sigmoid()
        after.append(keep * slot + enter * fresh.tanh())
    return torch.stack(after)


@torch.no_grad()
def test_the_relational_memory_is_the_loop_over_words_slots_and_heads():
    layer = with_random_weights(RelationalMemory(8, 2))
    words = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    memories = layer(words)  # (2, 4, 3 · 8)
    for sample in range(2):
        memory = torch.eye(8)[:3]
        for step in range(4):
            memory = _memory_after(layer, memory, words[sample, step])
            torch.testing.assert_close(memories[sample, step].view(3, 8), memory)
    assert (memories.diff(dim=1).abs().amax(dim=-1) > 0.01).all()  # it changes with every word


@torch.no_grad()
def test_the_conditional_norm_is_a_layer_norm_that_the_memory_scales_and_shifts():
    norm = with_random_weights(ConditionalNorm(8))
    generator = torch.Generator().manual_seed(0)
    hidden, memory = torch.randn(2, 3, 8, generator=generator), torch.randn(2, 3, 24, generator=generator)
    out = norm(hidden, memory)
    for sample in range(2):
        for step in range(3):
            row, delta = hidden[sample, step], {}
            for name, mlp in (("scale", norm.scale), ("shift", norm.shift)):
                inner = F.relu(mlp[0].weight @ memory[sample, step] + mlp[0].bias)
                delta[name] = mlp[2].weight @ inner + mlp[2].bias
            mean = sum(row) / 8
            spread = (sum((value - mean) ** 2 for value in row) / 8 + 1e-5).sqrt()
            gain, offset = norm.norm.weight + delta["scale"], norm.norm.bias + delta["shift"]
            torch.testing.assert_close(out[sample, step], gain * (row - mean) / spread + offset)


@torch.no_grad()
def test_r2gen_writes_by_its_memory_of_words_and_positions(corpus, monkeypatch):
    torch.manual_seed(0)
    model = find_system("r2gen").build(corpus).eval()
    encoded = model.encoder(**model_inputs([corpus.dataset("train")[0]], CPU))
    tokens, read = torch.arange(3, 9).unsqueeze(0), []
    model.memory.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0]))
    states = model.states(tokens, encoded)
    torch.testing.assert_close(read[0], model.words(tokens) + model.positions.table.weight[:6])
    monkeypatch.setattr(RelationalMemory, "forward", lambda self, words: torch.zeros(*words.shape[:2], 3 * self.width))
    assert (model.states(tokens, encoded) - states).abs().amax(dim=-1).min() > 1e-3


@torch.no_grad()
def test_peters_user_and_item_see_each_other_and_no_word(corpus):
    torch.manual_seed(0)
    model = find_system("peter").build(corpus).eval()
    pair, words = torch.randn(1, 2, 64), torch.randn(1, 4, 64)
    hidden = model._read(words, Identities(pair=pair))  # user, item, four words
    changed = []
    for position in range(6):
        inputs = torch.cat([pair, words], dim=1)
        inputs[:, position] = torch.randn(64)
        other = model._read(inputs[:, 2:], Identities(pair=inputs[:, :2]))
        changed.append(((other - hidden).abs().amax(dim=-1)[0] > 1e-4).tolist())
    assert changed[0] == changed[1] == [True] * 6
    for word in range(4):
        assert changed[2 + word] == [False] * (2 + word) + [True] * (4 - word)


@torch.no_grad()
def test_peters_context_is_every_word_from_the_items_position(corpus):
    torch.manual_seed(0)
    model = find_system("peter").build(corpus).eval()
    dataset = find_system("peter").dataset(corpus, "train")
    batch = collate([dataset[index] for index in (0, 1, 17)])
    encoded = model.encoder(**batch)
    losses = {0: [], 1: []}
    for row, label in enumerate(batch["labels"]):
        alone = Identities(pair=encoded.pair[row : row + 1])
        for position, terms in losses.items():
            state = model._read(alone.pair[:, :0], alone)[0, position]
            chances = torch.log_softmax(model.head(state), dim=-1)
            terms += [-chances[token] for token in label if token != IGNORED]
    context = model(**batch).context
    torch.testing.assert_close(context, sum(losses[1]) / len(losses[1]))
    assert abs(context - sum(losses[0]) / len(losses[0])) > 1e-3  # the user's position would say something else


def test_peter_trains_what_it_knows_of_an_unknown_user(corpus):
    model = find_system("peter").build(corpus)
    dataset = find_system("peter").dataset(corpus, "train")
    batch = collate([dataset[index] for index in range(48)])
    assert (batch["user"] != UNKNOWN).all()
    gradients = {}
    for training in (True, False):
        torch.manual_seed(0)
        model.train(training).zero_grad()
        model(**batch).loss.backward()
        gradients[training] = [table.weight.grad[UNKNOWN].abs().sum() for table in model.encoder.children()]
    assert min(gradients[True]) > 0 and max(gradients[False]) == 0


@torch.no_grad()
def test_ref2seq_attends_to_both_references(corpus):
    torch.manual_seed(0)
    model = find_system("ref2seq").build(corpus).eval()
    tokens, width = torch.arange(3, 8).unsqueeze(0), 64
    encoded = References(
        user=torch.randn(1, 4, width),
        user_mask=torch.tensor([[True, True, True, False]]),
        item=torch.randn(1, 3, width),
        item_mask=torch.tensor([[True, True, False]]),
        first=torch.randn(1, width),
    )
    states = model.states(tokens, encoded)
    hidden, _ = model.gru(model.words(tokens), encoded.first.unsqueeze(0))
    for step in range(5):
        parts = [hidden[0, step]]
        for query, rows, mask in (
            (model.user_query, encoded.user, encoded.user_mask),
            (model.item_query, encoded.item, encoded.item_mask),
        ):
            kept = rows[0][mask[0]]
            scores = torch.stack([query(hidden[0, step]) @ row / math.sqrt(width) for row in kept])
            parts.append(sum(weight * row for weight, row in zip(scores.softmax(dim=0), kept, strict=True)))
        torch.testing.assert_close(states[0, step], model.fusion(torch.cat(parts)).tanh())
    for name in ("user", "item"):
        other = dataclasses.replace(encoded, **{name: torch.randn_like(encoded[name])})
        assert (model.states(tokens, other) - states).abs().amax(dim=-1).min() > 1e-3


def test_unseen_users_share_one_number_and_places_are_known(corpus):
    train, test = (find_system("peter").dataset(corpus, split) for split in ("train", "test"))
    assert {sample["user"][0] for sample in test} == {UNKNOWN}
    assert {sample["user"][0] for sample in train} == set(range(1, 13))
    assert {sample["item"][0] for sample in test} == {1, 2, 3, 4}


def test_references_are_the_history_and_what_others_wrote_of_the_place(corpus):
    past = {review: f"{text} Again!" for review, text in corpus.past_texts.items()}  # GEST-s1 says more than GEST-s2
    settings = corpus.settings.model_copy(update={"max_tokens": 40})
    corpus = dataclasses.replace(corpus, past_texts=past, settings=settings)
    end = corpus.tokenizer.eos_token
    for split in ("train", "test"):
        dataset = find_system("ref2seq").dataset(corpus, split)
        for row, sample in zip(dataset.reviews.itertuples(), dataset, strict=True):
            texts = [corpus.past_texts[review].lower() for review in corpus.history[row.review_id]]
            assert corpus.tokenizer.decode(sample["user_reference"]) == "".join(text + end for text in texts)
            others = corpus.rows("train")
            others = others[(others["business_id"] == row.business_id) & (others["user_id"] != row.user_id)]
            texts = [text.lower() for text in others["text"] if text.lower() != row.text.lower()][:10]
            read = corpus.tokenizer.decode(sample["item_reference"]).removesuffix(end).split(end)
            assert len(read) == len(texts) and all(a.startswith(b) for a, b in zip(texts, read, strict=True))
            assert len(sample["item_reference"]) <= REFERENCE_TOKENS


def test_references_never_hold_the_target_nor_what_is_outside_the_history(corpus):
    reviews = corpus.reviews
    same = reviews.loc[16, "text"].upper()  # what one user wrote of another place, in other letters
    corpus = dataclasses.replace(corpus, reviews=reviews.assign(text=reviews["text"].where(reviews.index != 0, same)))
    corpus.past_texts[reviews.loc[16, "review_id"]] = same + "  "
    few = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update={"history": 2}))
    sample = find_system("ref2seq").dataset(few, "train")[0]
    past = [
        corpus.past_texts[review].lower()
        for review in corpus.history["u0_b0"]
        if review != reviews.loc[16, "review_id"]
    ]
    end = corpus.tokenizer.eos_token
    assert corpus.tokenizer.decode(sample["user_reference"]) == "".join(text + end for text in past[:2])


def test_causal_mask():
    assert causal(3, CPU).tolist() == [[False, True, True], [False, False, True], [False, False, False]]


def test_the_floors(corpus):
    train, test = corpus.dataset("train"), corpus.dataset("test", "chosen")
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
