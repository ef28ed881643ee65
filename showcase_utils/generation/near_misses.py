"""What tells a true sentence from a near miss, beef tacos for shrimp tacos, learned from quotes alone.

Annotations pair sentences and photos of one review, so Φ has never met a near miss. A place's quotes have them: to a
photo that has quotes of its own, those are held that belong to other photos, the nearest ones. What says the same as
the photo's own quotes is true, and nearly all else is not.
"""

from __future__ import annotations

import numpy as np

from showcase_utils.alignment.unlabelled import best_separation
from showcase_utils.generation.quotes import NO_BOUNDS, Bounds, Quotes

SAMPLE = 2000  # photos that are looked at, at most
FEWEST = 30  # true quotes and near misses; with fewer of either there is nothing to learn


def learn_bounds(quotes: Quotes, most: int, same: float) -> Bounds:
    """The cosines at which true quotes and near misses separate best (Youden's index), each by itself.

    ``most`` quotes are held to a photo; ``same`` is the cosine from which two sentences say the same. No annotation is
    asked. Without ``FEWEST`` of both kinds every sentence is within bounds.
    """
    owner, business = (quotes.sentences[name].to_numpy() for name in ("image_id", "business_id"))
    own = quotes.sentences.groupby("image_id").indices
    found = [np.zeros((3, 0))]
    for image in np.random.default_rng(0).permutation(sorted(own))[:SAMPLE]:
        mine = own[image]
        photo, others = quotes.photos[mine[0]], quotes.of_place[business[mine[0]]]
        others = others[owner[others] != image]
        rows = others[np.argsort(-(quotes.photos[others] @ photo), kind="stable")[:most]]
        true = (quotes.texts[rows] @ quotes.texts[mine].T).max(axis=1) >= same
        found.append(np.stack([true, quotes.texts[rows] @ photo, quotes.photos[rows] @ photo]))
    true, cosine, nearness = np.concatenate(found, axis=1)
    if min(true.sum(), len(true) - true.sum()) < FEWEST:
        return NO_BOUNDS
    label = true.astype(np.int64)
    return Bounds(best_separation(label, cosine), best_separation(label, nearness))
