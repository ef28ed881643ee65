"""Tables: means over seeds and users, intervals with the right coverage, verdicts."""

import numpy as np
import pandas as pd
import pytest

from showcase_utils.selection import tables


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
    table = tables.method_table(tables.evaluable(twice), draws=50)
    expected = tables.evaluable(scores).groupby(["method", "profile"])["f1"].mean() + 0.1
    pd.testing.assert_series_equal(table["f1"].sort_index(), expected.sort_index())
    assert (table["samples"] == 240).all() and table["f1"].is_monotonic_decreasing
    assert ((table["f1_low"] < table["f1"]) & (table["f1"] < table["f1_high"])).all()


def test_only_evaluable_samples_of_the_split_count():
    scores = _scores()
    scores.loc[scores["review_id"] == "test3_0", "evaluable"] = False
    kept = tables.evaluable(scores)
    assert set(kept["split"]) == {"test"} and "test3_0" not in set(kept["review_id"])


def test_intervals_cover_at_their_rate_although_a_user_s_samples_hang_together():
    covered = 0
    for seed in range(100):
        scores = tables.evaluable(_scores(effect=0.1, users=60, seed=seed))
        row = tables.paired_difference(scores, ("dpp", "img+text"), ("random", "none"), "f1", draws=300, seed=seed)
        covered += row["low"] <= 0.1 <= row["high"]
    assert 88 <= covered <= 99  # resampling reviews instead of users covers about 83 of 100


def test_paired_difference_names_what_is_missing():
    scores = tables.evaluable(_scores())
    with pytest.raises(ValueError, match="'elvis'"):
        tables.paired_difference(scores, ("elvis", "img"), ("random", "none"), "f1")
    scores.loc[scores["method"] == "random", "diversity"] = np.nan
    with pytest.raises(ValueError, match="share no sample"):
        tables.paired_difference(scores, ("dpp", "img+text"), ("random", "none"), "diversity")


@pytest.mark.parametrize(("effect", "verdict"), [(0.2, "reproduced"), (-0.2, "contradicted"), (0.0, "undecided")])
def test_claim_one_says_what_came_out(effect, verdict):
    table = tables.claim_one(_scores(effect), draws=200)
    assert table["claim"].tolist() == ["personalised beats random"]
    assert table["verdict"].tolist() == [verdict]


def test_the_best_baseline_is_picked_on_validation():
    scores = _scores(0.2)
    better_on_test = (scores["method"] == "k_medoids") & (scores["split"] == "test")
    scores.loc[better_on_test, list(tables.METRICS)] += 0.15
    result = tables.against_best_baseline(scores, ("dpp", "img+text"), draws=100)
    assert (result["baseline"] == "random none").all()
    assert result["difference"].astype(float).to_numpy() == pytest.approx(0.2, abs=0.06)


def test_strata_by_pool_and_user():
    scores = tables.with_strata(_scores())
    assert scores.groupby("history", observed=True)["user"].first().tolist() == ["none", "cold"]
    assert scores.groupby("candidates", observed=True)["pool"].first().tolist() == ["1–10", "41–80"]
    table = tables.method_table(tables.evaluable(scores), by=["pool"], draws=20)
    assert table.loc[("dpp", "img+text"), "samples"].tolist() == [120, 120]
