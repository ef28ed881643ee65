"""Rules, and rankers that learn nothing, against plain loops and brute force."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from showcase_utils.config import Selection
from showcase_utils.selection import dpp
from showcase_utils.selection.rankers import Chance, Cosine, Truth, standardised
from showcase_utils.selection.rules import Ranking, by_dpp, k_medoids, mmr, top_k


@pytest.fixture(scope="module")
def batch(pools):
    return pools.batch(pools.rows("test"))


def cosine(batch, profile):
    return Cosine(Selection(), profile, 0)(batch)


def _check_shape(picks: torch.Tensor, present: torch.Tensor, k: int) -> None:
    for row, there in zip(picks.tolist(), present, strict=True):
        taken = [j for j in row if j >= 0]
        assert len(taken) == len(set(taken)) == min(k, int(there.sum())) and row[len(taken) :] == [-1] * (
            k - len(taken)
        )
        assert there[taken].all()


@pytest.mark.parametrize("k", [1, 3, 40])
def test_every_baseline_returns_distinct_present_candidates(batch, k):
    relevance = cosine(batch, "img")
    for picks in (
        top_k(relevance, batch.present, k),
        mmr(relevance, batch.features, batch.present, k, 0.5),
        k_medoids(batch.features[:6], batch.present[:6], k),
        by_dpp(Ranking(batch, relevance, 0.9, 0.5), k, 0.5),
    ):
        _check_shape(picks, batch.present[: len(picks)], k)


def test_top_k_breaks_ties_by_index():
    relevance = torch.tensor([[1.0, 3.0, 3.0, 9.0]])
    present = torch.tensor([[True, True, True, False]])
    assert top_k(relevance, present, 3).tolist() == [[1, 2, 0]]


def test_cosine_relevance_by_hand_and_for_unknown_users(pools, batch):
    row = int(pools.rows("test")[0])
    pool = pools.features[pools.candidates[row]]
    taste = pools.features[pools.history_photos[row]].mean(0)
    words = pools.texts[pools.history_texts[row]].mean(0)
    taste, words = taste / np.linalg.norm(taste), words / np.linalg.norm(words)
    both = (taste + words) / np.linalg.norm(taste + words)
    for profile, direction in [("img", taste), ("text", words), ("img+text", both)]:
        got, expected = cosine(batch, profile)[0, : len(pool)], pool @ direction
        np.testing.assert_allclose(got, (expected - expected.mean()) / expected.std(), atol=1e-4)
    unknown = replace(batch, past_photos=batch.past_photos * 0, past_photos_there=batch.past_photos_there & False)
    typical = pool @ pool.mean(0)
    got = cosine(unknown, "img")[0, : len(pool)]
    np.testing.assert_allclose(got, (typical - typical.mean()) / typical.std(), atol=1e-4)


def test_standardised_pools_have_unit_scale(batch):
    values = standardised(7 * cosine(batch, "img") + 3, batch.present)
    for row, there in zip(values, batch.present, strict=True):
        assert row[there].mean().abs() < 1e-4 and row[there].std(correction=0) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("theta", [0.3, 0.7, 1.0])
def test_mmr_is_carbonell_and_goldstein(batch, theta):
    relevance = cosine(batch, "img")
    picks = mmr(relevance, batch.features, batch.present, 4, theta)
    for b in range(len(picks)):
        there = batch.present[b].nonzero().flatten().tolist()
        r = relevance[b].numpy()
        r = (r - r[there].min()) / (r[there].max() - r[there].min())
        cosines = (batch.features[b] @ batch.features[b].T).numpy()
        chosen: list[int] = []
        for _ in range(4):
            free = [i for i in there if i not in chosen]
            worth = {i: theta * r[i] - (1 - theta) * max((cosines[i, j] for j in chosen), default=0) for i in free}
            chosen.append(max(free, key=worth.get))
        assert picks[b].tolist() == chosen


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 3])
def test_k_medoids_finds_a_minimum_that_no_swap_improves(batch, k):
    picks = k_medoids(batch.features, batch.present, k)[:: len(batch.present) // 6]
    optimal = 0
    for row, b in enumerate(range(0, len(batch.present), len(batch.present) // 6)):
        there = batch.present[b].nonzero().flatten().tolist()
        distance = 1 - (batch.features[b] @ batch.features[b].T).numpy()

        def cost(medoids, there=there, distance=distance):
            return distance[np.ix_(medoids, there)].min(0).sum()

        ours = cost(picks[row].tolist())
        for m in range(k):
            for i in there:
                swapped = picks[row].tolist()
                swapped[m] = i
                assert cost(swapped) >= ours - 1e-4
        optimal += ours <= min(cost(list(items)) for items in combinations(there, k)) + 1e-4
        labels = distance[np.ix_(picks[row].tolist(), there)].argmin(0)
        assert list(np.bincount(labels, minlength=k)) == sorted(np.bincount(labels, minlength=k), reverse=True)
    assert optimal > 0.7 * len(picks)


def test_the_dpp_rule_is_greedy_map_on_the_kernel(batch):
    ranking = Ranking(batch, cosine(batch, "img"), 0.8, 0.4)
    for theta in (0.0, 0.5, 0.8):
        L = dpp.kernel(dpp.quality(ranking.relevance, theta), batch.features, 0.8, 0.4)
        assert torch.equal(by_dpp(ranking, 3, theta), dpp.greedy_map(L, 3, batch.present))


def test_chance_is_uniform(batch):
    present = torch.ones(4000, 5, dtype=torch.bool)
    present[:, 4] = False
    picks = top_k(Chance(Selection(), "none", 1)(replace(batch, present=present)), present, 2)
    counts = np.bincount(picks.flatten().numpy(), minlength=5)
    assert counts[4] == 0 and np.abs(counts[:4] - 2000).max() < 150


def test_the_oracle_takes_the_true_photos_first(batch):
    picks = top_k(Truth(Selection(), "none", 0)(batch), batch.present, 3)
    for b, row in enumerate(picks.tolist()):
        own = set(batch.chosen[b].nonzero().flatten().tolist())
        assert set(row[: len(own)]) <= own
