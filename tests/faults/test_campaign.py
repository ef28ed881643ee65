"""The campaign of faults in small, on the first two stages: `make faults` tries more of each, on all."""

import json

import pytest

from tests.faults import trials
from tests.faults.campaign import Campaign, campaign, kept_for, make_base, markdown

pytestmark = pytest.mark.slow
STAGES = ["world", "data"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    make_base(folder, STAGES)
    return folder


def test_nothing_is_lost_and_nothing_let_in(base, tmp_path, monkeypatch):
    """All odd names of folders in one path, and all odd environments at once, for each trial starts two processes."""
    odd = trials.PLACES.values()
    names = "/".join(place["folder"] for place in odd if "folder" in place)
    environment = {key: value for place in odd for key, value in place.items() if key != "folder"}
    monkeypatch.setattr(trials, "PLACES", {"every name": {"folder": names}, "every environment": environment})
    rows = campaign(base, tmp_path, kills=2, scale=0.1, seed=1, stages=STAGES, tests=False)
    assert sum(row.tried for row in rows) > 1000
    assert {row.fault: row.notes for row in rows if row.survived < row.tried or row.notes} == {}
    assert markdown(rows).count("\n") == len(rows) + 1


def test_what_is_lost_or_let_in_is_counted(base, tmp_path, monkeypatch):
    monkeypatch.setattr("showcase_utils.artifacts.damage", lambda *_: "")
    found = Campaign(base, tmp_path)
    row = found.run("a bit", 20, trials.flipped_bit, False)
    assert row.let_in > 10 and row.survived == row.tried - row.let_in
    monkeypatch.setattr(trials, "fetch_photos", lambda *_, **__: None)
    assert found.run("nothing fetched", 1, trials.hostile_server, 3).lost == 1


def test_a_campaign_that_is_cut_off_goes_on_behind_its_finished_rows(tmp_path):
    kept, tried = tmp_path / "kept.json", []

    def trial(base, scratch, chance, fault):
        tried.append(fault)
        if fault == "cut" and tried.count("cut") == 1:
            raise KeyboardInterrupt

    first = Campaign(tmp_path, tmp_path, kept=kept)
    whole = first.run("whole", 2, trial, "whole")
    with pytest.raises(KeyboardInterrupt):
        first.run("cut", 2, trial, "cut")
    again = Campaign(tmp_path, tmp_path, kept=kept)
    assert again.run("whole", 2, trial, "whole") == whole and again.run("cut", 2, trial, "cut").tried == 2
    assert tried == ["whole", "whole", "cut", "cut", "cut"]
    assert [row["fault"] for row in json.loads(kept.read_text())] == ["whole", "cut"]


def test_other_options_are_another_campaign():
    assert kept_for({"kills": 2}) == kept_for({"kills": 2}) != kept_for({"kills": 3})
