import csv
import gzip
import json
import pickle

import pytest

from showcase_utils.config import load_settings
from showcase_utils.data.gest import photos_named
from tests.importing.conftest import review

YELP = {
    "review_id": "r1", "user_id": "u1", "business_id": "b1", "stars": 4.0, "useful": 0, "funny": 0, "cool": 0,
    "text": "Great ramen.", "date": "2018-07-07 22:09:11",
}  # fmt: skip
YELP_PHOTO = {
    "photo_id": "zsvj7vloL4L5jhYyPIuVwg",
    "business_id": "b1",
    "caption": "Nice rock artwork",
    "label": "inside",
}
YELP_PLACE = {"business_id": "b1", "name": "Ramen Bar", "stars": 4.5, "review_count": 9, "is_open": 1}
GOOGLE_PHOTO = "https://lh5.googleusercontent.com/p/AF1QipMDSa1pSffRzM1AqS0phG3a_K2eSssz-vRY-cPf=w150-h150-k-no-p"
GOOGLE = {
    "user_id": "101463350189962023774", "name": "Jordan Adams", "time": 1627750414677, "rating": 5,
    "text": "Cool place.", "pics": [{"url": [GOOGLE_PHOTO]}], "resp": None,
    "gmap_id": "0x80c2c778e3b73d33:0xbdc58662a4a97d49",
}  # fmt: skip
GOOGLE_META = {"name": "Porter Pharmacy", "gmap_id": GOOGLE["gmap_id"], "avg_rating": 4.9, "num_of_reviews": 16}
TRIP = {
    "reviewId": 1, "userId": "0F3A", "itemId": 77, "title": "Rico", "text": "Pulpo rico.", "date": "2020-01-01",
    "rating": 50, "language": "es", "images": ["https://media-cdn.tripadvisor.com/media/photo-o/0d/a.jpg"],
    "url": "https://www.tripadvisor.com/x",
}  # fmt: skip


def packed(shelf, name, rows):
    path = shelf.folder / name
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def test_yelp_has_places_and_captions_but_nobody_who_took_a_photo(shelf):
    shelf.photo(f"{YELP_PHOTO['photo_id']}.jpg")
    elsewhere = YELP | {"review_id": "r2", "business_id": "b9"}
    other = YELP | {"review_id": "r3", "text": "Fine soup."}
    reviews = shelf.lines("yelp_academic_dataset_review.json", [YELP, elsewhere, other])
    photos = shelf.lines("photos.json", [YELP_PHOTO, YELP_PHOTO | {"photo_id": "not-there"}])
    report = shelf.bring("yelp", reviews, photos, shelf.lines("business.json", [YELP_PLACE]))
    assert report.profile is None and not (shelf.to / "image_review_all.json").exists()
    assert (shelf.to / "places" / "b1" / f"{YELP_PHOTO['photo_id']}.jpg").is_file()
    with (shelf.to / "captions.csv").open(newline="") as file:
        (caption,) = csv.DictReader(file)
    assert (caption["caption"], caption["label"], caption["business_name"]) == (
        "Nice rock artwork",
        "inside",
        "Ramen Bar",
    )
    assert (shelf.to / "histories" / "u1.txt").read_text() == "Great ramen.\nFine soup.\n"
    assert shelf.rejects == [("2", "its photo is not in the folder of --images"), ("2", "no photos of its place")]
    assert report.rows.total() == report.accepted.total() + 2 == 6
    assert any("cannot be learned" in note and "no author was made up" in note for note in report.notes)


def test_google_local_2021(shelf):
    rows = [GOOGLE, GOOGLE | {"pics": None, "user_id": "2"}, GOOGLE | {"text": None, "user_id": "3"}]
    report = shelf.bring(
        "google2021", packed(shelf, "review-Utah.json.gz", rows), packed(shelf, "meta-Utah.json.gz", [GOOGLE_META])
    )
    (row,) = shelf.rows
    assert row["pics"] == [{"id": "AF1QipMDSa1pSffRzM1AqS0phG3a_K2eSssz-vRY-cPf", "url": [GOOGLE_PHOTO]}]
    assert shelf.rejects == [("2", "no photos"), ("3", "no text")]
    names = json.loads((shelf.to / "names.json").read_text())
    assert names == {"businesses": {GOOGLE["gmap_id"]: "Porter Pharmacy"}, "users": {GOOGLE["user_id"]: "Jordan Adams"}}
    assert any("showcase download photos --profile" in note for note in report.notes)
    named = photos_named(load_settings(report.profile).data.reviews, progress=False)
    assert named["url"].to_pylist() == [GOOGLE_PHOTO]


