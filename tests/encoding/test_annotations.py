from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from showcase_utils.encoding.annotations import (
    fleiss_kappa,
    labelling_sheet,
    majority_vote,
    read_annotations,
    split_by_review,
)
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
        (HEADER + "r,s,p,a,1\nr,t,p,a,yes\n", "a.csv, record 3: label 'yes' is neither 0 nor 1"),
        (HEADER + "r,s,,a,1\n", "a.csv, record 2: an empty field"),
        (HEADER + "r,s,p,a,1\nr,s,p,b,1\nr,s,p,a,0\n", "record 4: annotator 'a' labels this pair a second time"),
        (HEADER, "no labels"),
    ],
)
def test_bad_annotations_name_file_and_record(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_annotations(tmp_path / "a.csv")


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
