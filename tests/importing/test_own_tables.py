import csv
import json

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from showcase_utils.cli import app
from showcase_utils.config import load_settings
from showcase_utils.data.gest import read_reviews
from showcase_utils.importing.run import import_tables
from showcase_utils.photos.folder import PhotoFolder
from tests.importing.conftest import MAP, review
from tests.photos.conftest import load_index


def test_a_csv_becomes_the_published_file(shelf):
    shelf.photo("a.jpg")
    shelf.photo("b.png")
    path = shelf.csv("r.csv", [review(), review(visitor="otto", pictures="b.png|a.jpg", stars="4,5")], delimiter=";")
    report = shelf.bring("csv", path, mapping=MAP)
    reviews, rejects = read_reviews(shelf.to / "image_review_all.json", progress=False)
    assert reviews["user_id"].tolist() == ["vera", "otto"] and rejects.empty
    assert reviews["image_ids"].tolist() == [["a"], ["b", "a"]]
    assert reviews["rating"].tolist() == [5, 5]
    assert report.accepted.total() == report.rows.total() == 2
    assert PhotoFolder(shelf.to / "photos").statuses(["a", "b"])[1][0] == "ok"


def test_accepted_and_rejected_are_the_rows_read(shelf):
    shelf.photo("a.jpg")
    rows = [
        review(),
        review(),
        review(stars="7", visitor="b"),
        review(stars="", visitor="c"),
        review(comment=" ", visitor="d"),
        review(visitor=""),
        review(pictures="gone.jpg", visitor="e"),
        review(pictures="", visitor="f"),
    ]
    path = shelf.csv("r.csv", rows)
    with path.open("ab") as file:
        file.write(b"one,two\n\nu,k,5,caf\xe9,a.jpg\n")
    report = shelf.bring("csv", path, mapping=MAP)
    assert report.rows["r.csv"] == 10 and report.accepted["r.csv"] == 1
    assert len(shelf.rows) == 1
    assert dict(shelf.rejects) == {
        "3": "duplicate row",
        "4": "rating is not 1 to 5",
        "5": "rating is not 1 to 5",
        "6": "no text",
        "7": "no user_id",
        "8": "none of its photos is in the folder of --images",
        "9": "no photos",
        "10": "2 fields for 5 columns",
        "12": "not utf-8: save it as CSV UTF-8, or give --encoding",
    }
    assert report.reasons.total() == 9


def test_another_encoding_can_be_named(shelf):
    shelf.photo("a.jpg")
    path = shelf.csv("r.csv", [review(comment="Ein Café im Grünen")], encoding="cp1252")
    shelf.bring("csv", path, mapping=MAP, encoding="cp1252")
    assert shelf.rows[0]["review_text"] == "Ein Café im Grünen"


@pytest.mark.parametrize(
    "cell", ["a.jpg,b.png", "a.jpg; b.png", "['a.jpg', 'b.png']", '["a.jpg", "b.png"]', "A.JPG|./sub\\b.png", "a|b"]
)
def test_photos_of_a_cell(shelf, cell):
    shelf.photo("a.jpg")
    shelf.photo("sub/b.png")
    shelf.bring("csv", shelf.csv("r.csv", [review(pictures=cell)]), mapping=MAP)
    assert [pic["id"] for pic in shelf.rows[0]["pics"]] == ["a", "b"]


def test_a_separator_may_be_part_of_a_name(shelf):
    shelf.photo("kew, may.jpg")
    shelf.bring("csv", shelf.csv("r.csv", [review(pictures="kew, may.jpg")]), mapping=MAP)
    (pic,) = shelf.rows[0]["pics"]
    assert pic["id"].startswith("kew-may-") and PhotoFolder(shelf.to / "photos").status(pic["id"])[0] == "ok"


def test_files_of_one_name_do_not_mix(shelf):
    shelf.photo("kew/1.jpg", (255, 0, 0))
    shelf.photo("eden/1.jpg", (0, 0, 255))
    rows = [
        review(pictures="kew/1.jpg"),
        review(garden="eden", pictures="eden/1.jpg"),
        review(visitor="x", pictures="1.jpg"),
    ]
    shelf.bring("csv", shelf.csv("r.csv", rows), mapping=MAP)
    ids = [row["pics"][0]["id"] for row in shelf.rows]
    assert len(set(ids)) == 2 and shelf.rejects == [("4", "none of its photos is in the folder of --images")]
    folder = PhotoFolder(shelf.to / "photos")
    red = Image.open(shelf.to / "photos" / folder.status(ids[0])[1]).getpixel((2, 2))
    assert red[0] > 200 and red[2] < 50


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.gif", "a.bmp", "a.tiff", "a.ppm", "a.jp2", "a.avif", "a.ico"])
def test_whatever_pillow_reads_is_kept_as_jpeg(shelf, name):
    shelf.photo(name, size=(32, 32))
    report = shelf.bring("csv", shelf.csv("r.csv", [review(pictures=name)]), mapping=MAP)
    assert report.photos == {"ok": 1}
    path = PhotoFolder(shelf.to / "photos").status("a")[1]
    with Image.open(shelf.to / "photos" / path) as image:
        assert image.format == "JPEG" and image.mode == "RGB"