def test_google_photos_that_were_downloaded_are_found(shelf):
    shelf.photo("AF1QipMDSa1pSffRzM1AqS0phG3a_K2eSssz-vRY-cPf.jpg")
    report = shelf.bring("google2021", packed(shelf, "review-Utah.json.gz", [GOOGLE]))
    assert report.photos == {"ok": 1} and not report.notes


def test_tripadvisor_as_its_collector_writes_it(shelf):
    shelf.photo("hd/77/1/0000.jpg")
    rows = [TRIP, TRIP | {"reviewId": 2, "userId": "-1"}, TRIP | {"reviewId": 3, "userId": "9", "rating": 20}]
    path = shelf.lines("reviews.jsonl", rows)
    item = {"itemId": 77, "name": "Sidrería", "city": "Gijón", "priceInterval": "$", "rating": 45}
    items = shelf.csv("items.csv", [item])
    report = shelf.bring("tripadvisor", path, items)
    first, third = shelf.rows
    assert (first["rating"], third["rating"], first["business_id"]) == (5, 2, "77")
    assert first["pics"][0]["url"] == [] and third["pics"][0]["url"] == TRIP["images"]
    assert shelf.rejects == [("2", "no user_id: nobody knows who wrote it")]
    settings = load_settings(report.profile).download
    assert "media-cdn.tripadvisor.com" in settings.hosts and settings.suffix == ""


@pytest.mark.parametrize(
    ("kind", "row", "said"),
    [
        ("jsonl", YELP, "this is Yelp's review.json: use `import yelp`"),
        ("jsonl", YELP_PHOTO, "this is Yelp's photos.json: use `import yelp`"),
        ("jsonl", GOOGLE, "use `import google2021`"),
        ("yelp", GOOGLE, "this is a review file of Google Local 2021: use `import google2021`"),
        ("google2021", YELP, "use `import yelp`"),
        ("yelp", {"user_id": "u", "business_id": "b", "text": "t", "compliment_count": 0}, "leave it out"),
        ("jsonl", TRIP, "use `import tripadvisor`"),
        ("tripadvisor", {"id_user": 1, "id_restaurant": 2, "id_img": 3, "take": 1}, "has no texts"),
        ("yelp", {"a": 1}, "not of yelp: its columns are a"),
        (
            "jsonl",
            {"business_id": "b", "user_id": "u", "rating": 4, "review_text": "t", "pics": []},
            "GEST's own image_review_all.json: it needs no import",
        ),
    ],
)
def test_a_wrong_file_is_recognised(shelf, kind, row, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        shelf.bring(kind, shelf.lines("x.json", [row]))
    assert not shelf.to.exists()


def test_a_format_is_recognised(shelf):
    path = shelf.lines("x.json", [GOOGLE])
    with pytest.raises(ValueError, match="this is JSON lines, not CSV: use `import jsonl`"):
        shelf.bring("csv", path)
    with pytest.raises(ValueError, match="import csv"):
        shelf.bring("jsonl", shelf.csv("x.csv", [review()]))
    (shelf.folder / "x.xlsx").write_bytes(b"PK\x03\x04" + bytes(600))
    with pytest.raises(ValueError, match="save the sheet as CSV"):
        shelf.bring("csv", shelf.folder / "x.xlsx")
    (shelf.folder / "half.json.gz").write_bytes(packed(shelf, "a.json.gz", [GOOGLE] * 50).read_bytes()[:90])
    with pytest.raises(ValueError, match="damaged or cut off"):
        shelf.bring("google2021", shelf.folder / "half.json.gz")


class Bomb:
    def __reduce__(self):
        return (open, ("/nonexistent/opened", "w"))


@pytest.mark.parametrize("kind", ["tripadvisor", "csv", "parquet", "jsonl"])
def test_a_pickle_is_never_opened(shelf, kind):
    path = shelf.folder / "reviews.pkl"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="never opened here"):
        shelf.bring(kind, path)
