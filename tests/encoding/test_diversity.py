from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from showcase_utils.encoding.diversity import diversity_claim, diversity_pairs, diversity_summary

DIM = 16


class Table(dict):
    """A feature store in memory."""

    ids = property(lambda self: list(self))

    def __getitem__(self, ids: pd.Series) -> np.ndarray:
        return np.stack([super(Table, self).__getitem__(key) for key in ids])


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
        assert (owner.loc[intra["image_a"], column].to_numpy() == intra["group"]).all()
        assert (owner.loc[intra["image_b"], column].to_numpy() == intra["group"]).all()
        assert (owner.loc[inter["image_a"], column].to_numpy() != owner.loc[inter["image_b"], column].to_numpy()).all()
        assert intra["group"].nunique() > 10
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
    claim = diversity_claim(pairs[~pairs["same_review"]], seed=0, resamples=300)
    for name, strength in (("business", business), ("user", user)):
        row = claim.loc[name]
        assert row["low"] < row["difference"] < row["high"]
        if strength:
            assert row["reproduced"] and row["difference"] > 0.3 and row["inter_is_farther"] > 0.7
        else:
            assert abs(row["difference"]) < 0.12 and abs(row["inter_is_farther"] - 0.5) < 0.1
    summary = diversity_summary(pairs, seed=0, resamples=300)
    assert summary.index.tolist() == ["intra business", "inter business", "intra user", "inter user"]
    assert ((summary["low"] < summary["mean"]) & (summary["mean"] < summary["high"])).all()
    assert summary.loc["intra user", "mean"] == pytest.approx(
        pairs.loc[pairs["kind"] == "intra user", "distance"].mean()
    )


def test_pairs_of_one_group_come_and_go_together() -> None:
    """Two groups at opposite ends: the mean of a resample by group is one of three values."""
    pairs = pd.DataFrame({"kind": "intra user", "group": ["a"] * 50 + ["b"] * 50, "distance": [0.0] * 50 + [1.0] * 50})
    wide = diversity_summary(pairs, seed=0, resamples=200).loc["intra user"]
    assert (wide["low"], wide["mean"], wide["high"]) == (0, 0.5, 1)
    narrow = diversity_summary(pairs.assign(group=""), seed=0, resamples=200).loc["intra user"]
    assert 0.35 < narrow["low"] < narrow["high"] < 0.65


def test_groups_without_pairs_are_an_error() -> None:
    reviews, photos = city(1, 1)
    with pytest.raises(ValueError, match="two business groups"):
        diversity_pairs(reviews.assign(business_id="b"), photos, pairs=5, seed=0)
    lonely = reviews.assign(
        user_id=[f"u{i}" for i in range(len(reviews))], image_ids=[[i[0]] for i in reviews["image_ids"]]
    )
    with pytest.raises(ValueError, match="two user groups, and one with two photos"):
        diversity_pairs(lonely, photos, pairs=5, seed=0)
