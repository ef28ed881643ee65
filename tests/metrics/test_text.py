import math

import numpy as np
import pytest

from showcase_utils.metrics import text
from showcase_utils.metrics.bertscore import bertscore

REFERENCES = ["the shrimp tacos were great .", "a cozy candlelit room", "slow service"]
ROW = text.ngram_row


def test_identical_texts_reach_the_top():
    long = ["the grilled shrimp tacos were really great today", "a cozy candlelit room with very kind staff"]
    row = ROW(long, long)
    assert all(row[f"BLEU-{n}"].value == pytest.approx(100) for n in range(1, 5))
    assert row["ROUGE-L"].value == pytest.approx(1)
    assert row["CIDEr-D"].value == pytest.approx(10)
    assert row["METEOR"].value > 0.99
    assert row["Unique"].value == 1


def test_nothing_in_common_scores_zero():
    row = ROW(["x y z v"] * 3, REFERENCES)
    for name in ("BLEU-1", "METEOR", "NIST-4", "ROUGE-L", "CIDEr-D", "Unique"):
        assert row[name].value == 0, name


def test_empty_hypotheses_are_defined():
    row = ROW(["", "  ", ""], REFERENCES)
    zero = ["BLEU-1", "BLEU-4", "METEOR", "NIST-4", "ROUGE-L", "CIDEr-D", "Length", "Unique"]
    assert [row[name].value for name in zero] == [0, 0, 0, 0, 0, 0, 0, pytest.approx(1 / 3)]
    assert math.isnan(row["Distinct-1"].value) and math.isnan(row["Distinct-2 (sentence)"].value)


def test_nist_of_short_hypotheses_counts_the_orders_that_exist():
    """nltk's corpus_nist divides by zero here."""
    short = ["tacos", "cozy", "slow"]
    value = text.nist(short, REFERENCES).value
    assert value == pytest.approx(text.nist(short, REFERENCES, 1).value) and value > 0


def test_one_sample_is_enough():
    row = ROW(["the tacos were great"], ["the tacos were great"])
    assert row["CIDEr-D"].value == 0  # one document: no n-gram carries information
    assert row["BLEU-4"].value == pytest.approx(100)


def test_casing_does_not_count_and_is_said():
    upper = [r.upper() for r in REFERENCES]
    for name, metric in ROW(upper, REFERENCES).items():
        assert metric.value == ROW(REFERENCES, REFERENCES)[name].value
        if name not in ("Length", "Unique"):
            assert "lower-cased" in metric.variant


def test_meteor_without_wordnet_is_another_variant(monkeypatch):
    class Lemma:
        def __init__(self, name):
            self.name = lambda: name

    class Synset:
        @staticmethod
        def lemmas():
            return [Lemma("great"), Lemma("good")]

    class Net:
        ensure_loaded = staticmethod(lambda: None)
        synsets = staticmethod(lambda word: [Synset] if word in ("great", "good") else [])

    class Missing:
        @staticmethod
        def ensure_loaded():
            raise LookupError("wordnet")

    monkeypatch.setattr(text, "wordnet", Net)
    found = text.meteor(["good tacos"], ["great tacos"])
    monkeypatch.setattr(text, "wordnet", Missing)
    missing = text.meteor(["good tacos"], ["great tacos"])
    assert found.value > missing.value > 0
    assert found.variant != missing.variant
    assert "WordNet" in found.variant and "exact and stem matching" in missing.variant


def test_distinct_by_hand():
    hypotheses = ["the tacos the tacos", "the soup", ""]
    assert text.distinct(hypotheses, 1).value == pytest.approx(3 / 6)
    assert text.distinct(hypotheses, 2).value == pytest.approx(3 / 4)
    assert text.distinct(hypotheses, 1, "sentence").value == pytest.approx((0.5 + 1) / 2)
    np.testing.assert_allclose(text.distinct(hypotheses, 2).per_sample, [2 / 3, 1, np.nan])


def test_length_and_unique():
    assert text.length(["two words", "", "and, three words"]).value == pytest.approx(5 / 3)
    assert text.unique_share(["a", "a", "b", "c"]).value == 0.5


@pytest.mark.parametrize("metric", [text.bleu, text.meteor, text.nist, text.rouge_l, text.cider])
def test_bad_input_is_named(metric):
    with pytest.raises(ValueError, match="2 hypotheses but 3 references"):
        metric(["a", "b"], REFERENCES)
    with pytest.raises(ValueError, match="no samples"):
        metric([], [])
    with pytest.raises(ValueError, match=r"hypotheses\[1\] is float"):
        metric(["a", float("nan"), "b"], REFERENCES)
    with pytest.raises(ValueError, match="wrap it in a list"):
        metric("a", ["b"])


def test_distinct_refuses_unknown_levels():
    with pytest.raises(ValueError, match="choose corpus or sentence"):
        text.distinct(["a"], 1, "document")
    with pytest.raises(ValueError, match="at least one word"):
        text.distinct(["a"], 0)


def test_bertscore_of_empty_and_overlong_texts(tiny_gpt2, capfd):
    metric = bertscore(["", "tacos", "the tacos " * 100], ["tacos", " ", "the tacos"], tiny_gpt2)
    assert metric.per_sample[:2].tolist() == [0, 0]
    assert 0 < metric.per_sample[2] <= 1
    capfd.readouterr()
    bertscore(["the"], ["tea"], tiny_gpt2)
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="layers 1 to 4"):
        bertscore(["a"], ["b"], tiny_gpt2, layer=9)


def test_bertscore_prefers_the_same_text(tiny_gpt2):
    same = bertscore(["the tacos were great"], ["the tacos were great"], tiny_gpt2)
    assert same.value == pytest.approx(1, abs=1e-5)
    assert bertscore(["slow service"], ["the tacos were great"], tiny_gpt2).value < 0.99


def test_same_text_is_the_share_of_the_other_users_of_a_place():
    words, places = ["a", "a", "b", "a", "a", "a", "", ""], ["p", "p", "p", "q", "r", "r", "s", "s"]
    metric = text.same_text(words, places, list("uvwuuuuv"))
    np.testing.assert_allclose(metric.per_sample, [1 / 2, 1 / 2, 0, *[np.nan] * 5])
    assert metric.value == pytest.approx(
        1 / 3
    )  # one user's two texts of a place are no second user; silence is no text
    assert text.sentences([1, 2]).value == 1.5
