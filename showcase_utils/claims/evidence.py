"""What a run found for each comparison that the claims make: the one place where claims 1 to 5 are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from showcase_utils.alignment.frames import Diversity
from showcase_utils.alignment.phi import COSINE
from showcase_utils.claims.ledger import DISTANCE, RANK, Evidence, Key, comparisons, paper_claims
from showcase_utils.config import Settings
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.generated import REFERENCE
from showcase_utils.metrics.metric import Metric
from showcase_utils.selection.tables import evaluable
from showcase_utils.statistics.correlation import rank_correlations
from showcase_utils.statistics.resampling import interval_options
from showcase_utils.statistics.significance import Interval, compare

if TYPE_CHECKING:  # it scores texts, with libraries that claims 1 and 2 do without
    from showcase_utils.claims.scores import Scores

TRACKERS = ("CLIP-Align", "CLIP-Score")
RANK_COMPARISON: Key = (*TRACKERS, RANK)
REVIEWS = "different"  # pairs of photos of one review say nothing of a user or a place; "any" counts them too


def selection_evidence(scores: pd.DataFrame, settings: Settings) -> dict[Key, Evidence]:
    """Claim 1 from step 1's scores: test samples with more candidates than picks, paired by review, seeds averaged.

    ``scores``: method, profile, seed, review_id, user_id, split, evaluable, f1 and diversity, at ``selection.k``.
    """
    scores = evaluable(scores).sort_values("review_id", kind="stable")
    names = scores["method"].where(scores["profile"] == "none", scores["method"] + " " + scores["profile"])
    k, found = settings.selection.k, {}
    columns = {f"F1@{k}": "f1", f"Div@{k}": "diversity"}
    for first, second, metric in comparisons(k):
        if metric not in columns or not {first, second} <= set(names):
            continue
        sides = [[run for _, run in scores[names == name].groupby("seed")] for name in (first, second)]
        one, other = ([mean_metric(run[columns[metric]].to_numpy(), metric) for run in runs] for runs in sides)
        users = sides[0][0]["user_id"].tolist()
        found[first, second, metric] = _evidence(one, other, users, interval_options(settings))
    return found


def claim_one(scores: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Claim 1 as a table with the numbers of the ledger; the verdict needs the correction over all of it.

    Columns: key, statement, comparison, metric, first, second, difference, low, high.
    """
    found = selection_evidence(scores, settings)
    rows = []
    for claim in paper_claims(settings.selection.k):
        if claim.comparison in found:
            one = found[claim.comparison]
            rows.append(
                {
                    "key": claim.key,
                    "statement": claim.statement,
                    "comparison": f"{claim.first} − {claim.second}",
                    "metric": claim.metric,
                    "first": one.first,
                    "second": one.second,
                    "difference": one.difference.value,
                    "low": one.difference.low,
                    "high": one.difference.high,
                }
            )
    return pd.DataFrame(rows)


def distance_evidence(diversity: Diversity) -> dict[Key, Evidence]:
    """Claim 2 from the stage ``alignment``, pairs of photos of different reviews."""
    found = {}
    for row in diversity.differences[diversity.differences["reviews"] == REVIEWS].itertuples():
        method = f"bootstrap over the photos of a {row.groups}"
        gap = Interval(float(row.difference), float(row.low), float(row.high), float(row.standard_error), method)
        found[f"inter-{row.groups}", f"intra-{row.groups}", DISTANCE] = Evidence(row.inter, row.intra, gap)
    return found


def text_evidence(scores: Scores, users: Sequence[str], **options: Any) -> dict[Key, Evidence]:
    """Claims 3 and 4: two systems' texts on one metric."""
    found = {}
    for first, second, metric in comparisons():
        by_system = scores.get(metric, {})
        if first in by_system and second in by_system:
            found[first, second, metric] = _evidence(by_system[first], by_system[second], users, options)
    return found


def tracking(per_sample: pd.DataFrame, **options: Any) -> tuple[dict[str, Interval], Evidence]:
    """Claim 5: rank correlations with true alignment over all generated texts, the users' own reviews left out.

    Gives each metric's, and the evidence for the difference.
    """
    texts = per_sample[per_sample["system"] != REFERENCE]
    scores = {name: texts[name].to_numpy(float) for name in TRACKERS}
    truth, users, seeds = texts["True alignment"].to_numpy(float), texts["user_id"].tolist(), texts["seed"].tolist()
    each, differences = rank_correlations(scores, truth, users, seeds, **options)
    return each, Evidence(each[TRACKERS[0]].value, each[TRACKERS[1]].value, differences[TRACKERS])


def why_missing(settings: Settings, phi: str, known_world: bool) -> dict[str, str]:
    """By the name of a side of a claim, why this run cannot speak of it; ``phi`` is the form of Φ."""
    trained = settings.generation.systems
    sides = [side for claim in paper_claims() if claim.key[0] in "34" for side in (claim.first, claim.second)]
    why = {side: f"{side} is not among generation.systems" for side in sides if side not in trained}
    if not known_world:
        why["CLIP-Align"] = "true alignment is known in the demo world only"
    elif phi == COSINE:
        why["CLIP-Align"] = "Φ is CLIP's cosine here, so CLIP-Align and CLIP-Score are one number"
    return why


def _evidence(
    first: Sequence[Metric], second: Sequence[Metric], users: Sequence[str], options: dict[str, Any]
) -> Evidence:
    one, other = (float(np.mean([run.value for run in side])) for side in (first, second))
    return Evidence(one, other, compare(first, second, users, **options))
