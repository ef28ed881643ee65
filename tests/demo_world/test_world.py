from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from showcase_utils.demo_world import painting
from showcase_utils.demo_world.publishing import ANNOTATION_COLUMNS
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.truth import load_truth
from showcase_utils.demo_world.visits import imagine
from showcase_utils.demo_world.world import grow

SMOKE = {"seed": 7, "restaurants": 16, "users": 120, "reviews": 420, "photos": 640, "annotated_reviews": 120}


@pytest.fixture(scope="module")
def brushless():
    """Photos are painted elsewhere; here a file per photo will do."""

    def write_seeds(jobs, workers=None, progress=True):
        for job in jobs:
            job.path.write_text(f"{job.scene.name} {job.seed}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(painting, "paint_all", write_seeds, raising=False)
        yield


@pytest.fixture(scope="module")
def grown(tmp_path_factory, brushless):
    return grow(tmp_path_factory.mktemp("world"), **SMOKE, progress=False)


@pytest.fixture(scope="module")
def truth(grown):
    return load_truth(grown.root)


def rows(grown):
    """The rows of the published file that can be read, and how many cannot."""
    good, bad = [], 0
    for line in grown.reviews.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            bad += 1
            continue
        if "user_id" in row and row["rating"] and row["review_text"]:
            good.append(row)
        else:
            bad += 1
    return good, bad


def test_the_published_format(grown):
    good, _ = rows(grown)
    for row in good:
        assert list(row) == ["business_id", "user_id", "rating", "review_text", "pics"]
        assert re.fullmatch(r"[0-9a-f]{24}", row["business_id"])
        assert re.fullmatch(r"1\d{20}", row["user_id"])
        assert row["rating"] in {1, 2, 3, 4, 5}
        assert 1 <= len(row["pics"]) <= 6
        for pic in row["pics"]:
            assert re.fullmatch(r"AF1Qip[A-Za-z0-9_-]{38}", pic["id"])
            assert pic == {"id": pic["id"], "url": [f"https://lh5.googleusercontent.com/p/{pic['id']}"]}


def test_a_few_rows_are_messy(grown):
    good, bad = rows(grown)
    keys = Counter((row["user_id"], row["business_id"]) for row in good)
    twice = [key for key, count in keys.items() if count > 1]
    assert bad == 5  # two without words, three malformed
    assert 1 <= len(twice) <= 2  # a repeat visit and a duplicate row
    assert Counter(json.dumps(row) for row in good).most_common(1)[0][1] == 2
    assert 0.005 < (bad + 2) / len(good) < 0.05  # far more than 0.3 %, since each kind occurs at least once


def test_rows_are_shuffled(grown):
    users = [row["user_id"] for row in rows(grown)[0]]
    assert sum(a == b for a, b in zip(users, users[1:], strict=False)) < 0.05 * len(users)


@pytest.mark.slow
def test_counts_are_near_their_targets(demo_city):
    assert abs(len(demo_city.reviews) - 8000) <= 8
    assert abs(sum(len(review.photos) for review in demo_city.reviews) - 12000) <= 12
    per_user = Counter(Counter(review.user_id for review in demo_city.reviews).values())
    assert abs(per_user[1] - 1250) <= 5
    photos = Counter(len(review.photos) for review in demo_city.reviews)
    assert set(photos) == {1, 2, 3, 4, 5, 6}
    stars = Counter(review.rating for review in demo_city.reviews)
    assert stars[5] / len(demo_city.reviews) == pytest.approx(0.681, abs=0.01)


def test_the_summary_counts_what_was_made(grown):
    summary = json.loads(grown.summary.read_text())
    assert summary["finished"] and summary["settings"]["seed"] == 7
    assert summary["counts"]["reviews"] == 421 and summary["counts"]["living_photos"] == 590


@pytest.mark.slow
def test_ids_are_unique(demo_city):
    images = [photo.image_id for review in demo_city.reviews for photo in review.photos]
    assert len(set(images)) == len(images)
    assert len({person.user_id for person in demo_city.people}) == 2500
    assert len({restaurant.business_id for restaurant in demo_city.restaurants}) == 160


def test_only_living_photos_have_files(grown, truth):
    files = {path.stem for path in grown.images.glob("*.jpg")}
    listed = {pic["id"] for row in rows(grown)[0] for pic in row["pics"]}
    assert files == set(truth.photos.loc[truth.photos.alive, "image_id"])
    assert listed <= set(truth.photos.image_id)
    assert 1 - truth.photos.alive.mean() == pytest.approx(0.08, abs=0.002)


def test_same_seed_same_bytes(grown, tmp_path, brushless):
    again = grow(tmp_path, **SMOKE, progress=False)
    paths = sorted(path.relative_to(grown.root) for path in grown.root.rglob("*") if path.is_file())
    assert paths == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((grown.root / path).read_bytes() == (again.root / path).read_bytes() for path in paths)


def test_another_seed_is_another_world():
    first, second = (imagine(seed, restaurants=16, users=60, reviews=200, photos=260) for seed in (1, 2))
    assert not {r.business_id for r in first.restaurants} & {r.business_id for r in second.restaurants}
    assert {review.text for review in first.reviews} != {review.text for review in second.reviews}


def test_a_folder_keeps_its_world(grown):
    with pytest.raises(ValueError, match="another demo world"):
        grow(grown.root, **{**SMOKE, "seed": 8}, progress=False)


def test_growth_goes_on_after_an_interruption(tmp_path, grown):
    def stop(jobs, workers=None, progress=True):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(painting, "paint_all", stop, raising=False)
        with pytest.raises(KeyboardInterrupt):
            grow(tmp_path, **SMOKE, progress=False)
    assert not json.loads((tmp_path / "world.json").read_text())["finished"]
    done = grow(tmp_path, **SMOKE, progress=False)
    assert done.summary.read_bytes() == grown.summary.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reviews": 100}, "half of the users"),
        ({"reviews": 5000, "photos": 6000}, "half of the users"),
        ({"photos": 100}, "1 to 6 per review"),
        ({"restaurants": 1}, "2 restaurants"),
        ({"annotated_reviews": 5000}, "ask for fewer"),
        ({"dead_share": 1.0}, "dead_share"),
        ({"signature": -0.5}, "signature"),
    ],
)
def test_impossible_cities_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        grow(tmp_path, **{**SMOKE, **change}, progress=False)


