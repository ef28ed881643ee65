"""Reading a file like image_review_all.json: ours beside pandas.read_json(lines=True) and bare passes of fast parsers.

Run: python benchmarks/bench_reading.py [--rows N …] [--repeats N] [--folder DIR]. Writes results/reading.json.

The files are made from a seed with the published counts of rows, users, businesses and ratings (``gest_like.py``);
the largest has about 1.09 GB. Every measurement is a process of its own, and the peers take turns, so that whatever
else the machine does meets all of them. What takes minutes, the whole stage and the notebook, is measured once.

``orjson``, ``msgspec``, ``simdjson`` parse every line and keep nothing; the latter two take part where they are
installed (pip install --target FOLDER msgspec pysimdjson; PYTHONPATH=FOLDER). ``pyarrow`` is its reader of JSON lines,
which uses all cores and keeps a table. ``ours`` is ``read_reviews``, on one core. ``s1`` is the whole data stage: read,
filtered, split, checked for leaks, written and counted, without photos, so that all are kept; ``s1_photos`` is the same
beside the index of a photo store in which four of ten photos are there. ``notebook`` is `showcase run --to 01` on the
file: data stage, counts and pictures; its memory is that of the notebook's kernel.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gest_like
from summary import Row, as_fast, store

PARSERS = {"orjson": "orjson", "msgspec": "msgspec", "simdjson": "pysimdjson"}
WHOLE = ("s1", "s1_photos", "notebook")
PEERS = (*PARSERS, "pyarrow", "ours", "pandas", *WHOLE)
GIB = 2**30


def parser(name: str) -> Callable[[bytes], object]:
    """What makes Python objects of a line of JSON."""
    if name == "orjson":
        import orjson

        return orjson.loads
    if name == "msgspec":
        import msgspec

        return msgspec.json.Decoder().decode
    import simdjson

    simd = simdjson.Parser()
    return lambda line: simd.parse(line, True)


def read(peer: str, path: Path) -> Callable[[], int]:
    """What one peer does with a file, as a function that gives the number of rows; imports are done by then."""
    if peer in PARSERS:
        parse = parser(peer)

        def bare() -> int:
            rows = 0
            with path.open("rb") as file:
                for line in file:
                    parse(line)
                    rows += 1
            return rows

        return bare
    if peer == "pandas":
        import pandas

        return lambda: len(pandas.read_json(path, lines=True))
    if peer == "pyarrow":
        import pyarrow.json

        return lambda: pyarrow.json.read_json(path).num_rows
    if peer == "ours":
        from showcase_utils.data.gest import read_reviews

        return lambda: sum(map(len, read_reviews(path, progress=False)))
    return lambda: stage(path, gest_like.photos_beside(path) if peer == "s1_photos" else None)


def stage(path: Path, photos: Path | None) -> int:
    """The data stage, and the counts that notebook 01 shows of it."""
    import pyarrow.parquet

    from showcase_utils.config import Data
    from showcase_utils.data.build import write_data
    from showcase_utils.data.statistics import counts

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        write_data(Path(folder), path, photos, Data(), progress=False)
        for name in ("reviews.parquet", "s1.parquet"):
            counts(Path(folder) / name)
        return pyarrow.parquet.read_metadata(Path(folder) / "reviews.parquet").num_rows


def work(peer: str, path: Path) -> dict[str, float]:
    """One peer reads one file. Gives seconds, processor seconds, rows and peak memory."""
    if peer == "notebook":
        return notebook(path)
    run = read(peer, path)
    started, cpu = time.perf_counter(), time.process_time()
    rows = run()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "rows": rows, "peak_bytes": peak_bytes()}


def notebook(path: Path) -> dict[str, float]:
    """Notebook 01 on a profile that names the file; what is measured is the processes that papermill starts."""
    import pyarrow.parquet

    from showcase_utils import pipeline

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        profile = Path(folder) / "mine.yaml"
        profile.write_text(f"extends: gest\ndata:\n  reviews: {json.dumps(str(path))}\n", encoding="utf-8")
        started = time.perf_counter()
        pipeline.run(str(profile), [], folder, end="01")
        seconds = time.perf_counter() - started
        rows = pyarrow.parquet.read_metadata(Path(folder) / "mine" / "data" / "reviews.parquet").num_rows
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "rows": rows, "peak_bytes": peak}


def peak_bytes() -> int:
    """Peak resident memory of this process. On Linux ``ru_maxrss`` would include the parent's, from before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(peer: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--peer", peer, "--file", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def slope(rows: list[int], seconds: list[float]) -> float:
    """Exponent of the cost in rows, by least squares on logarithms: 1 is linear."""
    x, y = [math.log(value) for value in rows], [math.log(value) for value in seconds]
    return statistics.linear_regression(x, y).slope