def test_photos_are_turned_as_their_camera_was(shelf):
    exif = Image.Exif()
    exif[0x0112] = 6
    shelf.photo("turned.jpg", size=(40, 20), exif=exif)
    straight = shelf.photo("straight.jpg", size=(40, 20))
    shelf.bring("csv", shelf.csv("r.csv", [review(pictures="turned.jpg|straight.jpg")]), mapping=MAP)
    index = load_index(shelf.to / "photos").set_index("image_id")
    assert (index.loc["turned", "width"], index.loc["turned", "height"]) == (20, 40)
    kept = shelf.to / "photos" / PhotoFolder(shelf.to / "photos").status("straight")[1]
    assert kept.read_bytes() == straight.read_bytes()


def test_a_broken_photo_is_counted_and_its_review_stays(shelf):
    shelf.photo("a.jpg")
    (shelf.images / "b.jpg").write_bytes(b"no picture")
    report = shelf.bring("csv", shelf.csv("r.csv", [review(pictures="a.jpg|b.jpg")]), mapping=MAP)
    assert report.photos == {"ok": 1, "not an image": 1} and len(shelf.rows) == 1


def test_postscript_is_never_handed_to_another_program(shelf):
    shelf.photo("a.eps")
    report = shelf.bring("csv", shelf.csv("r.csv", [review(pictures="a.eps")]), mapping=MAP)
    assert report.photos == {"not an image": 1}


def test_json_lines_and_long_numbers(shelf):
    shelf.photo("a.jpg")
    rows = [{"user_id": 114937200137348359038, "business_id": 7, "rating": 4, "text": "Ferns.", "photos": ["a.jpg", 3]}]
    shelf.bring("jsonl", shelf.lines("r.jsonl", rows))
    (row,) = shelf.rows
    assert (row["user_id"], row["business_id"]) == ("114937200137348359038", "7")
    assert [pic["id"] for pic in row["pics"]] == ["a"]


def test_an_array_of_objects_is_read_too(shelf):
    shelf.photo("a.jpg")
    path = shelf.folder / "r.json"
    row = {"user": "u", "place": "p", "rating": 4, "text": "Ferns.", "photos": "a.jpg"}
    path.write_text(json.dumps([row, row | {"user": "v"}], indent=1))
    assert shelf.bring("jsonl", path).accepted.total() == 2


def test_parquet_with_numbers_and_holes(shelf):
    shelf.photo("a.jpg")
    path = shelf.folder / "r.parquet"
    frame = pd.DataFrame({"user": [1.0, 2.0, None], "place": [10, 10, 10], "rating": [4.0, 3.6, 5.0]})
    frame.assign(text=["One.", "Two.", "Three."], photos=[["a.jpg"], ["a.jpg"], ["a.jpg"]]).to_parquet(path)
    shelf.bring("parquet", path)
    assert [(row["user_id"], row["rating"]) for row in shelf.rows] == [("1", 4), ("2", 4)]
    assert shelf.rejects == [("3", "no user_id")]


def test_photos_in_a_table_of_their_own(shelf):
    for name in "abc":
        shelf.photo(f"{name}.jpg")
    reviews = shelf.csv(
        "r.csv", [{"review_id": n, "user": n, "place": "k", "rating": 5, "text": f"Text {n}."} for n in "12"]
    )
    rows = [
        {"review_id": "1", "file": "a.jpg"},
        {"review_id": "1", "file": "b.jpg"},
        {"review_id": "9", "file": "c.jpg"},
    ]
    report = shelf.bring("csv", reviews, shelf.csv("p.csv", [*rows, {"review_id": "2", "file": "gone.jpg"}]))
    assert [[pic["id"] for pic in row["pics"]] for row in shelf.rows] == [["a", "b"]]
    assert report.rows == {"p.csv": 4, "r.csv": 2} and report.accepted == {"p.csv": 2, "r.csv": 1}
    assert sorted(shelf.rejects) == [
        ("3", "no photos"),
        ("4", "no accepted review has its key"),
        ("5", "its photo is not in the folder of --images"),
    ]


