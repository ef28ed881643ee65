"""How personal must people's photos be before a selection can be? Worlds that differ by nothing but the signature.

Run: python benchmarks/dose_response.py [--folder F] [--restaurants N]. Writes dose_response.csv into the package's wing
`selection`; notebook 03 draws it. Worlds, features and models stay in the folder, and a run that is cut off goes on.

The world is a smaller one than the demo's, of another seed, with more users at test for narrower intervals. At every
strength of ``world.signature`` the same people eat and photograph the same things; only the photos' looks change. The
methods are chosen here, before any result: the centroid rule, the paper's towers by themselves and with their DPP, our
metric by itself and with its DPP, all reading past photos; `informed` knows everybody's tastes, but not their looks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from showcase_utils.artifacts import Artifacts
from showcase_utils.claims.informed import informed_scores
from showcase_utils.config import load_settings
from showcase_utils.demo_world.truth import load_truth
from showcase_utils.devices import use_threads
from showcase_utils.selection.pools import open_pools
from showcase_utils.selection.tables import DOSE_RESPONSE, dose_rows

STRENGTHS = (0.0, 0.5, 1.0, 2.0)  # times the default, which is calibrated on real cities
METHODS = ("random", "top_k_cosine", "top_k_learned", "dpp", "metric", "metric_dpp")


def scores_at(strength: float, folder: Path, restaurants: int) -> pd.DataFrame:
    """Scores of all methods in a world of this strength, and of the informed."""
    share = restaurants / 160  # of the demo's city
    settings = load_settings(
        "demo",
        {
            "world.signature": strength,
            "world.seed": 2,
            "world.restaurants": restaurants,
            "world.users": round(2500 * share),
            "world.reviews": round(8000 * share),
            "world.photos": round(12000 * share),
            "world.annotated_reviews": 10,
            "data.split": [0.7, 0.1, 0.2],
            "selection.methods": METHODS,
            "selection.profiles": ["img"],
            "selection.shown_method": "metric_dpp",
        },
    )
    use_threads(settings)
    store = Artifacts(settings, folder / f"signature-{strength}")
    for stage in ("world", "data", "features", "selection"):
        store.make(stage)
    truth = load_truth(store.path("world"))
    informed = informed_scores(truth, open_pools(store), settings.selection.k)
    return pd.concat([pd.read_parquet(store.path("selection") / "scores.parquet"), informed], ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("artifacts/dose_response"))
    parser.add_argument("--restaurants", type=int, default=60)
    arguments = parser.parse_args()
    rows = []
    for strength in STRENGTHS:
        rows.append(dose_rows(scores_at(strength, arguments.folder, arguments.restaurants), strength))
        print(rows[-1].round(3).to_string(), flush=True)
    pd.concat(rows).to_csv(DOSE_RESPONSE, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
