from __future__ import annotations

import gzip
import json

import pandas as pd
import pytest

from showcase_utils.data import gest, rows, streams
from showcase_utils.data.gest import batches, photos_named, read_reviews

USER = "114937200137348359038"
BUSINESS = "6050fa9f5b4ccec8d5cae994"


def read(path):
    return read_reviews(path, progress=False)


def test_a_published_line_becomes_a_tidy_row(published):
    reviews, rejects = read(published.lines(published.row()))
    assert reviews.columns.tolist() == ["review_id", "user_id", "business_id", "rating", "text", "image_ids"]
    assert reviews.iloc[0].tolist() == [
        f"{USER}_{BUSINESS}",
        USER,
        BUSINESS,
        4,
        "Yams wasn't hot everything else was.",
        ["AF1QipA"],
    ]
    assert rejects.empty and rejects.columns.tolist() == ["source", "line", "reason", "raw"]


def test_a_published_object_of_splits_becomes_the_same_row(published):
    row = published.row(pics=["AF1QipA", "AF1QipB"], history_reviews=[["u_b", "The shrimp tacos are a MUST try."]])
    path = published.splits(train=[row], val=[published.row(user_id="2")], test=[published.row(user_id="3")])
    reviews, rejects = read(path)
    assert rejects.empty
    assert reviews["image_ids"].tolist() == [["AF1QipA", "AF1QipB"], ["AF1QipA"], ["AF1QipA"]]
    found = list(batches(path, progress=False))
    assert [split for batch in found for split in batch.splits] == ["train", "val", "test"]
    histories = [history for batch in found for history in batch.histories]
    assert histories == [[["u_b", "The shrimp tacos are a MUST try."]], [], []]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("last_end", [True, False])
def test_every_wrapping_of_a_file_reads_alike(published, end, mark, pack, last_end):
    some = [published.row(business_id=f"b{n}", review_text=f"größer {n} \U0001f35c") for n in range(5)]
    plain, _ = read(published.lines(*some))
    path = published.lines(*some, end=end, last_end=last_end)
    path.write_bytes(pack(mark + path.read_bytes()))
    reviews, rejects = read(path)
    assert rejects.empty
    pd.testing.assert_frame_equal(reviews, plain)


REJECTED = {
    "no text": [{"review_text": ""}, {"review_text": None}, {"review_text": " \n\t"}, {"review_text": ...}]
    + [{"review_text": "\0\0"}],
    "text is not a string": [{"review_text": 5}, {"review_text": ["a"]}],
    "no photos": [{"pics": []}, {"pics": None}, {"pics": ...}, {"pics": {}}, {"pics": ""}],
    "pics is not a list": [{"pics": "AF1QipA"}, {"pics": {"id": "AF1QipA"}}, {"pics": 3}],
    "photo without an id": [
        {"pics": [{"id": "a"}, {"url": ["https://x"]}]},
        {"pics": [{"id": ""}]},
        {"pics": ["a", None]},
        {"pics": [{"id": 7}]},
        {"pics": [["a"]]},
    ],
    "rating is not 1 to 5": [{"rating": rating} for rating in (0, 6, -1, 4.5, "5", True, None, [5], 1e300, ...)],
    "no user_id": [{"user_id": ""}, {"user_id": None}, {"user_id": ...}],
    "no business_id": [{"business_id": ""}, {"business_id": None}, {"business_id": ...}],
    "user_id is not a string": [{"user_id": 1.5}, {"user_id": True}, {"user_id": ["1"]}],
    "business_id is not a string": [{"business_id": {}}],
    "id with a character that cannot be printed": [{"user_id": "1\0"}, {"user_id": "1\ud83d"}, {"business_id": "a\nb"}],
    "history_reviews is not a list of [review_id, text]": [
        {"history_reviews": "x"},
        {"history_reviews": [["only one"]]},
        {"history_reviews": [["id", None]]},
    ],
}


