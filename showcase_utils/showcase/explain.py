"""``Showcases``: loaded once, it explains any place to anybody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from showcase_utils.artifacts import Artifacts
from showcase_utils.config import SettingsError, load_settings
from showcase_utils.devices import use_threads
from showcase_utils.generation.opening import open_teller
from showcase_utils.names import checks_names, refuse_unknown
from showcase_utils.selection.showing import Showing, Shown
from showcase_utils.showcase.bundle import SETTINGS, Bundle, Contents, copy_bundle, is_bundle, write_bundle
from showcase_utils.showcase.choice import candidates, is_named, repeats, shown
from showcase_utils.showcase.encoder import MaterialEncoder
from showcase_utils.showcase.library import Library
from showcase_utils.showcase.material import Item, Place, Profile, Somebody, Somewhere
from showcase_utils.showcase.options import Options, Ways
from showcase_utils.showcase.reasons import Choice, reasons
from showcase_utils.showcase.result import PhotoReason, SentenceReason, Showcase
from showcase_utils.showcase.writing import Written, rows_of, write

CHUNK = 64  # showcases that are made at once
REACH = 8  # times k photos are looked at where some show one scene


class _Chosen(NamedTuple):
    """Photos with their reasons, and 1 − the Jaccard index with those of a reader without a past."""

    photos: list[Item]
    reasons: list[PhotoReason]
    unusual: float


class Showcases:
    """Everything that explanations need: ``Showcases.load("demo").explain(user_id, business_id)``.

    After Yan et al. 2023: photos are chosen by a determinantal point process on CLIP features, and a text is told that
    the photos bear out. It may be called from several threads at once. ``library`` knows the users and places of the
    run, ``ways`` its methods and systems, ``settings`` what it was run with.
    """

    def __init__(self, library: Library, encoder: MaterialEncoder, ways: Ways) -> None:
        self.settings = library.run.settings
        self.library, self.encoder, self.ways = library, encoder, ways

    @classmethod
    @checks_names
    def load(
        cls, run: Artifacts | Bundle | str | Path = "demo", system: str = "", seed: int | None = None, method: str = ""
    ) -> Showcases:
        """A run: its profile (a name, or the path of a YAML file), a folder that ``save`` wrote, a root of artifacts.

        ``method`` chooses photos and ``system`` writes; by default those that the settings show. ``seed`` is the
        generator's; by default the first. Raises ``StaleStage`` that names the notebook to run, ``FileNotFoundError``
        for a system or a seed that was not trained, ``ValueError`` for a method that was not run.
        """
        if not isinstance(run, Artifacts | Bundle | str | Path):
            raise TypeError(f"run = {run!r}: give a profile, a folder, or Artifacts")
        store = _open(run) if isinstance(run, str | Path) else run
        use_threads(store.settings)
        library = Library(store)
        encoder = MaterialEncoder(store.settings, library.features.photos.fingerprint)
        teller = open_teller(store, encoder.texts, seed, system)
        ways = Ways(store, Showing.load(store, method), teller, seed, system)
        if seed is not None and not ways.systems:
            known = [store.settings.seed + one for one in store.settings.generation.seeds]
            raise FileNotFoundError(f"no generator with seed {seed!r} was trained: there are {known}")
        return cls(library, encoder, ways)

    def explain(self, user: str | Profile, place: str | Place, k: int | None = None, **options: object) -> Showcase:
        """The showcase of a place for a user: at most ``k`` photos, a text that speaks of them, the reasons for both.

        ``user`` is an id, a name that nobody else has, or a ``Profile``; ``place`` likewise, or a ``Place``. A user of
        the data set is known by their reviews of other places, as in training. ``options`` are those of ``Options``.

        Raises ``KeyError`` for an unknown id, with the nearest ones, ``ValueError`` for photos that cannot be read or
        an option out of range, ``TypeError`` for an option that is none or of another kind.
        """
        return self.explain_many([(user, place)], k, **options)[0]

    def explain_many(
        self,
        pairs: Iterable[tuple[str | Profile, str | Place]],
        k: int | None = None,
        **options: object,
    ) -> list[Showcase]:
        """As ``explain`` for each pair of a user and a place, in order; many at once cost little more than a few.

        Raises as ``explain`` does, before anything is made, for whichever pair it is.
        """
        refuse_unknown(options, [name for name in Options.__dataclass_fields__ if name != "k"], "explain")
        how = Options(self.settings.selection.k if k is None else k, **options)  # type: ignore[arg-type]
        known: dict[object, Somewhere] = {}
        cases = []
        for user, place in map(_pair, pairs):
            if _key(place) not in known:
                known[_key(place)] = self._somewhere(place, how.leave_out)
            cases.append((self._somebody(user, place), known[_key(place)]))
        chosen = [
            one for start in range(0, len(cases), CHUNK) for one in self._choose(cases[start : start + CHUNK], how)
        ]
        people, places = [somebody for somebody, _ in cases], [somewhere.id for _, somewhere in cases]
        shown = [one.photos for one in chosen]
        written = write(self.ways.teller(how), shown, people, places, how.block, how.length)
        return [_result(*parts) for parts in zip(cases, chosen, written, strict=True)]

    @checks_names
    def save(self, folder: str | Path, licence: str = "") -> Path:
        """Writes all that showcases need into a folder that ``load`` takes, here or on another machine; gives its path.

        Weights are safetensors, tables Parquet, and README.md is a model card; ``licence`` is that of the data. The
        method and the system are those that were loaded. Raises ``FileExistsError`` for a folder that holds something.
        """
        run = self.library.run
        if isinstance(run, Bundle):
            return copy_bundle(run, folder)
        from showcase_utils.showcase.card import bundle_card  # what explaining can do without

        method, system = self.ways.method, self.ways.system
        settings = self.settings.model_copy(
            update={
                "selection": self.settings.selection.model_copy(update={"shown_method": method}),
                "telling": self.settings.telling.model_copy(update={"system": system}),
                "generation": self.settings.generation.model_copy(
                    update={"seeds": (self.ways.seed - self.settings.seed,)}
                ),
            }
        )
        photos = set(self.library.paths)
        card = bundle_card(run, self.library.reviews, len(photos), method, system, licence)
        return write_bundle(run, folder, Contents(settings, self.ways.models(), photos, self.library.names, card))

    def users_of(self, business_id: str) -> list[str]:
        """The users who reviewed a place, for showing the same place to several; raises ``KeyError``."""
        return self.library.users_of(business_id)

    def _somebody(self, user: str | Profile, place: str | Place) -> Somebody:
        if not isinstance(user, str | Profile):
            raise TypeError(f"user = {user!r}: give an id or a name, as text, or a Profile")
        if isinstance(user, Profile):
            return self.encoder.somebody(user)
        at = place if isinstance(place, str) else ""
        return self.library.somebody(user, at, self.settings.selection.history)

    def _somewhere(self, place: str | Place, leave_out: Sequence[str]) -> Somewhere:
        if isinstance(place, Place):
            return self.encoder.somewhere(place, leave_out)
        if not isinstance(place, str):
            raise TypeError(
                f"place = {place!r}: give an id or a name, as text, or a Place, as in Place('photos/of/it')"
            )
        try:
            return self.library.somewhere(place)
        except KeyError as error:
            if "/" not in place:
                raise
            hint = f"a folder of photos is Place({place!r}), on the command line --candidates {place}"
            raise KeyError(f"{error.args[0]}; {hint}") from None

    def _choose(self, cases: list[tuple[Somebody, Somewhere]], options: Options) -> list[_Chosen]:
        """The photos of each case, and how far they are from what a reader without a past gets at the place."""
        places = list({id(somewhere): somewhere for _, somewhere in cases}.values())
        pools = [candidates(somewhere, options) for somewhere in places]
        number = {id(somewhere): row for row, somewhere in enumerate(places)}
        nobody = [(Somebody("", ""), pool) for pool in pools]
        asked = [(somebody, pools[number[id(somewhere)]]) for somebody, somewhere in cases]
        picked = self._pick(asked + nobody, options)
        usual = [{photo.id for photo in photos} for photos, _ in picked[len(cases) :]]
        phi = self.ways.teller(options).phi
        chosen = []
        for (somebody, pool), (photos, numbers), (_, somewhere) in zip(asked, picked, cases, strict=False):
            ids, others = {item.id for item in photos}, usual[number[id(somewhere)]]
            pinned = {item.id for item in photos if is_named(item.id, options.pin)}
            why = reasons(somebody, Choice(pool, photos, numbers, others, pinned), self._sentences, phi)
            chosen.append(_Chosen(photos, why, 1 - len(ids & others) / len(ids | others)))
        return chosen

    def _pick(self, asked: list[tuple[Somebody, list[Item]]], options: Options) -> list[tuple[list[Item], Shown]]:
        """What the method picks for each reader from each pool, a second photo of one scene only for want of others."""
        found = self._rank(asked, options, options.k)
        photos = [shown(pool, one.picks.tolist(), options) for (_, pool), one in zip(asked, found, strict=True)]
        if options.drop_duplicates:
            bound = self.library.one_scene
            again = [row for row, some in enumerate(photos) if repeats(some, bound)]
            longer = self._rank([asked[row] for row in again], options, REACH * options.k)
            for row, more in zip(again, longer, strict=True):
                picks = list(dict.fromkeys(found[row].picks.tolist() + more.picks.tolist()))
                photos[row] = shown(asked[row][1], picks, options, bound)
        return list(zip(photos, found, strict=True))

    def _rank(self, asked: list[tuple[Somebody, list[Item]]], options: Options, k: int) -> list[Shown]:
        if not asked:
            return []
        dim = self.library.features.photos.dim
        k = min(k, max(len(pool) for _, pool in asked))  # room for more is memory that nothing fills
        return self.ways.showing(options).many(
            [rows_of(pool) for _, pool in asked],
            [rows_of(somebody.photos, dim) for somebody, _ in asked],
            [rows_of(somebody.texts, dim) for somebody, _ in asked],
            k,
            options.theta,
        )

    def _sentences(self, review: Item) -> Sequence[Item]:
        """The sentences of a review but for complaints, of one of the run or of one that somebody brought."""
        known = self.library.sentences_of(review.id)
        return self.encoder.sentences(review.text, self.library.tone) if known is None else known


def _open(run: str | Path) -> Artifacts | Bundle:
    """A run by profile, a bundle, or the demo profile's run in a folder of artifacts."""
    if is_bundle(run):
        return Bundle(run)
    try:
        return Artifacts(load_settings(run))
    except SettingsError as error:
        folder = Path(run).expanduser()
        if not folder.is_dir():
            raise SettingsError(f"{error}, or a folder that Showcases.save or `showcase export` wrote") from None
        if (folder / SETTINGS).is_file():
            return Bundle(folder)  # which says what is missing
        return Artifacts(load_settings("demo"), folder)


