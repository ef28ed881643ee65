"""Names of arguments that are none: an error that says which were meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])
CLOSE = 0.8  # likeness of a mistyped name to the one that was meant


def near(name: str, known: Collection[str], cutoff: float = 0.5) -> str:
    """The names that somebody may have meant, as the end of a message; empty where none is near."""
    found = difflib.get_close_matches(name, list(known), n=2, cutoff=cutoff)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def refuse_unknown(given: Iterable[str], known: Collection[str], where: str) -> None:
    """Raises ``TypeError`` for a name that is not known, with those that are near."""
    for name in given:
        if name not in known:
            raise TypeError(f"{where} takes no '{name}'{near(name, known) or ': it takes ' + ', '.join(known)}")


def refuse_mistyped(given: Iterable[str], known: Collection[str], where: str) -> None:
    """As ``refuse_unknown``, where others may pass names that mean nothing here: only those near to a known one."""
    for name in given:
        if name not in known and (hint := near(name, known, CLOSE)):
            raise TypeError(f"{where} takes no '{name}'{hint}")


def checks_names(what: T) -> T:
    """A function, or a class by its constructor, whose callers are told which argument they may have meant."""
    if inspect.isclass(what):
        setattr(what, "__init__", checks_names(what.__init__))  # noqa: B010, a type checker wants no method assigned
        return what
    known = [name for name in inspect.signature(what).parameters if name not in ("self", "cls")]
    where = what.__qualname__.removesuffix(".__init__")

    @functools.wraps(what)
    def checked(*args: Any, **kwargs: Any) -> Any:
        refuse_unknown(kwargs, known, where)
        return what(*args, **kwargs)

    return checked  # type: ignore[return-value]
