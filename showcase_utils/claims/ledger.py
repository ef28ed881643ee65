"""The paper's claims as data, and one function that says how each came out ("claims to test" in notebook 05).

What counts as reproduced was written down before any result was seen: a claim that something is greater needs the
whole interval above zero and, where there is a test, a p-value that survives Holm's correction over the ledger; a
claim that something is no worse allows a loss of ``margin`` of the other side's value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import pandas as pd

from showcase_utils.metrics.generated import REFERENCE
from showcase_utils.statistics.significance import Comparison, Interval, holm

REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE = "reproduced", "not reproduced", "not testable here"
RANK = "Spearman's ρ with true alignment"
DISTANCE = "1 − cosine"
PAPER_BASELINES = ("st", "r2gen", "ref2seq", "peter")
PROPOSED = "ours_pc2l"  # the paper's system
FLOOR, TOLD = "floor_", "told_"  # names that begin so: what needs no training, and ways of telling

Key = tuple[str, str, str]  # first, second, metric


@dataclass(frozen=True)
class Claim:
    """One comparison that the paper's text makes: ``first`` against ``second`` on ``metric``.

    ``direction`` is ``greater``, or ``no worse`` by more than ``margin`` times the value of ``second``. ``presupposes``
    names a comparison whose first must be greater for the claim to say anything.
    """

    key: str
    statement: str
    first: str
    second: str
    metric: str
    direction: Literal["greater", "no worse"] = "greater"
    margin: float = 0.0
    presupposes: Key | None = None
    source: str = "the paper"

    @property
    def comparison(self) -> Key:
        return self.first, self.second, self.metric


@dataclass(frozen=True)
class Evidence:
    """What a run found for one comparison: both values and the interval of first − second."""

    first: float
    second: float
    difference: Interval


@dataclass(frozen=True)
class Outcome:
    """A claim with its verdict; ``effect`` is first − second in the metric's own unit."""

    key: str
    statement: str
    comparison: str
    metric: str
    verdict: str
    reason: str
    effect: float = math.nan
    low: float = math.nan
    high: float = math.nan
    relative: float = math.nan  # effect and bounds over the size of second's value
    relative_low: float = math.nan
    relative_high: float = math.nan
    p_holm: float = math.nan


def proposed_system(systems: Sequence[str]) -> str:
    """The system that others are compared with: PC²L, or the last that was trained where it was not."""
    trained = [name for name in systems if name != REFERENCE and not name.startswith((FLOOR, TOLD))]
    return PROPOSED if PROPOSED in trained else (trained or [name for name in systems if name != REFERENCE])[-1]


def paper_claims(k: int = 3) -> tuple[Claim, ...]:
    """The claims, for sets of ``k`` photos; the paper has 3."""
    best, image, words = "dpp img+text", "dpp img", "dpp text"
    relevance, f1 = "top_k_learned img+text", f"F1@{k}"
    some = (relevance, "random", f1)  # without it there is no relevance that the DPP could lose
    distance = "photos of different reviews differ more between {} than within one"
    topic = "PC²L output is {} than that of {}"
    baselines = {name: name.upper() if name != "ref2seq" else "Ref2Seq" for name in PAPER_BASELINES}
    baselines |= {"r2gen": "R2Gen", "ours_ce": "training with CE alone"}
    rows = [
        Claim("1a", "personalised selection beats random", best, "random", f1),
        Claim("1b", "img+text ≥ img", best, image, f1),
        Claim("1c", "img > text", image, words, f1),
        Claim("1d", "the DPP buys diversity …", best, relevance, f"Div@{k}"),
        Claim("1e", "… for little relevance", best, relevance, f1, "no worse", 0.10, presupposes=some),
        Claim("2a", distance.format("businesses"), "inter-business", "intra-business", DISTANCE),
        Claim("2b", distance.format("users"), "inter-user", "intra-user", DISTANCE),
        Claim("3a", "photos and text beat text alone", "ours_ce", "text_gpt2", "METEOR"),
        Claim("3b", "photos and text beat text alone", "ours_ce", "text_gpt2", "BLEU-4"),
        Claim("3c", "photos and text beat photos alone", "ours_ce", "img_gpt2", "METEOR"),
        Claim("3d", "photos and text beat photos alone", "ours_ce", "img_gpt2", "BLEU-4"),
    ]
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    for system, name in baselines.items():
        more, better = topic.format("more diverse", name), topic.format("better aligned", name)
        rows.append(Claim(f"4{next(letters)}", more, "ours_pc2l", system, "Distinct-2"))
        rows.append(Claim(f"4{next(letters)}", better, "ours_pc2l", system, "CLIP-Align"))
    rows += [
        Claim(f"4{next(letters)}", "CCL raises alignment", "ours_ccl", "ours_ce", "CLIP-Align"),
        Claim(f"4{next(letters)}", "… and more than PCL does", "ours_ccl", "ours_pcl", "CLIP-Align"),
        Claim(f"4{next(letters)}", "PCL raises diversity", "ours_pcl", "ours_ce", "Distinct-2"),
        Claim(f"4{next(letters)}", "… and more than CCL does", "ours_pcl", "ours_ccl", "Distinct-2"),
        Claim("5", "CLIP-Align tracks true alignment better than CLIP-Score does", "CLIP-Align", "CLIP-Score", RANK),
    ]  # fmt: skip
    return tuple(rows)