def test_photos_joined_by_user_and_place(shelf):
    shelf.photo("a.jpg")
    reviews = shelf.csv("r.csv", [{"user": "u", "place": "k", "rating": 5, "text": "Ferns."}])
    photos = shelf.csv("p.csv", [{"user": "u", "place": "k", "file": "a.jpg"}])
    shelf.bring("csv", reviews, photos)
    assert shelf.rows[0]["pics"] == [{"id": "a", "url": []}]


def test_a_folder_for_each_review(shelf):
    shelf.photo("hd/77/0000.jpg")
    shelf.photo("hd/78/0000.jpg")
    rows = [{"review_id": n, "user": n, "place": "k", "rating": 5, "text": f"Text {n}."} for n in ("77", "78", "79")]
    shelf.bring("csv", shelf.csv("r.csv", rows))
    assert len({row["pics"][0]["id"] for row in shelf.rows}) == 2
    assert shelf.rejects == [("4", "no photos")]


def test_names_of_places_and_users(shelf):
    shelf.photo("a.jpg")
    reviews = shelf.csv("r.csv", [review(name="Vera K.")])
    places = shelf.csv(
        "places.csv", [{"place_id": "kew", "name": "Kew  Gardens"}, {"place_id": "eden", "name": "Eden"}]
    )
    shelf.bring("csv", reviews, places, mapping=MAP | {"user_name": "name"})
    assert json.loads((shelf.to / "names.json").read_text()) == {
        "businesses": {"kew": "Kew Gardens"},
        "users": {"vera": "Vera K."},
    }


def test_the_profile_is_ready_and_stays_yours(shelf):
    shelf.photo("a.jpg")
    path = shelf.csv("r.csv", [review()])
    report = shelf.bring("csv", path, mapping=MAP)
    settings = load_settings(report.profile)
    assert settings.data.reviews == shelf.to / "image_review_all.json" and settings.data.images == shelf.to / "photos"
    assert settings.profile == "mine" and settings.encoding.model == "embedded"
    report.profile.write_text("extends: gest\n")
    assert shelf.bring("csv", path, mapping=MAP).profile.read_text() == "extends: gest\n"


def test_a_folder_called_demo_does_not_take_the_artifacts_of_demo(shelf):
    shelf.photo("a.jpg")
    shelf.to = shelf.folder / "demo"
    report = shelf.bring("csv", shelf.csv("r.csv", [review()]), mapping=MAP, backbones="gest")
    assert report.profile.name == "demo-own.yaml" and load_settings(report.profile).generation.decoder == "gpt2"


def test_again_takes_only_what_is_new(shelf, monkeypatch):
    shelf.photo("a.jpg")
    shelf.photo("b.png")
    path = shelf.csv("r.csv", [review(pictures="a.jpg|b.png")])
    shelf.bring("csv", path, mapping=MAP)
    shelf.photo("b.png", (0, 0, 255), size=(9, 9))
    read = []
    from showcase_utils.importing import pictures

    checked = pictures.check_photo
    monkeypatch.setattr(pictures, "check_photo", lambda *a, **k: read.append(a) or checked(*a, **k))
    shelf.bring("csv", path, mapping=MAP)
    assert len(read) == 1
    assert load_index(shelf.to / "photos").set_index("image_id").loc["b", "width"] == 9


def test_an_import_that_fails_leaves_the_last_one(shelf, monkeypatch):
    shelf.photo("a.jpg")
    path = shelf.csv("r.csv", [review()])
    shelf.bring("csv", path, mapping=MAP)
    before = (shelf.to / "image_review_all.json").read_bytes()
    shelf.csv("r.csv", [review(comment="Other words.")])
    monkeypatch.setattr("showcase_utils.importing.run.keep_photos", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shelf.bring("csv", path, mapping=MAP)
    assert (shelf.to / "image_review_all.json").read_bytes() == before
    assert not list(shelf.to.glob(".*.part"))


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"text": "coment"}, "there is no 'coment', did you mean comment?"),
        ({"txt": "comment"}, "there is no 'txt', did you mean text?"),
        ({}, "no column for business: say which, as in --map business=COLUMN; the columns are visitor, garden"),
    ],
)
def test_columns_that_are_not_there_are_named(shelf, mapping, said):
    shelf.photo("a.jpg")
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        shelf.bring("csv", shelf.csv("r.csv", [review()]), mapping=mapping)


