from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
import pytest

from showcase_utils.data.filtering import (
    drop_gone_photos,
    drop_rare_users,
    gest_s1,
    history,
    split_users,
    waterfall,
)
from showcase_utils.data.leaks import count_leaks, digests, find_leaks, history_entries, published_entries


def frame(*rows: tuple[str, str, str, list[str]]) -> pd.DataFrame:
    """Reviews from (user, business, text, photos); ids as the reader makes them."""
    seen: dict[str, int] = {}
    ids = []
    for user, business, _, _ in rows:
        base = f"{user}_{business}"
        seen[base] = seen.get(base, 0) + 1
        ids.append(base if seen[base] == 1 else f"{base}_{seen[base]}")
    columns = dict(zip(("user_id", "business_id", "text", "image_ids"), zip(*rows, strict=True), strict=True))
    return pd.DataFrame({"review_id": ids, "rating": 5} | {name: list(values) for name, values in columns.items()})


@pytest.fixture
def city() -> pd.DataFrame:
    return frame(
        ("u1", "b1", "one", ["p1", "gone1"]),
        ("u2", "b1", "single", ["p2"]),
        ("u1", "b2", "two", ["gone2"]),
        ("u3", "b1", "three", ["p3"]),
        ("u3", "b3", "four", ["p4", "p5"]),
    )


AVAILABLE = ["p1", "p2", "p3", "p4", "p5"]


def test_s1_applies_the_rules_once_and_in_the_papers_order(city):
    s1 = gest_s1(city, AVAILABLE)
    assert s1["review_id"].tolist() == ["u1_b1", "u3_b1", "u3_b3"]  # u1 stays with a single review
    assert s1["image_ids"].tolist() == [["p1"], ["p3"], ["p4", "p5"]]
    assert s1.index.tolist() == [0, 1, 2]
    assert city["image_ids"].tolist()[0] == ["p1", "gone1"]  # what was given is not changed
    other_order = drop_rare_users(drop_gone_photos(city, AVAILABLE))
    assert other_order["review_id"].tolist() == ["u3_b1", "u3_b3"]


@pytest.mark.parametrize("container", [list, set, tuple, pd.Series, pd.Index, lambda ids: dict.fromkeys(ids, 1)])
def test_available_ids_may_come_in_any_collection(city, container):
    assert len(gest_s1(city, container(AVAILABLE))) == 3


def test_the_waterfall_adds_up(city):
    table = waterfall(city, AVAILABLE, rejected=7)
    assert table.to_numpy().tolist() == [
        ["rejected while reading", 7, 5, 3, 3, 7],
        ["users with a single review", 1, 4, 2, 3, 6],
        ["reviews whose photos are all gone", 1, 3, 2, 2, 4],
    ]
    assert len(gest_s1(city, AVAILABLE)) == table["reviews"].iloc[-1]
    assert waterfall(city, AVAILABLE, min_reviews_per_user=1)["reviews"].tolist() == [5, 4]


def test_nothing_left_is_still_a_frame(city):
    assert gest_s1(city, []).empty and gest_s1(city.iloc[:0], AVAILABLE).columns.tolist() == city.columns.tolist()


def test_splits_are_stable_and_have_their_sizes():
    users = [str(10**20 + n) for n in range(20_000)]
    splits = split_users(users)
    shares = splits.value_counts(normalize=True)
    # Three standard deviations of a share of 20,000 are below 0.0085.
    assert shares["train"] == pytest.approx(0.8, abs=0.0085)
    assert shares["val"] == pytest.approx(0.1, abs=0.0085)
    assert shares["test"] == pytest.approx(0.1, abs=0.0085)
    later = split_users([*reversed(users), "somebody new", users[0]])
    pd.testing.assert_series_equal(later[users], splits)
    assert later.index.is_unique


def test_splits_are_the_same_on_every_machine():
    splits = split_users([f"user{n}" for n in range(12)])
    assert splits[splits != "train"].to_dict() == {"user1": "val", "user5": "test", "user9": "val"}


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.8, 0.2, 0), (1, -1, 1)])
def test_bad_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="three positive"):
        split_users(["a"], fractions)


