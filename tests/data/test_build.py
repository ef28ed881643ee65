from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from showcase_utils.artifacts import MANIFEST, Artifacts, BuildContext, StaleStage
from showcase_utils.config import Data, Download, load_settings
from showcase_utils.data.build import build_data, write_data
from showcase_utils.data.filtering import history, split_users
from showcase_utils.data.frames import load_histories, load_images, load_reviews, load_s1, save_reviews
from showcase_utils.data.gest import photos_named, read_reviews
from showcase_utils.data.statistics import counts, table_one, table_one_of
from showcase_utils.demo_world.truth import load_truth
from showcase_utils.photos.folder import PhotoFolder
from showcase_utils.photos.store import PhotoStore


@pytest.fixture(scope="module")
def told(demo) -> pd.DataFrame:
    """What the world knows of its reviews that have words: one row each, with the photos that are alive."""
    truth = load_truth(demo[0])
    written = truth.sentences[["review_id", "visit"]].drop_duplicates()
    photos = truth.photos.merge(written, on=["review_id", "visit"])
    return photos.groupby(["user_id", "business_id", "visit"])[["image_id", "alive"]].agg(list).reset_index()


def test_table_one_of_the_demo_world_is_the_worlds_own(demo, told):
    raw = table_one(load_reviews(demo[1] / "reviews.parquet"))
    sentences = load_truth(demo[0]).sentences
    assert raw.to_dict() == {
        "images": told["image_id"].map(len).sum(),
        "reviews": len(told),
        "users": told["user_id"].nunique(),
        "businesses": told["business_id"].nunique(),
        "mean_review_length": pytest.approx(sentences["sentence"].str.split().map(len).sum() / len(told)),
    }
    pd.testing.assert_series_equal(table_one_of(counts(demo[1] / "reviews.parquet")), raw)


def test_s1_of_the_demo_world_is_what_the_world_says(demo, told):
    several = told[told["user_id"].map(told["user_id"].value_counts()) > 1]
    alive = several[several["alive"].map(any)]
    s1 = load_reviews(demo[1] / "s1.parquet")
    assert table_one(s1)[["images", "reviews", "users", "businesses"]].tolist() == [
        alive["alive"].map(sum).sum(),
        len(alive),
        alive["user_id"].nunique(),
        alive["business_id"].nunique(),
    ]
    cascade = pd.read_csv(demo[1] / "waterfall.csv")
    assert cascade["dropped"].tolist()[1:] == [len(told) - len(several), len(several) - len(alive)]
    assert cascade["dropped"][0] == len(pd.read_parquet(demo[1] / "rejects.parquet"))


def test_rejects_of_the_demo_world_are_the_faults_that_it_put_in(demo):
    faults = load_truth(demo[0]).rows["fault"].value_counts()
    rejects = pd.read_parquet(demo[1] / "rejects.parquet")["reason"].value_counts()
    assert rejects.to_dict() == {
        "duplicate row": faults["again"],
        "no text": faults["no words"],
        "not valid JSON": faults["cut off"],
        "no user_id": faults["no user"],
        "rating is not 1 to 5": faults["no stars"],
    }


def test_what_is_counted_of_the_demo_world_is_what_it_wrote(demo):
    rows = load_truth(demo[0]).rows
    good = rows[rows["fault"] == ""]
    expected = {
        "rating": good["rating"],
        "words per review": good["words"],
        "photos per review": good["photos"],
        "reviews per user": good["user_id"].value_counts(),
        "photos per business": good.groupby("business_id")["photos"].sum(),
    }
    found = counts(demo[1] / "reviews.parquet").set_index("quantity")
    for quantity, values in expected.items():
        table = found.loc[quantity].set_index("value")["times"].to_dict()
        assert table == values.value_counts().to_dict(), quantity


def test_the_rules_leave_of_the_demo_world_what_it_knows_step_by_step(demo, told):
    several = told[told["user_id"].map(told["user_id"].value_counts()) > 1]
    left = several[several["alive"].map(any)]
    cascade = pd.read_csv(demo[1] / "waterfall.csv")
    for place, step in enumerate((told, several, left)):
        photos = step["alive"].map(sum).sum() if place == 2 else step["image_id"].map(len).sum()
        expected = [len(step), step["user_id"].nunique(), step["business_id"].nunique(), photos]
        assert cascade.loc[place, ["reviews", "users", "businesses", "images"]].tolist() == expected
    alive = told[told["alive"].map(any)]
    other = alive[alive["user_id"].map(alive["user_id"].value_counts()) > 1]
    orders = pd.read_csv(demo[1] / "orders.csv").set_index("order")
    assert orders["reviews"].to_dict() == {"users first": len(left), "photos first": len(other)}
    lonely = (left["user_id"].value_counts() == 1).sum()
    assert orders["only one of their user"].to_dict() == {"users first": lonely, "photos first": 0}
    s1 = load_reviews(demo[1] / "s1.parquet")
    sides = split_users(left["user_id"])
    expected = left["user_id"].map(sides).value_counts().to_dict()
    assert s1["split"].value_counts().to_dict() == expected


