import importlib.util
import shutil

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from showcase_utils.checking.run import check_run
from showcase_utils.cli import app
from showcase_utils.importing.run import import_tables
from tests.gardens import plant


@pytest.fixture(scope="module")
def gardens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gardens")
    plant(folder)
    mapping = {"text": "comment", "photos": "pictures"}
    import_tables("csv", [folder / "reviews.csv"], folder / "photos", folder / "gardens", mapping, progress=False)
    return folder / "gardens"


@pytest.fixture
def own(gardens, tmp_path):
    """A function that checks an import of gardens with settings on top; its files may be damaged."""
    to = shutil.copytree(gardens, tmp_path / "gardens")

    def check(*overrides):
        return check_run(str(to / "gardens.yaml"), overrides, str(tmp_path / "artifacts"))

    check.folder = to
    return check


def said(check, level):
    return [one.text for one in check.findings if one.level == level]


def test_a_good_set_runs_and_is_counted(own):
    check = own()
    assert not check.stops and said(check, "stops") == []
    assert check.counts["rows"] == check.counts["accepted"] == "70"
    assert check.counts["GEST-s1"] == "70 reviews of 14 users, 6 places"
    assert check.counts["photos"].endswith(" ok")
    assert list(check.abilities) == ["01", "02", "03", "04", "05", "06"]
    assert check.state("03") == "runs" and check.state("02") == "limited"
    assert any("no labels" in text for text in said(check, "limits"))


def test_a_set_of_one_is_counted_in_the_singular(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "photos" / "a.jpg")
    rows = [("vera", "kew", 5, "Roses.", "a.jpg"), ("vera", "kew", 5, "Ferns.", "a.jpg")]
    pd.DataFrame(rows, columns=["user", "business", "rating", "text", "pics"]).to_csv(tmp_path / "r.csv", index=False)
    to = tmp_path / "own"
    import_tables("csv", [tmp_path / "r.csv"], tmp_path / "photos", to, {"photos": "pics"}, progress=False)
    check = check_run(str(to / "own.yaml"), ["data.min_reviews_per_user=1"], str(tmp_path / "artifacts"))
    assert check.counts["GEST-s1"] == "2 reviews of 1 user, 1 place"
    assert "1 time a photo stands in a second review: it counts for the first" in said(check, "note")


def test_all_problems_are_told_at_once(own, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    check = own(
        "data.annotations=no.csv",
        "generation.decoder=some/gpt2-that-nobody-has",
        "encoding.model=local-dir:nowhere",
        "evaluation.bertscore_model=/not/there",
        "evaluation.nli=/nor/there",
        "generation.entities=spacy",
        "generation.spacy_model=xx_no_pipeline",
    )
    stops = " | ".join(said(check, "stops"))
    for words in (
        "no annotations in",
        "HF_HUB_OFFLINE forbids",
        "no open_clip_config.json",
        "/not/there",
        "evaluation.nli: /nor/there is not there",
        "xx_no_pipeline",
    ):
        assert words in stops
    assert check.state("01") == "runs" and check.state("02") == check.state("06") == "stops"


def test_what_a_decoder_in_a_gguf_file_and_lora_need(own, tmp_path, monkeypatch):
    file = tmp_path / "tiny.gguf"
    assert f"generation.decoder: {file} is not there" in said(own(f"generation.decoder={file}"), "stops")
    file.write_bytes(b"GGUF")
    assert not own(f"generation.decoder={file}", "generation.lora_rank=8").stops
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("peft", "gguf") else find(name))
    stops = " | ".join(said(own(f"generation.decoder={file}", "generation.lora_rank=8"), "stops"))
    assert "peft not installed: pip install 'personalized-showcases[lora]'" in stops and "[gguf]" in stops


def test_missing_photos(own):
    photos = sorted((own.folder / "photos").rglob("*.jpg"))
    for photo in photos[:10]:
        photo.unlink()
    check = own()
    assert any(text.startswith(f"missing or broken: 10 of {len(photos)} photos; ") for text in said(check, "limits"))
    for photo in photos[10:]:
        photo.unlink()
    assert any("showcase download photos" in text for text in said(own(), "stops"))


