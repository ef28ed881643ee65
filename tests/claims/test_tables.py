import math

import pandas as pd
import pytest

from showcase_utils.claims.tables import beside_paper, cell, number, paper_results, render, stars, wide

LONG = pd.DataFrame(
    {
        "system": ["img_gpt2", "img_gpt2", "ours_pc2l"],
        "metric": ["METEOR", "BLEU-4", "METEOR"],
        "value": [0.12345, 3.21, 0.2],
        "low": [0.1, math.nan, 0.15],
        "high": [0.15, math.nan, 0.25],
        "p": [0.0004, math.nan, math.nan],
    }
)


def test_numbers_keep_their_significant_digits():
    assert [number(v) for v in (0.0012345, 0.5, 12.345, 1234.5, 0, math.nan, -0.25)] == [
        "0.00123", "0.500", "12.3", "1234" if f"{1234.5:.0f}" == "1234" else "1235", "0", "–", "-0.250",
    ]  # fmt: skip


def test_cells_carry_interval_and_significance():
    assert cell(0.12345, 0.1, 0.15, 0.0004) == "0.123 [0.100, 0.150]***"
    assert cell(0.5, math.nan, math.nan) == "0.500"
    assert [stars(p) for p in (0.0001, 0.005, 0.04, 0.05, math.nan)] == ["***", "**", "*", "", ""]


def test_a_long_frame_becomes_a_table():
    table = wide(LONG)
    assert list(table.index) == ["img_gpt2", "ours_pc2l"] and list(table.columns) == ["METEOR", "BLEU-4"]
    assert table.loc["ours_pc2l", "BLEU-4"] == "–"
    assert wide(LONG, ["BLEU-4"], intervals=False).loc["img_gpt2", "BLEU-4"] == "3.21"


def test_the_table_pastes_into_a_paper():
    table = wide(LONG)
    markdown = render(table, "markdown", "system").splitlines()
    assert markdown[0] == "| system | METEOR | BLEU-4 |" and markdown[1] == "| --- | --- | --- |"
    assert markdown[2] == "| img_gpt2 | 0.123 [0.100, 0.150]*** | 3.21 |"
    latex = render(table, "latex")
    assert r"img\_gpt2 & 0.123 [0.100, 0.150]*** & 3.21 \\" in latex and latex.count(r"\midrule") == 1
    assert render(table, "csv", "system").splitlines()[0] == "system,METEOR,BLEU-4"
    with pytest.raises(ValueError, match="choose markdown, latex or csv"):
        render(table, "html")


def test_the_papers_column_is_there_once_it_is_filled_in():
    """Blank columns pushed CLIP-Align off the page."""
    table = beside_paper(wide(LONG), "generation")
    assert list(table.columns) == ["METEOR", "BLEU-4"]
    filled = paper_results()
    filled.loc[(filled["row"] == "img_gpt2") & (filled["metric"] == "METEOR"), "value"] = "1.5"
    assert beside_paper(wide(LONG), "generation", filled).loc["img_gpt2", "METEOR (paper)"] == "1.5"


def test_no_result_of_the_paper_is_remembered_but_table_one():
    paper = paper_results()
    known = paper[paper["value"] != ""]
    assert set(known["table"]) == {"1"} and set(known["status"]) == {"P"} and len(known) == 15
    reviews = known[(known["row"] == "GEST-s2") & (known["metric"] == "reviews")]["value"].item()
    assert reviews == "108888"


def test_a_damaged_paper_table_is_named(tmp_path):
    path = tmp_path / "paper.csv"
    path.write_text("table,row,metric,value,status\n1,a,b,12.5 ±,P\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: '12.5 ±' is not a number"):
        paper_results(path)
    path.write_text("row,metric,value\n", encoding="utf-8")
    with pytest.raises(ValueError, match="expected the columns"):
        paper_results(path)
