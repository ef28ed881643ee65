"""Tables: means over seeds and users, intervals with the right coverage, verdicts."""

import numpy as np
import pandas as pd
import pytest

from showcase_utils.selection import tables
from showcase_utils.statistics.resampling import group_weights


def _scores(effect: float = 0.0, users: int = 120, seed: int = 0) -> pd.DataFrame:
    """Two reviews per user; a user's two samples share most of their noise."""
    rng = np.random.default_rng(seed)
    rows = []
    for split in ("val", "test"):
        for user in range(users):
            shared = rng.normal(0, 0.2)
            for visit in range(2):
                base = rng.uniform(0, 1)
                for method, profile, shift in [
                    ("dpp", "img+text", effect + shared),
                    ("random", "none", 0),
                    ("k_medoids", "none", -0.1),
                ]:
                    rows.append(
                        {"method": method, "profile": profile, "seed": 0, "split": split, "evaluable": visit < 2}
                        | {"review_id": f"{split}{user}_{visit}", "user_id": f"{split}{user}"}
                        | {"candidates": 5 + 40 * visit, "history": visit}
                        | dict.fromkeys(tables.METRICS, base + shift)
                    )
    return pd.DataFrame(rows)


def test_method_table_averages_seeds_then_samples():
    scores = _scores()
    twice = pd.concat([scores, scores.assign(seed=1, f1=scores["f1"] + 0.2)])
    table = tables.method_table(tables.evaluable(twice), rounds=50)
    expected = tables.evaluable(scores).groupby(["method", "profile"])["f1"].mean() + 0.1
    pd.testing.assert_series_equal(table["f1"].sort_index(), expected.sort_index())
    assert (table["samples"] == 240).all() and table["f1"].is_monotonic_decreasing
    assert ((table["f1_low"] < table["f1"]) & (table["f1"] < table["f1_high"])).all()


def test_intervals_are_those_of_the_users_written_out_and_follow_the_confidence():
    scores = tables.evaluable(_scores(users=30))
    scores.loc[(scores["method"] == "dpp") & (scores["history"] == 0), "auc"] = np.nan
    wide, narrow = (tables.method_table(scores, rounds=200, confidence=c, seed=3) for c in (0.95, 0.5))
    mine = scores[scores["method"] == "dpp"].groupby("user_id")["auc"].mean()
    drawn = np.concatenate(list(group_weights(30, 200, np.random.default_rng(3)))) @ mine.to_numpy() / 30
    for table, tail in ((wide, 2.5), (narrow, 25)):
        found = table.loc[("dpp", "img+text"), ["auc_low", "auc_high"]]
        assert found.to_numpy(float) == pytest.approx(np.percentile(drawn, [tail, 100 - tail]))
    names = ("dpp", "img+text"), ("random", "none"), "f1"
    one, other = (tables.paired_difference(scores, *names, rounds=200, confidence=c) for c in (0.95, 0.5))
    assert one["low"] < other["low"] < other["high"] < one["high"]


def test_labels_follow_k_and_sameness_joins_the_table():
    same = pd.DataFrame({"method": "dpp", "profile": "img+text", "seed": [0, 1], "top_set": [0.2, 0.4], "overlap": 0.1})
    table = tables.method_table(tables.evaluable(_scores()), rounds=20, sameness=same).rename(columns=tables.labels(5))
    assert {"P@5", "R@5", "F1@5", "F1@5 low", "Div@5", "AUC", "AUC high", "top set", "overlap"} <= set(table.columns)
    assert table.loc[("dpp", "img+text"), "top set"] == pytest.approx(0.3)
    assert table["top set"].isna().sum() == 2  # of the methods that it does not know


def test_times_chance_has_an_interval():
    scores = _scores(0.3).assign(chance=0.5)
    table = tables.over_chance(scores, rounds=200)
    mean = tables.evaluable(scores).groupby(["method", "profile"])["f1"].mean()
    assert table.index[0] == ("dpp", "img+text") and table["over chance"].iloc[0] == pytest.approx(mean.max() / 0.5)
    assert (table["low"] < table["over chance"]).all() and (table["over chance"] < table["high"]).all()


