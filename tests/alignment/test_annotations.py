from __future__ import annotations

import csv
import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment.annotations import (
    fleiss_kappa,
    labelling_sheet,
    majority_vote,
    read_annotations,
    split_by_review,
)
from showcase_utils.data.sentences import split_sentences
from tests.reference import agreement

HEADER = "review_id,sentence,image_id,annotator,label\n"


def annotations(votes: list[list[int]]) -> pd.DataFrame:
    rows = [
        (f"r{item // 3}", f"sentence {item}", "photo", f"annotator {number}", label)
        for item, labels in enumerate(votes)
        for number, label in enumerate(labels)
    ]
    return pd.DataFrame(rows, columns=["review_id", "sentence", "image_id", "annotator", "label"])


def test_reads_labels_and_keeps_ids_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + '007_1,"Good, NA ""tacos""",1e5,ann,1\n007_1,None,1e5,ann,0\n')
    frame = read_annotations(tmp_path / "a.csv")
    assert frame.values.tolist() == [["007_1", 'Good, NA "tacos"', "1e5", "ann", 1], ["007_1", "None", "1e5", "ann", 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("review_id,sentence,image_id,label\nr,s,p,1\n", "a.csv: no column annotator"),
        (HEADER + "r,s,p,a,1\nr,t,p,a,yes\n", "a.csv, line 3: label 'yes' is neither 0 nor 1"),
        (HEADER + "r,s,,a,1\n", "a.csv, line 2: an empty field"),
        (HEADER + "r,s,p,a,1\nr,s,p,b,1\nr,s,p,a,0\n", "a.csv, line 4: annotator 'a' labels this pair a second time"),
        (HEADER + '"r","s,\nt",p,a,1\n\nr,Good, cheap,p,a,1\n', "a.csv, line 5: 6 fields for 5 columns.*in quotes"),
        (HEADER + "r,s,p,a\n", "a.csv, line 2: 4 fields for 5 columns"),
        (HEADER + '"r,s,p,a,1\n', "a.csv, line 2: not valid CSV"),
        (HEADER, "a.csv: no labels"),
        ("", "a.csv: no column review_id"),
    ],
)
def test_bad_annotations_name_file_and_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_annotations(tmp_path / "a.csv")


def test_annotations_that_cannot_be_read_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no annotations in .*gone.csv: data.annotations names"):
        read_annotations(tmp_path / "gone.csv")
    with pytest.raises(ValueError, match="no .csv file in the folder .*what the annotators saved"):
        read_annotations(tmp_path)
    (tmp_path / "excel.csv").write_bytes((HEADER + "r,cr\u00e8me,p,a,1\n").encode("latin-1"))
    with pytest.raises(ValueError, match="excel.csv is not UTF-8 .*save it as 'CSV UTF-8'"):
        read_annotations(tmp_path / "excel.csv")
    (tmp_path / "excel.csv").write_text(HEADER + "r,cr\u00e8me,p,a,1\n", encoding="utf-8-sig")
    assert read_annotations(tmp_path / "excel.csv")["sentence"].tolist() == ["cr\u00e8me"]


def test_a_folder_has_a_file_per_annotator(tmp_path: Path) -> None:
    (tmp_path / "anna.csv").write_text(HEADER + "r,s,p,anna,1\n")
    (tmp_path / "ben.csv").write_text("label,annotator,review_id,sentence,image_id,line\n0,ben,r,s,p,x\n")
    (tmp_path / "notes.txt").write_text("not a CSV")
    frame = read_annotations(tmp_path)
    assert frame.values.tolist() == [["r", "s", "p", "anna", 1], ["r", "s", "p", "ben", 0]]
    (tmp_path / "copy.csv").write_text(HEADER + "r,s,p,anna,0\n")
    with pytest.raises(ValueError, match="copy.csv, line 2: annotator 'anna' labels this pair a second time"):
        read_annotations(tmp_path)


def test_a_label_needs_more_than_half_of_the_votes() -> None:
    pairs = majority_vote(annotations([[1, 1, 0], [1, 0, 0], [1, 0], [1], [0]]))
    assert pairs["label"].tolist() == [1, 0, 0, 1, 0]
    assert pairs["votes"].tolist() == [3, 3, 2, 1, 1]
    assert pairs["sentence"].tolist() == [f"sentence {item}" for item in range(5)]


def test_kappa_is_the_one_of_every_two_votes() -> None:
    rng = np.random.default_rng(0)
    votes = [rng.integers(0, 2, size=rng.integers(1, 5)).tolist() for _ in range(40)]
    assert fleiss_kappa(majority_vote(annotations(votes))) == pytest.approx(agreement.fleiss_kappa(votes), abs=1e-12)


