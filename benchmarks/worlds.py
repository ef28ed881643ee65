"""Whether what the demo shows is the demo city's, or any city's: the profile `demo` on worlds of several seeds.

Run: python benchmarks/worlds.py [--seeds N …] [--folder F] [--set KEY=VALUE …]. Writes results/worlds.json and the
table of README.md. Every stage of every world stays in the folder, and a run that is cut off goes on. Seed 1 is the
demo's own world; the embedded backbones have met none of these.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from showcase_utils.artifacts import STAGES, Artifacts
from showcase_utils.claims.report import write_between_marks
from showcase_utils.claims.tables import render
from showcase_utils.config import load_settings
from showcase_utils.devices import use_threads
from showcase_utils.selection.tables import over_chance

HERE = Path(__file__).parent
MARKS = ("<!-- worlds:start -->", "<!-- worlds:end -->")
CHOICES = ("metric_dpp", "dpp", "top_k_cosine")  # ours, the paper's, the centroid rule
TEXTS = ("Right", "Details", "Dish recall", "True alignment", "Tone against", "Same text", "Sentences")
SYSTEMS = ("told_manner", "floor_neighbour", "img_gpt2", "ours_ce", "ours_pc2l", "ours_ce_scratch")
PROFILE = "img+text"
BOUNDS = ("value", "low", "high")


def found_in(store: Artifacts) -> list[dict]:
    """What one world's run has found: rows of ``what``, ``name``, ``value``, ``low``, ``high``."""
    selection, evaluation = store.path("selection"), store.path("evaluation")
    times = over_chance(pd.read_parquet(selection / "scores.parquet"))
    step_one = pd.read_csv(evaluation / "step_one.csv").set_index(["method", "profile"])
    sameness = pd.read_csv(selection / "sameness.csv")
    rows = []
    for method in CHOICES:
        ratio, area = times.loc[(method, PROFILE)], step_one.loc[(method, PROFILE)]
        same = sameness[(sameness["method"] == method) & (sameness["profile"] == PROFILE)]["top_set"]
        k = store.settings.selection.k
        found = {
            f"F1@{k}, times chance": ratio[["over chance", "low", "high"]],
            "AUC": area[["auc", "auc_low", "auc_high"]],
            "share of a place's users with its most frequent set": (same.mean(),),
        }
        rows += [
            {"what": what, "name": method, **dict(zip(BOUNDS, values, strict=False))} for what, values in found.items()
        ]
    metrics = pd.read_csv(evaluation / "metrics.csv")
    told = metrics[metrics["metric"].isin(TEXTS) & metrics["system"].isin(SYSTEMS)]
    ladder = pd.read_csv(evaluation / "ladder.csv")
    same = ladder[(ladder["metric"] == "Same text") & ladder["system"].isin(SYSTEMS)]
    by_name = pd.concat([told, same]).drop_duplicates(["metric", "system"]).set_index(["metric", "system"])
    rows += [
        {"what": what, "name": name, **by_name.loc[(what, name), ["value", "low", "high"]]}
        for what in TEXTS
        for name in SYSTEMS
    ]
    return rows


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """A column per world: value [interval]."""
    cells = [
        f"{row.value:.3f}" + ("" if pd.isna(row.low) else f" [{row.low:.3f}, {row.high:.3f}]")
        for row in rows.itertuples()
    ]
    order = list(dict.fromkeys(zip(rows["what"], rows["name"], strict=True)))
    wide = rows.assign(cell=cells).pivot(index=["what", "name"], columns="seed", values="cell").loc[order]
    return wide.rename(columns=lambda seed: f"world {seed}").reset_index().set_index("what")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, default=Path("artifacts/worlds"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in `showcase run`")
    arguments = parser.parse_args()
    parts = []
    for seed in arguments.seeds:
        settings = load_settings("demo", [*arguments.set, f"world.seed={seed}"])
        use_threads(settings)
        store = Artifacts(settings, arguments.folder / f"world-{seed}")
        for stage in STAGES:
            store.make(stage)
        parts.append(pd.DataFrame(found_in(store)).assign(seed=seed))
        print(table(parts[-1]).to_string(), flush=True)
    rows = pd.concat(parts, ignore_index=True)
    record = {"profile": "demo", "set": arguments.set, "rows": json.loads(rows.to_json(orient="records"))}
    (HERE / "results" / "worlds.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    write_between_marks(HERE / "README.md", render(table(rows), "markdown", "what"), *MARKS)


if __name__ == "__main__":
    main()