@pytest.mark.parametrize(("reason", "changes"), [(r, c) for r, several in REJECTED.items() for c in several])
def test_a_bad_row_is_rejected_with_its_reason_and_costs_no_other(published, reason, changes):
    good = [published.row(business_id="before"), published.row(business_id="after")]
    bad = json.dumps(published.row(**changes)).encode()
    reviews, rejects = read(published.lines(good[0], bad, good[1]))
    assert reviews["business_id"].tolist() == ["before", "after"]
    assert rejects.iloc[0].tolist() == ["image_review_all.json", 2, reason, bad.decode()]
    assert len(rejects) == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"not json", "not valid JSON"),
        (b"\0" * 50, "not valid JSON"),
        (b'{"user_id": NaN}', "not valid JSON"),
        (b'{"user_id": "1"} {"user_id": "2"}', "not valid JSON"),
        (b'{"review_text": "a\x00b"}', "not valid JSON"),
        (b'"a string"', "not an object"),
        (b"[1, 2]", "not an object"),
        (b"null", "not an object"),
        (b'{"user_id": "\xed\xa0\xbd"}', "not valid UTF-8"),
        (b'{"user_id": "\xff"}', "not valid UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested too deep"),
        (b'{"user_id": ' + b"9" * 10_000 + b"}", "not valid JSON"),
    ],
)
def test_a_line_that_is_no_row_is_rejected(published, raw, reason):
    reviews, rejects = read(published.lines(published.row(), raw, published.row(user_id="2")))
    assert len(reviews) == 2
    assert rejects[["line", "reason"]].to_numpy().tolist() == [[2, reason]]
    assert len(rejects["raw"][0]) <= 4 * gest.RAW_CHARACTERS
    rejects["raw"][0].encode("utf-8")


def test_an_object_over_two_lines_and_two_objects_in_one_are_rejected(published):
    """The parser of many lines would take them, and find as many objects as lines."""
    one, two, three = (json.dumps(published.row(user_id=user)).encode() for user in "123")
    reviews, rejects = read(
        published.lines(published.row(), one + b" " + two, *three.split(b" ", 1), published.row(rating=1))
    )
    assert reviews["rating"].tolist() == [4, 1]
    assert rejects[["line", "reason"]].to_numpy().tolist() == [[line, "not valid JSON"] for line in (2, 3, 4)]


def test_lines_read_as_columns_and_one_by_one_give_the_same(published, monkeypatch):
    odd = [published.row(**changes) for several in REJECTED.values() for changes in several]
    odd += [published.row(review_text=text) for text in ("é", "日本", "a\0b", "\u200b", "a\u2028")]
    odd += [published.row(user_id=user) for user in ("a b", "é", "a\0b", "\x85", 12, "x_a")]
    odd += [
        published.row(pics=[{"id": one, "url": url} for one, url in pics])
        for pics in (
            [("a", []), ("a", ["u"])],
            [("a", None)],
            [("é", "u")],
            [("a b", [None, "u"])],
            [("a", ["\u200b", "u"])],
            [(None, [])],
        )
    ]
    rows = [row for n, some in enumerate(odd) for row in (published.row(business_id=f"b{n}"), some)]
    path = published.lines(*rows, *rows)

    def found():
        batch_rows = [batch.new_photos(set()) for batch in batches(path, progress=False)]
        return *read(path), batch_rows

    monkeypatch.setattr(gest, "FEW", 2)
    as_columns = found()
    monkeypatch.setattr(gest, "accept_plain", lambda *_: None)
    for ours, single in zip(as_columns[:2], found()[:2], strict=True):
        pd.testing.assert_frame_equal(ours, single)
    assert as_columns[2] == found()[2]


def test_a_nesting_bomb_in_a_key_we_do_not_read_is_rejected_too(published):
    bomb = json.dumps(published.row()).encode()[:-1] + b', "x": ' + b"[" * 3000 + b"]" * 3000 + b"}"
    _, rejects = read(published.lines(bomb, published.row(user_id="2")))
    assert rejects["reason"].tolist() == ["nested too deep"]


def test_a_row_beyond_the_limit_is_rejected(published, monkeypatch):
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 1000)
    reviews, rejects = read(published.lines(published.row(review_text="x" * 2000), published.row()))
    assert len(reviews) == 1 and rejects["reason"].tolist() == ["longer than 16 MiB"]


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_truncated_last_line_is_told_from_bad_json(published, cut):
    path = published.lines(published.row(), published.row(user_id="2"), last_end=False)
    path.write_bytes(path.read_bytes()[:-cut])
    reviews, rejects = read(path)
    assert len(reviews) == 1
    assert rejects[["line", "reason"]].to_numpy().tolist() == [[2, "cut off at the end of the file"]]


def test_an_object_of_splits_that_is_cut_off_anywhere_is_an_error(published):
    """Whole splits would be missing: nobody should take what is left for the data set."""
    path = published.splits(
        train=[published.row(), published.row(user_id="2")], val=[published.row(user_id="3")], test=[]
    )
    whole = path.read_bytes()
    assert len(read(path)[0]) == 3
    for end in range(len(whole.rstrip()) - 1, whole.index(b"]"), -7):
        path.write_bytes(whole[:end])
        with pytest.raises(
            ValueError, match="filter_all_t.json: the object of splits is damaged or cut off .*download it again"
        ):
            read(path)
    path.write_bytes(whole[: whole.index(b"}, {") + 1])  # just behind a whole row
    with pytest.raises(ValueError, match="cut off"):
        read(path)