def test_dose_rows_are_one_per_method_and_metric():
    rows = tables.dose_rows(_scores(0.3).assign(chance=0.5), 2.0, rounds=50)
    assert rows.groupby("metric")["method"].agg(set).to_dict() == {
        "AUC": {"dpp", "random", "k_medoids"},
        "F1, times chance": {"dpp", "random", "k_medoids"},
    }
    assert (
        (rows["strength"] == 2).all() and (rows["low"] < rows["value"]).all() and (rows["value"] < rows["high"]).all()
    )


def test_only_evaluable_samples_of_the_split_count():
    scores = _scores()
    scores.loc[scores["review_id"] == "test3_0", "evaluable"] = False
    kept = tables.evaluable(scores)
    assert set(kept["split"]) == {"test"} and "test3_0" not in set(kept["review_id"])


@pytest.mark.slow
def test_intervals_cover_at_their_rate_although_a_user_s_samples_hang_together():
    covered = 0
    for seed in range(100):
        scores = tables.evaluable(_scores(effect=0.1, users=60, seed=seed))
        row = tables.paired_difference(scores, ("dpp", "img+text"), ("random", "none"), "f1", rounds=300, seed=seed)
        covered += row["low"] <= 0.1 <= row["high"]
    assert 88 <= covered <= 99  # resampling reviews instead of users covers about 83 of 100


def test_paired_difference_names_what_is_missing():
    scores = tables.evaluable(_scores())
    with pytest.raises(ValueError, match="'elvis'"):
        tables.paired_difference(scores, ("elvis", "img"), ("random", "none"), "f1")
    scores.loc[scores["method"] == "random", "diversity"] = np.nan
    with pytest.raises(ValueError, match="share no sample"):
        tables.paired_difference(scores, ("dpp", "img+text"), ("random", "none"), "diversity")


def test_the_best_baselines_are_picked_on_validation():
    scores = _scores(0.2)
    better_on_test = (scores["method"] == "k_medoids") & (scores["split"] == "test")
    scores.loc[better_on_test, list(tables.METRICS)] += 0.15
    learned = scores[scores["method"] == "random"].assign(method="bpr", profile="img+text")
    learned["f1"] += 0.05
    result = tables.against_best_baselines(pd.concat([scores, learned]), rounds=100)
    assert result["opponent"].to_dict() == {
        ("dpp", "img+text", "learns nothing"): "random none",
        ("dpp", "img+text", "any other"): "bpr img+text",
    }
    assert result["difference"].to_numpy() == pytest.approx([0.2, 0.15], abs=0.06)


def test_strata_by_pool_and_user():
    scores = tables.with_strata(_scores())
    assert scores.groupby("history", observed=True)["user"].first().tolist() == ["none", "cold"]
    assert scores.groupby("candidates", observed=True)["pool"].first().tolist() == ["1–10", "41–80"]
    table = tables.method_table(tables.evaluable(scores), by=["pool"], rounds=20)
    assert table.loc[("dpp", "img+text"), "samples"].tolist() == [120, 120]


def test_strata_have_their_difference_to_chance():
    scores = _scores(0.2)
    scores.loc[(scores["method"] == "dpp") & (scores["history"] == 0), "f1"] -= 0.2
    table = tables.strata_table(scores, "user", [("dpp", "img+text"), ("random", "none")], rounds=200)
    assert table.index.tolist() == [(u, m) for u in ("none", "cold") for m in ("dpp img+text", "random")]
    assert (table["samples"] == 120).all() and (table.xs("random", level=1)["f1 − random"] == 0).all()
    cold, none = table.loc[("cold", "dpp img+text")], table.loc[("none", "dpp img+text")]
    assert cold["low"] > 0.1 and none["low"] < 0 < none["high"]
    assert cold["recall"] - table.loc[("cold", "random"), "recall"] == pytest.approx(cold["f1 − random"])
