import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from showcase_utils.claims.human import agreement, krippendorff, preferences, read_answers, write_sheet

NAN = float("nan")


@pytest.fixture
def texts():
    reviews = [f"u{i}_b" for i in range(6)]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "system": system,
                    "seed": 0,
                    "review_id": reviews,
                    "user_id": [r[:2] for r in reviews],
                    "business_id": "b",
                    "image_ids": [["p1", "p2"]] * 6,
                    "text": [f"{word} <b>&</b> number {i}" for i in range(6)],
                    "reference": "r",
                }
            )
            for system, word in (("secret_one", "tacos"), ("secret_two", "rooms"))
        ],
        ignore_index=True,
    )


@pytest.fixture
def photos(tmp_path):
    paths = {name: tmp_path / f"{name}.jpg" for name in ("p1", "p2")}
    for path in paths.values():
        Image.new("RGB", (300, 200), "red").save(path)
    return paths


def answer(tmp_path, key, rater, choose):
    """Answers as the page saves them; ``choose(systems, question)`` gives the value."""
    facts = json.loads(key.read_text())
    answers = {f"{item}.{q}": choose(e["systems"], q) for item, e in facts["items"].items() for q in QUESTIONS}
    path = tmp_path / f"{rater}.json"
    path.write_text(json.dumps({"sheet": facts["sheet"], "rater": rater, "answers": answers}))
    return path


QUESTIONS = ("expressiveness", "alignment")


def test_the_sheet_hides_the_systems_and_needs_nothing_else(tmp_path, texts, photos):
    key = write_sheet(tmp_path / "sheet.html", texts, photos, samples=4, seed=1)
    page = (tmp_path / "sheet.html").read_text()
    assert "secret" not in page and "u0_b" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page) and "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/jpeg;base64,") == 8
    assert page.count('type="radio"') == 4 * 2 * 2 * 5  # samples, systems, questions, points
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page and "<b>&</b>" not in page
    assert "<!--" not in page
    items = json.loads(key.read_text())["items"]
    assert len(items) == 8 and all(item in page for item in items)


def test_the_order_is_shuffled_and_comes_from_the_seed(tmp_path, texts, photos):
    def order(name, seed):
        key = write_sheet(tmp_path / name, texts, photos, samples=6, seed=seed)
        return (tmp_path / name).read_text(), [e["systems"][0] for e in json.loads(key.read_text())["items"].values()]

    page, systems = order("a.html", 3)
    assert (page, systems) == order("b.html", 3)
    assert page != order("c.html", 4)[0]
    assert {systems[i] for i in range(0, 12, 2)} == {"secret_one", "secret_two"}  # neither always stands first


def test_likert_answers_come_back_with_preference_and_agreement(tmp_path, texts, photos):
    key = write_sheet(tmp_path / "sheet.html", texts, photos, samples=6, seed=0)
    good = {"secret_one": "5", "secret_two": "2"}
    files = [answer(tmp_path, key, name, lambda systems, _: good[systems[0]]) for name in ("ann", "bob")]
    answers = read_answers(key, files)
    assert len(answers) == 2 * 12 * 2
    table = preferences(answers, rounds=100).set_index(["question", "system"])
    assert table.loc[("alignment", "secret_one"), "value"] == 5
    assert table.loc[("expressiveness", "secret_two"), ["value", "low", "high", "judgements"]].tolist() == [2, 2, 2, 12]
    assert (agreement(answers, rounds=50)["alpha"] == 1).all()


def test_pairwise_answers_are_turned_to_one_direction(tmp_path, texts, photos):
    key = write_sheet(tmp_path / "sheet.html", texts, photos, samples=6, seed=0, design="pairwise")

    def two_wins(systems, question):
        return "same" if question == "alignment" else "AB"[systems.index("secret_two")]

    answers = read_answers(key, [answer(tmp_path, key, "ann", two_wins)])
    table = preferences(answers, rounds=50).set_index("question")
    assert table["system"].unique().tolist() == ["secret_one"] and table["other"].unique().tolist() == ["secret_two"]
    assert table.loc["expressiveness", "value"] == 0 and table.loc["alignment", "value"] == 0.5


def test_agreement_is_krippendorffs_published_example():
    """Krippendorff (2011), "Computing Krippendorff's alpha-reliability", four observers: ordinal α = 0.815."""
    raters = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
    assert krippendorff(np.array(raters).T) == pytest.approx(0.815, abs=5e-4)
    assert np.isnan(krippendorff(np.array([[3.0, 3.0], [3.0, 3.0]])))
    noise = np.random.default_rng(0).integers(1, 6, size=(500, 3)).astype(float)
    assert abs(krippendorff(noise)) < 0.1


