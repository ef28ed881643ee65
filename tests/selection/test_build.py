"""The stage as a whole: its files, their agreement, their bytes."""

import numpy as np
import pandas as pd
import pytest

from showcase_utils.config import Selection
from showcase_utils.selection import tables
from showcase_utils.selection.build import K_RANGE, Method, build_selection, choose
from showcase_utils.selection.metrics import diversity, precision_recall_f1
from showcase_utils.selection.profile import ProfileModel

SETTINGS = Selection(epochs=3, batch_size=64, seeds=(0, 1), profiles=("img", "img+text"))


@pytest.fixture(scope="module")
def stage(city, tmp_path_factory):
    out = tmp_path_factory.mktemp("selection")
    build_selection(out, city.s1, city.images, city.photos, city.reviews, SETTINGS, 5, "cpu", progress=False)
    return out


def test_every_method_picks_for_every_held_out_sample(city, stage):
    selected = pd.read_parquet(stage / "selected.parquet")
    held_out = set(city.s1.loc[city.s1["split"] != "train", "review_id"])
    names = {
        "random",
        "k_medoids",
        "top_k_cosine",
        "mmr_cosine",
        "dpp_untrained",
        "top_k_learned",
        "mmr_learned",
        "dpp",
    }
    assert set(selected["method"]) == names | {"bpr", "oracle"}
    for (method, _, seed), part in selected.groupby(["method", "profile", "seed"]):
        assert set(part["review_id"]) == held_out and part["review_id"].is_unique
        assert (seed in (5, 6)) == (method in {"random", "bpr", "top_k_learned", "mmr_learned", "dpp"})
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


def test_curves_agree_with_the_scores(stage):
    scores = tables.evaluable(pd.read_parquet(stage / "scores.parquet"))
    large = scores[scores["candidates"] > max(K_RANGE)]  # the curves see the same pools at every K
    expected = tables.method_table(large)
    over_k = pd.read_csv(stage / "k_curves.csv").query("k == 3").set_index(["method", "profile"])
    columns = ["samples", "f1", "f1_low", "diversity_high"]
    np.testing.assert_allclose(over_k.loc[expected.index, columns], expected[columns], rtol=1e-4, atol=1e-5)
    means = scores.groupby(["method", "profile", "seed"])["f1"].mean()
    over_theta = pd.read_csv(stage / "trade_off.csv")
    half = over_theta[over_theta["theta"] == 0.5].set_index(["method", "profile", "seed"])["f1"]
    for (name, profile, seed), value in half.items():
        method = {"dpp_learned": "dpp", "dpp_cosine": "dpp_untrained"}.get(name, name)
        expected = means[method, profile, seed]
        assert value == pytest.approx(expected, abs=1e-5)


def test_curves_over_k_see_the_same_pools_at_every_k(city, pools, tmp_path, monkeypatch):
    sizes = pools.samples["candidates"].to_numpy()[pools.rows("test")]
    middle = int(np.median(sizes))
    monkeypatch.setattr("showcase_utils.selection.build.K_RANGE", (2, middle))
    settings = Selection(epochs=1, batch_size=64, profiles=("img",))
    build_selection(tmp_path, city.s1, city.images, city.photos, city.reviews, settings, 0, "cpu", progress=False)
    curves = pd.read_csv(tmp_path / "k_curves.csv")
    assert set(curves["k"]) == {2, middle} and set(curves["samples"]) == {(sizes > middle).sum()}
    assert 0 < (sizes > middle).sum() < len(sizes)


def test_theta_buys_diversity(stage):
    table = pd.read_csv(stage / "trade_off.csv").query("method == 'dpp_learned'").groupby("theta")["diversity"].mean()
    assert table.iloc[0] > table.loc[0.5] >= table.iloc[-1]


def test_same_seed_same_bytes_and_finished_models_are_kept(city, stage, tmp_path):
    again = tmp_path / "again"
    (again / "models").mkdir(parents=True)
    arguments = (city.s1, city.images, city.photos, city.reviews, SETTINGS, 5, "cpu", False)
    build_selection(again, *arguments)
    files = sorted(path.relative_to(stage) for path in stage.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((stage / name).read_bytes() == (again / name).read_bytes() for name in files)
    kept = {path: path.stat().st_mtime_ns for path in again.rglob("model.safetensors")}
    assert len(kept) == 6
    (again / "selected.parquet").unlink()
    build_selection(again, *arguments)
    assert kept == {path: path.stat().st_mtime_ns for path in again.rglob("model.safetensors")}
    assert (again / "selected.parquet").read_bytes() == (stage / "selected.parquet").read_bytes()


def test_choose_gives_short_lists_for_short_pools(pools):
    rows = pools.rows("test")
    most = int(pools.samples["candidates"].iloc[rows].max()) + 2
    model = ProfileModel(pools.features.shape[1], "img", 0.9, 0.5, learn_kernel=True)
    settings = Selection(k=most, profiles=("img",))
    choices = choose(pools, rows, {Method("dpp", "img", 0): model}, settings, 0, progress=False)
    sizes = pools.samples["candidates"].to_numpy()[rows]
    assert {method.name for method, choice in choices.items() if choice.relevance} == {
        "top_k_cosine", "top_k_learned", "dpp",
    }  # fmt: skip
    for method, choice in choices.items():
        assert ((choice.picks >= 0).sum(1) == sizes).all(), method
        if choice.relevance:
            assert [len(values) for values in choice.relevance] == sizes.tolist()
            for values, places in zip(choice.relevance, choice.picks, strict=True):
                falling = np.diff(values[places[places >= 0]]) <= 0
                assert falling.all() or not method.name.startswith("top_k")


def test_models_trained_side_by_side_are_those_trained_one_after_the_other(city, stage, tmp_path):
    alone = SETTINGS.model_copy(update={"jobs": 1})
    build_selection(tmp_path, city.s1, city.images, city.photos, city.reviews, alone, 5, "cpu", progress=False)
    models = sorted(path.relative_to(stage) for path in stage.rglob("model.safetensors"))
    assert len(models) == 6
    assert all((stage / name).read_bytes() == (tmp_path / name).read_bytes() for name in models)


def test_what_learns_nothing_knows_nothing_of_the_trained_kernel(pools):
    rows = pools.rows("test")
    settings = Selection(profiles=("img",))
    found = []
    for sigma in (0.1, 3.0):
        model = ProfileModel(pools.features.shape[1], "img", 0.9, sigma, learn_kernel=True)
        choices = choose(pools, rows, {Method("dpp", "img", 0): model}, settings, 0, progress=False)
        found.append(choices[Method("dpp_untrained", "img")].picks)
    assert (found[0] == found[1]).all()
