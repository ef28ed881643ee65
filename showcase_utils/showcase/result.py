"""One showcase: photos, text, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PastItem:
    """A photo or a review of the reader's past, and how it moved a chosen photo.

    ``pull`` adds to the photo's relevance, or takes from it: over all items of the past they sum to it. ``share`` is
    this item's part of all that pulled the photo up, 0 for one that did not. ``quote`` is a sentence of its review that
    describes the chosen photo and is no complaint; empty where there is none, or where the item is not among the
    strongest.
    """

    kind: str  # "photo" or "review"
    id: str
    pull: float
    share: float
    place: str = ""
    text: str = ""  # the review, or what is known to be in the photo
    path: Path | None = field(default=None, repr=False)
    quote: str = ""


@dataclass(frozen=True)
class PhotoReason:
    """Why a photo was chosen. ``relevance`` and ``variety`` are numbers, ``words`` are for people.

    ``past`` are all items of the reader's past, the strongest pull first; there are none where the ranker can't split
    its relevance, or where there is no past. ``variety`` is 1 − the largest cosine to a photo that was picked before
    it; 1 for the first. ``rank`` is its place by relevance among the ``candidates``, 1 for the best, of which
    ``standing``, a part of ``words``, speaks; where all are shown, the first photo's says so, the others' are empty.
    ``usual``: a reader without a past gets it, too.
    """

    relevance: float
    variety: float
    past: tuple[PastItem, ...]
    words: str
    standing: str
    rank: int
    candidates: int
    usual: bool


@dataclass(frozen=True)
class SentenceReason:
    """A sentence of the text, the chosen photo it rests on (its place among them, or None) and Φ's confidence."""

    sentence: str
    photo: int | None
    confidence: float


@dataclass(frozen=True)
class Showcase:
    """Photos of a place chosen for somebody, in the order in which they were picked, a text, and the reasons for both.

    ``image_ids`` are ids of the data set, or the paths of photos that somebody brought. ``captions`` say what is known
    to be in each photo, "" where nothing is. ``scores``: ``clip_align`` (mean over photos of the best sentence's
    confidence; nan without text or photos), ``unusual`` (1 − the Jaccard index with the set that a reader without a
    past gets). ``personal`` is false where nothing was known of the reader.
    """

    user_id: str
    business_id: str
    user: str
    place: str
    image_ids: tuple[str, ...] = field(repr=False)  # paths, where photos are somebody's own
    photos: tuple[Path, ...] = field(repr=False)  # where files lie is nobody's business in a stored notebook
    captions: tuple[str, ...]
    text: str
    reasons: tuple[PhotoReason, ...] = field(repr=False)
    sentences: tuple[SentenceReason, ...] = field(repr=False)
    scores: dict[str, float]
    past_photos: tuple[Path, ...] = field(repr=False)
    past_texts: tuple[str, ...] = field(repr=False)
    personal: bool = True

    @property
    def evidence(self) -> list[tuple[str, int | None]]:
        """Each sentence with the photo it rests on, for ``plots.gallery``."""
        return [(reason.sentence, reason.photo) for reason in self.sentences]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can say it; paths as text."""
        return _plain(asdict(self))

    def to_html(self) -> str:
        """A page that needs no other file: the photos are in it."""
        from showcase_utils.showcase.page import page

        return page([self], title=f"{self.place} for {self.user}")

    def _repr_html_(self) -> str:
        from showcase_utils.showcase.page import fragment

        return fragment(self)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, Path) else value
