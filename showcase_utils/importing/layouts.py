"""What the columns of a table mean: well-known data sets, which are recognised, and tables of anybody's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FIELDS = {  # what a column may hold, and the names under which it is found unless --map says more
    "user": "user_id user userid author_id author reviewer_id reviewer visitor customer_id customer",
    "business": "business_id business place_id place item_id item itemid venue_id venue restaurant_id restaurant",
    "rating": "rating stars score overall points",
    "text": "review_text text review comment body content",
    "photos": "photos images pics pictures image_ids photo image picture file filename image_id photo_id",
    "review": "review_id reviewid",
    "caption": "caption",
    "user_name": "user_name username author_name reviewer_name",
    "business_name": "business_name place_name item_name venue_name restaurant_name name",
}
REVIEW, PHOTOS, PLACES, USERS, NOTHING = "reviews", "photos", "places", "users", "nothing"
NEEDED = {  # fields that make a table what it is, of each kind the first that fits
    REVIEW: ("user", "business", "rating", "text"),
    PHOTOS: ("photos",),
    PLACES: ("business", "business_name"),
    USERS: ("user", "user_name"),
}


@dataclass(frozen=True)
class Layout:
    """The columns of one kind of table: ``role`` is reviews, photos, places, users, or nothing of use.

    ``kind`` is what `showcase import` calls the data set, ``best`` the best rating, ``anonymous`` the user id of
    people who are not known.
    """

    name: str
    role: str
    columns: Mapping[str, str]
    kind: str = ""
    signature: frozenset[str] = field(default_factory=frozenset)
    best: float = 5.0
    anonymous: str = ""
    instead: str = ""


def _of(kind: str, name: str, role: str, signature: str, instead: str = "", **columns: str) -> Layout:
    more = {"best": 50.0, "anonymous": "-1"} if kind == "tripadvisor" else {}
    return Layout(name, role, columns, kind, frozenset(signature.split()), instead=instead, **more)  # type: ignore


KNOWN = (
    _of(
        "yelp",
        "Yelp's review.json",
        REVIEW,
        "review_id user_id business_id stars text useful funny cool",
        review="review_id",
        user="user_id",
        business="business_id",
        rating="stars",
        text="text",
    ),
    _of(
        "yelp",
        "Yelp's photos.json",
        PHOTOS,
        "photo_id business_id caption label",
        photos="photo_id",
        business="business_id",
        caption="caption",
    ),
    _of(
        "yelp",
        "Yelp's business.json",
        PLACES,
        "business_id name review_count stars",
        business="business_id",
        business_name="name",
    ),
    _of("yelp", "Yelp's user.json", USERS, "user_id name yelping_since", user="user_id", user_name="name"),
    _of("yelp", "Yelp's tip.json", NOTHING, "user_id business_id text compliment_count"),
    _of(
        "google2021",
        "a review file of Google Local 2021",
        REVIEW,
        "user_id gmap_id pics text rating",
        user="user_id",
        business="gmap_id",
        rating="rating",
        text="text",
        photos="pics",
        user_name="name",
    ),
    _of(
        "google2021",
        "a meta file of Google Local 2021",
        PLACES,
        "gmap_id name num_of_reviews",
        business="gmap_id",
        business_name="name",
    ),
    _of(
        "tripadvisor",
        "TripAdvisor's reviews as ELVis's authors collect them",
        REVIEW,
        "reviewId userId itemId text rating",
        review="reviewId",
        user="userId",
        business="itemId",
        rating="rating",
        text="text",
        photos="images",
    ),
    _of(
        "tripadvisor",
        "TripAdvisor's items as ELVis's authors collect them",
        PLACES,
        "itemId name priceInterval",
        business="itemId",
        business_name="name",
    ),
    _of(
        "tripadvisor",
        "TripAdvisor's users as ELVis's authors collect them",
        USERS,
        "userId name location",
        user="userId",
        user_name="name",
    ),
    _of(
        "tripadvisor",
        "a frame of ELVis or BRIE",
        NOTHING,
        "id_user id_img",
        instead="it has no texts, and numbers in place of photos: import the reviews that it was made from",
    ),
    _of(
        "",
        "GEST's own image_review_all.json",
        NOTHING,
        "business_id user_id rating review_text pics",
        instead="it needs no import: name it in data.reviews of a profile that extends gest",
    ),
    _of(
        "",
        "GEST's own filter_all_t.json",
        NOTHING,
        "train val test",
        instead="it needs no import: name it in data.reviews of a profile that extends gest",
    ),
)
KINDS = {
    kind: {layout.name for layout in KNOWN if layout.kind == kind} for kind in ("yelp", "google2021", "tripadvisor")
}


def recognised(columns: Iterable[str]) -> Layout | None:
    """The well-known table that has these columns, the one with the most of them; ``None`` for any other."""
    there = set(columns)
    fits = [layout for layout in KNOWN if layout.signature <= there]
    return max(fits, key=lambda layout: len(layout.signature), default=None)


def known_layout(path: str, columns: Iterable[str], kind: str) -> Layout:
    """The layout of a file of the data set ``kind``. Raises ``ValueError`` for a file that is none of it."""
    layout = recognised(columns)
    wanted = "; ".join(sorted(KINDS[kind]))
    if layout is None:
        raise ValueError(f"{path}: not of {kind}: its columns are {', '.join(columns)}. Known are {wanted}")
    if layout.kind != kind or layout.role == NOTHING:
        raise ValueError(f"{path}: this is {layout.name}: {_instead(layout)}")
    return layout


def own_layout(path: str, form: str, columns: Iterable[str], mapping: Mapping[str, str], best: float = 5.0) -> Layout:
    """The layout of somebody's own table, from ``--map`` and the usual names of columns.

    Raises ``ValueError`` for a well-known table, if nothing is mapped, and for one from which nothing can be made,
    saying which columns are wanted.
    """
    there = list(columns)
    layout = recognised(there)
    if layout is not None and not mapping and (form == "jsonl" or layout.kind == "tripadvisor"):
        raise ValueError(f"{path}: this is {layout.name}: {_instead(layout)}")
    folded = {column.lower().replace(" ", "_"): column for column in there}

    def usual(name: str) -> str:
        taken = {*found.values(), *mapping.values()} if "user" in found else set(found.values())
        return next((folded[one] for one in FIELDS[name].split() if one in folded and folded[one] not in taken), "")

    found: dict[str, str] = {}
    for name in FIELDS:  # ids come first; what is mapped may be a column of another table
        if name == "user_name" and "user" not in found:
            continue
        column = mapping[name] if mapping.get(name) in there else usual(name)
        if name == "business_name" and "user" in found and column.lower() == "name" and name not in mapping:
            continue  # of whom, of the user or of the place?
        if column:
            found[name] = column
    for role, needed in NEEDED.items():
        if all(name in found for name in needed) and (role == REVIEW or "text" not in found):
            return Layout(path, role, found, best=best)
    missing = [name for name in NEEDED[REVIEW] if name not in found]
    raise ValueError(
        f"{path}: no column for {', '.join(missing)}: say which, as in --map {missing[0]}=COLUMN; "
        f"the columns are {', '.join(there)}"
    )


def check_mapping(mapping: Mapping[str, str], columns: Iterable[str]) -> None:
    """Raises ``ValueError`` for a field that there is not, and for a column that no file has, naming near ones."""
    there = list(dict.fromkeys(columns))
    for name, column in mapping.items():
        if name not in FIELDS:
            raise ValueError(f"--map {name}={column}: {_near(name, list(FIELDS))}; there are {', '.join(FIELDS)}")
        if column not in there:
            raise ValueError(f"--map {name}={column}: {_near(column, there)}; the columns are {', '.join(there)}")


def read_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """``["text=comment"]`` as a mapping of field to column. Raises ``ValueError`` for one without ``=``, or twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, sign, column = pair.partition("=")
        if not sign or not column:
            raise ValueError(f"--map {pair}: write FIELD=COLUMN, as in --map text=comment")
        if name in found:
            raise ValueError(f"--map {pair}: {name} is mapped twice")
        found[name.strip()] = column.strip()
    return found


def _near(word: str, words: list[str]) -> str:
    folded = {known.lower(): known for known in words}
    near = difflib.get_close_matches(word.lower(), list(folded), n=2, cutoff=0.5)
    there_is_not = f"there is no '{word}'"
    return f"{there_is_not}, did you mean {' or '.join(folded[one] for one in near)}?" if near else there_is_not


def _instead(layout: Layout) -> str:
    if layout.instead:
        return layout.instead
    if layout.role == NOTHING:
        return "it has neither reviews nor photos, leave it out"
    return f"use `import {layout.kind}`"
