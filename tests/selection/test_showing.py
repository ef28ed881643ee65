"""Choosing for anybody agrees with the stage, and says what each item of the past adds."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from showcase_utils.config import Selection
from showcase_utils.selection.build import build
from showcase_utils.selection.showing import Showing

SETTINGS = Selection(
    methods=("random", "dpp", "metric_dpp"), profiles=("img+text",), shown_method="metric_dpp", epochs=1, jobs=1
)


@pytest.fixture(scope="module")
def stages(pools, tmp_path_factory):
    out = tmp_path_factory.mktemp("selection")
    build(out, pools, SETTINGS, 0, progress=False)
    settings = SimpleNamespace(selection=SETTINGS, seed=0, device="cpu")
    return SimpleNamespace(settings=settings, path=lambda stage: out)


def features_of(pools, row):
    return (
        pools.features[pools.candidates[row]],
        pools.features[pools.history_photos[row]],
        pools.texts[pools.history_texts[row]],
    )


def test_it_shows_what_the_stage_has_chosen(pools, stages):
    showing, chosen = Showing.load(stages), pd.read_parquet(stages.path("selection") / "chosen.parquet")
    rows = pools.rows("test")[:6]
    many = showing.many(*map(list, zip(*[features_of(pools, row) for row in rows], strict=True)))
    for row, shown in zip(rows, many, strict=True):
        review = pools.samples["review_id"].iloc[row]
        ids = chosen.loc[chosen["review_id"] == review, "image_ids"].item()
        assert pools.ids(row, shown.picks) == list(ids)
        one = showing(*features_of(pools, row))
        np.testing.assert_allclose(one.relevance, shown.relevance, atol=1e-4)


def test_shares_of_the_past_sum_to_the_relevance(pools, stages):
    row = pools.rows("test")[0]
    pool, photos, texts = features_of(pools, row)
    shown = Showing.load(stages)(pool, photos, texts, k=2)
    assert len(shown.picks) == 2 and shown.photos.shape == (len(pool), len(photos))
    assert shown.texts.shape == (len(pool), len(texts))
    np.testing.assert_allclose(shown.photos.sum(1) + shown.texts.sum(1), shown.relevance, atol=1e-4)
    assert Showing.load(stages, "dpp")(pool, photos, texts).photos is None  # the towers do not say


def test_somebody_without_a_past_and_a_method_that_was_not_run(pools, stages):
    pool = pools.features[pools.candidates[0]]
    nothing = np.zeros((0, pool.shape[1]), dtype=np.float32)
    for method in ("", "dpp", "random"):
        assert len(Showing.load(stages, method)(pool, nothing, nothing).picks) == 3
    with pytest.raises(ValueError, match="'oracle' was not run"):
        Showing.load(stages, "oracle")
