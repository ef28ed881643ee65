"""How a showcase is chosen and written: the options of one call, and the selectors and writers that they ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from showcase_utils.artifacts import Stages
from showcase_utils.config import Telling
from showcase_utils.generation.opening import telling_system
from showcase_utils.generation.telling import Teller
from showcase_utils.selection.methods import MODELS, methods_of, model_folder
from showcase_utils.selection.showing import Showing, shown_variant
from showcase_utils.showcase.material import refuse_no_list

if TYPE_CHECKING:
    from showcase_utils.generation.telling import Generator

DECODINGS = ("greedy", "beam", "sample", "retrieval")
KINDS: tuple[tuple[str, type, str], ...] = (
    ("k", Integral, "a whole number"),
    ("theta", Real, "a number"),
    ("tone", Real, "a number"),
    ("length", Integral, "a whole number"),
    ("drop_duplicates", bool, "True or False"),
)


@dataclass(frozen=True)
class Options:
    """How to choose and write. ``theta`` weighs relevance (1) against variety (0); ½ is what was trained.

    ``pin`` are photos that must be in the set, first and in this order; ``leave_out`` must not, and of somebody's own
    photos they are not even read. ``drop_duplicates`` keeps one of several copies of a photo, and takes a second photo
    of one scene only where there is no other scene left. ``method`` chooses photos, ``system`` writes; empty: those
    that were loaded. ``decoding`` are the writers that may offer sentences (``telling.writers``; retrieval quotes
    reviews), ``tone`` the share of the least kind sentences that are not told, ``length`` the most sentences, of which
    there is one a photo. ``block`` are words that no sentence may have.
    """

    k: int
    theta: float = 0.5
    pin: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    drop_duplicates: bool = True
    method: str = ""
    system: str = ""
    decoding: Sequence[str] = ()
    tone: float | None = None
    length: int | None = None
    block: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Raises ``TypeError`` for an option of another kind, ``ValueError`` for one out of range."""
        for name, kind, words in KINDS:
            value = getattr(self, name)
            if not isinstance(value, kind) and not (value is None and name in ("tone", "length")):
                raise TypeError(f"{name} = {value!r}: give {words}")
        if self.k < 1:
            raise ValueError(f"k = {self.k}: at least one photo must be shown")
        if not 0 <= self.theta < 1:
            raise ValueError(f"theta = {self.theta}: from 0 (variety alone) to below 1 (relevance alone)")
        if self.tone is not None and not 0 <= self.tone <= 1:
            raise ValueError(f"tone = {self.tone}: from 0 (whatever is said) to 1 (only the kindest)")
        if self.length is not None and self.length < 1:
            raise ValueError(f"length = {self.length}: at least one sentence")
        for name in ("pin", "leave_out", "decoding", "block"):
            refuse_no_list(name, getattr(self, name), str | Path)


class Ways:
    """The selectors and writers of a run, each opened when an option first asks for it."""

    def __init__(self, run: Stages, showing: Showing, teller: Teller, seed: int | None, system: str = "") -> None:
        self._run, self._system = run, system or run.settings.telling.system
        first = run.settings.seed + run.settings.generation.seeds[0]
        self.seed = first if seed is None else seed
        self._lock = threading.Lock()
        self._opened: dict[tuple[object, ...], Any] = {("showing", ""): showing, ("teller", "", (), None): teller}

    @property
    def methods(self) -> list[str]:
        """The selection methods that were run."""
        return list(methods_of(self._run.settings.selection))

    @property
    def systems(self) -> list[str]:
        """The generators that were trained and can tell."""
        from showcase_utils.generation.systems import SYSTEMS  # transformers, a second, that most calls can do without

        folder = self._run.path("generation")
        return [name for name in SYSTEMS if not SYSTEMS[name].baseline and (folder / f"{name}-{self.seed}").is_dir()]

    @property
    def method(self) -> str:
        """The method that chooses unless an option asks for another."""
        return self._opened["showing", ""].selector.method.name

    @property
    def system(self) -> str:
        """The generator that writes unless an option asks for another; empty where none was trained."""
        return self._system or telling_system(self._run.path("generation"), self.seed)

    def models(self) -> list[str]:
        """The trained models that a copy of this run needs, as stage and folder: every method's, and the generator."""
        place = self._run.path("selection") / MODELS
        folders = [model_folder(place, *shown_variant(self._run.settings, method)) for method in self.methods]
        chosen = [f"selection/{MODELS}/{folder.name}" for folder in folders if folder.is_dir()]
        return [*dict.fromkeys(chosen), *([f"generation/{self.system}-{self.seed}"] if self.system else [])]

    def showing(self, options: Options) -> Showing:
        """Raises ``ValueError`` for a method that was not run."""
        return self._open(("showing", options.method), lambda: Showing.load(self._run, options.method))

    def teller(self, options: Options) -> Teller:
        """Raises ``ValueError`` for a system that was not trained or an unknown decoding."""
        key = ("teller", options.system, tuple(options.decoding), options.tone)
        return self._open(key, lambda: self._other_teller(options))

    def _open(self, key: tuple[object, ...], load: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._opened:
                self._opened[key] = load()
            return self._opened[key]

    def _other_teller(self, options: Options) -> Teller:
        base: Teller = self._opened["teller", "", (), None]
        asked: dict[str, object] = {"writers": tuple(options.decoding) or base.settings.writers}
        if options.tone is not None:
            asked["tone"] = options.tone
        if options.system and options.system not in self.systems:
            raise ValueError(f"system '{options.system}' was not trained: there are {', '.join(self.systems)}")
        try:
            settings = Telling.model_validate(base.settings.model_dump() | asked)
        except ValidationError as error:
            wrong = error.errors()[0]["input"]
            raise ValueError(f"decoding '{wrong}' is none of {', '.join(DECODINGS)}") from None
        load = (lambda: self._generator(options.system)) if options.system else (lambda: base.generator)
        return Teller(load, base.quotes, base.tone, base.phi, base.encode, settings, base.bounds)

    def _generator(self, system: str) -> Generator:
        from showcase_utils.generation.gpt2 import load_tokenizer
        from showcase_utils.generation.trained import load_system

        folder = self._run.path("generation") / f"{system}-{self.seed}"
        return load_system(folder), load_tokenizer(folder)
