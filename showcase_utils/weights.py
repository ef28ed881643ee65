"""Weights that come from elsewhere: code beside them is never run, and damage in them is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def no_foreign_code() -> Iterator[None]:
    """Around libraries that load models through transformers: code that comes with weights is refused.

    transformers would ask on the terminal, for these libraries do not answer for us, and run it after a ``y``.
    Raises ``ValueError``.
    """
    from transformers import dynamic_module_utils

    seconds = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0  # for an answer: none, so the question is not asked
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ValueError("code comes with these weights, and no such code is run here: take a model without") from None
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = seconds


def check_finite(model: nn.Module, name: str) -> None:
    """Raises ``ValueError`` for weights that are no numbers: a model with them writes empty texts."""
    for key, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise ValueError(f"{name}: {key} holds numbers that are not finite: the file of its weights is damaged")