def comparisons(k: int = 3) -> tuple[Key, ...]:
    """All that the claims compare, each once: first, second, metric."""
    return tuple(
        dict.fromkeys(key for claim in paper_claims(k) for key in (claim.comparison, claim.presupposes) if key)
    )


def judge_claims(
    evidence: Mapping[Key, Evidence],
    claims: Sequence[Claim],
    missing: Mapping[str, str] | None = None,
    confidence: float = 0.95,
) -> list[Outcome]:
    """Every claim's outcome: reproduced, not reproduced, or not testable here.

    ``evidence`` is looked up by (first, second, metric). ``missing`` may give, by the name of a system, the reason
    why there is none.
    """
    tested = [claim for claim in claims if claim.comparison in evidence and not _idle(claim, evidence)]
    p_values = [_p_value(evidence[claim.comparison].difference, claim) for claim in tested]
    corrected = dict(zip((claim.key for claim in tested), holm(p_values), strict=True))
    return [
        _outcome(claim, evidence[claim.comparison], float(corrected[claim.key]), 1 - confidence)
        if claim.key in corrected
        else _untestable(claim, _idle(claim, evidence) or _missing(claim, missing or {}))
        for claim in claims
    ]


def _idle(claim: Claim, evidence: Mapping[Key, Evidence]) -> str:
    """Why a claim says nothing because of what it presupposes; empty if it does say something."""
    needed = claim.presupposes
    if needed is None or needed not in evidence or evidence[needed].difference.low > 0:
        return ""
    first, second, metric = needed
    return f"{first} is not above {second} on {metric}, so there is nothing to lose"


def _p_value(difference: Interval, claim: Claim) -> float:
    """The test asks for a difference from zero, so it speaks only of claims that something is greater."""
    return difference.p_value if isinstance(difference, Comparison) and claim.direction == "greater" else math.nan


def _missing(claim: Claim, missing: Mapping[str, str]) -> str:
    why = [missing.get(name, "") for name in (claim.first, claim.second)]
    return "; ".join(dict.fromkeys(filter(None, why))) or f"this run has no {claim.first} and {claim.second} to compare"


def _untestable(claim: Claim, reason: str) -> Outcome:
    return Outcome(claim.key, claim.statement, f"{claim.first} − {claim.second}", claim.metric, NOT_TESTABLE, reason)


def _outcome(claim: Claim, found: Evidence, p: float, alpha: float) -> Outcome:
    verdict, reason = _verdict(claim, found, p, alpha)
    effect, low, high = found.difference.value, found.difference.low, found.difference.high
    size = abs(found.second) or math.nan
    return Outcome(
        claim.key, claim.statement, f"{claim.first} − {claim.second}", claim.metric, verdict, reason,
        effect, low, high, effect / size, low / size, high / size, p,
    )  # fmt: skip


def _verdict(claim: Claim, found: Evidence, p: float, alpha: float) -> tuple[str, str]:
    low, high = found.difference.low, found.difference.high
    if math.isnan(low) or math.isnan(high):
        return NOT_TESTABLE, f"no interval: {found.difference.method}"
    if claim.direction == "no worse":
        floor = -claim.margin * abs(found.second)
        words = f"a loss of {claim.margin:.0%} ({-floor:.3g})"
        return (REPRODUCED, f"{words} is excluded") if low > floor else (NOT_REPRODUCED, f"{words} is not excluded")
    if high < 0:
        return NOT_REPRODUCED, "the opposite was found: the whole interval lies below zero"
    if low <= 0:
        return NOT_REPRODUCED, "the interval includes zero"
    if p >= alpha:
        return NOT_REPRODUCED, f"p = {p:.2g} after correction for the number of claims"
    return REPRODUCED, "the whole interval lies above zero"


def ledger_frame(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """The outcomes as a frame, one row per claim, in the order of the paper."""
    return pd.DataFrame([asdict(outcome) for outcome in outcomes])
