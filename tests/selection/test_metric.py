"""The metric against the Gaussian densities that it stands for, and on people whose photos share a look."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from showcase_utils.config import Selection
from showcase_utils.selection.metric import (
    Metric,
    closed_form,
    likelihood_loss,
    spread,
    train_metric,
    variety_loss,
)
from showcase_utils.selection.metrics import auc
from showcase_utils.selection.rankers import Cosine


@pytest.fixture(scope="module")
def looks(pools):
    """The same city, where every person's photos share a look besides the theme."""
    rng = np.random.default_rng(0)
    owner = {photo: user for user, row in zip(pools.samples["user_id"], range(len(pools.samples)), strict=True)
             for photo in pools.candidates[row][pools.relevant[row]]}  # fmt: skip
    users = {user: rng.normal(size=2) for user in sorted(set(owner.values()))}
    basis = 0.3 * np.linalg.qr(rng.normal(size=(pools.features.shape[1], 2)))[0].T
    offsets = np.array([users[owner[photo]] @ basis for photo in range(len(pools.features))])
    return replace(pools, features=(pools.features + offsets).astype(np.float32))


def ranking_auc(ranker, pools, split="test"):
    rows = pools.rows(split)
    values = [ranker(pools.batch([row]))[0].detach().numpy() for row in rows]
    return auc(values, [pools.relevant[row] for row in rows]).value


def test_relevance_is_the_log_ratio_of_two_densities(pools):
    model = closed_form(spread(pools), "img", Selection(), shrink=0.02)
    row = pools.rows("test")[0]
    batch = pools.batch([row])
    found = model(batch)[0].detach().numpy()
    axes, mean = model.axes.numpy().astype(float), model.photo_mean.numpy()
    between = model.log_between.exp().detach().numpy().astype(float)
    past = (pools.features[pools.history_photos[row]] - mean) @ axes
    v = between / (1 + len(past) * between)
    m = v * past.sum(0)
    x = (pools.features[pools.candidates[row]] - mean) @ axes
    posterior = multivariate_normal(m, np.diag(1 + v)).logpdf(x)
    prior = multivariate_normal(np.zeros(len(m)), np.diag(1 + between)).logpdf(x)
    np.testing.assert_allclose(found[: len(x)], posterior - prior, atol=2e-3)


@pytest.mark.parametrize("profile", ["img", "text", "img+text"])
def test_contributions_sum_to_the_relevance(pools, profile):
    model = closed_form(spread(pools), profile, Selection(), shrink=0.02)
    batch = pools.batch(pools.rows("test")[:8])
    parts = model.contributions(batch)
    assert parts.photos.shape[-1] == (batch.past_photos.shape[1] if "img" in profile else 0)
    assert parts.texts.shape[-1] == (batch.past_texts.shape[1] if "text" in profile else 0)
    torch.testing.assert_close(parts.photos.sum(-1) + parts.texts.sum(-1), model(batch))
    absent = ~batch.past_photos_there.unsqueeze(1).expand(-1, batch.present.shape[1], -1)
    if "img" in profile:
        assert (parts.photos[absent] == 0).all()


def test_without_a_past_all_photos_are_equally_relevant(pools):
    model = closed_form(spread(pools), "img+text", Selection(), shrink=0.02)
    batch = pools.batch(pools.rows("test")[:4])
    nobody = replace(
        batch,
        past_photos=batch.past_photos[:, :0],
        past_photos_there=batch.past_photos_there[:, :0],
        past_texts=batch.past_texts[:, :0],
        past_texts_there=batch.past_texts_there[:, :0],
    )
    assert (model(nobody) == 0).all()


def test_the_closed_form_finds_a_look_that_the_centroid_misses(looks):
    model = closed_form(spread(looks), "img", Selection(), shrink=0.02)
    assert ranking_auc(model, looks) > ranking_auc(Cosine(Selection(), "img", 0), looks) + 0.03 > 0.6


def test_the_loss_compares_own_photos_with_those_of_others_only(pools):
    rows = pools.rows("train", informative=True)[:5]
    batch, model = pools.batch(rows), closed_form(spread(pools), "img", Selection(), shrink=0.02)
    r, losses = model(batch), likelihood_loss(model, batch)
    for b in range(len(rows)):
        own = batch.chosen[b]
        others = r[b][batch.present[b] & ~own].exp().sum()
        expected = torch.stack([-(value.exp() / (value.exp() + others)).log() for value in r[b][own]]).mean()
        torch.testing.assert_close(losses[b], expected)


def test_training_does_not_harm_and_parts_relevance_from_variety(looks, tmp_path):
    settings = Selection(batch_size=64)
    model, table = train_metric(looks, settings, "img", 0)
    assert table["val_loss"].min() == table.loc[table["best"], "val_loss"].item() <= table["val_loss"][0]
    batch = looks.batch(looks.rows("train", informative=True)[:8])
    model.zero_grad()
    variety_loss(model, batch).sum().backward()
    assert model.alpha_logit.grad is not None and model.scale.grad is None
    Metric.train(tmp_path, looks, settings, "img", 0, "cpu")
    again = Metric.open(tmp_path, settings, "img", 0, "cpu")
    torch.testing.assert_close(again(batch), model(batch).detach())
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    Metric.train(tmp_path, looks, settings, "img", 0, "cpu")
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before
