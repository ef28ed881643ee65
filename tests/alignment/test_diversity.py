from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment import diversity
from showcase_utils.alignment.diversity import diversity_differences, diversity_means, diversity_pairs
from showcase_utils.statistics.resampling import group_weights

DIM = 16


class Table(dict):
    """A feature store in memory."""

    ids = property(lambda self: list(self))

    def __getitem__(self, ids: pd.Series) -> np.ndarray:
        return np.array([super(Table, self).__getitem__(key) for key in ids]).reshape(len(ids), DIM)


def city(business: float, user: float, seed: int = 0) -> tuple[pd.DataFrame, Table]:
    """Photos = noise + a direction of their business + one of their user, of the given strengths."""
    rng = np.random.default_rng(seed)
    businesses, users = rng.normal(size=(12, DIM)), rng.normal(size=(30, DIM))
    rows, photos = [], Table()
    for number in range(150):
        b, u = rng.integers(12), rng.integers(30)
        ids = [f"p{number}_{i}" for i in range(rng.integers(1, 4))]
        rows.append((f"r{number}", f"u{u:02}", f"b{b:02}", ids))
        for key in ids:
            row = business * businesses[b] + user * users[u] + rng.normal(size=DIM)
            photos[key] = (row / np.linalg.norm(row)).astype(np.float32)
    return pd.DataFrame(rows, columns=["review_id", "user_id", "business_id", "image_ids"]), photos


def test_pairs_are_of_the_kind_they_claim_to_be() -> None:
    reviews, photos = city(1, 1)
    pairs = diversity_pairs(reviews, photos, pairs=300, seed=0)
    owner = reviews.explode("image_ids").set_index("image_ids")
    assert pairs["kind"].value_counts().to_dict() == dict.fromkeys(
        ["intra business", "inter business", "intra user", "inter user"], 300
    )
    for kind, column in (("business", "business_id"), ("user", "user_id")):
        intra, inter = pairs[pairs["kind"] == f"intra {kind}"], pairs[pairs["kind"] == f"inter {kind}"]
        assert (intra["image_a"] != intra["image_b"]).all()
        assert (owner.loc[intra["image_a"], column].to_numpy() == intra["group_a"]).all()
        assert (intra["group_a"] == intra["group_b"]).all()
        for side in "ab":
            assert (owner.loc[inter[f"image_{side}"], column].to_numpy() == inter[f"group_{side}"]).all()
        assert (owner.loc[inter["image_a"], column].to_numpy() != owner.loc[inter["image_b"], column].to_numpy()).all()
        assert intra["group_a"].nunique() > 10
    same = owner.loc[pairs["image_a"], "review_id"].to_numpy() == owner.loc[pairs["image_b"], "review_id"].to_numpy()
    assert (pairs["same_review"] == same).all() and 0 < same.sum() < 600
    slow = [1 - float(photos[[a]][0] @ photos[[b]][0]) for a, b in zip(pairs["image_a"], pairs["image_b"], strict=True)]
    np.testing.assert_allclose(pairs["distance"], slow, atol=1e-6)


def test_pairs_depend_on_the_seed_only() -> None:
    reviews, photos = city(1, 1)
    first = diversity_pairs(reviews, photos, pairs=50, seed=0)
    pd.testing.assert_frame_equal(first, diversity_pairs(reviews.copy(), photos, pairs=50, seed=0))
    assert not first["image_a"].equals(diversity_pairs(reviews, photos, pairs=50, seed=1)["image_a"])


@pytest.mark.parametrize(("business", "user"), [(1.5, 0), (0, 1.5), (0, 0)])
def test_the_claim_holds_where_photos_have_something_in_common(business: float, user: float) -> None:
    pairs = diversity_pairs(*city(business, user), pairs=2000, seed=0)
    claim = diversity_differences(pairs, seed=0, resamples=300)
    claim = claim[claim["reviews"] == "different"].set_index("groups")
    for name, strength in (("business", business), ("user", user)):
        row = claim.loc[name]
        assert row["low"] < row["difference"] < row["high"]
        if strength:
            assert row["reproduced"] and row["difference"] > 0.3 and row["inter_is_farther"] > 0.7
        else:
            assert abs(row["difference"]) < 0.12 and abs(row["inter_is_farther"] - 0.5) < 0.1
    summary = diversity_means(pairs, seed=0, resamples=300).set_index("kind")
    assert summary.index.tolist() == ["intra business", "inter business", "intra user", "inter user"]
    assert ((summary["low"] < summary["mean"]) & (summary["mean"] < summary["high"])).all()
    assert summary.loc["intra user", "mean"] == pytest.approx(
        pairs.loc[pairs["kind"] == "intra user", "distance"].mean()
    )


def test_pairs_of_one_group_come_and_go_together() -> None:
    """Two groups at opposite ends: the mean of a resample by group is one of three values."""
    group = np.repeat(["a", "b"], 50)
    pairs = pd.DataFrame({"group_a": group, "group_b": group, "distance": np.repeat([0.0, 1.0], 50)})
    both = pd.concat([pairs.assign(kind="intra business"), pairs.assign(kind="intra user")])
    summary = diversity_means(both, seed=0, resamples=200)
    assert summary[["low", "mean", "high"]].values.tolist() == [[0, 0.5, 1]] * 2


