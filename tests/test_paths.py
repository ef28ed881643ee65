"""A path may be given as a string."""

import csv

import pandas as pd
import pytest
import torch
from PIL import Image

from showcase_utils.alignment.answers import merge_answers
from showcase_utils.generation.tone import Tone
from showcase_utils.generation.trained import load_system, training_records, training_table
from showcase_utils.importing.run import import_tables
from showcase_utils.importing.tables import read_table
from showcase_utils.metrics.submitted import read_submissions
from showcase_utils.selection.single_pools import load_model
from showcase_utils.selection.towers import ProfileModel


def write(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def test_tables_and_answers(tmp_path):
    head = ("user", "place", "stars", "text", "photos")
    reviews = write(tmp_path / "reviews.csv", head, ("u", "p", "5", "Fine.", "1.jpg"))
    assert len(list(read_table(reviews, "csv"))) == 1
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 48), (9, 90, 9)).save(tmp_path / "photos" / "1.jpg")
    import_tables("csv", [reviews], str(tmp_path / "photos"), str(tmp_path / "mine"), progress=False)
    assert (tmp_path / "mine" / "image_review_all.json").is_file()
    texts = write(tmp_path / "theirs.csv", ("review_id", "text"), ("r", "Fine."))
    assert read_submissions(texts, {"r"})[0].texts == {"r": "fine."}
    columns = ("review_id", "sentence", "image_id", "annotator", "label")
    answers = write(tmp_path / "answers.csv", columns, ("r", "Fine.", "i", "me", "1"))
    assert len(merge_answers([answers], str(tmp_path / "labels.csv"))) == len(pd.read_csv(tmp_path / "labels.csv")) == 1


def test_models(tmp_path):
    torch.manual_seed(0)
    model = ProfileModel(8, "img", 0.5, 1.0, True)
    model.save_pretrained(str(tmp_path / "models" / "dpp-img-0"))
    assert load_model(str(tmp_path), "img", 0).dim == ProfileModel.from_pretrained(f"{tmp_path}/models/dpp-img-0").dim
    tone = Tone.fit(["good", "bad"], [5, 5])
    tone.save(str(tmp_path / "tone.parquet"))
    assert Tone.load(str(tmp_path / "tone.parquet")).score(["good"]) == tone.score(["good"])
    assert training_records(str(tmp_path)) == []
    for open_ in (training_table, load_system):
        with pytest.raises(FileNotFoundError, match="no trained"):
            open_(str(tmp_path))
