"""The users and places of a run, as the product sees them."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from showcase_utils.alignment.frames import load_scores
from showcase_utils.alignment.phi import load_phi
from showcase_utils.artifacts import Stages
from showcase_utils.data.frames import load_histories, load_images, load_s1
from showcase_utils.encoding.features import load_sentences, open_features
from showcase_utils.generation.opening import TONE
from showcase_utils.generation.tone import Tone
from showcase_utils.photos.folder import usable_ids
from showcase_utils.showcase.material import COPY, KIND, Item, Somebody, Somewhere

TOGETHER = 4  # users of one place on a page before the next place
KEPT = 2_000  # places that are remembered with the features of their photos
MEASURED = 2_000  # photos whose cosines say what is alike
ALIKE = 0.003  # of the pairs from different places: on `demo`, whose truth says which show one scene, F1 is highest so
NAMES = "names.json"  # beside the published file: {"businesses": {id: name}, "users": {id: name}}


class Visit(NamedTuple):
    """A review, as far as it is needed here."""

    review_id: str
    user_id: str
    business_id: str
    text: str
    image_ids: list[str]


class Library:
    """GEST-s1 of a run with its features: who is known by what, and which photos a place has."""

    def __init__(self, run: Stages) -> None:
        self.run = run
        self.reviews = load_s1(run)
        self.features = open_features(run)
        images = load_images(run).drop_duplicates("image_id")
        usable = usable_ids(images) & set(self.features.photos.ids)
        images = images[[image_id in usable for image_id in images["image_id"]]]
        self.paths: dict[str, str] = dict(zip(images["image_id"], images["path"], strict=True))
        self._place_of: dict[str, str] = dict(zip(images["image_id"], images["business_id"], strict=True))
        columns = (self.reviews[name].tolist() for name in Visit._fields)
        self._visits = {visit.review_id: visit for visit in map(Visit, *columns)}
        self._of_user, self._of_place = _by(self._visits.values(), "user_id"), _by(self._visits.values(), "business_id")
        # what was asked for once is likely to be asked for again, and does not change
        self.somewhere = lru_cache(KEPT)(self._somewhere)
        self._past_of = lru_cache(4 * KEPT)(self._past)
        self.sentences_of = lru_cache(4 * KEPT)(self._sentences_of)

    @cached_property
    def histories(self) -> dict[str, list[str]]:
        """By review id, the reviews that may be known of its user."""
        return load_histories(self.run).to_dict()

    @cached_property
    def names(self) -> dict[str, dict[str, str]]:
        """Display names of businesses and users where the data set has them, by id."""
        settings = self.run.settings.data
        folder = self.run.path("world") if settings.source == "demo" else Path(settings.reviews or "").parent
        path = folder / NAMES
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"businesses": {}, "users": {}}

    @cached_property
    def tone(self) -> Tone:
        """What tells a complaint from praise."""
        return Tone.load(self.run.path("texts") / TONE)

    @cached_property
    def _described(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """By photo, rows of the texts beside them: what Φ finds to describe it, the likeliest first."""
        scores = load_scores(self.run)
        best = scores[scores["confidence"] >= load_phi(self.run).threshold]
        best = best.sort_values("confidence", ascending=False, kind="stable")
        texts = self._sentences["text"].reindex(best["sentence_id"]).to_numpy()
        return best.groupby("image_id").indices, texts

    def _caption(self, image_id: str) -> str:
        """The sentence of its review that likeliest describes a photo, if one does; a complaint is none."""
        rows, texts = self._described
        return next((text for text in texts[rows.get(image_id, [])] if self.tone.score([text])[0] > KIND), "")

    @cached_property
    def one_scene(self) -> float:
        """The cosine above which two photos count as photos of one scene.

        Only ``ALIKE`` of the pairs from different places are as much alike: how near the cosines of different things
        come to 1 differs from one CLIP to the next. ``COPY`` where there are too few pairs to say.
        """
        ids = [i for i in islice(self.features.photos.ids, MEASURED) if i in self._place_of]
        rows, places = self.features.photos[ids], pd.factorize(np.array([self._place_of[i] for i in ids], object))[0]
        cosines = (rows @ rows.T)[np.triu(places[:, None] != places, 1)]
        return min(COPY, float(np.quantile(cosines, 1 - ALIKE))) if len(cosines) * ALIKE >= 1 else COPY

    @cached_property
    def _sentences(self) -> pd.DataFrame:
        return load_sentences(self.run).set_index("sentence_id")

    @cached_property
    def _spoken(self) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """By review, rows of the ids and the texts of sentences beside them."""
        frame = self._sentences
        return frame.groupby("review_id").indices, frame.index.to_numpy(), frame["text"].to_numpy()

    @cached_property
    def _ids_of(self) -> dict[str, dict[str, list[str]]]:
        """By kind and name, regardless of case, the ids of those in GEST-s1 that are called so."""
        found: dict[str, dict[str, list[str]]] = {}
        for kind, known in (("users", self._of_user), ("businesses", self._of_place)):
            by_name = found.setdefault(kind, defaultdict(list))
            for key in known:
                if name := self.names[kind].get(key):
                    by_name[name.casefold()].append(key)
        return found

    def place_name(self, business_id: str) -> str:
        """The name of a place, or its id where it has none."""
        return self.names["businesses"].get(business_id, business_id)

    def _somewhere(self, business: str) -> Somewhere:
        """A place with all its photos, by id or name; raises ``KeyError`` for one that is not in GEST-s1."""
        business_id = self.place_id(business)
        shown = {image_id for visit in self._of_place[business_id] for image_id in visit.image_ids}
        ids = sorted(image_id for image_id in shown if image_id in self.paths)
        return Somewhere(business_id, self.place_name(business_id), self._photos(ids, business_id))

    def user_id(self, user: str) -> str:
        """The id of a user, given by id or by a name that nobody else has; raises ``KeyError``."""
        return self._identified("users", user, self._of_user)

    def place_id(self, business: str) -> str:
        """The id of a place, given by id or by a name that no other has; raises ``KeyError``."""
        return self._identified("businesses", business, self._of_place)

    def search(self, words: str = "") -> dict[str, pd.DataFrame]:
        """The ``places`` and ``users`` whose name or id holds ``words``: id, name, reviews, photos; most reviews first.

        ``users`` has also the split that each is in.
        """
        split = self.reviews.drop_duplicates("user_id").set_index("user_id")["split"]
        tables = {}
        for kind, column, groups in (
            ("places", "businesses", self._of_place),
            ("users", "users", self._of_user),
        ):
            rows = [
                (key, self.names[column].get(key, ""), len(visits), sum(len(visit.image_ids) for visit in visits))
                for key, visits in groups.items()
            ]
            table = pd.DataFrame(rows, columns=["id", "name", "reviews", "photos"])
            if kind == "users":
                table["split"] = split.reindex(table["id"]).to_numpy()
            found = (table["name"] + "\n" + table["id"]).str.contains(words, case=False, regex=False)
            tables[kind] = table[found].sort_values("reviews", ascending=False, kind="stable").reset_index(drop=True)
        return tables

    def somebody(self, user: str, business: str = "", limit: int = 10) -> Somebody:
        """A user by at most ``limit`` reviews of other places, and as many photos; raises ``KeyError`` for no user.

        Both are given by id or name. Where they reviewed ``business``, what they are known by is that review's
        history; else all they wrote elsewhere.
        """
        user_id, business_id = self.user_id(user), self.place_id(business) if business else ""
        own = self._of_user[user_id]
        there = [visit.review_id for visit in own if visit.business_id == business_id]
        past = [visit for visit in own if visit.business_id != business_id]
        if there:
            known = dict.fromkeys(review for visit in there for review in self.histories[visit])
            past = [self._visits[review] for review in known]
        items = [self._past_of(visit.review_id) for visit in past[:limit]]
        here = {i for visit in self._of_place.get(business_id, ()) for i in visit.image_ids}
        photos = [photo for _, taken in items for photo in taken if photo.id not in here]
        return Somebody(user_id, self.names["users"].get(user_id, user_id), photos[:limit], [text for text, _ in items])

    def _past(self, review_id: str) -> tuple[Item, list[Item]]:
        """A review and its photos, as items of somebody's past."""
        visit = self._visits[review_id]
        features = self.features.reviews[[review_id]][0]
        text = Item(review_id, features, text=visit.text, place=self.place_name(visit.business_id))
        return text, self._photos([i for i in visit.image_ids if i in self.paths], visit.business_id)

    def _sentences_of(self, review_id: str) -> list[Item] | None:
        """The sentences of a review, but for complaints; None for what is no review of the run."""
        if review_id not in self._visits:
            return None
        by_review, ids, texts = self._spoken
        rows = by_review[review_id].tolist() if review_id in by_review else []
        kind = [row for row in rows if self.tone.score([texts[row]])[0] > KIND]
        features = self.features.sentences[ids[kind].tolist()] if kind else ()
        return [Item(*parts) for parts in zip(ids[kind], features, texts[kind], strict=True)]

    def test_visits(self, most: int) -> list[tuple[str, str]]:
        """Pairs of test users and places they went to: ``TOGETHER`` users of a place, so that they compare.

        Places with the most of them come first; what else a place has follows when all have been shown.
        """
        visits = self.reviews[self.reviews["split"] == "test"].drop_duplicates(["user_id", "business_id"])
        visits = visits.sort_values(["business_id", "user_id"])
        guests = visits.groupby("business_id")["user_id"]
        order = visits.assign(turn=guests.cumcount() // TOGETHER, guests=guests.transform("size")).sort_values(
            ["turn", "guests", "business_id"], ascending=[True, False, True], kind="stable"
        )
        return list(zip(order["user_id"], order["business_id"], strict=True))[:most]

    def users_of(self, business: str) -> list[str]:
        """The users who reviewed a place, in the order of the file; raises ``KeyError``."""
        visits = self._of_place[self.place_id(business)]
        return list(dict.fromkeys(visit.user_id for visit in visits))

    def _photos(self, ids: Sequence[str], business_id: str) -> list[Item]:
        if not ids:
            return []
        name = self.place_name(business_id)
        return [
            Item(image_id, features, text=self._caption(image_id), path=Path(self.paths[image_id]), place=name)
            for image_id, features in zip(ids, self.features.photos[list(ids)], strict=True)
        ]

    def _identified(self, kind: str, given: str, known: Mapping[str, Any]) -> str:
        if given in known:
            return given
        named = self._ids_of[kind].get(str(given).casefold(), [])
        if len(named) == 1:
            return named[0]
        what = "user" if kind == "users" else "place"
        if named:
            raise KeyError(f"{len(named)} {kind} are called {given}: give the id of one, {', '.join(named[:5])}")
        several = {str(one).casefold(): str(one) for one in islice((*self.names[kind].values(), *known), 20_000)}
        near = [several[one] for one in difflib.get_close_matches(str(given).casefold(), several, n=2, cutoff=0.3)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"one that is: {next(iter(known), '')}"
        where = f"among the {len(known):,} {kind} of profile '{self.run.settings.profile}'"
        raise KeyError(f"{what} {given} is not {where}; {hint}; `showcase find` lists them")


def _by(visits: Iterable[Visit], column: str) -> dict[str, list[Visit]]:
    groups: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        groups[getattr(visit, column)].append(visit)
    return dict(groups)