def test_means_are_those_of_the_drawn_groups_written_out() -> None:
    """A pair between two groups comes as often as one is drawn times as often as the other is; both kinds at once."""
    pairs = diversity_pairs(*city(1, 1), pairs=60, seed=0)
    rng, drawn = np.random.default_rng(3), []
    groups = pd.factorize(pd.concat([pairs.loc[:119, "group_a"], pairs.loc[:119, "group_b"]]))[1]
    for weights in group_weights(len(groups), 150, np.random.default_rng(3)):
        drawn += [dict(zip(groups, row, strict=True)) for row in weights.tolist()]
    means = diversity._means(pairs, "business", rng, 150)
    for kind in ("intra business", "inter business"):
        slow = []
        for times in drawn:
            written = []
            for row in pairs[pairs["kind"] == kind].itertuples():
                both = times[row.group_b] if kind.startswith("inter") else 1
                written += [row.distance] * (times[row.group_a] * both)
            slow.append(np.mean(written))
        np.testing.assert_allclose(means[kind], slow)


def same_world(seed: int, businesses: int = 25, photos_of_each: int = 2) -> tuple[pd.DataFrame, Table]:
    """A city in which nothing but chance makes the photos of one business, or of one user, alike."""
    rng = np.random.default_rng(seed)
    photos, rows = Table(), []
    for number in range(businesses * photos_of_each):
        row = rng.normal(size=DIM) + np.eye(DIM)[0] * 1.5  # what all photos share, some more and some less
        photos[f"p{number}"] = (row / np.linalg.norm(row)).astype(np.float32)
        business, user = number % businesses, 7 * number % 24
        rows.append((f"r{number}", f"u{user:02}", f"b{business:02}", [f"p{number}"]))
    return pd.DataFrame(rows, columns=["review_id", "user_id", "business_id", "image_ids"]), photos


@pytest.mark.slow
def test_where_there_is_no_difference_the_interval_says_so_19_times_in_20() -> None:
    """Over 100 worlds; a count of hits at 95 % has a standard deviation of 2.2. Pair by pair, means hit 65 % only."""
    tables = []
    for seed in range(100):
        pairs = diversity_pairs(*same_world(seed), pairs=300, seed=seed)
        pairs = pairs[pairs["kind"].str.endswith("business")]  # users have their own, by the same code
        claim, means = diversity_differences(pairs, seed, 200), diversity_means(pairs, seed, 200).set_index("kind")
        assert (claim["reproduced"] == (claim["low"] > 0)).all()
        tables.append(pd.concat([claim.iloc[0], means.loc["inter business"].add_prefix("inter_")]))
    table = pd.DataFrame(tables)
    hits = ((table["low"] <= 0) & (0 <= table["high"])).sum()
    assert 95 - 4 * 2.2 < hits <= 100
    assert table["reproduced"].sum() < 2.5 + 4 * 1.6  # one side of the interval: 2.5 of 100
    truth = table["inter_mean"].mean()
    assert ((table["inter_low"] <= truth) & (truth <= table["inter_high"])).sum() > 95 - 4 * 2.2


def test_claim_2_can_come_out_as_not_reproduced() -> None:
    claim = diversity_differences(diversity_pairs(*same_world(2), pairs=300, seed=2), seed=2, resamples=300)
    assert not claim["reproduced"].any() and (claim["low"] < 0).all()


def test_pairs_of_one_review_are_left_out_of_the_second_reading() -> None:
    """Photos of one visit are alike here, and nothing else is: the difference for users is gone without them."""
    rng, photos, rows = np.random.default_rng(0), Table(), []
    for number in range(120):
        visit, ids = rng.normal(size=DIM), [f"p{number}_{i}" for i in range(2)]
        rows.append((f"r{number}", f"u{number % 40:02}", f"b{number % 30:02}", ids))
        for key in ids:
            row = 2 * visit + rng.normal(size=DIM)
            photos[key] = (row / np.linalg.norm(row)).astype(np.float32)
    reviews = pd.DataFrame(rows, columns=["review_id", "user_id", "business_id", "image_ids"])
    table = diversity_differences(diversity_pairs(reviews, photos, pairs=1000, seed=0), seed=0, resamples=200)
    difference = table.set_index(["groups", "reviews"])["difference"]
    assert difference["user", "any"] > 0.1 and abs(difference["user", "different"]) < 0.08


def test_groupings_without_pairs_have_no_rows() -> None:
    reviews, photos = city(1, 1)
    one = diversity_pairs(reviews.assign(business_id="b"), photos, pairs=5, seed=0)
    assert set(one["kind"]) == {"intra user", "inter user"}
    lonely = reviews.assign(
        user_id=[f"u{i}" for i in range(len(reviews))], image_ids=[[i[0]] for i in reviews["image_ids"]]
    )
    assert set(diversity_pairs(lonely, photos, pairs=5, seed=0)["kind"]) == {"intra business", "inter business"}
    nothing = diversity_pairs(lonely.assign(business_id="b"), photos, pairs=5, seed=0)
    assert nothing.empty and diversity_means(nothing, seed=0).empty and diversity_differences(nothing, seed=0).empty
