"""The campaign of faults: `make faults` tries each many times and writes what survived, was lost, was let in.

    python -m tests.faults.campaign --kills 50 --scale 1 --base artifacts-with-smoke --write

A finished run of the profile `smoke` is made first where ``--base`` holds none. Each trial gets a copy of it, or a
store of its own, and draws its moment, bit or row from ``--seed``. A campaign that is cut off keeps its finished rows
under ``artifacts/``; the same command with the same code goes on behind them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from showcase_utils.artifacts import STAGES
from showcase_utils.recipes import digest, write_json
from showcase_utils.sources import PACKAGE
from tests.faults import trials
from tests.faults.trials import LetIn, store_at

ROOT = Path(__file__).parents[2]
STOPS = (signal.SIGTERM, signal.SIGINT)
RESULTS = ROOT / "benchmarks" / "results" / "faults.json"


@dataclass
class Row:
    """How often something was tried, and what came of it."""

    fault: str
    tried: int = 0
    survived: int = 0
    lost: int = 0
    let_in: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __str__(self) -> str:
        counts = f"{self.tried:>7}{self.survived:>10}{self.lost:>6}{self.let_in:>8}"
        return " ".join([f"{self.fault:<58}{counts}", *self.notes[:3]])


class Campaign:
    """Runs trials in folders of their own under ``scratch`` and counts them.

    Finished rows are written to the file ``kept``; those that it holds already are not tried again.
    """

    def __init__(self, base: Path, scratch: Path, seed: int = 0, kept: Path | None = None) -> None:
        self.base, self.scratch, self.seed, self.kept = base, scratch, seed, kept
        self.rows: list[Row] = []
        found = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.is_file() else []
        self._finished = {row["fault"]: Row(**row) for row in found}

    def run(self, fault: str, number: int, trial: Callable, *arguments: object, each: int = 1) -> Row:
        """Tries something ``number`` times; a trial that holds ``each`` rows or addresses counts as so many."""

        def fill(row: Row) -> None:
            for count in range(number):
                folder = Path(tempfile.mkdtemp(dir=self.scratch))
                try:
                    trial(self.base, folder, random.Random(f"{self.seed} {fault} {count}"), *arguments)
                    row.survived += each
                except LetIn as error:
                    row.let_in, row.notes = row.let_in + 1, [*row.notes, str(error)]
                except Exception as error:  # ``Lost``, or an error that nobody foresaw, which is no better
                    row.lost, row.notes = row.lost + 1, [*row.notes, f"{type(error).__name__}: {error}"]
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
                row.tried += each

        return self._row(fault, fill)

    def run_tests(self, fault: str, *names: str) -> Row:
        """Tests that are such trials already: one that fails has let something in."""

        def fill(row: Row) -> None:
            report = self.scratch / "report.xml"
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}", *names]
            subprocess.run(command, cwd=ROOT, capture_output=True)
            cases = [case for case in ElementTree.parse(report).iter("testcase") if case.find("skipped") is None]
            row.notes = [case.get("name", "") for case in cases if len(case)]
            row.tried, row.let_in = len(cases), len(row.notes)
            row.survived = row.tried - row.let_in

        return self._row(fault, fill)

    def _row(self, fault: str, fill: Callable[[Row], None]) -> Row:
        """A row that was finished before, or one that ``fill`` fills now."""
        row = self._finished.get(fault)
        if row is None:
            row, started, cpu = Row(fault), time.perf_counter(), sum(os.times()[:4])
            fill(row)
            row.seconds, row.cpu_seconds = time.perf_counter() - started, sum(os.times()[:4]) - cpu
        self.rows.append(row)
        if self.kept:
            write_json(self.kept, [asdict(row) for row in self.rows])
        print(row, flush=True)
        return row


def make_base(base: Path, stages: Sequence[str] = tuple(STAGES)) -> None:
    """The stages of a run of `smoke`, finished. Their code is imported here, so that trials need not."""
    store = store_at(base)
    for stage in stages:
        importlib.import_module(STAGES[stage].module)
    if any(store.statuses(stage)[stage].state != "fresh" for stage in stages):
        for stage in stages:  # in a child: a process that has computed with threads is not to be forked
            if code := trials.ended(
                trials.in_child(lambda stage=stage: store.make(stage, progress=False), base / "log")
            ):
                raise SystemExit(f"{stage} cannot be made ({code}): {trials.last_words(base / 'log')}")


def campaign(
    base: Path,
    scratch: Path,
    kills: int,
    scale: float,
    seed: int,
    stages: list[str],
    tests: bool,
    kept: Path | None = None,
) -> list[Row]:
    """All faults, quick ones first; ``kills`` per kind of kill, all other numbers times ``scale``."""
    run = (made := Campaign(base, scratch, seed, kept)).run
    few, some = max(1, round(10 * scale)), max(1, round(400 * scale))
    run("kill -9 of the fetcher of photos, and again", kills, trials.stop_fetching, signal.SIGKILL)
    for order in STOPS:
        run(f"{order.name} of the fetcher, and again", few, trials.stop_fetching, order)
    run("hostile rows", few, trials.hostile_row, 1000, each=1000)
    run("hostile addresses", few, trials.hostile_address, 2000, each=2000)
    run("hostile servers", few, trials.hostile_server, 100, each=100)
    run("a bit of a stage's file", some, trials.flipped_bit, False)
    run("a bit of a stage's file, its time of change unchanged", few, trials.flipped_bit, True)
    run("a bit of the index of photos", few * 5, trials.flipped_index)
    run("a bit of a downloaded photo, looked for", few * 5, trials.flipped_photo)
    if os.geteuid() == 0:  # which alone may mount one
        run("read-only folder", few, trials.read_only, [stage for stage in stages if STAGES[stage].inputs])
    for place in trials.PLACES:
        run(f"folder and environment: {place}", 1, trials.odd_place, place)
    run("kill -9 in a stage, and again", kills, trials.stop_in_stage, signal.SIGKILL, stages)
    for order in STOPS:
        run(f"{order.name} in a stage, and again", few, trials.stop_in_stage, order, stages)
    run("two runs at once", few, trials.two_at_once, stages)
    run("full disk, then room", few, trials.full_disk, stages)
    if tests:
        made.run_tests("weights with code or noise in them", "tests/test_weights.py")
        made.run_tests("hostile text in a real browser", "tests/faults/test_hostile_text.py", "tests/test_html.py")
        photos = ["tests/photos/test_fetching.py", "tests/photos/test_download.py"]
        made.run_tests("bombs, tars, links, cut and lying servers", *photos)
    return made.rows


def kept_for(options: dict) -> Path:
    """The file of the finished rows of a campaign: another one for other options or other code."""
    files = [*PACKAGE.rglob("*.py"), *Path(__file__).parent.glob("*.py")]
    code = [path.read_text(encoding="utf-8") for path in sorted(files)]
    return ROOT / "artifacts" / f"faults-{digest([options, code])[:12]}.json"


def markdown(rows: list[Row]) -> str:
    """The table that stands in benchmarks/README.md."""
    lines = ["| fault | tried | survived | lost | let in |", "|---|---|---|---|---|"]
    lines += [f"| {row.fault} | {row.tried:,} | {row.survived:,} | {row.lost} | {row.let_in} |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--base", type=Path, default=None, help="artifacts with a finished run of smoke, or a place for it"
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of all other trials")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", nargs="*", default=list(STAGES), help="where stages are stopped")
    parser.add_argument("--without-tests", action="store_true")
    parser.add_argument(
        "--write", action="store_true", help="write benchmarks/results/faults.json and the README's table"
    )
    given = parser.parse_args()
    options = {"kills": given.kills, "scale": given.scale, "seed": given.seed, "stages": given.stages}
    kept = kept_for(options | {"tests": not given.without_tests})
    kept.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        base = given.base or Path(scratch, "base")
        base.mkdir(parents=True, exist_ok=True)
        make_base(base)
        rows = campaign(base, Path(scratch), **options, tests=not given.without_tests, kept=kept)
    facts = {
        "about": "lost: other bytes, work done twice, no sentence; let in: damage, or what was to be refused",
        "options": options,
        "machine": {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()},
        "seconds": round(sum(row.seconds for row in rows)), "cpu_seconds": round(sum(row.cpu_seconds for row in rows)),
        "rows": [asdict(row) for row in rows],
    }  # fmt: skip
    if given.write:
        from showcase_utils.claims.report import write_between_marks

        RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        write_between_marks(
            ROOT / "benchmarks" / "README.md", markdown(rows), "<!-- faults:start -->", "<!-- faults:end -->"
        )
    kept.unlink()
    sys.exit(any(row.lost or row.let_in for row in rows))


if __name__ == "__main__":
    main()
