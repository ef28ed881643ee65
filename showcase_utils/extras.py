"""What an import needs that only an extra of the package brings, and what it can do without."""

from __future__ import annotations

import sys
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


@contextmanager
def spared(*names: str) -> Iterator[None]:
    """Inside, libraries ``names`` are not imported, as if they were not installed, unless they were imported before.

    For what other libraries import wherever they find it, at the cost of seconds, and do not need for what is asked
    here. What is first imported inside goes on without them in this process.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: Python's word for "not to be found"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