def test_annotations_ask_about_living_photos_of_the_same_review(grown, truth):
    table = pd.read_csv(grown.annotations)
    assert tuple(table.columns) == ANNOTATION_COLUMNS
    assert table.review_id.nunique() == 120
    pairs = table.groupby(["review_id", "sentence", "image_id"]).annotator.nunique()
    assert (pairs == 3).all()
    owners = truth.photos.set_index("image_id")
    assert (owners.loc[table.image_id, "review_id"].to_numpy() == table.review_id.to_numpy()).all()
    assert owners.loc[table.image_id, "alive"].all()
    told = set(zip(truth.sentences.review_id, truth.sentences.sentence, strict=True))
    assert set(zip(table.review_id, table.sentence, strict=True)) <= told


@pytest.mark.slow
def test_annotators_err_at_their_true_rates(tmp_path, brushless):
    files = grow(tmp_path, seed=3, restaurants=40, users=300, reviews=1200, photos=1800, progress=False)
    truth = load_truth(files.root)
    describes = {
        (row.review_id, row.sentence, image_id) for row in truth.sentences.itertuples() for image_id in row.image_ids
    }
    table = pd.read_csv(files.annotations)
    true = [key in describes for key in zip(table.review_id, table.sentence, table.image_id, strict=True)]
    wrong = (table.label != np.array(true, dtype=int)).groupby(table.annotator).mean()
    count = len(table) / 3
    for row in truth.annotators.itertuples():
        assert 0.04 <= row.error_rate <= 0.10
        assert abs(wrong[row.annotator] - row.error_rate) < 4 * np.sqrt(0.1 * 0.9 / count)
    assert 0.1 < np.mean(true) < 0.5


def test_the_truth_agrees_with_the_public_files(grown, truth):
    texts = truth.sentences.sort_values("index").groupby(["review_id", "visit"]).sentence.agg(" ".join)
    public = {row["review_text"] for row in rows(grown)[0]}
    assert public <= set(texts)
    pictured = truth.sentences[truth.sentences.kind == "photo"]
    assert len(pictured) > 300
    for row in pictured.itertuples():
        assert len(row.image_ids)
        assert all(truth.describes(row.sentence, truth.shows(image_id)) for image_id in row.image_ids)
    scene = Scene.from_dict(json.loads(truth.photos.scene[0]))
    assert truth.shows(truth.photos.image_id[0]) == scene
    assert [mention.scene for mention in truth.mentions("the beer")] == [Scene("drink", drink="beer")]


def test_public_files_leak_no_truth(grown):
    public = [path for path in grown.root.rglob("*") if path.is_file() and "truth" not in path.parts]
    assert {path.name for path in public if path.suffix != ".jpg"} == {
        "image_review_all.json", "annotations.csv", "world.json", "names.json",
    }  # fmt: skip
    for path in public:
        if path.suffix != ".jpg":
            content = path.read_text(encoding="utf-8")
            assert not re.search(r'"(cuisine|scene|kind|tastes|voice|camera|menu|alive|quality|error_rate)"', content)


def test_the_truth_knows_the_cameras(truth):
    assert all("warmth" in json.loads(camera)["traits"] for camera in truth.users.camera)


def test_missing_truth_and_unknown_photos_are_errors(tmp_path, truth):
    with pytest.raises(FileNotFoundError, match="grow the demo world"):
        load_truth(tmp_path)
    with pytest.raises(KeyError, match="not of this demo world"):
        truth.shows("AF1QipUnknown")
