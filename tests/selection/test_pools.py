"""Pools: who is a candidate, who is relevant, and what must not leak."""

import numpy as np
import pytest
import torch

from showcase_utils.selection.pools import PoolBatch, build_pools


def test_candidates_are_the_photos_of_the_business(city, pools):
    posted = city.s1.explode("image_ids")
    for row in pools.rows("test"):
        sample = pools.samples.iloc[row]
        expected = sorted(posted.loc[posted["business_id"] == sample["business_id"], "image_ids"])
        assert pools.ids(row, np.arange(sample["candidates"])) == expected
        own = posted.loc[posted["review_id"] == sample["review_id"], "image_ids"]
        assert set(pools.ids(row, pools.relevant[row])) == set(own)


def test_training_pools_hold_no_photo_of_another_split(city, pools):
    held_out = set(city.s1[city.s1["split"] != "train"].explode("image_ids")["image_ids"])
    rows = pools.rows("train")
    assert len(rows) == (city.s1["split"] == "train").sum()
    for row in rows:
        assert held_out.isdisjoint(pools.ids(row, np.arange(len(pools.candidates[row]))))


def test_history_is_of_other_businesses_only(city, pools):
    business = dict(zip(city.images["image_id"], city.images["business_id"], strict=True))
    reviews = city.s1.set_index("review_id")
    for row, sample in enumerate(pools.samples.itertuples()):
        past = [business[i] for i in pools.photo_ids[pools.history_photos[row]]]
        assert sample.business_id not in past and len(past) == sample.history_photos > 0
        others = reviews[(reviews["user_id"] == sample.user_id) & (reviews["business_id"] != sample.business_id)]
        assert pools.text_ids[pools.history_texts[row]].tolist() == others.index.tolist()
        np.testing.assert_array_equal(pools.texts[pools.history_texts[row]], city.reviews[others.index.tolist()])
        images = [i for ids in others["image_ids"] for i in sorted(ids)][:10]
        assert pools.photo_ids[pools.history_photos[row]].tolist() == images
        batch = pools.batch([row])
        np.testing.assert_allclose(batch.image_profile[0], city.photos[images].mean(0), atol=1e-6)
        np.testing.assert_allclose(batch.text_profile[0], city.reviews[others.index.tolist()].mean(0), atol=1e-6)


def test_a_repeat_visit_and_a_shared_photo_do_not_leak(city):
    s1 = city.s1.copy()
    first = s1.iloc[0]
    other = s1.index[(s1["user_id"] == first["user_id"]) & (s1["business_id"] != first["business_id"])][0]
    s1.at[other, "image_ids"] = [*s1.at[other, "image_ids"], first["image_ids"][0]]
    again = first.copy()
    again["review_id"], again["image_ids"] = f"{first['review_id']}_2", [first["image_ids"][0]]
    s1.loc[len(s1)] = again
    pools = city.pools(s1=s1)
    for review_id in (first["review_id"], again["review_id"]):
        row = pools.row(review_id)
        assert first["image_ids"][0] not in pools.photo_ids[pools.history_photos[row]]


def test_unknown_users_have_zero_profiles(city):
    one = city.s1.groupby("user_id").head(1)
    lonely = city.pools(s1=one)
    assert (lonely.samples["history"] == 0).all()
    batch = lonely.batch(lonely.rows("test"))
    assert batch.past_photos.shape[1] == 0 and not batch.image_profile.any() and not batch.text_profile.any()


def test_limit_bounds_the_profile(city):
    few = city.pools(limit=1)
    assert few.samples["history"].max() == 1 and few.samples["history_photos"].max() == 1


def test_photos_that_are_gone_or_not_encoded_are_left_out_and_counted(city):
    images = city.images.copy()
    images.loc[0, "status"] = "expired"
    lost = images.loc[1, "image_id"]
    photos = type(city.photos)({i: row for i, row in city.photos.items() if i != lost})
    pools = city.pools(images=images, photos=photos)
    assert pools.left_out["photos not available"] == 1 and pools.left_out["photos without features"] == 1
    assert {images.loc[0, "image_id"], lost}.isdisjoint(pools.photo_ids)
    images["status"] = "expired"
    with pytest.raises(ValueError, match="no review"):
        city.pools(images=images, photos=photos)


