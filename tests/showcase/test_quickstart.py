"""The five lines at README's top, as they stand there."""

import re
from pathlib import Path

from showcase_utils.showcase import Showcases
from tests.showcase.conftest import paint

README = Path(__file__).parents[2] / "README.md"


def test_readme_begins_with_five_lines_that_run(showcases, tmp_path, monkeypatch, capsys):
    lines = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S).group(1)
    assert README.read_text(encoding="utf-8").index(lines) < 400 and len(lines.splitlines()) == 6
    for place, number in (("mine", 2), ("photos/of/a/place", 4)):
        (tmp_path / place).mkdir(parents=True)
        for photo in range(1, number + 1):
            paint(tmp_path / place / f"{photo}.jpg", (40 * photo, 90, 10 * len(place)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Showcases, "load", lambda run: showcases if run == "demo" else None)
    exec(lines, {})
    said = capsys.readouterr().out
    assert "photos/of/a/place" in said and said.count(".jpg") >= 3
