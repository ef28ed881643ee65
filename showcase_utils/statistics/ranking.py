"""How well a score finds what it should: the area under the ROC curve, with an interval over users."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from showcase_utils.metrics.metric import Floats
from showcase_utils.statistics.resampling import percentile_bounds
from showcase_utils.statistics.significance import Interval, user_weights


def auc(
    label: NDArray[np.bool_],
    score: Floats,
    users: Sequence[Hashable],
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The chance that a positive row has a higher score than a negative one, ties a half; whole users drawn again.

    ``nan`` where all rows are of one class.
    """
    if not 0 < np.count_nonzero(label) < len(label):
        return Interval(math.nan, math.nan, math.nan, math.nan, "none: one class")
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-math.inf))
    groups = np.unique(np.asarray(users).astype(str), return_inverse=True)[1]

    def of(weights: Floats) -> Floats:  # (R, n) -> (R,)
        weights = weights[:, order]
        positive, negative = (np.add.reduceat(weights * side, starts, axis=1) for side in (label[order], ~label[order]))
        below = negative.cumsum(axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        with np.errstate(invalid="ignore"):  # a round of one class has no pairs: nan
            return (positive * below).sum(axis=1) / pairs

    value = float(of(np.ones((1, len(label))))[0])
    n_users = int(groups.max()) + 1
    values = np.concatenate([of(weights[:, groups].astype(float)) for weights in user_weights(n_users, rounds, seed)])
    error = float(np.nanstd(values, ddof=1))
    return Interval(
        value, *percentile_bounds(values, confidence), error, f"bootstrap over {n_users} users, {rounds} rounds"
    )