def _pair(given: object) -> tuple[Any, Any]:
    """A user and a place; raises ``TypeError`` for anything else."""
    if isinstance(given, str) or not isinstance(given, Collection) or len(given) != 2:
        raise TypeError(f"{given!r} is no pair of a user and a place: explain_many takes a list of (user, place)")
    user, place = given
    return user, place


def _key(place: str | Place) -> object:
    return place if isinstance(place, str) else id(place)


def _result(case: tuple[Somebody, Somewhere], chosen: _Chosen, written: Written) -> Showcase:
    (somebody, somewhere), photos = case, chosen.photos
    scores = {"clip_align": written.clip_align, "unusual": chosen.unusual}
    return Showcase(
        user_id=somebody.id,
        business_id=somewhere.id,
        user=somebody.name,
        place=somewhere.name,
        image_ids=tuple(item.id for item in photos),
        photos=tuple(item.path for item in photos if item.path),
        captions=tuple(item.text for item in photos),
        text=written.text,
        reasons=tuple(chosen.reasons),
        sentences=tuple(
            SentenceReason(sentence, photo, confidence) for sentence, photo, confidence in written.sentences
        ),
        scores=scores,
        past_photos=tuple(item.path for item in somebody.photos if item.path),
        past_texts=tuple(item.text for item in somebody.texts),
        personal=somebody.is_known,
    )
