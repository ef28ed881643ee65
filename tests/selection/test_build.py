"""The stage as a whole: its files, their agreement, their bytes, and a method of somebody else's."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from showcase_utils.config import Selection
from showcase_utils.selection import tables
from showcase_utils.selection.build import build
from showcase_utils.selection.choosing import choose
from showcase_utils.selection.curves import K_RANGE
from showcase_utils.selection.methods import METHODS, Method, Selector, Variant, methods_of, open_selectors
from showcase_utils.selection.metrics import diversity, precision_recall_f1
from showcase_utils.selection.rankers import Indifference
from showcase_utils.selection.rules import by_medoids
from showcase_utils.selection.towers import Towers, new_model

pytestmark = pytest.mark.slow

SETTINGS = Selection(epochs=1, batch_size=64, seeds=(0, 1), profiles=("img", "img+text"), jobs=1)


@pytest.fixture(scope="module")
def stage(pools, tmp_path_factory):
    out = tmp_path_factory.mktemp("selection")
    build(out, pools, SETTINGS, 5, "cpu", progress=False)
    return out


def test_every_method_picks_for_every_held_out_sample(city, stage):
    selected = pd.read_parquet(stage / "selected.parquet")
    held_out = set(city.s1.loc[city.s1["split"] != "train", "review_id"])
    assert set(selected["method"]) == set(METHODS) == set(SETTINGS.methods)
    for (method, _, seed), part in selected.groupby(["method", "profile", "seed"]):
        assert set(part["review_id"]) == held_out and part["review_id"].is_unique
        assert (seed in (5, 6)) == METHODS[method].ranker.seeded
    assert selected["image_ids"].map(len).eq(3).all()


def test_scores_are_the_metrics_of_the_picks(city, stage):
    selected, scores = pd.read_parquet(stage / "selected.parquet"), pd.read_parquet(stage / "scores.parquet")
    own = city.s1.set_index("review_id")["image_ids"]
    key = ["method", "profile", "seed", "review_id"]
    both = selected.merge(scores, on=key).query("method == 'dpp' and seed == 6")
    assert len(both) == 2 * (city.s1["split"] != "train").sum()
    accuracy = precision_recall_f1(both["image_ids"].tolist(), own[both["review_id"]].tolist(), 3)
    np.testing.assert_allclose(both["f1"], accuracy.f1.per_sample)
    spread = diversity([city.photos[list(ids)] for ids in both["image_ids"]], 3)
    np.testing.assert_allclose(both["diversity"], spread.per_sample, atol=1e-5)


def test_the_oracle_is_the_ceiling(stage):
    scores = pd.read_parquet(stage / "scores.parquet")
    means = tables.evaluable(scores).groupby(["method", "profile", "seed"])["f1"].mean()
    assert (means <= means["oracle", "none", 0] + 1e-12).all()
    assert means["oracle", "none", 0] > means.drop("oracle", level=0).max()


def test_the_shown_choice_is_one_method_of_one_seed(pools, stage, tmp_path):
    selected, chosen = pd.read_parquet(stage / "selected.parquet"), pd.read_parquet(stage / "chosen.parquet")
    mine = selected.query("method == 'dpp' and profile == 'img+text' and seed == 5").reset_index(drop=True)
    pd.testing.assert_frame_equal(chosen, mine[chosen.columns])
    few = {"epochs": 1, "methods": ("random", "top_k_cosine"), "profiles": ("img",)}
    build(tmp_path, pools, SETTINGS.model_copy(update={**few, "shown_method": "random"}), 5, progress=False)
    assert set(pd.read_parquet(tmp_path / "chosen.parquet")["method"]) == {"random"}
    with pytest.raises(ValueError, match="shown_method = dpp"):
        build(tmp_path, pools, SETTINGS.model_copy(update=few), 5, progress=False)


def test_curves_agree_with_the_scores(stage):
    scores = tables.evaluable(pd.read_parquet(stage / "scores.parquet"))
    large = scores[scores["candidates"] > max(K_RANGE)]  # the curves see the same pools at every K
    expected = tables.method_table(large)
    over_k = tables.method_table(pd.read_parquet(stage / "k_scores.parquet"), by=["k"]).xs(3, level="k")
    columns = ["samples", "f1", "f1_low", "diversity_high"]
    np.testing.assert_allclose(over_k.loc[expected.index, columns], expected[columns])
    means = scores.groupby(["method", "profile", "seed"])["f1"].mean()
    over_theta = pd.read_csv(stage / "theta_curves.csv")
    half = over_theta[over_theta["theta"] == 0.5].set_index(["method", "profile", "seed"])["f1"]
    assert {name for name, _, _ in half.index} == {"dpp", "dpp_cosine", "metric_dpp", "mmr_cosine", "mmr_learned"}
    for key, value in half.items():
        assert value == pytest.approx(means[key], abs=1e-5)


def test_curves_over_k_see_the_same_pools_at_every_k(pools, tmp_path, monkeypatch):
    sizes = pools.samples["candidates"].to_numpy()[pools.rows("test")]
    middle = int(np.median(sizes))
    for module in ("build", "curves"):
        monkeypatch.setattr(f"showcase_utils.selection.{module}.K_RANGE", (2, middle))
    build(tmp_path, pools, Selection(epochs=1, batch_size=64, profiles=("img",), jobs=1), 0, progress=False)
    lists = pd.read_parquet(tmp_path / "k_scores.parquet").groupby(["method", "profile", "seed", "k"]).size()
    assert set(lists.index.unique("k")) == {2, middle} and set(lists) == {(sizes > middle).sum()}
    assert 0 < (sizes > middle).sum() < len(sizes)


def test_theta_buys_diversity(stage):
    table = pd.read_csv(stage / "theta_curves.csv").query("method == 'dpp'").groupby("theta")["diversity"].mean()
    assert table.iloc[0] > table.loc[0.5] >= table.iloc[-1]


@pytest.mark.slow
def test_same_seed_same_bytes_and_finished_models_are_kept(pools, stage, tmp_path):
    side_by_side = SETTINGS.model_copy(update={"jobs": 2})
    build(tmp_path, pools, side_by_side, 5, progress=False)
    files = sorted(path.relative_to(stage) for path in stage.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((stage / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")}
    assert len(kept) == 8
    (tmp_path / "selected.parquet").unlink()
    build(tmp_path, pools, side_by_side, 5, progress=False)
    assert kept == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")}
    assert (tmp_path / "selected.parquet").read_bytes() == (stage / "selected.parquet").read_bytes()


def test_training_may_see_fewer_candidates_than_are_chosen_from(pools, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Towers, "train", classmethod(lambda cls, folder, pools, *_: seen.append(pools) or 1 / 0))
    with pytest.raises(ZeroDivisionError):
        build(tmp_path, pools, SETTINGS.model_copy(update={"training_candidates": 9}), 5, "cpu", progress=False)
    assert seen[0].samples["candidates"].max() == 9 < pools.samples["candidates"].max()


def test_choose_gives_short_lists_for_short_pools(pools, stage):
    rows = pools.rows("test")
    most = int(pools.samples["candidates"].iloc[rows].max()) + 2
    variants = [v for name in METHODS for v in METHODS[name].variants(SETTINGS, 5)]
    choices = choose(pools, rows, open_selectors(variants, stage / "models", SETTINGS, "cpu"), most)
    sizes = pools.samples["candidates"].to_numpy()[rows]
    assert {variant.name for variant, choice in choices.items() if choice.relevance is None} == {"k_medoids"}
    for variant, choice in choices.items():
        assert ((choice.picks >= 0).sum(1) == sizes).all(), variant
        if choice.relevance:
            assert [len(values) for values in choice.relevance] == sizes.tolist()
            for values, places in zip(choice.relevance, choice.picks, strict=True):
                falling = np.diff(values[places[places >= 0]]) <= 0
                assert falling.all() or not variant.name.startswith("top_k")


def test_methods_that_share_a_ranker_rank_once(pools, monkeypatch):
    towers, calls = Towers(new_model(pools, SETTINGS, "img", 0)), []
    monkeypatch.setattr(Towers, "__call__", lambda self, batch: calls.append(1) or self.model(batch))
    three = [Selector(METHODS[name], Variant(name), towers) for name in ("dpp", "top_k_learned", "mmr_learned")]
    rows = pools.rows("test")
    choose(pools, rows, three, 3)
    assert len(calls) == len(list(pools.chunks(rows)))


def test_what_looks_at_photos_alone_chooses_once_for_all_with_the_same_candidates(pools):
    seen = []

    def counted(ranking, k, theta):
        seen.append(len(ranking.batch.present))
        return by_medoids(ranking, k, theta)

    rows = pools.rows("test")
    counting = Selector(Method("counting", Indifference, counted), Variant("counting"), Indifference(SETTINGS, "", 0))
    picks = choose(pools, rows, [counting], 3)[Variant("counting")].picks
    assert sum(seen) == pools.samples["business_id"].iloc[rows].nunique() < len(rows)
    for row, found in zip(rows, picks, strict=True):
        np.testing.assert_array_equal(found, by_medoids(counting.ranking(pools.batch([row])), 3, 0.5)[0])


def test_a_method_of_somebody_else_s_is_one_file(pools, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from showcase_utils.selection.methods import Method\n"
        "from showcase_utils.selection.rankers import Ranker\n"
        "from showcase_utils.selection.rules import best\n"
        "class Loudest(Ranker):\n"
        "    def __call__(self, batch):\n"
        "        return batch.features[..., 0]\n"
        "LOUDEST = Method('loudest', Loudest, best)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = Selection(methods=("random", "mine:LOUDEST"), profiles=("img",), shown_method="loudest")
    build(tmp_path, pools, settings, 0, progress=False)
    chosen = pd.read_parquet(tmp_path / "chosen.parquet")
    row = pools.row(chosen["review_id"][0])
    first = pools.features[pools.candidates[row], 0].argmax()
    assert chosen["image_ids"][0][0] == pools.ids(row, np.array([first]))[0]
    assert set(pd.read_parquet(tmp_path / "scores.parquet")["method"]) == {"random", "loudest"}
    del sys.modules["mine"]
    with pytest.raises(ValueError, match="no 'elvis'"):
        methods_of(Selection(methods=("elvis",)))


def test_what_learns_nothing_knows_nothing_of_the_trained_kernel(pools):
    row = pools.rows("test")[:1]
    cosine = open_selectors([Variant("dpp_cosine", "img")], Path(), SETTINGS, "cpu")[0]
    assert (cosine.ranker.alpha, cosine.ranker.sigma) == (SETTINGS.alpha, SETTINGS.sigma)
    assert torch.isfinite(cosine.ranking(pools.batch(row)).relevance).all()


def test_the_same_sets_for_all_are_seen(stage):
    table = pd.read_csv(stage / "sameness.csv").groupby("method")[["top_set", "overlap"]].mean()
    assert table.loc["k_medoids"].tolist() == [1, 1]  # knows no user
    assert table.loc["random", "top_set"] < 0.3 and table.loc["random", "overlap"] < 0.2
    assert table.loc["random", "overlap"] < table.loc["dpp", "overlap"] < 1
