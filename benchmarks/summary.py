"""The table of all benchmarks in README.md, and how each keeps what it found.

Run: python benchmarks/summary.py. Writes the table anew from results/*.json; measures nothing. `showcase bench --all`
does so after all benchmarks. What of its results stands in the table, and beside what goals, each script says itself,
in ``rows``.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib
import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

# The peers of `reading` import this, and their memory is measured: what needs pandas is imported where it is used.

HERE = Path(__file__).parent
README, RESULTS = HERE / "README.md", HERE / "results"
MARKS = ("<!-- benchmarks:start -->", "<!-- benchmarks:end -->")


class Row(NamedTuple):
    """A line of the table."""

    beside: str  # the peer, or else what was measured
    found: str
    goal: str = ""


def as_fast(ratio: float | str) -> str:
    """Their seconds over ours as the table says it; a word, such as "not installed", stays what it is."""
    return ratio if isinstance(ratio, str) else f"{ratio:.3g} times as fast"


def processor() -> str:
    """The processor's name, and how many cores of it there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def store(name: str, report: dict[str, Any], rows: tuple[str, list[Row]], packages: Iterable[str]) -> None:
    """Writes results/NAME.json, with date, machine and load, and prints the rows.

    The versions of ``packages`` stand there too, but for those that are not installed.
    """
    versions = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    measured = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"),
        "machine": processor(),
        "load": round(os.getloadavg()[0], 2),
        "versions": versions,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"measured": measured} | report, indent=1) + "\n", encoding="utf-8")
    what, lines = rows
    print(f"{name}, {what}")
    for line in lines:
        print(f"  {line.beside}: {line.found}" + (f" (goal: {line.goal})" if line.goal else ""))
    print(f"written to {path}")


def tables() -> str:
    """What the stored results say, and below it when and where each was measured, as Markdown."""
    import pandas as pd

    from showcase_utils.claims.tables import render

    found, runs = [], []
    for script in sorted(HERE.glob("bench_*.py")):
        name = script.stem.removeprefix("bench_")
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        report = json.loads(path.read_text(encoding="utf-8"))
        what, rows = importlib.import_module(script.stem).rows(report)
        found += [(f"`{name}`, {what}" if row is rows[0] else "", *row) for row in rows]
        runs.append((f"`{name}`", *(report["measured"][key] for key in ("date", "machine", "load"))))
    beside = pd.DataFrame(found, columns=["benchmark", "ours beside", "found", "goal"]).set_index("benchmark")
    when = pd.DataFrame(runs, columns=["benchmark", "measured (UTC)", "machine", "load"]).set_index("benchmark")
    return "\n".join(render(table, "markdown", "benchmark") for table in (beside, when))


def main() -> None:
    from showcase_utils.claims.report import write_between_marks

    changed = write_between_marks(README, tables(), *MARKS)
    print(f"{README}: " + ("the table is new" if changed else "nothing has changed"))


if __name__ == "__main__":
    main()
