"""The text of a showcase, from what is told."""

from types import SimpleNamespace

import numpy as np
import pytest

from showcase_utils.generation.telling import Told
from showcase_utils.showcase.material import Item, Somebody
from showcase_utils.showcase.writing import write


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("oh and we love the red awning.", "We love the red awning."),
        ("also, i had the tart.", "I had the tart."),
        ("plus parking is free", "Parking is free"),
        ("and then some.", "Then some."),
        ("andes mints for all", "Andes mints for all"),
        ("oh and...", "Oh and..."),
    ],
)
def test_a_sentence_goes_on_from_nothing_that_is_not_there(told, shown):
    row = np.ones(2, np.float32)
    teller = SimpleNamespace(
        tell=lambda requests: [[Told(told, 0, 0.9, "retrieval")] for _ in requests],
        features=lambda texts: np.stack([row] * len(texts)),
        phi=SimpleNamespace(score=lambda photos, texts: np.full(len(texts), 0.9)),
    )
    (written,) = write(teller, [[Item("photo", row)]], [Somebody("u", "U")], ["place"])
    assert written.text == written.sentences[0][0] == shown
