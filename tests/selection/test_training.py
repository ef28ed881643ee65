"""The towers learn tastes, stop early, and come back from disk as they were."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from showcase_utils.config import Selection
from showcase_utils.selection.towers import BprTowers, ProfileModel, Towers, bpr_loss, dpp_loss, new_model
from showcase_utils.selection.training import HISTORY, Schedule, fit, mean_loss


def train(pools, settings, profile, seed, loss=dpp_loss):
    model = new_model(pools, settings, profile, seed)
    return model, fit(model, loss, pools, Schedule.of(settings), seed)


@pytest.fixture(scope="module")
def trained(pools):
    return train(pools, Selection(epochs=40, patience=10, batch_size=64, lr=3e-3), "img+text", 0)


def test_towers_have_the_paper_s_widths():
    model = ProfileModel(512, "img+text", 0.9, 0.5, learn_kernel=True)
    widths = [layer.weight.shape for layer in model.user if hasattr(layer, "weight")]
    assert widths == [(512, 1024), (512, 512), (256, 512), (128, 256)]
    assert model.photo[0].weight.shape == (512, 512)
    with pytest.raises(ValueError, match="profile 'taste'"):
        ProfileModel(512, "taste", 0.9, 0.5, learn_kernel=True)


def test_each_profile_reads_its_own_inputs(pools):
    batch = pools.batch(pools.rows("test"))
    for profile, reads in [("img", {"photos"}), ("text", {"texts"}), ("img+text", {"photos", "texts"})]:
        model = new_model(pools, Selection(), profile, seed=0)
        before = model(batch)
        for part in ("photos", "texts"):
            changed = replace(batch, **{f"past_{part}": -getattr(batch, f"past_{part}")})
            assert torch.equal(before, model(changed)) == (part not in reads)


def test_losses_are_their_formulas(pools):
    rows = pools.rows("train", informative=True)[:6]
    batch, model = pools.batch(rows), new_model(pools, Selection(alpha=0.8, sigma=0.4), "img", seed=1)
    relevance, dpp_values, bpr_values = model(batch), dpp_loss(model, batch), bpr_loss(model, batch)
    for b in range(len(rows)):
        own, there = batch.chosen[b], batch.present[b]
        L = model.kernel(batch)[b][there][:, there]
        chosen = own[there]
        expected = torch.logdet(L + torch.eye(len(L))) - torch.logdet(L[chosen][:, chosen])
        torch.testing.assert_close(dpp_values[b], expected, rtol=1e-6, atol=1e-6)
        pairs = [-torch.log(torch.sigmoid(i - j)) for i in relevance[b][own] for j in relevance[b][there & ~own]]
        torch.testing.assert_close(bpr_values[b], torch.stack(pairs).mean(), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_the_likelihood_rises_and_beats_a_model_that_knows_no_user(pools, trained):
    model, table = trained
    assert table["train_loss"].iloc[-1] < table["train_loss"].iloc[1] - 0.5
    rows = pools.rows("test", informative=True)
    loss = mean_loss(model, dpp_loss, pools, rows)
    nothing = [np.zeros(0, dtype=np.int64)] * len(pools.samples)
    blind = replace(pools, history_photos=nothing, history_texts=nothing)
    assert loss < mean_loss(new_model(pools, Selection(), "img+text", 0), dpp_loss, pools, rows) - 0.3
    assert loss < mean_loss(model, dpp_loss, blind, rows) - 0.3


@pytest.mark.slow
def test_the_best_epoch_is_kept(pools, trained):
    model, table = trained
    assert table["best"].sum() == 1
    best = table.loc[table["best"]].iloc[0]
    assert best["val_loss"] == table["val_loss"].min()
    assert mean_loss(model, dpp_loss, pools, pools.rows("val", informative=True)) == pytest.approx(
        best["val_loss"], rel=1e-6
    )
    assert model.alpha.item() == pytest.approx(best["alpha"]) and model.sigma.item() == pytest.approx(best["sigma"])


def test_patience_ends_training(pools):
    settings = Selection(lr=3.0, epochs=30, patience=2, batch_size=512)
    _, table = train(pools, settings, "img", 0, bpr_loss)
    assert len(table) - 1 - table["val_loss"].argmin() == 2 and len(table) < 31


@pytest.mark.slow
def test_set_kernels_stay_and_learned_ones_move(pools, trained):
    model, _ = train(pools, Selection(epochs=2, alpha=1.0, sigma=0.3, learn_kernel=False), "img", 0)
    assert model.alpha.item() == 1 and model.sigma.item() == pytest.approx(0.3)
    start = trained[1].iloc[0]
    assert abs(trained[0].sigma.item() - start["sigma"]) > 0.05


@pytest.mark.slow
def test_the_kernel_reaches_an_optimum_that_is_far_away(pools):
    """With towers that stand still the likelihood is one of α, σ and b alone, and its least loss can be searched."""
    rows, start = pools.rows("train", informative=True), Selection(sigma=1.5)

    def loss(model):
        return mean_loss(model, dpp_loss, pools, rows)

    searched = new_model(pools, start, "img", 0)
    scalars = [weight for weight in searched.parameters() if weight.ndim == 0]
    optimiser = torch.optim.LBFGS(scalars, max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = dpp_loss(searched, pools.batch(rows)).mean()
        value.backward()
        return value

    optimiser.step(closure)

    def trained_at(kernel_lr):
        fixed = {"lr": 1e-9, "kernel_lr": kernel_lr, "epochs": 20, "patience": 20, "batch_size": 32}
        return loss(train(pools, start.model_copy(update=fixed), "img", 0)[0])

    least, first = loss(searched), loss(new_model(pools, start, "img", 0))
    assert first - least > 0.1
    assert trained_at(0.1) - least < 0.2 * (first - least)
    assert trained_at(None) == pytest.approx(first, rel=1e-5)


def test_a_learned_alpha_stays_below_one(pools):
    model = new_model(pools, Selection(), "img", 0)
    torch.nn.init.constant_(model.alpha_logit, 40.0)
    assert 0.99999 < model.alpha.item() < 1


def test_a_loss_that_is_not_finite_ends_training_before_it_begins(pools, settings):
    broken = replace(pools, features=np.where(pools.features == pools.features[0, 0], np.inf, pools.features))
    with pytest.raises(ValueError, match="finite"):
        train(broken, settings, "img", 0, bpr_loss)


@pytest.mark.parametrize("part", ["photos", "texts"])
def test_a_user_without_photos_or_without_texts_is_scored_by_the_other(pools, part):
    batch, model = pools.batch(pools.rows("test")), new_model(pools, Selection(), "img+text", seed=0)
    without = _unknown(batch, part)
    there, nobody = model(without), model(_unknown(_unknown(batch, "photos"), "texts"))
    assert torch.isfinite(there).all()
    assert not torch.equal(there, nobody)  # the part that is known still counts
    typical = model.inputs[{"photos": "img", "texts": "text"}[part]].mean.expand(len(there), 1, -1)
    average = replace(batch, **{f"past_{part}": typical, f"past_{part}_there": torch.ones(len(there), 1).bool()})
    torch.testing.assert_close(there, model(average))  # unknown: the average


def _unknown(batch, part):
    nothing = {f"past_{part}": batch.past_photos[:, :0], f"past_{part}_there": batch.past_photos_there[:, :0]}
    return replace(batch, **nothing)


def test_chunks_do_not_change_the_gradient(pools):
    rows = pools.rows("train", informative=True)[:40]
    gradients = []
    for cells in (2_000, 10**9):
        model = new_model(pools, Selection(), "img", seed=0)
        for chunk in pools.chunks(rows, cells):
            dpp_loss(model, pools.batch(chunk)).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-3)
    assert gradients[0].abs().max() > 0.1


def test_checkpoints_resume_and_seeds_repeat(pools, settings, tmp_path, monkeypatch):
    settings = settings.model_copy(update={"epochs": 2})
    arguments = (pools, settings, "img", 3, "cpu")
    table = Towers.train(tmp_path / "a", *arguments)
    Towers.train(tmp_path / "b", *arguments)
    for name in ("model.safetensors", "model.json", HISTORY):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    (tmp_path / "b" / HISTORY).unlink()  # as if killed before the end
    calls = []
    monkeypatch.setattr("showcase_utils.selection.towers.fit", lambda *a: calls.append(a) or fit(*a))
    assert Towers.train(tmp_path / "a", *arguments).equals(table) and not calls
    Towers.train(tmp_path / "b", *arguments)
    assert len(calls) == 1
    weights = tmp_path / "b" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    Towers.train(tmp_path / "b", *arguments)  # a damaged model is trained anew, not taken into the stage
    assert len(calls) == 2 and weights.read_bytes() == content
    model = train(pools, settings, "img", 3)[0]
    batch = pools.batch(np.arange(4))
    assert torch.equal(Towers.open(tmp_path / "a", settings, "img", 3, "cpu")(batch), model(batch))
    with pytest.raises(FileNotFoundError, match="03_dpp_selection"):
        Towers.open(tmp_path, settings, "img", 3, "cpu")


def test_bpr_trains_the_towers_of_the_widest_profile_by_its_own_loss(pools, settings, tmp_path):
    assert BprTowers.profiles(settings) == ("img+text",)
    table = BprTowers.train(tmp_path, pools, settings.model_copy(update={"epochs": 1}), "img", 0, "cpu")
    rows = pools.rows("val", informative=True)
    assert table["val_loss"][0] == pytest.approx(mean_loss(new_model(pools, settings, "img", 0), bpr_loss, pools, rows))


def test_duplicates_in_a_review_need_alpha_below_one(pools):
    row = next(r for r in pools.rows("train", informative=True) if len(pools.relevant[r]) > 1)
    features = pools.features.copy()
    own = pools.candidates[row][pools.relevant[row]]
    features[own[0]] = features[own[1]]
    copies = replace(pools, features=features)
    fixed = new_model(copies, Selection(alpha=1.0, learn_kernel=False), "img", 0)
    with pytest.raises(ValueError, match="selection.alpha"):
        dpp_loss(fixed, copies.batch([row]))
    assert torch.isfinite(dpp_loss(new_model(copies, Selection(), "img", 0), copies.batch([row]))).all()


def test_empty_splits_are_named(pools, settings):
    only_train = pools.samples.assign(split="train")
    with pytest.raises(ValueError, match="0 validation pools"):
        train(replace(pools, samples=only_train), settings, "img", 0)
