import pytest

from showcase_utils.claims.evidence import claim_one, distance_evidence, selection_evidence
from showcase_utils.claims.ledger import judge_claims, paper_claims
from showcase_utils.config import Settings


def with_k(settings, k):
    return Settings.model_validate(settings.model_dump() | {"selection": {"k": k}})


def test_selection_is_paired_by_review_and_takes_only_choices(selection, settings):
    found = selection_evidence(selection.sample(frac=1, random_state=0), settings)
    evidence = found["dpp img+text", "random", "F1@3"]
    test = selection[(selection["split"] == "test") & selection["evaluable"]]
    means = test.groupby("method")["f1"].mean()
    assert evidence.first == pytest.approx(means["dpp"]) and evidence.second == pytest.approx(means["random"])
    assert evidence.difference.users == 54 and "2 seeds" in evidence.difference.method
    again = selection_evidence(selection, settings)["dpp img+text", "random", "F1@3"]
    assert again.difference == evidence.difference


def test_what_was_measured_at_five_photos_is_called_so(selection, settings):
    """The scores are taken at the setting's k; without it they were printed as F1@3 whatever it was."""
    found = selection_evidence(selection, with_k(settings, 5))
    assert {metric for *_, metric in found} == {"F1@5", "Div@5"}
    assert set(claim_one(selection, with_k(settings, 5))["metric"]) == {"F1@5", "Div@5"}


def test_claim_one_has_the_numbers_of_the_ledger(selection, settings):
    table = claim_one(selection, settings).set_index("key")
    outcomes = {o.key: o for o in judge_claims(selection_evidence(selection, settings), paper_claims())}
    assert list(table.index) == ["1a", "1d", "1e"]
    for key, row in table.iterrows():
        assert (row["difference"], row["low"], row["high"]) == (
            outcomes[key].effect,
            outcomes[key].low,
            outcomes[key].high,
        )


def test_distances_are_those_of_the_alignment_stage_between_photos_of_different_reviews(diversity):
    outcomes = {o.key: o for o in judge_claims(distance_evidence(diversity), paper_claims())}
    assert outcomes["2a"].verdict == "reproduced" and outcomes["2a"].effect == pytest.approx(0.3)
    assert outcomes["2a"].relative == pytest.approx(1.5)
    assert outcomes["2b"].verdict == "not reproduced"
