"""benchmarks/rehearsal.py on a few hundred rows: it goes on where it was, and its table says what it found."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def rehearsal(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import rehearsal

    return rehearsal


def test_what_the_published_counts_would_take(rehearsal):
    """Of 256 pools one is trained on at share 1, of 4 and 16 at these, so that a training takes as long at both."""

    def run(size):
        parts = {"open_pools": 1.0 * size, "train": 2.0}
        return {"selection": {"cpu_seconds": sum(parts.values()), "peak_gib": 1.0, "gb_on_disk": 0.1, "parts": parts}}

    small, large = 1 / 64, 1 / 16
    stage, pools, train = rehearsal.summary({small: run(1), large: run(4)})
    assert pools["slope"] == pytest.approx(1) and pools["whole"] == pytest.approx(64)
    assert train["cpu_seconds"] == {small: 8, large: 32} and train["whole"] == pytest.approx(2 * 256)
    assert stage["cpu_seconds"] == {small: 9, large: 36} and stage["beside_training"] == pytest.approx(64)
    assert stage["full_epochs"] == pytest.approx(64 + 30 * 2 * 256), "30 epochs, of which one was run"
    flat = {"data": {"cpu_seconds": 3.0, "peak_gib": 1.0, "gb_on_disk": 0.1, "parts": {}}}
    (row,) = rehearsal.summary({small: flat, large: flat})
    assert row["slope"] == pytest.approx(0) and row["whole"] == pytest.approx(48), "never less than in proportion"
    assert rehearsal.table([small, large], [row]).loc["data", "minutes, whole"] == "0.8"
    rows = rehearsal.summary({small: flat | run(1), large: flat})  # cut off behind the first stage
    assert [len(row["cpu_seconds"]) for row in rows] == [2, 1, 1, 1]
    assert rehearsal.table([small, large], rows).loc["selection", "s, 0.0625"] == ""


@pytest.mark.slow
def test_a_rehearsal_runs_and_goes_on(rehearsal, tmp_path, monkeypatch, capsys):
    command = ["rehearsal.py", "--share", "0.0003", "--to", "data", "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    rehearsal.main()
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("– read")]
    (record,) = tmp_path.glob("share-*/measured.json")
    measured = json.loads(record.read_text())
    assert list(measured) == ["data"] and measured["data"]["peak_gib"] > 0.1
    rehearsal.main()
    assert "1 of 1 …" not in capsys.readouterr().out and json.loads(record.read_text()) == measured

    (photos,) = tmp_path.glob("share-*/rehearsal.yaml")
    photos.write_text(photos.read_text().replace("image_review_all.json", "gone.json"))
    with pytest.raises(SystemExit, match="(?s)data at share 0.0003 failed.*gone.json"):
        rehearsal.main()
