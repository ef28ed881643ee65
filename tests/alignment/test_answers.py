import json

import pytest
from typer.testing import CliRunner

from showcase_utils.alignment.answers import merge_answers
from showcase_utils.cli import app

ROW = {"review_id": "r1", "sentence": 'Good, "really" good.', "image_id": "a", "annotator": "vera", "label": "1"}


def answers(folder, name, *rows):
    path = folder / name
    lines = ["review_id,sentence,image_id,annotator,label"]
    lines += [",".join('"' + value.replace('"', '""') + '"' for value in row.values()) for row in rows]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def test_answers_of_several_people_become_one_csv(tmp_path):
    one = answers(tmp_path, "annotations.csv", ROW, ROW | {"image_id": "b", "label": "0"})
    two = tmp_path / "otto.json"
    two.write_text(json.dumps([ROW | {"annotator": "otto", "label": 0}]))
    labels = merge_answers([one, two], tmp_path / "labels.csv")
    assert labels["label"].tolist() == [1, 0, 0] and labels["annotator"].tolist() == ["vera", "vera", "otto"]
    assert merge_answers([tmp_path / "labels.csv"], tmp_path / "again.csv").equals(labels)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("page.html", "<!doctype html>", "this is the page"),
        ("a.json", '{"x": 1}', "no answers: a JSON list"),
        ("a.json", "[1, 2]", "no answers: a JSON list"),
        ("a.csv", "a,b\n1,2\n", "^a.csv: no column review_id"),
        ("a.csv", "", "no column review_id"),
    ],
)
def test_files_that_are_no_answers(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=said):
        merge_answers([path], tmp_path / "labels.csv")
    assert not (tmp_path / "labels.csv").exists()


def test_one_annotator_cannot_answer_twice(tmp_path):
    files = [answers(tmp_path, "1.csv", ROW), answers(tmp_path, "2.csv", ROW | {"label": "0"})]
    with pytest.raises(ValueError, match="'vera' labels this pair a second time"):
        merge_answers(files, tmp_path / "labels.csv")


def test_the_command_says_what_to_set(tmp_path):
    to = tmp_path / "labels.csv"
    done = CliRunner().invoke(app, ["annotate", "--read", str(answers(tmp_path, "a.csv", ROW)), "--to", str(to)])
    assert done.exit_code == 0 and f"data.annotations: {to}" in done.stdout
    assert CliRunner().invoke(app, ["annotate"]).exit_code == 1
    there = CliRunner().invoke(app, ["annotate", "page.html", "-p", "smoke", "-a", str(tmp_path)])
    assert there.exit_code == 1 and "run notebook 01" in there.stderr
