"""NRT, Att2Seq, PEPLER: each against its equations, and what they know of a user, an item and a rating."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, TrainerControl

from showcase_utils.generation.baselines import att2seq
from showcase_utils.generation.baselines.identities import Identities
from showcase_utils.generation.callbacks import SampleTexts, TwoStages
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.gpt2 import IGNORED
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.training import train_system
from tests.generation.weights import with_random_weights


@torch.no_grad()
def test_nrt_writes_from_user_item_and_the_rating_that_it_predicts(corpus):
    torch.manual_seed(0)
    model = with_random_weights(find_system("nrt").build(corpus))
    encoder = model.encoder
    user, item = torch.tensor([[1], [4]]), torch.tensor([[2], [3]])
    encoder.rating.bias.fill_(3.0)
    encoded = encoder(user, item, torch.tensor([[5], [IGNORED]]))
    for row in range(2):
        pair = torch.cat([encoder.users.weight[user[row, 0]], encoder.items.weight[item[row, 0]]])
        hidden = pair
        for layer in encoder.layers:
            hidden = torch.sigmoid(layer.weight @ hidden + layer.bias)
        rating = encoder.rating.weight[0] @ hidden + encoder.rating.bias[0]
        stars = torch.zeros(5)
        stars[int(min(max(rating, 1), 5)) - 1] = 1
        first = torch.tanh(encoder.first.weight @ torch.cat([pair, stars]) + encoder.first.bias)
        torch.testing.assert_close(encoded.first[row], first)
        torch.testing.assert_close(encoded.error[row, 0], (rating - 5) ** 2 if row == 0 else torch.tensor(0.0))
    tokens = torch.arange(3, 8).expand(2, -1)
    hidden, _ = model.gru(model.words(tokens), encoded.first.unsqueeze(0))
    torch.testing.assert_close(model.states(tokens, encoded), hidden)
    torch.testing.assert_close(model.rating_loss(encoded), encoded.error.sum() / 2)


def test_nrt_learns_ratings_and_is_never_given_one_to_write_about(corpus):
    reviews = corpus.reviews.assign(rating=[1 + index % 5 for index in range(len(corpus.reviews))])
    corpus = dataclasses.replace(corpus, reviews=reviews)
    train, test = (find_system("nrt").dataset(corpus, split) for split in ("train", "test"))
    assert [sample["rating"] for sample in train] == [[stars] for stars in corpus.rows("train")["rating"]]
    assert {len(sample["rating"]) for sample in test} == {0}
    model = find_system("nrt").build(corpus)
    batch = collate([train[index] for index in range(8)])
    output = model(**batch)
    output.rating.backward()
    assert model.encoder.rating.weight.grad.abs().sum() > 0
    model.eval()
    other = model(**batch | {"rating": 6 - batch["rating"]})
    torch.testing.assert_close(other.loss, model(**batch).loss)  # no word depends on the true rating


@torch.no_grad()
def test_att2seq_starts_each_layer_from_the_attributes_and_attends_to_them(corpus, monkeypatch):
    monkeypatch.setattr(att2seq, "LAYERS", 2)
    torch.manual_seed(0)
    model = with_random_weights(find_system("att2seq").build(corpus))
    tokens, pair = torch.arange(3, 8).unsqueeze(0), torch.randn(1, 2, 64)
    first = torch.tanh(model.first.weight @ pair.flatten() + model.first.bias)
    starts = torch.stack([first[:64], first[64:]]).unsqueeze(1)
    hidden, _ = model.lstm(model.words(tokens), (starts, torch.zeros_like(starts)))
    states = model.states(tokens, Identities(pair=pair))
    for step in range(5):
        scores = [torch.tanh(model.score.weight[0] @ torch.cat([hidden[0, step], row])).exp() for row in pair[0]]
        context = sum(score * row for score, row in zip(scores, pair[0], strict=True)) / sum(scores)
        expected = torch.tanh(model.fusion.weight @ torch.cat([context, hidden[0, step]]))
        torch.testing.assert_close(states[0, step], expected)


@torch.no_grad()
def test_pepler_is_the_language_model_behind_user_and_item(corpus):
    torch.manual_seed(0)
    model = find_system("pepler").build(corpus).eval()
    dataset = find_system("pepler").dataset(corpus, "train")
    batch = collate([dataset[index] for index in (0, 1, 17)])
    decoder = AutoModelForCausalLM.from_pretrained(corpus.settings.decoder).eval()
    losses = []
    for row, label in enumerate(batch["labels"]):
        words = [model.config.decoder_start_token_id, *label[label != IGNORED].tolist()]
        pair = [model.encoder.users.weight[batch["user"][row, 0]], model.encoder.items.weight[batch["item"][row, 0]]]
        sequence = torch.cat([torch.stack(pair), decoder.get_input_embeddings()(torch.tensor(words[:-1]))])
        chances = decoder(inputs_embeds=sequence.unsqueeze(0)).logits[0, 2:].log_softmax(-1)
        losses += [-chances[place, word] for place, word in enumerate(words[1:])]
    torch.testing.assert_close(model(**batch).loss, sum(losses) / len(losses))
    for table in model.encoder.children():
        assert table.weight.abs().max() <= 0.1 < 2 * table.weight.abs().max()


@pytest.mark.slow
def test_pepler_learns_prompts_first_and_then_the_language_model_too(corpus, tmp_path, monkeypatch):
    """The first stage lasts half of the epochs; a run that is cut off in the second goes on in it."""
    corpus = dataclasses.replace(corpus, settings=corpus.settings.model_copy(update={"epochs": 4}))
    frozen, kept, cut = {}, {}, [False]

    def watch(self, args, state, control, model, **unused):
        first, users = next(model.decoder.parameters()), model.encoder.users.weight
        frozen[round(state.epoch)] = not first.requires_grad
        kept[round(state.epoch)] = first.detach().clone(), users.detach().clone()
        if cut[0] and round(state.epoch) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(SampleTexts, "on_epoch_end", watch)
    whole = train_system(tmp_path / "whole", "pepler", corpus, 0, "cpu", False)
    assert frozen == {1: True, 2: True, 3: False, 4: False}
    assert torch.equal(kept[1][0], kept[2][0]) and not torch.equal(kept[2][0], kept[3][0])
    assert all(not torch.equal(kept[epoch][1], kept[epoch + 1][1]) for epoch in (1, 2, 3))
    cut[0] = True
    with pytest.raises(KeyboardInterrupt):
        train_system(tmp_path / "cut", "pepler", corpus, 0, "cpu", False)
    cut[0] = False
    frozen.clear()
    again = train_system(tmp_path / "cut", "pepler", corpus, 0, "cpu", False)
    assert frozen == {4: False}
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_pepler_that_stops_getting_better_goes_on_to_its_second_stage_once():
    model = SimpleNamespace(freeze=[].append)
    callback, control = TwoStages(1), TrainerControl()
    args = SimpleNamespace(metric_for_best_model="eval_ce", greater_is_better=False, num_train_epochs=100)
    state, stages = SimpleNamespace(best_metric=1.0, epoch=1), []
    for _ in range(2):
        callback.on_evaluate(args, state, control, model=model, metrics={"eval_ce": 2.0})
        stages.append((callback.second, control.should_training_stop))
    assert stages == [(True, False), (True, True)]
    assert callback.state()["attributes"] == {"early_stopping_patience_counter": 1, "second": True}