def test_a_folder_without_an_index_is_looked_at(own):
    (own.folder / "photos" / "index.parquet").unlink()
    next((own.folder / "photos").rglob("*.jpg")).write_bytes(b"broken")
    assert "1 not an image" in own().counts["photos"]


def test_users_without_a_past(own):
    check = own("data.min_reviews_per_user=9")
    assert any("no review is left" in text for text in said(check, "stops"))
    assert check.state("01") == "stops"


def test_a_split_that_nobody_falls_into(own):
    check = own("data.split=[1, 1e-9, 1e-9]")
    assert any("no user falls into test" in text for text in said(check, "stops")) and check.state("02") != "stops"


def test_nothing_to_choose_from(own):
    assert any("to choose from" in text for text in said(own("selection.k=200"), "stops"))


def test_few_users_come_twice_in_the_first_rows(own, monkeypatch):
    monkeypatch.setattr("showcase_utils.checking.data.ROWS", 1)
    check = own("data.min_reviews_per_user=99")
    assert check.counts["rows"].startswith("about") and not check.stops


def test_the_wrong_file(own):
    check = own(f"data.reviews={own.folder / 'gardens.yaml'}")
    assert any("neither JSON lines" in text for text in said(check, "stops"))


def test_a_long_file_is_read_in_part(own, monkeypatch):
    monkeypatch.setattr("showcase_utils.checking.data.ROWS", 20)
    monkeypatch.setattr("showcase_utils.data.streams.HEAD_BYTES", 4096)
    monkeypatch.setattr("showcase_utils.data.streams.CHUNK_BYTES", 4096)
    counted = own().counts["rows"]
    assert counted.startswith("about ") and 60 <= int(counted.split()[1].rstrip(";")) <= 80


def test_a_profile_that_cannot_be_read(tmp_path):
    check = check_run(str(tmp_path / "none.yaml"))
    assert check.stops and "no profile" in check.findings[0].text


def test_methods_that_a_run_would_not_find(own, tmp_path, monkeypatch):
    (tmp_path / "alias.py").write_text("from showcase_utils.selection.methods import METHODS\nBPR = METHODS['bpr']\n")
    monkeypatch.syspath_prepend(tmp_path)
    for methods, shown, said in (
        ("random,nosuch:ODDITY", "random", "selection.methods: 'nosuch:ODDITY': No module named 'nosuch'"),
        ("random,alias:ODD", "random", "has no attribute 'ODD'"),
        ("random,dpp,alias:BPR", "mine", "selection.shown_method = mine: selection.methods are random, dpp, bpr"),
        ("random,bpr", "bpr", "add dpp"),
    ):
        check = own(f"selection.methods=[{methods}]", f"selection.shown_method={shown}")
        (stop,) = [one for one in check.findings if one.level == "stops"]
        assert stop.notebook == "03" and said in stop.text


def test_a_library_that_is_missing(own, monkeypatch):
    from importlib import util

    found = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *a: None if name == "sacrebleu" else found(name, *a))
    check = own()
    assert any(
        "sacrebleu not installed: pip install 'personalized-showcases[metrics]'" in t for t in said(check, "stops")
    )
    assert check.state("04") != "stops" and check.state("05") == "stops"


def test_the_command_ends_with_one_where_a_run_would_stop(own):
    profile = str(own.folder / "gardens.yaml")
    good = CliRunner().invoke(app, ["check", "--profile", profile])
    assert good.exit_code == 0 and "next  showcase run" in good.stdout
    bad = CliRunner().invoke(app, ["check", "--profile", profile, "-s", "data.annotations=no.csv"])
    assert bad.exit_code == 1 and "stops" in bad.stdout and "a run would stop" in bad.stderr
    unread = CliRunner().invoke(app, ["check", "--profile", profile, "-s", "data.nonsense=3"])
    assert "unknown key 'data.nonsense'" in unread.stdout and "what it does" not in unread.stdout


def test_the_demo_world_needs_no_look(tmp_path):
    check = check_run("smoke", artifacts=str(tmp_path))
    assert not check.stops and "demo world" in check.counts["data"]