def test_a_history_that_gives_its_target_away_stops_the_build(demo, tmp_path, monkeypatch):
    def leaky(reviews, limit=None):
        known = history(reviews, limit)
        known.iloc[0] = [known.index[0]]
        return known

    monkeypatch.setattr("showcase_utils.data.build.history", leaky)
    with pytest.raises(RuntimeError, match="image_review_all.json.*own text in the history: 1 reviews, .*leaks.csv"):
        write_data(tmp_path, demo[0] / "image_review_all.json", demo[0] / "images", Data(), progress=False)


def test_every_photo_of_the_demo_world_is_alive_or_expired_as_the_world_says(store, told):
    images = load_images(store).set_index("image_id")
    long = told.explode(["image_id", "alive"]).set_index("image_id")
    assert images["status"].to_dict() == long["alive"].map({True: "ok", False: "expired"}).to_dict()
    assert all(Path(path).is_file() for path in images.loc[images["status"] == "ok", "path"])


def test_stage_files_agree_with_the_plain_readers(demo):
    world, out = demo
    path = world / "image_review_all.json"
    reviews, rejects = read_reviews(path, progress=False)
    pd.testing.assert_frame_equal(load_reviews(out / "reviews.parquet"), reviews)
    pd.testing.assert_frame_equal(pd.read_parquet(out / "rejects.parquet"), rejects)
    photos, folder = photos_named(path, progress=False).to_pandas(), PhotoFolder(world / "images")
    photos[["status", "path"]] = list(map(folder.status, photos["image_id"]))
    images = pd.read_parquet(out / "images.parquet", columns=["image_id", "url", "status", "path"])
    pd.testing.assert_frame_equal(images, photos)


def test_splits_are_by_user_and_no_history_leaks(demo):
    s1 = load_reviews(demo[1] / "s1.parquet")
    assert set(s1["split"]) == {"train", "val", "test"}
    assert s1.groupby("user_id")["split"].nunique().max() == 1
    found = pd.read_csv(demo[1] / "leaks.csv").set_index("leak")["rows"]
    assert found.filter(like="own").tolist() == [0, 0, 0, 0]


def test_a_world_in_another_folder_gives_the_same_bytes(store, demo, tmp_path):
    shutil.copytree(demo[0], tmp_path / "elsewhere")
    (tmp_path / "data").mkdir()
    build_data(BuildContext(tmp_path / "data", {"world": tmp_path / "elsewhere"}, store.settings, progress=False))
    names = {path.name for path in demo[1].iterdir()} - {MANIFEST}
    assert {path.name for path in (tmp_path / "data").iterdir()} == names
    assert all((tmp_path / "data" / name).read_bytes() == (demo[1] / name).read_bytes() for name in names)


def test_artifacts_that_are_moved_are_fresh_and_their_photos_open(store, tmp_path):
    shutil.copytree(store.root, tmp_path / "moved")
    moved = Artifacts(store.settings, tmp_path / "moved")
    paths = load_images(moved).query("status == 'ok'")["path"]
    assert len(paths) and all(tmp_path in Path(path).parents for path in paths)
    Image.open(paths.iloc[0]).load()
    pd.testing.assert_series_equal(load_histories(moved), load_histories(store))


def test_photos_of_files_start_from_the_folder_of_the_settings(published, tmp_path):
    path = published.lines(*[published.row(business_id=name, pics=[name, "gone"]) for name in "ab"])
    for name in "ab":
        published.photo(name, folder=f"photos/{name}")
    settings = load_settings("gest", {"data.reviews": str(path), "data.images": str(tmp_path / "photos")})
    store = Artifacts(settings, tmp_path / "artifacts")
    written = pd.read_parquet(store.make("data", progress=False) / "images.parquet")["path"]
    assert written.tolist() == ["a/a.jpg", "", "b/b.jpg"]
    found = load_images(store, image_ids=["b", "gone"])
    assert found["path"].tolist() == ["", str(tmp_path / "photos/b/b.jpg")]
    assert "path" not in load_images(store, columns=["image_id", "status"])


def test_files_without_a_file_of_reviews_are_an_error_that_names_the_setting(tmp_path):
    with pytest.raises(ValueError, match="set data.reviews to image_review_all.json or filter_all_t.json"):
        Artifacts(load_settings("gest"), tmp_path).make("data", progress=False)


