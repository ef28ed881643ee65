"""Which photos of a place may be chosen, and which of those that a method picked are shown beside each other."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from showcase_utils.names import near
from showcase_utils.showcase.material import Item, Somewhere, without_copies
from showcase_utils.showcase.options import Options


def candidates(somewhere: Somewhere, options: Options) -> list[Item]:
    """The photos that may be chosen; of copies of a photo the first, or the one that is pinned.

    Raises ``KeyError`` for a photo to pin or to leave out that the place has not, ``ValueError`` for one that is to be
    both, or if none is left.
    """
    if not options.pin and not options.leave_out:
        return somewhere.distinct if options.drop_duplicates else list(somewhere.photos)
    known = {item.id for item in somewhere.photos} | {Path(item.id).name for item in somewhere.photos}
    for name in (*options.pin, *options.leave_out):
        if str(name) not in known:
            number = len(somewhere.photos)
            raise KeyError(f"photo {name} is none of the {number} of {somewhere.name}{_meant(name, somewhere)}")
    for item in somewhere.photos:
        if is_named(item.id, options.pin) and is_named(item.id, options.leave_out):
            raise ValueError(f"photo {Path(item.id).name} is both in pin and in leave_out")
    pool = [item for item in somewhere.photos if not is_named(item.id, options.leave_out)]
    if not pool:
        raise ValueError(f"{somewhere.name}: no photo is left to choose from")
    if not options.drop_duplicates:
        return pool
    pool.sort(key=lambda item: not is_named(item.id, options.pin))  # stable: pinned ones come first, and stay
    kept = without_copies(pool)
    return sorted(kept, key=lambda item: item.id) if options.pin else kept


def is_named(image_id: str, names: Sequence[str]) -> bool:
    """Whether one of ``names`` is the photo's id or its file's name."""
    return any(str(name) in (image_id, Path(image_id).name) for name in names)


def _meant(name: str | Path, somewhere: Somewhere) -> str:
    """The photos that somebody may have meant by a name that none has, as the end of a message.

    Those whose file's name shares a word with it, or looks like it, or whose caption has the word; else the first.
    """
    words = _stems(Path(name).stem)
    files = {Path(item.id).name: item for item in somewhere.photos}
    alike = [file for file in files if words & _stems(Path(file).stem)]
    if hint := near(Path(name).stem, alike, 0.0) or near(Path(name).stem, files):
        return hint
    told = [file for file, item in files.items() if words & _stems(item.text)]
    if told:
        return (
            f"; ids or names of files are wanted, as of photos with that word in their caption: {', '.join(told[:2])}"
        )
    return f"; ids or names of files are wanted, like {next(iter(files))}"


def _stems(text: str) -> set[str]:
    """The words of a text without endings, so that lambs are lamb and grilled is grill."""
    return {re.sub(r"(?<=\w{3})(?:ing|ed|es|s)$", "", word) for word in re.findall(r"[^\W_]+", text.casefold())}


def repeats(photos: Sequence[Item], bound: float) -> bool:
    """Whether two of the photos show one scene: a cosine above ``bound``."""
    rows = np.stack([item.features for item in photos])
    return bool(np.triu(rows @ rows.T > bound, 1).any())


def shown(pool: list[Item], picks: Sequence[int], options: Options, bound: float = math.inf) -> list[Item]:
    """The pinned photos first, then the picks in order, those of a scene that is there already last; at most k in all.

    ``picks`` are rows of ``pool``; a cosine above ``bound`` makes two photos of one scene.
    """
    pinned = [item for name in options.pin for item in pool if is_named(item.id, [name])]
    kept: list[Item] = list(pinned)
    again: list[Item] = []
    for item in (pool[row] for row in picks):
        if item in pinned:
            continue
        seen = any(float(item.features @ other.features) > bound for other in kept)
        (again if seen else kept).append(item)
    return (kept + again)[: max(options.k, len(pinned))]
