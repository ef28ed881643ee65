"""The rating sheet in a real browser, from the page to the table: skipped where no Chromium is installed."""

import html
import json
import re
import shutil
import subprocess

import pandas as pd
import pytest
from PIL import Image

from showcase_utils.claims.human import agreement, preferences, read_answers, write_sheet

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
RATER = """<script>
HTMLAnchorElement.prototype.click = function () {
  const out = document.createElement("pre");
  out.id = "saved"; out.textContent = decodeURIComponent(this.href.split(",").slice(1).join(","));
  document.body.append(out);
};
let asked = "";
window.alert = function (words) { asked = words; };
document.getElementById("save").click();
const before = document.createElement("pre");
before.id = "asked"; before.textContent = asked; document.body.append(before);
for (const card of document.querySelectorAll(".card")) {
  const value = card.textContent.includes("tacos") ? "5" : "2";
  for (const box of card.querySelectorAll("input[value='" + value + "']")) {
    box.checked = true;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
document.getElementById("rater").value = "NAME";
document.getElementById("save").click();
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_rater_answers_in_the_browser_and_the_answers_come_back(tmp_path):
    Image.new("RGB", (60, 40), "red").save(tmp_path / "p.jpg")
    base = pd.DataFrame({"review_id": list("abcd"), "user_id": "u", "business_id": "b", "image_ids": [["p"]] * 4})
    runs = [
        base.assign(system=system, seed=0, text=f'the {word} & "more" </script>', reference="r")
        for system, word in (("one", "tacos"), ("two", "room"))
    ]
    key = write_sheet(tmp_path / "sheet.html", pd.concat(runs), {"p": tmp_path / "p.jpg"}, samples=4, seed=0)
    files = []
    for name in ("ann", "bob"):
        page = tmp_path / f"{name}.html"
        page.write_text((tmp_path / "sheet.html").read_text().replace("</body>", RATER.replace("NAME", name)))
        command = [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / name}",
            "--dump-dom",
        ]
        done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
        saved, asked, progress = (
            html.unescape(re.search(rf'<{tag} id="{place}">(.*?)</{tag}>', done.stdout, re.S)[1])
            for tag, place in (("pre", "saved"), ("pre", "asked"), ("output", "progress"))
        )
        assert "enter your name" in asked and progress == "16 of 16 answered"
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(saved)
        assert json.loads(saved)["rater"] == name
    answers = read_answers(key, files)
    table = preferences(answers, rounds=50).set_index(["question", "system"])["value"]
    assert table["alignment", "one"] == 5 and table["expressiveness", "two"] == 2
    assert agreement(answers, rounds=50)["alpha"].tolist() == [1, 1]
