"""What an import needs that only an extra of the package brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtra(ModuleNotFoundError):
    """A library is not installed that an extra brings; the message says how to get it."""


@contextmanager
def extra(name: str, purpose: str) -> Iterator[None]:
    """Around imports of what the extra ``name`` brings: a missing one becomes a sentence that says how to get it.

    Raises ``MissingExtra``.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{purpose} needs {error.name}: pip install 'personalized-showcases[{name}]'") from None
