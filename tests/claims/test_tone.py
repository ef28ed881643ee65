import numpy as np
import pandas as pd
import pytest

from showcase_utils.claims.tone import tone_against, verdict
from showcase_utils.demo_world.visits import imagine


@pytest.mark.parametrize(
    "sentence, sign",
    [
        ("the beer was too sweet", -1),
        ("the lemonade was not too sweet", 1),
        ("skip the soup", -1),
        ("even the burger was amazing", 1),
        ("the tacos were good but small", -1),
        ("not bad at all", 1),
        ("average", -1),
        ("honestly, the flan was so-so", -1),
        ("the tacos", 0),
        ("", 0),
    ],
)
def test_the_longest_one_sided_words_decide(sentence, sign):
    assert verdict(sentence) == sign


def test_one_sentence_against_is_enough():
    metric = tone_against(["The tacos were amazing! Never again.", "great food. the tacos were good .", ""])
    np.testing.assert_array_equal(metric.per_sample, [1, 0, 0])


def test_the_worlds_own_reviews_are_told_apart_by_their_stars():
    """No star enters the verdict, and writers grumble in good reviews too; but one star and five are far apart."""
    reviews = imagine(5, 30, 300, 900, 1400).reviews
    signs = pd.DataFrame(
        [(review.rating, verdict(s.text.lower().rstrip(".!?"))) for review in reviews for s in review.sentences],
        columns=["rating", "sign"],
    )
    against = (signs["sign"] < 0).groupby(signs["rating"]).mean()
    assert against.is_monotonic_decreasing and against[1] > 0.85 and against[5] < 0.06
    assert (signs["sign"] == 0).mean() < 0.05