def test_fractions_need_not_sum_to_one():
    users = [str(n) for n in range(500)]
    pd.testing.assert_series_equal(split_users(users, (8, 1, 1)), split_users(users, (0.8, 0.1, 0.1)))


def test_history_never_holds_the_target_in_any_guise():
    reviews = frame(
        ("u", "b1", "Great ramen, long wait.", ["p1"]),
        ("u", "b1", "Came back for the ramen.", ["p2"]),  # a repeat visit
        ("u", "b2", "great  RAMEN, long wait.\n", ["p3"]),  # the same words elsewhere
        ("u", "b3", "Fine tacos.", ["p4", "p1"]),  # the same photo elsewhere
        ("u", "b4", "Good coffee.", ["p5"]),
        ("v", "b5", "Somebody else.", ["p6"]),
    )
    known = history(reviews)
    assert known["u_b1"] == ["u_b4"]
    assert known["u_b1_2"] == ["u_b2", "u_b3", "u_b4"]
    assert known["u_b4"] == ["u_b1", "u_b1_2", "u_b2", "u_b3"]
    assert known["v_b5"] == []
    assert known.index.tolist() == reviews["review_id"].tolist()
    assert history(reviews, limit=2)["u_b4"] == ["u_b1", "u_b1_2"]
    assert history(reviews, limit=0)["u_b4"] == []


def slow_history(reviews: pd.DataFrame) -> dict[str, list[str]]:
    found = {}
    for _, target in reviews.iterrows():
        found[target.review_id] = [
            other.review_id
            for _, other in reviews.iterrows()
            if other.user_id == target.user_id
            and other.business_id != target.business_id
            and other.text.lower() != target.text.lower()
            and not set(other.image_ids) & set(target.image_ids)
        ]
    return found