def test_bad_requests_and_answers_are_named(tmp_path, texts, photos):
    with pytest.raises(ValueError, match="9 samples asked for"):
        write_sheet(tmp_path / "s.html", texts, photos, samples=9, seed=0)
    with pytest.raises(ValueError, match="two systems or more"):
        write_sheet(tmp_path / "s.html", texts[:6], photos, samples=2, seed=0, design="pairwise")
    with pytest.raises(ValueError, match="choose likert or pairwise"):
        write_sheet(tmp_path / "s.html", texts, photos, samples=2, seed=0, design="rank")
    with pytest.raises(ValueError, match="no texts of system third: there are secret_one, secret_two"):
        write_sheet(tmp_path / "s.html", texts, photos, samples=2, seed=0, systems=["third"])
    with pytest.raises(ValueError, match="no folder"):
        write_sheet(tmp_path / "absent" / "s.html", texts, photos, samples=2, seed=0)
    key = write_sheet(tmp_path / "s.html", texts, photos, samples=2, seed=0)
    good = answer(tmp_path, key, "ann", lambda *_: "3")
    with pytest.raises(ValueError, match="rater 'ann' has answered already"):
        read_answers(key, [good, good])
    for change, message in (
        ({"sheet": "other"}, "belong to sheet other"),
        ({"answers": {"zz.alignment": "3"}}, "no question of this sheet"),
        ({"answers": {}}, "hold no answers"),
    ):
        bad = tmp_path / "bad.json"
        bad.write_text(json.dumps(json.loads(good.read_text()) | change))
        with pytest.raises(ValueError, match=message):
            read_answers(key, [bad])
    bad = answer(tmp_path, key, "bob", lambda *_: "6")
    with pytest.raises(ValueError, match="'6' is no answer"):
        read_answers(key, [bad])
    with pytest.raises(ValueError, match="name the files"):
        read_answers(key, [])


@pytest.mark.parametrize(
    "content, message",
    [
        ("[]", "it holds a list"),
        ("null", "it holds null"),
        ("3", "it holds a single value"),
        ("", "no answers that a rating sheet saved"),
        ('{"sheet": "x"}', "it lacks answers"),
        ('{"sheet": "x", "answers": {}}', "belong to sheet x"),
    ],
)
def test_files_that_are_no_answers_are_named(tmp_path, texts, photos, content, message):
    key = write_sheet(tmp_path / "s.html", texts, photos, samples=2, seed=0)
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    with pytest.raises(ValueError, match=message) as raised:
        read_answers(key, [bad])
    assert "bad.json" in str(raised.value)
    with pytest.raises(ValueError, match="no key of a rating sheet|key of a rating sheet: it"):
        read_answers(bad, [bad])


def test_values_of_other_kinds_are_no_answers(tmp_path, texts, photos):
    key = write_sheet(tmp_path / "s.html", texts, photos, samples=2, seed=0)
    good = answer(tmp_path, key, "ann", lambda *_: "3")
    for value in (3, None, ["3"]):
        good.write_text(json.dumps(json.loads(key.read_text()) | {"answers": {_question(key): value}}))
        with pytest.raises(ValueError, match="is no answer"):
            read_answers(key, [good])


def _question(key):
    return f"{next(iter(json.loads(key.read_text())['items']))}.alignment"


def test_a_sheet_or_key_that_is_there_is_not_overwritten(tmp_path, texts, photos):
    key = write_sheet(tmp_path / "s.html", texts, photos, samples=2, seed=0)
    before = key.read_bytes()
    with pytest.raises(ValueError, match="s.html and .*s.key.json are there already"):
        write_sheet(tmp_path / "s.html", texts, photos, samples=2, seed=1)
    (tmp_path / "s.html").unlink()  # it has been sent to a rater; the key is what must stay
    with pytest.raises(ValueError, match="s.key.json is there already"):
        write_sheet(tmp_path / "s.html", texts, photos, samples=2, seed=1)
    assert key.read_bytes() == before and not (tmp_path / "s.html").exists()


def test_the_id_of_a_sheet_is_that_of_what_it_asks(tmp_path, texts, photos):
    """With the seed alone, answers to one sheet were taken for answers to another."""
    wishes = {
        "same": {},
        "again": {},
        "fewer": {"samples": 2},
        "one": {"systems": ["secret_two"]},
        "pairs": {"design": "pairwise"},
        "other": {"texts": texts.assign(text=texts["text"] + " !")},
    }
    sheets = {}
    for name, wish in wishes.items():
        key = write_sheet(
            tmp_path / f"{name}.html", **{"texts": texts, "photos": photos, "samples": 3, "seed": 0} | wish
        )
        sheets[name] = json.loads(key.read_text())["sheet"]
    assert sheets["same"] == sheets["again"] and len(set(sheets.values())) == 5
    items = json.loads((tmp_path / "one.key.json").read_text())["items"]
    assert {name for item in items.values() for name in item["systems"]} == {"secret_two"}
