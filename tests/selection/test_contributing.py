"""CONTRIBUTING's method, as it stands there."""

import sys

import numpy as np
import torch

from showcase_utils.config import Selection
from showcase_utils.selection.methods import methods_of, open_selectors
from showcase_utils.selection.pools import PoolBatch
from tests.contributing import example


def test_a_method_in_one_file_chooses(tmp_path, monkeypatch):
    (tmp_path / "pictured.py").write_text(example("class Centre"))
    monkeypatch.syspath_prepend(tmp_path)
    settings = Selection(methods=["random", "pictured:CENTRE"])
    method = methods_of(settings)["centre"]
    (selector, *_) = open_selectors(method.variants(settings, seed=0), tmp_path, settings, "cpu")
    rng = np.random.default_rng(0)
    pools = [rng.normal(size=(size, 8)).astype(np.float32) for size in (6, 2)]
    pools = [pool / np.linalg.norm(pool, axis=1, keepdims=True) for pool in pools]
    batch = PoolBatch.of(pools, [pool[:1] for pool in pools], [pool[:1] for pool in pools])
    ranking = selector.ranking(batch)
    picks = selector.choose(ranking, 3).tolist()
    assert len(set(picks[0])) == 3 and set(picks[1]) == {0, 1, -1}
    alone = selector.ranking(PoolBatch.of(pools[1:], [pools[1][:1]], [pools[1][:1]]))
    torch.testing.assert_close(ranking.relevance[1, :2], alone.relevance[0])  # whoever shares the batch
    sys.modules.pop("pictured")