def test_batches_pad_and_chunks_bound_the_memory(pools):
    rows = np.arange(len(pools.samples))
    chunks = list(pools.chunks(rows, cells=10_000))
    assert sorted(np.concatenate(chunks)) == rows.tolist()
    for chunk in chunks:
        batch = pools.batch(chunk)
        assert batch.present.shape[1] ** 2 * len(chunk) <= 10_000
        for place, row in enumerate(chunk):
            size = len(pools.candidates[row])
            assert batch.present[place].sum() == size
            np.testing.assert_array_equal(batch.features[place, :size], pools.features[pools.candidates[row]])
            assert batch.chosen[place].nonzero().flatten().tolist() == sorted(pools.relevant[row])


def test_distinct_rows_stand_for_all_with_the_same_candidates(pools):
    rows = np.concatenate([pools.rows("test"), pools.rows("train")[::-1]])
    one_of_each, alike = pools.distinct(rows)
    for row, place in zip(rows, alike, strict=True):
        np.testing.assert_array_equal(pools.candidates[row], pools.candidates[one_of_each[place]])
    assert len(one_of_each) == 20 < len(rows)  # ten places, of whose photos training users see only their own


def test_missing_columns_and_reviews_are_named(city, pools):
    with pytest.raises(ValueError, match="split"):
        build_pools(city.s1.drop(columns="split"), city.images, {}, city.photos, city.reviews, 10)
    with pytest.raises(KeyError, match="nobody"):
        pools.row("nobody")


def test_a_whole_pool_has_the_photos_of_every_split(city, pools):
    whole = pools.whole()
    for row in pools.rows("train")[:20]:
        posted = city.s1[city.s1["business_id"] == pools.samples["business_id"][row]].explode("image_ids")
        assert whole.ids(row, np.arange(len(whole.candidates[row]))) == sorted(posted["image_ids"])
        assert whole.ids(row, whole.relevant[row]) == pools.ids(row, pools.relevant[row])


def test_a_narrowed_pool_keeps_the_own_photos_and_draws_from_the_others(pools):
    most = int(pools.samples["candidates"].median())
    narrow, again, other = (pools.narrowed(most, seed) for seed in (0, 0, 1))
    large = np.flatnonzero(pools.samples["candidates"] > most)
    assert 0 < len(large) < len(pools.samples)
    for row in range(len(pools.samples)):
        everything = np.arange(len(narrow.candidates[row]))
        assert narrow.ids(row, narrow.relevant[row]) == pools.ids(row, pools.relevant[row])
        assert narrow.samples["candidates"][row] == len(everything) == min(most, pools.samples["candidates"][row])
        assert set(narrow.candidates[row]) <= set(pools.candidates[row])
        assert narrow.ids(row, everything) == sorted(narrow.ids(row, everything)) == again.ids(row, everything)
    assert any(set(narrow.candidates[row]) != set(other.candidates[row]) for row in large)
    assert pools.narrowed(1, 0).samples["candidates"].tolist() == pools.samples["relevant"].tolist()


def test_a_batch_of_anybody_s_features_is_that_of_the_pools(pools):
    rows = pools.rows("test")[:5]
    known = pools.batch(rows)
    anybody = PoolBatch.of(
        [pools.features[pools.candidates[row]] for row in rows],
        [pools.features[pools.history_photos[row]] for row in rows],
        [pools.texts[pools.history_texts[row]] for row in rows],
    )
    there = known.present
    assert torch.equal(anybody.present, there) and not anybody.chosen.any()
    assert torch.equal(anybody.features[there], known.features[there])
    assert torch.equal(anybody.image_profile, known.image_profile)
    assert torch.equal(anybody.text_profile, known.text_profile)