def test_a_split_that_is_missing_is_named(published):
    path = published.splits(train=[published.row()], validation=[published.row(user_id="2")])
    with pytest.raises(ValueError, match="filter_all_t.json.*test"):
        read(path)


@pytest.mark.parametrize("depth", [900, 990, 1000, 1023, 1100])
@pytest.mark.parametrize("user", ["", '"user_id": 114937200137348359038, '])
def test_bombs_of_every_depth_are_rows_that_are_rejected(published, depth, user):
    bomb = f'{{{user}"x": {"[" * depth}{"]" * depth}}}'.encode()
    path = published.lines(published.row(), bomb, published.row(user_id="2"))
    reviews, rejects = read(path)
    assert len(reviews) == 2 and rejects["line"].tolist() == [2]


@pytest.mark.parametrize("first", [b"[1, 2]", b"[" * 3000 + b"]" * 3000, b"null", b'"text"'])
def test_the_first_line_has_no_rules_of_its_own(published, first):
    reviews, rejects = read(published.lines(first, published.row()))
    assert len(reviews) == 1 and rejects["line"].tolist() == [1]


def test_many_visits_to_one_place_are_told_apart_in_linear_time(published):
    texts = [f"Visit number {n}" for n in range(300)]
    rows = [published.row(review_text=text) for text in texts]
    reviews, rejects = read(published.lines(*rows, *rows))
    base = reviews["review_id"].iloc[0]
    assert reviews["review_id"].tolist() == [base] + [f"{base}_{n}" for n in range(2, 301)]
    assert rejects["reason"].tolist() == ["duplicate row"] * 300


def test_an_id_that_looks_like_a_later_visit_is_no_duplicate(published):
    rows = [published.row(business_id="b_2"), published.row(business_id="b", review_text="X")]
    reviews, rejects = read(published.lines(*rows, published.row(business_id="b")))
    assert rejects.empty and reviews["review_id"].is_unique and reviews["business_id"].tolist() == ["b_2", "b", "b"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user_id": " "}, "user_id|character"),
        ({"business_id": "\u200b"}, "business_id|character"),
        ({"review_text": "\u200b\u200d"}, "no text"),
        ({"pics": [{"id": "a\ud83d"}, {"id": "a\ud83e"}]}, "photo"),
    ],
)
def test_what_cannot_be_seen_is_no_id_and_no_text(published, changes, reason):
    reviews, rejects = read(published.lines(published.row(user_id="1"), published.row(**changes)))
    assert len(reviews) == 1 and rejects["reason"].str.contains(reason).all() and len(rejects) == 1


def test_odd_elements_of_a_split_are_rejected_rows(published):
    path = published.splits(train=[published.row(), None, 5, "text", [published.row()]], val=[], test=[{}])
    reviews, rejects = read(path)
    assert len(reviews) == 1
    assert rejects["source"].str.split(":").str[1].tolist() == ["train"] * 4 + ["test"]
    assert rejects["line"].tolist() == [2, 3, 4, 5, 1]
    assert rejects["reason"].tolist() == ["not an object"] * 4 + ["no user_id"]


def test_pics_may_be_objects_or_strings_and_an_id_counts_once(published):
    pics = [{"id": "a", "url": ["https://x/a", "https://x/a2"]}, "b", {"id": "a", "url": []}, {"id": "c", "url": "u"}]
    path = published.lines(published.row(pics=[*pics, {"id": "d"}]))
    assert read(path)[0]["image_ids"][0] == ["a", "b", "c", "d"]
    (batch,) = batches(path, progress=False)
    review_id = f"{USER}_{BUSINESS}"
    assert batch.new_photos(set()) == [
        (image_id, review_id, BUSINESS, url) for image_id, url in zip("abcd", ("https://x/a", "", "u", ""), strict=True)
    ]


def test_a_photo_of_two_reviews_is_listed_with_the_first(published):
    path = published.lines(published.row(business_id="b1"), published.row(business_id="b2"))
    (batch,) = batches(path, progress=False)
    listed: set[int] = set()
    assert [photo[:3] for photo in batch.new_photos(listed)] == [("AF1QipA", f"{USER}_b1", "b1")]
    assert batch.new_photos(listed) == []