def test_kappa_of_full_agreement_and_of_one_answer_only() -> None:
    assert fleiss_kappa(majority_vote(annotations([[1, 1, 1], [0, 0, 0]]))) == pytest.approx(1)
    assert math.isnan(fleiss_kappa(majority_vote(annotations([[1, 1], [1, 1]]))))
    assert math.isnan(fleiss_kappa(majority_vote(annotations([[1], [0]]))))


def test_the_split_is_by_review_eight_to_one_to_one_and_of_the_seed() -> None:
    pairs = majority_vote(annotations([[1, 0, 1]] * 300))
    split = split_by_review(pairs, seed=3)
    sides = split.groupby("review_id")["split"].agg(set)
    assert sides.map(len).eq(1).all()
    assert sides.map(min).value_counts().to_dict() == {"train": 80, "val": 10, "test": 10}
    shuffled = split_by_review(pairs.sample(frac=1, random_state=0), seed=3)
    assert shuffled.sort_index()["split"].equals(split["split"])
    assert not split_by_review(pairs, seed=4)["split"].equals(split["split"])


def test_three_reviews_are_the_least_that_can_be_split() -> None:
    assert set(split_by_review(majority_vote(annotations([[1]] * 9)), seed=0)["split"]) == {"train", "val", "test"}
    with pytest.raises(ValueError, match="2 annotated reviews cannot be split"):
        split_by_review(majority_vote(annotations([[1]] * 6)), seed=0)


def test_the_labelling_sheet_holds_every_pair_and_its_photos(tmp_path: Path, photos: list[str]) -> None:
    reviews = pd.DataFrame(
        {
            "review_id": ["r&1", "r2"],
            "text": ['The <b>ramen</b> was "great". We waited.', "Nice place"],
            "image_ids": [["p0", "p1"], ["p2", "gone"]],
        }
    )
    images = pd.DataFrame(
        {"image_id": ["p0", "p1", "p2", "gone"], "path": [*photos[:3], ""], "status": ["ok"] * 3 + ["expired"]}
    )
    assert labelling_sheet(reviews, images, tmp_path / "sheet.html", annotator='Ann "B"') == 5
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3 and page.count('type="checkbox"') == 5
    assert "<b>ramen" not in page and 'data-review="r&amp;1"' in page and 'value="Ann &quot;B&quot;"' in page
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing is fetched
    assert "review_id,sentence,image_id,annotator,label" in page


class Sheet(HTMLParser):
    """Does what the page's script does: a line per box, as the browser's DOM has it, ticked where asked for."""

    def __init__(self, page: str, ticked: set[tuple[str, str]]) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.who, self.text, self.box = "", None, {}
        self.feed(page.replace("\r\n", "\n").replace("\r", "\n"))  # as browsers read a page
        self.csv = "review_id,sentence,image_id,annotator,label\n"
        for review_id, sentence, image_id in self.rows:
            fields = [review_id, sentence, image_id, self.who, "1" if (sentence, image_id) in ticked else "0"]
            self.csv += ",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if facts.get("id") == "who":
            self.who = facts["value"]
        if facts.get("type") == "checkbox":
            self.box = facts
        if tag == "span":
            self.text = io.StringIO()

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text.write(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self.rows.append([self.box["data-review"], self.text.getvalue(), self.box["data-image"]])
            self.text = None


def test_what_the_sheet_saves_is_read_back(tmp_path: Path, photos: list[str]) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a photo")
    text = 'The "ramen", with\r\negg & NOTE. Great! <i>SECTIONS</i> of caf\u00e9. Great!'
    reviews = pd.DataFrame({"review_id": ["r,1"], "text": [text], "image_ids": [["p0", "bad", "p1", "p0"]]})
    images = pd.DataFrame({"image_id": ["p0", "p0", "p1", "bad"], "path": [*photos[:3], str(broken)], "status": "ok"})
    assert labelling_sheet(reviews, images, tmp_path / "sheet.html", annotator="Ann, B") == 6
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert "1 photos could not be read: bad" in page
    sheet = Sheet(page, ticked={("Great!", "p1")})
    assert list(csv.reader(io.StringIO(sheet.csv, newline="")))[1][0] == "r,1"
    (tmp_path / "annotations.csv").write_text(sheet.csv, encoding="utf-8", newline="")
    frame = read_annotations(tmp_path / "annotations.csv")
    sentences = ['The "ramen", with\r\negg & NOTE.', "Great!", "<i>SECTIONS</i> of caf\u00e9."]
    assert frame["sentence"].tolist() == sentences * 2 and frame["image_id"].tolist() == ["p0"] * 3 + ["p1"] * 3
    assert set(frame["review_id"]) == {"r,1"} and set(frame["annotator"]) == {"Ann, B"}
    assert frame["label"].tolist() == [0, 0, 0, 0, 1, 0]
    assert next(split_sentences([text])) == [*sentences, "Great!"]  # the very texts that notebook 02 looks for
