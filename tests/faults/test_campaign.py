"""The campaign of faults in small, on the first two stages: `make faults` tries more of each, on all."""

import pytest

from tests.faults import trials
from tests.faults.campaign import Campaign, campaign, make_base, markdown

pytestmark = pytest.mark.slow
STAGES = ["world", "data"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    make_base(folder, STAGES)
    return folder


def test_nothing_is_lost_and_nothing_let_in(base, tmp_path):
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