@pytest.mark.parametrize(("given", "kept"), [(4.0, 4), (5, 5), (1, 1)])
def test_whole_ratings_are_integers(published, given, kept):
    reviews, _ = read(published.lines(published.row(rating=given)))
    assert reviews["rating"].tolist() == [kept] and reviews["rating"].dtype == "int64"


def test_an_id_written_as_a_number_keeps_all_its_digits(published):
    reviews, _ = read(published.lines(published.row(user_id=int(USER), business_id=12)))
    assert reviews[["user_id", "business_id"]].to_numpy().tolist() == [[USER, "12"]]


def test_lone_surrogates_and_nul_in_texts_are_mended(published):
    texts = ["ok \ud83d here", "pair \U0001f35c", "nul\0byte", "real \\ud83d backslash"]
    path = published.lines(*[published.row(business_id=str(n), review_text=t) for n, t in enumerate(texts)])
    reviews, rejects = read(path)
    assert rejects.empty
    assert reviews["text"].tolist() == ["ok \ufffd here", "pair \U0001f35c", "nulbyte", "real \\ud83d backslash"]


def test_unknown_keys_and_odd_numbers_in_them_are_ignored(published):
    raw = json.dumps(published.row(extra={"deep": [1]}, time=None)).encode()
    huge = json.dumps(published.row(user_id="2")).encode()[:-1] + b', "n": 1e999}'
    reviews, rejects = read(published.lines(raw, huge))
    assert rejects.empty and len(reviews) == 2


def test_blank_lines_are_not_rows_but_count_as_lines(published):
    reviews, rejects = read(published.lines(b"", published.row(), b"  ", b"\r", b"{}"))
    assert len(reviews) == 1
    assert rejects["line"].tolist() == [5]


def test_duplicate_rows_go_and_repeat_visits_stay(published):
    first, again = published.row(), published.row(review_text="Back again, still good.")
    other_key_order = dict(reversed(list(published.row().items())))
    third = published.row(rating=2)
    reviews, rejects = read(published.lines(first, again, other_key_order, third, again))
    base = f"{USER}_{BUSINESS}"
    assert reviews["review_id"].tolist() == [base, f"{base}_2", f"{base}_3"]
    assert rejects[["line", "reason"]].to_numpy().tolist() == [[3, "duplicate row"], [5, "duplicate row"]]


def test_review_ids_are_unique_even_if_ids_contain_underscores(published):
    pairs = [("a", "b_2"), ("a", "b"), ("a", "b"), ("a_b", "2"), ("a", "b")]
    path = published.lines(*[published.row(user_id=u, business_id=b, rating=1 + n) for n, (u, b) in enumerate(pairs)])
    reviews, rejects = read(path)
    assert rejects.empty and reviews["review_id"].is_unique and len(reviews) == 5


def test_accepted_and_rejected_make_up_the_rows(published):
    changes = [c for several in REJECTED.values() for c in several]
    some = [published.row(user_id=str(n)) for n in range(50)] + [published.row(**c) for c in changes] + [b"{", b"]"]
    reviews, rejects = read(published.lines(*some))
    assert len(reviews) == 50 and len(reviews) + len(rejects) == len(some)


def test_a_file_of_rejects_only_still_has_the_columns(published):
    reviews, rejects = read(published.lines(b"{}", b"{}"))
    assert reviews.empty and reviews.columns.tolist()[-1] == "image_ids" and len(rejects) == 2
    assert photos_named(published.lines(b"{}"), progress=False).column_names == ["image_id", "url"]


def test_photos_of_a_published_file(published):
    path = published.lines(
        published.row(pics=[{"id": "a", "url": ["u1", "u2"]}, {"id": "b", "url": []}]),
        published.row(user_id="1", pics=[{"id": "a", "url": ["u3"]}, "c", {"id": "../d", "url": ["u4"]}]),
    )
    rows = photos_named(path, progress=False).to_pylist()
    assert [(row["image_id"], row["url"]) for row in rows] == [("a", "u1"), ("b", ""), ("c", ""), ("../d", "u4")]


def test_another_file_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(gest, "MAX_REJECTS", 1000)
    monkeypatch.setattr(streams, "HEAD_BYTES", 16)
    monkeypatch.setattr(streams, "CHUNK_BYTES", 1 << 10)
    path = tmp_path / "rows.json"
    path.write_text('{"x": 1}\n' * 100_000)
    with pytest.raises(ValueError, match="rows.json: 1,.* of the first 1,.* rows cannot be used.*line 1.*no user_id"):
        read_reviews(path, progress=False)
