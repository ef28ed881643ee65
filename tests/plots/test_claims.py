import numpy as np
import pandas as pd
import pytest
from PIL import Image

from showcase_utils.claims.cases import pick_cases
from showcase_utils.plots import claims as plots

SYSTEMS = ["img_gpt2", "ours_pc2l"]


@pytest.fixture
def metrics():
    rows = [
        (s, m, v, v - 0.1, v + 0.1) for s, v in zip(SYSTEMS, (0.3, 0.5), strict=True) for m in ("METEOR", "Distinct-2")
    ]
    return pd.DataFrame(rows, columns=["system", "metric", "value", "low", "high"])


@pytest.fixture
def texts():
    base = pd.DataFrame({"review_id": list("abcde"), "user_id": "u", "business_id": "b", "image_ids": [["p"]] * 5})
    runs = [base.assign(system=s, seed=0, text=f"{s} wrote this", reference="i wrote that myself") for s in SYSTEMS]
    return pd.concat(runs, ignore_index=True)


@pytest.fixture
def per_sample(texts):
    values = [0.2, 0.9, np.nan, 0.9, 0.1] * 2
    frame = texts[["system", "seed", "review_id", "user_id", "business_id"]]
    return frame.assign(
        METEOR=values, **{"CLIP-Align": values, "CLIP-Score": 0.5, "True alignment": [0, 1, 0.5, 1, 0] * 2}
    )


def test_the_quality_of_grounding_shows_scores_before_systems(tmp_path):
    rows = [("ours", "all", 0.9), ("ours", "img_gpt2", 0.8), ("ours", "floor_frequent", np.nan), ("Φ", "all", 0.7)]
    table = pd.DataFrame(rows, columns=["score", "system", "value"])
    table = table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1)
    figure = plots.grounding_quality(table)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["ours", "Φ", "img_gpt2", "floor_frequent"] and figure.facts == {"ours": 0.9, "Φ": 0.7}
    assert drawn(figure, tmp_path / "a.png")


def drawn(figure, path):
    figure.savefig(path, dpi=60)
    with Image.open(path) as image:
        return len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 5


def test_cases_are_the_best_the_median_and_the_worst(texts, per_sample):
    cases = pick_cases(texts, per_sample, "ours_pc2l", "METEOR", best=1, worst=1)
    assert cases[["place", "review_id", "value"]].to_numpy().tolist() == [
        ["best", "b", 0.9], ["median", "d", 0.9], ["worst", "e", 0.1],
    ]  # fmt: skip
    assert cases["img_gpt2"].tolist() == ["img_gpt2 wrote this"] * 3
    with pytest.raises(ValueError, match="no texts of system 'peter'"):
        pick_cases(texts, per_sample, "peter", "METEOR")
    with pytest.raises(ValueError, match="no metric 'BLEU'"):
        pick_cases(texts, per_sample, "ours_pc2l", "BLEU")


def test_panels_show_the_metrics_that_are_there(metrics, tmp_path):
    figure = plots.intervals(metrics, ["METEOR", "absent", "Distinct-2"], columns=2)
    shown = [axis.get_title("left") for axis in figure.axes]
    assert shown == ["METEOR", "Distinct-2"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == SYSTEMS
    assert drawn(figure, tmp_path / "a.png")
    trade = plots.trade_off(metrics, "METEOR", "Distinct-2")
    assert {text.get_text() for text in trade.axes[0].texts} == set(SYSTEMS)
    assert drawn(trade, tmp_path / "b.png")


def test_lengths_and_truth(texts, per_sample, tmp_path):
    figure = plots.lengths(texts)
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["users' own reviews", *SYSTEMS]
    assert figure.axes[0].texts[0].get_text() == "mean 4.0"
    assert drawn(figure, tmp_path / "a.png")
    assert drawn(plots.against_truth(per_sample), tmp_path / "b.png")
    assert figure.facts == {"users' own reviews": 4, "img_gpt2": 3, "ours_pc2l": 3}
    row = {"picks": "oracle", "value": 0.4, "low": 0.3, "high": 0.5, "chance": 0.4, "best_liked": 0.9}
    bars = plots.taste_bars(pd.DataFrame([row]))  # a method of any name is not the best possible share
    assert {text.get_text() for text in bars.axes[0].texts} == {"all candidates 0.40", "best possible 0.90"}
    assert drawn(bars, tmp_path / "c.png")


def test_case_studies_and_the_ledger(texts, per_sample, tmp_path):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "p.jpg")
    cases = pick_cases(texts, per_sample, "ours_pc2l", "METEOR", best=1, worst=1)
    figure = plots.case_studies(cases, SYSTEMS, {"p": tmp_path / "p.jpg"})
    words = [text.get_text() for text in figure.sheet.texts]
    assert len(figure.sheet.images) == 3 and words.count("i wrote that myself") == 3
    assert words[words.index("ours_pc2l") + 1] == "ours_pc2l wrote this" and "best: 0.90" in words
    assert drawn(figure, tmp_path / "a.png")
    claims = pd.DataFrame(
        {"key": ["1a", "1b"], "statement": ["x", "y"], "metric": ["m", "m"],
         "verdict": ["reproduced", "not testable here"], "effect": [0.2, np.nan],
         "low": [0.1, np.nan], "high": [0.3, np.nan], "relative": [0.4, np.nan], "relative_low": [0.2, np.nan],
         "relative_high": [0.6, np.nan]}
    )  # fmt: skip
    page = plots.ledger(claims)
    assert [label.get_text() for label in page.axes[0].get_yticklabels()] == ["1a x (m)", "1b y (m)"]
    assert page.facts == {"reproduced": 1, "not reproduced": 0, "not testable here": 1}
    assert "reproduced: 1" in [text.get_text() for text in page.legends[0].get_texts()]
    assert drawn(page, tmp_path / "b.png")


def test_verdicts_differ_in_more_than_colour():
    assert len({(style["marker"], style.get("mfc")) for style in plots.VERDICTS.values()}) == len(plots.VERDICTS)
