"""Why a photo was chosen, in words that are true of the numbers."""

import math

import numpy as np
import pytest

from showcase_utils.selection.showing import Shown
from showcase_utils.showcase import Place, Profile
from showcase_utils.showcase.material import Item, Somebody
from showcase_utils.showcase.reasons import Choice, reasons


class Describes:
    """In Φ's place: the cosine of a photo with a sentence."""

    threshold = 0.5

    def score(self, photos, sentences):
        return (photos * sentences).sum(axis=1)


def axis(number):
    return np.eye(4, dtype=np.float32)[number]


PHOTOS = [Item(f"photo{number}", axis(number)) for number in range(4)]
NICE = Item("s0", axis(0), text="The soup was lovely.")
OTHER = Item("s1", axis(1), text="A fine terrace.")
PAST = Somebody(
    "u", "u",
    photos=[Item("mine/1.jpg", axis(0), place="The Old Fig"), Item("mine/2.jpg", axis(1), place="The Old Fig")],
    texts=[Item("text 1", axis(0), text="The soup was lovely. The noise gave me a headache.", place="The Old Fig")],
)  # fmt: skip


def explained(photos, texts, chosen=(0, 1), reader=PAST, pinned=(), said=(NICE, OTHER)):
    """Reasons where past photos add ``photos`` (4, h) to the relevance and texts ``texts`` (4, t)."""
    photos, texts = np.asarray(photos, float), np.asarray(texts, float)
    numbers = Shown(np.array(chosen), photos.sum(1) + texts.sum(1), photos, texts)
    choice = Choice(PHOTOS, [PHOTOS[row] for row in chosen], numbers, {"photo1"}, {f"photo{row}" for row in pinned})
    return reasons(reader, choice, lambda review: said, Describes())


def test_what_pulled_is_named_with_its_share_and_its_strength():
    first, second = explained([[1.2, 0.4], [0.3, 0], [0.9, 0], [0, 0]], np.zeros((4, 1)))
    assert "framing): your 2 photos from The Old Fig (100%; you wrote there: “The soup" in first.words
    assert f"Of 4 photos here the best match with your past: {math.exp(1.6):.1f} times as likely" in first.words
    assert (first.rank, first.candidates, first.usual) == (1, 4, False)
    assert (
        "the 3rd best match" in second.words and "For variety, a photo that fits you better was passed" in second.words
    )
    assert (second.rank, second.usual) == (3, True) and second.words.endswith(second.standing)


def test_a_photo_of_the_past_is_quoted_only_where_a_sentence_describes_the_chosen_one():
    (reason,) = explained([[1.0, 0]] * 4, np.zeros((4, 1)), chosen=[3])
    assert reason.past[0].quote == "" and "“" not in reason.words


def test_of_a_review_the_sentence_nearest_to_the_photo_is_quoted():
    reader = Somebody("u", "u", texts=[Item("text 1", axis(0), text="Both of them.")])
    for row, said in ((0, NICE), (1, OTHER)):
        (reason,) = explained(np.zeros((4, 0)), [[0.02]] * 4, chosen=[row], reader=reader)
        assert f"What speaks for it: your words “{said.text}” (100%)." in reason.words, "words have no light or framing"
        assert "only 2% likelier yours than a stranger's" in reason.words


def test_a_text_of_which_nothing_is_quoted_is_told_by_its_first_words():
    texts = [Item(f"text {n}", axis(0), text=words) for n, words in enumerate(("Slow.", "It was so loud " * 5), 1)]
    (reason,) = explained(
        np.zeros((4, 0)), [[0.3, 0.1]] * 4, chosen=[0], reader=Somebody("u", "u", texts=texts), said=()
    )
    assert "your text “Slow.” (75%), your text “It was so loud It was so loud It was so …” (25%)." in reason.words


def test_that_all_photos_are_shown_is_said_once():
    first, *others = explained([[1.0, 0]] * 2 + [[-1, 0]] * 2, np.zeros((4, 1)), chosen=range(4))
    assert first.words.endswith(" All photos of the place are shown.")
    assert all("All photos" not in reason.words and not reason.standing for reason in others)
    assert others[-1].words == ""


def test_where_nothing_pulls_nothing_is_quoted():
    first, second = explained([[0.4, 0]] + [[-0.3, 0.1]] * 3, np.zeros((4, 1)), chosen=[0, 2])
    assert "framing): your" in first.words
    assert second.words == "It is here for variety: too little in your past speaks for it."
    assert all(item.quote == "" for item in second.past)


def test_other_reasons():
    numbers = np.zeros((4, 2)), np.zeros((4, 1))
    (pinned,) = explained(*numbers, chosen=[2], pinned=[2])
    assert pinned.words == "It is here because it was pinned."
    (unknown,) = explained(np.zeros((4, 0)), np.zeros((4, 0)), chosen=[2], reader=Somebody("", ""))
    assert "nothing is known of the reader" in unknown.words.lower()
    silent = Choice(PHOTOS, PHOTOS[:1], Shown(np.array([0]), np.ones(4), None, None), set(), set())
    assert "does not say what of your past" in reasons(PAST, silent, lambda review: [], Describes())[0].words


@pytest.mark.slow
def test_complaints_are_not_quoted(showcases, monkeypatch, tmp_path):
    """Neither the reader's own, nor what another guest wrote of a photo."""
    from tests.showcase.conftest import paint

    class Sour:
        def score(self, texts):
            return np.array([-1.0 if "headache" in text or "tacos" in text else 1.0 for text in texts])

    monkeypatch.setitem(showcases.library.__dict__, "tone", Sour())
    monkeypatch.setattr(showcases.library, "somewhere", showcases.library._somewhere)  # none that is remembered
    me = Profile(texts=["I love ramen. The noise gave me a headache."])
    photos = [paint(tmp_path / f"{number}.png", (40 * number, 10, 90)) for number in range(6)]
    there = showcases.explain(me, Place(photos), k=6)
    assert "headache" not in "".join(reason.words for reason in there.reasons)
    assert "“I love ramen.”" in "".join(reason.words for reason in there.reasons)
    assert set(showcases.explain("user0", "place1").captions) == {""}, "all of them speak of tacos"
