"""What the app's page may ask for, within bounds, and the showcases that answer it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from showcase_utils.serving.uploads import Uploads
from showcase_utils.showcase import Place, Profile, Showcase, Showcases

Name = Annotated[str, Field(max_length=200)]
Photos = Annotated[list[Name], Field(max_length=200)]


class Ask(BaseModel):
    """One request: a reader and a place, by id or by what was dropped in, and the options of ``explain``.

    ``photos`` and ``candidates`` are ids that ``Uploads`` gave. Anything else is refused.
    """

    model_config = ConfigDict(extra="forbid")

    reader: Name = Field("", description="a user id; empty: texts and photos are the reader's")
    texts: Annotated[list[Annotated[str, Field(max_length=5000)]], Field(max_length=100)] = []
    photos: Photos = []
    place: Name = Field("", description="a business id; empty: the candidates are the place's photos")
    place_name: Name = ""
    candidates: Photos = []
    stranger: bool = Field(False, description="also what somebody gets of whom nothing is known")
    k: Annotated[int, Field(ge=1, le=12)] = 3
    theta: Annotated[float, Field(ge=0, lt=1)] = 0.5
    method: Name = ""
    system: Name = ""
    decoding: Annotated[list[Name], Field(max_length=4)] = []
    tone: Annotated[float, Field(ge=0, le=1)] | None = None
    length: Annotated[int, Field(ge=1, le=12)] | None = None
    pin: Annotated[list[Name], Field(max_length=12)] = []
    leave_out: Photos = []
    block: Annotated[list[Name], Field(max_length=100)] = []


OPTIONS = {"k", "theta", "method", "system", "decoding", "tone", "length", "pin", "leave_out", "block"}


def answer(showcases: Showcases, uploads: Uploads, ask: Ask) -> tuple[Place | str, list[Showcase]]:
    """The place, and its showcase for the reader; with ``stranger`` the one for nobody in particular behind it.

    Raises what ``Showcases.explain`` raises, ``KeyError`` for photos that were not dropped in, and ``ValueError``
    where the place has no photo.
    """
    place: Place | str = ask.place
    if not ask.place:
        if not ask.candidates:
            raise ValueError("Drop in some photos of the place, or choose one of the list.")
        place = Place(uploads.paths(ask.candidates), ask.place_name.strip() or "Your place")
    reader = ask.reader or Profile(ask.texts, uploads.paths(ask.photos), "you")
    readers = [reader, Profile(name="a stranger")] if ask.stranger else [reader]
    made = showcases.explain_many([(one, place) for one in readers], **ask.model_dump(include=OPTIONS))
    return place, made
