"""Explaining: a warm call, a batch of 200, loading, and the size of a page, beside a plain loop over calls.

    python benchmarks/bench_explain.py [RUN] [--pairs 200] [--threads T]

RUN is what `Showcases.load` takes: a profile that has run (demo), or a folder that `showcase export` wrote. Pairs are
test users with places that they went to. Seconds are those of the wall, with those of the processor beside them, for a
busy machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from summary import Row, store


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of the wall and of the processor, and what the call returned."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = call()
    return time.perf_counter() - wall, time.process_time() - cpu, value


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def rows(report: dict) -> tuple[str, list[Row]]:
    call, batch, loop = report["warm_call_ms"], report["batch"]["cpu"], report["loop_over_calls"]["cpu"]
    return f"profile `{report['run']}`, threads: {report['threads']}, processor seconds", [
        Row("a warm call: median; 90 %", f"{call['p50']['cpu']:.0f}; {call['p90']['cpu']:.0f} ms", "at most 50 ms"),
        Row(f"{report['pairs']} pairs in one batch; by a loop over calls", f"{batch:.1f}; {loop:.1f} s", "at most 1 s"),
        Row("loading, after imports", f"{report['loading']['cpu']:.2f} s", "at most 1.5 s"),
        Row("page of 60 showcases", f"{report['page_of_60']['megabytes']:.1f} MB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default="demo")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    imports = timed(lambda: __import__("showcase_utils.showcase"))
    import torch

    from showcase_utils.showcase import Showcases, page

    load = timed(lambda: Showcases.load(arguments.run))
    showcases: Showcases = load[2]
    torch.set_num_threads(arguments.threads)
    visits = showcases.library.test_visits(arguments.pairs)
    first = timed(lambda: showcases.explain_many(visits))  # reads what is then remembered, and loads the generator
    calls = [timed(lambda pair=pair: showcases.explain(*pair)) for pair in visits]
    batch = min(timed(lambda: showcases.explain_many(visits))[:2] for _ in range(3))
    loop = [sum(call[which] for call in calls) for which in (0, 1)]
    made = showcases.explain_many(visits[:60])
    html = timed(lambda: page(made, "Showcases"))
    result = {
        "run": showcases.settings.profile,
        "threads": arguments.threads,
        "pairs": len(visits),
        "imports": {"seconds": imports[0], "cpu": imports[1]},
        "loading": {"seconds": load[0], "cpu": load[1]},
        "first_batch": {"seconds": first[0], "cpu": first[1]},
        "warm_call_ms": {
            f"p{share}": {"seconds": 1e3 * quantile([c[0] for c in calls], share / 100),
                          "cpu": 1e3 * quantile([c[1] for c in calls], share / 100)}
            for share in (50, 90, 99)
        },
        "batch": {"seconds": batch[0], "cpu": batch[1]},
        "loop_over_calls": {"seconds": loop[0], "cpu": loop[1], "ratio_of_cpu": loop[1] / batch[1]},
        "page_of_60": {"megabytes": len(html[2].encode()) / 1e6, "seconds": html[0], "cpu": html[1]},
    }  # fmt: skip
    store("explain", result, rows(result), ("numpy", "torch"))


if __name__ == "__main__":
    main()