def rows(report: dict) -> tuple[str, list[Row]]:
    most = max(row["rows"] for row in report["table"])
    largest = {row["peer"]: row for row in report["table"] if row["rows"] == most}
    memory = {peer: f"{row['peak_gib']:.3g}" for peer, row in largest.items()}
    summary, slopes = report["summary"], report["summary"]["slopes"]
    return f"{most / 1e6:.2f} M rows, {largest['ours']['file_bytes'] / 1e9:.2f} GB", [
        Row("`pandas.read_json(lines=True)`", as_fast(summary["pandas_over_ours"]), "at least 5"),
        Row(
            f"a bare pass of the fastest parser ({summary['fastest_parser']})",
            f"{summary['ours_over_fastest_parser']:.3g} times its seconds",
        ),
        Row(
            "peak memory: reading; whole stage, without and with photos; kernel of notebook 01",
            f"{memory['ours']}; {memory['s1']}, {memory['s1_photos']}; {memory['notebook']} GiB",
            "at most 2.5 for the stage",
        ),
        Row(
            "slope of the cost over rows (log-log): reading; whole stage",
            f"{slopes['ours']:.2f}; {slopes['s1']:.2f}",
            "1",
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [gest_like.ROWS // 16, gest_like.ROWS // 4, gest_like.ROWS]
    parser.add_argument("--rows", type=int, nargs="+", default=sizes)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are made; they are removed afterwards")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        print(json.dumps(work(arguments.peer, arguments.file)))
        return

    peers = [peer for peer in PEERS if peer not in PARSERS or importlib.util.find_spec(peer)]
    table = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for count in arguments.rows:
            path = Path(folder) / "image_review_all.json"
            gest_like.write(path, count)
            gest_like.write_photos(path)
            runs: dict[str, list[dict[str, float]]] = {peer: [] for peer in peers}
            for repeat in range(arguments.repeats):
                for peer in peers:
                    if repeat == 0 or peer not in WHOLE:
                        runs[peer].append(measure(peer, path))
            for peer, several in runs.items():
                assert all(run["rows"] == count for run in several), (peer, several)
                row = {"rows": count, "file_bytes": path.stat().st_size, "peer": peer}
                row |= {key: round(min(run[key] for run in several), 3) for key in ("seconds", "cpu_seconds")}
                row["peak_gib"] = round(max(run["peak_bytes"] for run in several) / GIB, 3)
                table.append(row)
                print(row, flush=True)
            shutil.rmtree(gest_like.photos_beside(path))

    largest = {row["peer"]: row for row in table if row["rows"] == max(arguments.rows)}
    fastest = min((largest[peer] for peer in PARSERS if peer in largest), key=lambda row: row["seconds"])
    summary = {
        "pandas_over_ours": round(largest["pandas"]["seconds"] / largest["ours"]["seconds"], 2),
        "pandas_over_ours_cpu": round(largest["pandas"]["cpu_seconds"] / largest["ours"]["cpu_seconds"], 2),
        "fastest_parser": fastest["peer"],
        "ours_over_fastest_parser": round(largest["ours"]["seconds"] / fastest["seconds"], 2),
        "slopes": {
            peer: round(slope(arguments.rows, [row["cpu_seconds"] for row in table if row["peer"] == peer]), 3)
            for peer in peers
        },
    }
    about = "least seconds and largest memory of the repeats; slopes of processor seconds over rows, log-log"
    report = {"about": about, "repeats": arguments.repeats, "summary": summary, "table": table}
    store("reading", report, rows(report), ("pandas", "pyarrow", *PARSERS.values()))


if __name__ == "__main__":
    main()
