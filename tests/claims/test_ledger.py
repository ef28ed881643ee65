import math

import pytest

from showcase_utils.claims.ledger import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    Claim,
    Evidence,
    comparisons,
    judge_claims,
    ledger_frame,
    paper_claims,
)
from showcase_utils.statistics.significance import Comparison, Interval


def evidence(value, low, high, second=1.0, p=None):
    error = (high - low) / 4
    if p is None:
        return Evidence(second + value, second, Interval(value, low, high, error, "made up"))
    return Evidence(second + value, second, Comparison(value, low, high, error, "made up", p, 50))


GREATER = Claim("1a", "x beats y", "x", "y", "m")
NO_WORSE = Claim("1b", "x is no worse than y", "x", "y", "m", "no worse", 0.1)


@pytest.mark.parametrize(
    "claim, found, verdict, reason",
    [
        (GREATER, evidence(0.2, 0.1, 0.3, p=0.001), REPRODUCED, "above zero"),
        (GREATER, evidence(0.2, 0.1, 0.3), REPRODUCED, "above zero"),
        (GREATER, evidence(0.2, -0.1, 0.5, p=0.2), NOT_REPRODUCED, "includes zero"),
        (GREATER, evidence(-0.2, -0.3, -0.1, p=0.001), NOT_REPRODUCED, "opposite"),
        (GREATER, evidence(0.2, 0.001, 0.4, p=0.06), NOT_REPRODUCED, "p = 0.06"),
        (GREATER, evidence(0.0, math.nan, math.nan, p=1.0), NOT_TESTABLE, "no interval"),
        (NO_WORSE, evidence(-0.04, -0.09, 0.01, p=0.1), REPRODUCED, "10% (0.1) is excluded"),
        (NO_WORSE, evidence(-0.04, -0.11, 0.03), NOT_REPRODUCED, "not excluded"),
        (NO_WORSE, evidence(-0.04, -0.11, 0.03, second=2.0), REPRODUCED, "is excluded"),
    ],
)
def test_verdicts(claim, found, verdict, reason):
    (outcome,) = judge_claims({claim.comparison: found}, [claim])
    assert outcome.verdict == verdict
    assert reason in outcome.reason
    assert outcome.effect == found.difference.value
    assert outcome.relative == pytest.approx(found.difference.value / found.second)


def test_a_claim_that_presupposes_a_difference_says_nothing_without_it():
    claim = Claim("1b", "x costs little", "x", "y", "m", "no worse", 0.1, presupposes=("y", "chance", "m"))
    found = {claim.comparison: evidence(-0.04, -0.09, 0.01)}
    assert judge_claims(found, [claim])[0].verdict == REPRODUCED
    (outcome,) = judge_claims(found | {claim.presupposes: evidence(0.1, -0.01, 0.2)}, [claim])
    assert outcome.verdict == NOT_TESTABLE and "y is not above chance on m" in outcome.reason
    assert judge_claims(found | {claim.presupposes: evidence(0.1, 0.01, 0.2)}, [claim])[0].verdict == REPRODUCED
    assert any(c.presupposes for c in paper_claims())


def test_p_values_are_corrected_over_the_ledger():
    claims = [Claim(f"1{c}", "", "x", c, "m") for c in "abcd"]
    found = {claim.comparison: evidence(0.2, 0.1, 0.3, p=0.02) for claim in claims}
    assert [o.verdict for o in judge_claims(found, claims[:1])] == [REPRODUCED]
    outcomes = judge_claims(found, claims)
    assert all(o.p_holm == pytest.approx(0.08) and o.verdict == NOT_REPRODUCED for o in outcomes)


def test_without_evidence_nothing_is_testable_and_the_reason_is_given():
    outcomes = judge_claims({}, paper_claims(), missing={"peter": "PETER was not trained in this profile"})
    assert len(outcomes) == len(paper_claims())
    assert {o.verdict for o in outcomes} == {NOT_TESTABLE}
    assert any(o.reason == "PETER was not trained in this profile" for o in outcomes)
    assert all(o.reason for o in outcomes)


def test_the_ledger_covers_the_five_claims_of_the_paper():
    claims = paper_claims()
    assert {claim.key[0] for claim in claims} == set("12345")
    assert len({claim.key for claim in claims}) == len(claims) == len({claim.comparison for claim in claims})
    frame = ledger_frame(judge_claims({claims[0].comparison: evidence(0.2, 0.1, 0.3, p=0.001)}, claims))
    assert frame["key"].tolist() == [claim.key for claim in claims]
    assert (frame["verdict"] == REPRODUCED).sum() == 1


def test_the_metrics_of_selection_are_named_by_their_k():
    """Labels that said @3 for sets of five: every claim and what it presupposes follow the setting."""
    for k in (3, 5):
        selection = {metric for *_, metric in comparisons(k) if "@" in metric}
        assert selection == {f"F1@{k}", f"Div@{k}"}