def test_histories_are_stored_whole_for_every_review_of_s1(store):
    s1 = load_s1(store)
    pd.testing.assert_series_equal(load_histories(store), history(s1), check_index_type=False)
    with pytest.raises(StaleStage, match="01_data_filtering"):
        load_histories(Artifacts(store.settings, store.root / "nothing"))


def test_published_splits_and_histories_are_kept(published, tmp_path):
    rows = [published.row(user_id=user, pics=[user], history_reviews=[["x_y", "The tacos."]]) for user in "abcd"]
    path = published.splits(train=[rows[0]], val=[rows[1]], test=[rows[2], rows[3]])
    for user in "abd":
        published.photo(user)
    write_data(tmp_path, path, tmp_path / "images", Data(), progress=False)
    s1 = load_reviews(tmp_path / "s1.parquet")
    assert dict(zip(s1["user_id"], s1["split"], strict=True)) == {"a": "train", "b": "val", "d": "test"}
    kept = pd.read_parquet(tmp_path / "published.parquet")
    assert kept["split"].tolist() == ["train", "val", "test", "test"]
    assert [list(pair) for pair in kept["history"][0]] == [["x_y", "The tacos."]]
    found = pd.read_csv(tmp_path / "leaks.csv")
    assert found["histories"].unique().tolist() == ["ours", "published"]


def test_a_leak_in_the_published_histories_is_counted_not_hidden(published, tmp_path):
    row = published.row()
    row["history_reviews"] = [[f"{row['user_id']}_{row['business_id']}", row["review_text"]]]
    write_data(tmp_path, published.splits(train=[row], val=[], test=[]), None, Data(), progress=False)
    found = pd.read_csv(tmp_path / "leaks.csv").set_index(["histories", "leak"])["rows"]
    assert found["published", "own text in the history"] == 1
    assert found["published", "own business in the history"] == 1
    assert found["ours", "own text in the history"] == 0


def test_without_photos_s1_drops_users_only(published, tmp_path):
    path = published.lines(*[published.row(user_id=u, business_id=b) for u, b in ("a1", "a2", "b1")], b"{}")
    write_data(tmp_path, path, None, Data(), progress=False)
    assert load_reviews(tmp_path / "s1.parquet")["user_id"].tolist() == ["a", "a"]
    assert pd.read_csv(tmp_path / "waterfall.csv")["dropped"].tolist() == [1, 1, 0]


def test_nothing_to_work_with_is_said_at_once(published, tmp_path):
    path = published.lines(published.row(), published.row(business_id="2"), b"{}")
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match="images: no photo in it.*showcase download photos.*data.images"):
        write_data(tmp_path, path, tmp_path / "images", Data(), progress=False)
    published.photo("of_something_else")
    with pytest.raises(ValueError, match="no review is left of 2, .* of photos \\(1 expired\\) in .*showcase download"):
        write_data(tmp_path, path, tmp_path / "images", Data(), progress=False)
    with pytest.raises(ValueError, match="none of 2 rows could be used: 1 no user_id, 1 not an object"):
        write_data(tmp_path, published.lines(b"{}", b'["{"]'), None, Data(), progress=False)


def test_s1_of_a_store_keeps_what_its_index_calls_ok(published, tmp_path):
    rows = [published.row(business_id=name, pics=[name, "gone"]) for name in ("good", "cut", "gone")]
    for name in ("good", "cut"):
        published.photo(name, size=(60, 40))
    (tmp_path / "images/cut.jpg").write_bytes((tmp_path / "images/cut.jpg").read_bytes()[:-50])
    with PhotoStore(tmp_path / "images") as store:
        store.adopt(tmp_path / "images", Download(), progress=False)
        store.record("gone", "unreachable")
    write_data(tmp_path, published.lines(*rows), tmp_path / "images", Data(), progress=False)
    images = pd.read_parquet(tmp_path / "images.parquet").set_index("image_id")
    assert images["status"].to_dict() == {"good": "ok", "gone": "unreachable", "cut": "not an image"}
    assert load_reviews(tmp_path / "s1.parquet")["image_ids"].tolist() == [["good"]]


def test_reviews_survive_the_disk(published, tmp_path):
    reviews, _ = read_reviews(published.lines(published.row(), published.row(user_id="2")), progress=False)
    save_reviews(reviews, tmp_path / "reviews.parquet")
    pd.testing.assert_frame_equal(load_reviews(tmp_path / "reviews.parquet"), reviews)
    save_reviews(reviews.iloc[:0], tmp_path / "none.parquet")
    assert load_reviews(tmp_path / "none.parquet").columns.tolist() == reviews.columns.tolist()
