"""How metrics load models of transformers: without bars, which would land in notebooks' outputs, and without code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from showcase_utils.weights import no_foreign_code


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Around ``from_pretrained``: no progress bars, and no code that comes with weights (``ValueError``)."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with no_foreign_code():
            yield
    finally:
        if bars:
            logging.enable_progress_bar()