def random_reviews(seed: int, count: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return frame(
        *[
            (f"u{rng.integers(8)}", f"b{rng.integers(6)}", f"Text {rng.integers(40)}", [f"p{rng.integers(60)}"])
            for _ in range(count)
        ]
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_history_against_the_obvious_loop(seed):
    reviews = random_reviews(seed)
    assert history(reviews).to_dict() == slow_history(reviews)


def leaks_of(reviews: pd.DataFrame, histories: pd.Series | pd.DataFrame) -> pd.Series:
    """How many samples each kind of leak touches; ``histories`` as ids, or as entries."""
    texts = digests(reviews["text"])
    entries = histories if isinstance(histories, pd.DataFrame) else history_entries(histories, reviews, texts)
    return count_leaks(find_leaks(reviews, entries, texts)).set_index("leak")["rows"]


def test_our_histories_leak_nothing_of_their_own():
    reviews = random_reviews(2)
    reviews["split"] = reviews["user_id"].map(split_users(reviews["user_id"]))
    found = leaks_of(reviews, history(reviews))
    assert found[["own text in the history", "own business in the history", "own photo in the history"]].sum() == 0
    assert found["user in more than one split"] == 0


def test_each_kind_of_leak_is_counted_by_sample():
    long = "these are more than five words"
    samples = frame(
        ("u1", "b1", long, ["p1"]),
        ("u2", "b2", "short", ["p2"]),
        ("u2", "b3", "another text that is long enough", ["p3"]),
        ("u3", "b4", "nobody reads this text at all", ["p4"]),
    ).assign(split=["train", "val", "test", "train"])
    entries = pd.DataFrame(
        [
            (0, "b9", long.upper() + " ", []),  # own text
            (0, "b1", "x", []),  # own business
            (0, "b1", "y", []),  # own business again: the same sample
            (1, "b8", "z", ["p9", "p2"]),  # own photo
            (1, "b3", "another text that is long enough", []),  # val reads a text of test
            (3, "b7", "short", []),  # too short to be more than chance
        ],
        columns=["sample", "business_id", "text", "image_ids"],
    )
    texts = digests(samples["text"])
    found = count_leaks(find_leaks(samples, digests(entries.pop("text")).join(entries), texts)).set_index("leak")
    assert found["rows"].to_dict() == {
        "own text in the history": 1,
        "own business in the history": 1,
        "own photo in the history": 1,
        "own words in another order in the history": 0,
        "user in more than one split": 2,
        "same text in another split": 0,
        "text in the history of another split": 1,
        "text in another history": 2,
    }
    assert found["share"]["user in more than one split"] == 0.5


def test_leaky_histories_of_ours_would_be_found():
    reviews = frame(("u", "b1", "one", ["p1"]), ("u", "b1", "two", ["p2"]), ("u", "b2", "ONE", ["p2"]))
    everything_else = pd.Series([["u_b1_2", "u_b2"], ["u_b1", "u_b2"], ["u_b1", "u_b1_2"]], index=reviews["review_id"])
    found = leaks_of(reviews, everything_else).tolist()
    assert found == [2, 2, 2, 0, 0, 0, 0, 0]


def test_leaks_of_published_histories():
    samples = frame(("u", "b1", "a text of at least five words", []), ("u", "b2", "other", [])).assign(split="train")
    histories = pd.Series(
        [[["u_b2", "other"], ["u_b1", "second visit"]], [["u_b1", "a text of at least five words"]]],
        index=["u_b1", "u_b2"],
    )
    assert leaks_of(samples, published_entries(histories)).to_dict() == {
        "own text in the history": 0,
        "own business in the history": 1,
        "own photo in the history": 0,
        "own words in another order in the history": 0,
        "user in more than one split": 0,
        "same text in another split": 0,
        "text in the history of another split": 0,
        "text in another history": 1,
    }


def test_leaks_of_samples_without_histories():
    reviews = frame(("u", "b", "text", ["p"]))
    assert leaks_of(reviews, history(reviews)).sum() == 0
    nothing, none = published_entries(pd.Series([], dtype="object")), reviews.iloc[:0]
    assert count_leaks(find_leaks(none, nothing, digests([])))["share"].tolist() == [0.0] * 8


TARGET = "Great café, loved the ramen here!"


@pytest.mark.parametrize(
    "copy",
    [
        unicodedata.normalize("NFD", TARGET),
        "GREAT CAFÉ loved the ramen here",
        "Great\u200b café, loved  the ramen\nhere!!",
        f"(Translated by Google) {TARGET} (Original) ラーメンが最高でした",
        f"(Translated by Google) The ramen was the best. (Original) {TARGET}",
    ],
)
def test_a_copy_of_the_target_is_in_no_history_however_it_is_written(copy):
    reviews = frame(
        ("u", "b1", TARGET, ["p1"]), ("u", "b2", copy, ["p2"]), ("u", "b3", "Great café, dull ramen", ["p3"])
    )
    known = history(reviews)
    assert known["u_b1"] == ["u_b3"] and known["u_b2"] == ["u_b3"] and known["u_b3"] == ["u_b1", "u_b2"]
    leaky = pd.Series([["u_b2"], [], []], index=reviews["review_id"])  # the check has ways of its own
    assert leaks_of(reviews, leaky)["own text in the history"] == 1


def test_reviews_hang_together_by_photos_that_are_gone_too():
    reviews = frame(("u", "b1", "one evening", ["p1"]), ("u", "b2", "another evening", ["p2"]))
    assert history(reviews)["u_b1"] == ["u_b2"]
    reviews["gone_ids"] = [["p9"], ["p8", "p9"]]
    assert history(reviews)["u_b1"] == [] and history(reviews)["u_b2"] == []
    leaky = pd.Series([["u_b2"], []], index=reviews["review_id"])
    assert leaks_of(reviews, leaky)["own photo in the history"] == 1


def test_the_same_text_in_two_splits_is_counted():
    long = "a text of at least five words"
    reviews = frame(("u1", "b", long, ["p1"]), ("u2", "b", long.upper(), ["p2"]), ("u3", "b", "short", ["p3"]))
    reviews["split"] = ["train", "test", "val"]
    found = leaks_of(reviews, history(reviews))
    assert found["same text in another split"] == 2
