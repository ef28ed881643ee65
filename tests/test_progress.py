"""Bars go where somebody looks."""

import pytest

from showcase_utils.progress import LOG, last_line, progress_bar


def test_a_disabled_bar_is_silent(capsys, monkeypatch):
    monkeypatch.delenv(LOG, raising=False)
    assert list(progress_bar(range(3), disable=True)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_in_batch_its_last_line_is_in_the_file(capsys, monkeypatch, tmp_path):
    place = tmp_path / "progress"
    monkeypatch.setenv(LOG, str(place))
    assert last_line(place) == ""
    with progress_bar(total=4, desc="photos", unit=" photos", disable=True) as bar:
        assert "0/4" in last_line(place)
        bar.update(3)
        bar.refresh()
        line = last_line(place)
        assert line.startswith("photos:  75%") and "3/4" in line and "photos/s" in line and "\n" not in line
    assert capsys.readouterr() == ("", "")


def test_a_bar_that_is_wanted_stays_where_it_is(capsys, monkeypatch, tmp_path):
    place = tmp_path / "progress"
    monkeypatch.setenv(LOG, str(place))
    assert sum(progress_bar(range(3), desc="here")) == 3
    assert "here: 100%" in capsys.readouterr().err and not place.exists()


def test_a_bar_that_ends_with_an_error_leaves_its_line(monkeypatch, tmp_path):
    monkeypatch.setenv(LOG, str(tmp_path / "progress"))
    with pytest.raises(RuntimeError), progress_bar(total=2, disable=True) as bar:
        bar.update(1)
        raise RuntimeError
    assert "1/2" in last_line(tmp_path / "progress")