def test_reviews_without_a_way_to_their_photos(shelf):
    rows = [{"user": "u", "place": "k", "rating": 5, "text": "Ferns."}]
    with pytest.raises(ValueError, match="nothing says which review has which photos"):
        shelf.bring("csv", shelf.csv("r.csv", rows))


def test_encodings_are_named(shelf):
    shelf.photo("a.jpg")
    path = shelf.csv("r.csv", [review()], encoding="utf-16")
    with pytest.raises(ValueError, match="this is UTF-16"):
        shelf.bring("csv", path, mapping=MAP)
    assert shelf.bring("csv", path, mapping=MAP, encoding="utf-16").accepted.total() == 1
    with pytest.raises(ValueError, match="--encoding latin-9000: unknown"):
        shelf.bring("csv", path, mapping=MAP, encoding="latin-9000")


def test_a_folder_of_the_same_name_as_a_review_is_not_its_own(shelf):
    shelf.photo("1/garden.jpg")
    shelf.photo("a.jpg")
    shelf.bring("csv", shelf.csv("r.csv", [review(review_id="1")]), mapping=MAP)
    assert [pic["id"] for pic in shelf.rows[0]["pics"]] == ["a"]


def test_photos_are_not_read_from_where_they_are_written(shelf):
    shelf.photo("a.jpg")
    shelf.to = shelf.folder
    with pytest.raises(ValueError, match="name another folder with --to"):
        import_tables("csv", [shelf.csv("r.csv", [review()])], shelf.folder, shelf.folder, MAP, progress=False)


def test_a_quote_that_is_never_closed_takes_its_rows_with_it(shelf):
    shelf.photo("a.jpg")
    path = shelf.csv("r.csv", [review()])
    path.write_text(path.read_text() + 'u,k,5,"never closed,a.jpg\nv,k,5,fine,a.jpg\n')
    report = shelf.bring("csv", path, mapping=MAP)
    assert report.rows["r.csv"] == 2 and report.accepted["r.csv"] == 1


def test_the_command_prints_rows_photos_and_what_comes_next(shelf):
    shelf.photo("a.jpg")
    path = shelf.csv("r.csv", [review(), review(visitor="x", stars="0")])
    maps = [part for name, column in MAP.items() for part in ("--map", f"{name}={column}")]
    done = CliRunner().invoke(
        app, ["import", "csv", str(path), "--images", str(shelf.images), "--to", str(shelf.to), *maps]
    )
    assert done.exit_code == 0, done.output
    assert "1 × rating is not 1 to 5" in done.stdout and "showcase check --profile" in done.stdout
    with (shelf.to / "rejects.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["raw"] == "x,kew,0,Roses everywhere.,a.jpg"


def test_an_import_of_nothing_is_no_success(shelf):
    path = shelf.csv("r.csv", [review()])
    maps = [part for name, column in MAP.items() for part in ("--map", f"{name}={column}")]
    done = CliRunner().invoke(app, ["import", "csv", str(path), "--to", str(shelf.to), *maps])
    assert done.exit_code == 1 and "no row was accepted" in done.stderr
    assert "none of its photos is an address, and no --images names their folder" in done.stdout
    with pytest.raises(ValueError, match="--best-rating 0: the best rating that there is, more than 1"):
        shelf.bring("csv", path, mapping=MAP, best=0.0)


def test_photos_that_are_not_there_are_counted_and_said(shelf):
    web = "https://example.org/a.jpg"
    one = shelf.csv("one.csv", [review(pictures=web), review(visitor="x", pictures="a.jpg")])
    assert shelf.bring("csv", one, mapping=MAP).notes == [
        "Left out: 1 photo that reviews name by file: give their folder with --images.",
        f"1 photo known by address only. To fetch what is there: showcase download photos --profile "
        f"{shelf.to / 'mine.yaml'} --to {shelf.to}",
    ]
    shelf.photo("a.jpg")
    two = shelf.csv("two.csv", [review(pictures="a.jpg|b.jpg"), review(visitor="x", pictures="a.jpg|c.jpg|d.jpg")])
    report = shelf.bring("csv", two, mapping=MAP)
    assert report.notes == ["Left out: 3 photos that reviews name, not in the folder of --images."]


def test_an_error_is_a_sentence(shelf):
    done = CliRunner().invoke(app, ["import", "csv", str(shelf.folder / "no.csv"), "--to", str(shelf.to)])
    assert done.exit_code == 1 and "no such file" in done.stderr and not shelf.to.exists()
