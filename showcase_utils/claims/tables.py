"""Tables that paste into a paper: a value with its interval and a mark of significance, as Markdown, LaTeX or CSV."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import pandas as pd

Style = Literal["markdown", "latex", "csv"]
PAPER = Path(__file__).with_name("paper_results.csv")
LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
          "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "±": r"$\pm$"}  # fmt: skip


def stars(p_value: float) -> str:
    """``***`` below 0.001, ``**`` below 0.01, ``*`` below 0.05, else nothing."""
    return next((mark for level, mark in LEVELS if p_value < level), "")


def number(value: float, digits: int = 3) -> str:
    """A value with so many significant digits and without exponent; a dash for ``nan``."""
    if value is None or math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def percent(share: float) -> str:
    """``95 %``, for whatever confidence the settings have."""
    return f"{share * 100:g} %"


def cell(value: float, low: float, high: float, p_value: float = math.nan) -> str:
    """``0.312 [0.300, 0.325]*``, the bounds with the value's decimals."""
    text = number(value)
    if math.isnan(low) or math.isnan(high) or math.isnan(value):
        return text + stars(p_value)
    decimals = len(text.partition(".")[2])
    return f"{text} [{low:.{decimals}f}, {high:.{decimals}f}]{stars(p_value)}"


def wide(metrics: pd.DataFrame, names: list[str] | None = None, intervals: bool = True) -> pd.DataFrame:
    """Systems in rows, metrics in columns, from a long frame (system, metric, value, low, high, optional p)."""
    p_values = metrics["p"] if "p" in metrics else pd.Series(math.nan, metrics.index)
    rows = zip(metrics["value"], metrics["low"], metrics["high"], p_values, strict=True)
    text = [cell(*row) if intervals else number(row[0]) + stars(row[3]) for row in rows]
    frame = metrics.assign(text=text)
    table = frame.pivot(index="system", columns="metric", values="text")
    columns = names or list(dict.fromkeys(frame["metric"]))
    return table.reindex(index=list(dict.fromkeys(frame["system"])), columns=columns).fillna("–")


def beside_paper(table: pd.DataFrame, name: str, paper: pd.DataFrame | None = None) -> pd.DataFrame:
    """``table`` with a column ``METRIC (paper)`` after each metric of which paper_results.csv holds a number.

    There is none until a reader fills them in from the PDF; no number of the paper is remembered here.
    """
    paper = paper_results() if paper is None else paper
    known = paper[(paper["table"] == name) & (paper["value"] != "")].set_index(["row", "metric"])["value"]
    result = pd.DataFrame(index=table.index)
    for metric in table.columns:
        result[metric] = table[metric]
        if metric in known.index.get_level_values("metric"):
            result[f"{metric} (paper)"] = [str(known.get((row, metric), "")) for row in table.index]
    return result


def ladder_steps(ladder: pd.DataFrame) -> pd.DataFrame:
    """The stage's ladder.csv as a table: a row per step, a column per metric, value and gain on the step before."""
    cells = [
        number(row.value) + (f" ({row.gain:+.3f} [{row.gain_low:+.3f}, {row.gain_high:+.3f}])" if row.step else "")
        for row in ladder.itertuples()
    ]
    names = list(dict.fromkeys(ladder["metric"]))
    table = ladder.assign(cell=cells).pivot(index=["step", "system"], columns="metric", values="cell")
    return table[names].rename_axis(None, axis=1)


def yardstick(metrics: pd.DataFrame, name: str) -> str:
    """A sentence on where the users' own reviews stand on a metric, and who stands above them."""
    values = metrics[metrics["metric"] == name].set_index("system")["value"].dropna()
    own, others = values["reference"], values.drop("reference").sort_values(ascending=False)
    above = ", ".join(f"{system} ({number(value)})" for system, value in others[others > own].items())
    return f"{name}: the users' own reviews have {number(own)}; above them {f'are {above}' if above else 'is nobody'}."


def paper_results(path: Path = PAPER) -> pd.DataFrame:
    """The paper's own numbers: table, row, metric, value (blank where not known), status (blank for these).

    Status P: read from the paper's own table, figure or formulas; D: from public code or output that loads the real
    files; R: recalled, not checked.

    Raises ``ValueError`` for a column that is missing or a value that is no number.
    """
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    wanted = ["table", "row", "metric", "value", "status"]
    if list(frame.columns) != wanted:
        raise ValueError(f"{path}: expected the columns {', '.join(wanted)}; found {', '.join(frame.columns)}")
    bad = frame[(frame["value"] != "") & pd.to_numeric(frame["value"], errors="coerce").isna()]
    if len(bad):
        raise ValueError(f"{path}, line {bad.index[0] + 2}: '{bad['value'].iloc[0]}' is not a number")
    return frame


def render(table: pd.DataFrame, style: Style = "markdown", index_name: str = "") -> str:
    """A frame as text in the given style; raises ``ValueError`` for another style."""
    if style == "csv":
        return table.to_csv(index_label=index_name or None)
    rows = [[index_name, *map(str, table.columns)]]
    rows += [[str(name), *map(str, row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    if style == "markdown":
        lines = ["| " + " | ".join(text.replace("|", r"\|") for text in row) + " |" for row in rows]
        return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]) + "\n"
    if style == "latex":
        lines = [" & ".join("".join(_LATEX.get(c, c) for c in text) for text in row) + r" \\" for row in rows]
        start = [r"\begin{tabular}{l" + "r" * (len(rows[0]) - 1) + "}", r"\toprule", lines[0], r"\midrule"]
        return "\n".join([*start, *lines[1:], r"\bottomrule", r"\end{tabular}"]) + "\n"
    raise ValueError(f"style '{style}': choose markdown, latex or csv")
