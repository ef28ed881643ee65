"""How much of its maker a photo must show, so that a rule without training finds as much as on real review sites.

Run: python benchmarks/calibrate_signature.py [--strengths S …] [--seeds N …] [--photos N] [--cache FOLDER]. Writes
results/signature.json.

The rule is CNT of the README of BRIE (Paz-Ruza et al. 2024): rank the photos of a place by closeness to the centroid
of the user's photos of other places. MAUC is the mean over (user, place) of the AUC of the user's own photos among
those of the place. On six cities of TripAdvisor (Gijón, Barcelona, Madrid, New York, Paris, London) it is 0.546, 0.554,
0.557, 0.563, 0.557, 0.562. ``cameras.AMPLITUDE`` is the strength at which the demo cities of these seeds have their
mean; the seeds are neither the demo profile's nor those that the embedded CLIP knows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import open_clip
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.stats import rankdata

from showcase_utils.backbones.albums import Album, paint_album
from showcase_utils.backbones.clip_quality import see
from showcase_utils.demo_world.cameras import AMPLITUDE
from showcase_utils.demo_world.visits import imagine
from showcase_utils.recipes import BACKBONES

RESULTS = Path(__file__).parent / "results" / "signature.json"
REAL = (0.546, 0.554, 0.557, 0.563, 0.557, 0.562)
CITY = {"restaurants": 60, "users": 800, "reviews": 2700, "photos": 4000}
RESAMPLES = 2000


def user_aucs(album: Album, features: np.ndarray) -> dict[str, list[float]]:
    """Per user the AUC of each place with photos of the user and of others, from features (n, d) of unit norm."""
    places, users = defaultdict(list), defaultdict(list)
    for row, review in enumerate(album.reviews):
        places[review.business_id].append(row)
        users[review.user_id].append(row)
    found: dict[str, list[float]] = {}
    for user, rows in users.items():
        visited = {album.reviews[row].business_id for row in rows}
        for place in sorted(visited):
            past = [row for row in rows if album.reviews[row].business_id != place]
            pool = np.array(places[place])
            own = np.array([album.reviews[row].user_id == user for row in pool])
            if past and not own.all():
                closeness = features[pool] @ features[past].mean(axis=0)
                found.setdefault(user, []).append(_auc(closeness, own))
    return found


def _auc(scores: np.ndarray, own: np.ndarray) -> float:
    """P(an own photo scores higher than another's), ties count half (Mann and Whitney 1947)."""
    ranks = rankdata(scores)[own]
    return float((ranks.sum() - len(ranks) * (len(ranks) + 1) / 2) / (own.sum() * (~own).sum()))


def mean_auc(found: list[list[float]], rng: np.random.Generator) -> tuple[float, float, float]:
    """MAUC over all cases and its 95 % interval, by a bootstrap over users."""
    sums, counts = np.array([sum(f) for f in found]), np.array([len(f) for f in found])
    drawn = rng.integers(len(found), size=(RESAMPLES, len(found)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    return float(sums.sum() / counts.sum()), float(low), float(high)


def curve(strengths: list[float], seeds: list[int], city: dict[str, int], cache: Path) -> list[dict]:
    """MAUC at each strength, all cities together and one by one."""
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{BACKBONES / 'clip'}")
    model.eval()
    rows = []
    for strength in strengths:
        by_city = []
        for seed in seeds:
            album = paint_album(imagine(seed, **city, signature=strength), cache, progress=True)
            by_city.append(list(user_aucs(album, see(model, preprocess, album)).values()))
        together = [found for city_found in by_city for found in city_found]
        value, low, high = mean_auc(together, np.random.default_rng(0))
        single = {
            seed: mean_auc(found, np.random.default_rng(0))[0] for seed, found in zip(seeds, by_city, strict=True)
        }
        rows.append({"strength": strength, "amplitude": strength * AMPLITUDE, "mauc": value, "low": low, "high": high,
                     "users": len(together), "cases": sum(map(len, together)), "by_city": single})  # fmt: skip
        print(f"signature {strength:.2f}: {value:.4f} [{low:.4f}, {high:.4f}]  {single}", flush=True)
    return rows


def amplitude_for(rows: list[dict], target: float) -> float:
    """The amplitude of ``cameras`` at which the curve through ``rows`` meets ``target``; else ``ValueError``."""
    rows = sorted(rows, key=lambda row: row["amplitude"])
    line = PchipInterpolator([row["amplitude"] for row in rows], [row["mauc"] - target for row in rows])
    return float(brentq(line, rows[0]["amplitude"], rows[-1]["amplitude"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.0, 0.5, 1.0, 2.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[2001, 2002])
    parser.add_argument("--photos", type=int, default=CITY["photos"], help="per city; all other counts in proportion")
    parser.add_argument("--cache", type=Path, help="keep painted cities here")
    arguments = parser.parse_args()
    city = {name: round(count * arguments.photos / CITY["photos"]) for name, count in CITY.items()}
    with tempfile.TemporaryDirectory() as folder:
        rows = curve(arguments.strengths, arguments.seeds, city, arguments.cache or Path(folder))
    target = float(np.mean(REAL))
    found = amplitude_for(rows, target)
    print(f"{target:.4f} is met at amplitude {found:.3f}; cameras.AMPLITUDE is {AMPLITUDE}")
    record = {"city": city, "seeds": arguments.seeds, "target": target, "amplitude": found, "amplitude_then": AMPLITUDE}
    RESULTS.write_text(json.dumps(record | {"curve": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
