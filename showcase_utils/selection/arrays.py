"""Functions of tensors that take numpy arrays too, and answer in kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def takes_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """Lets a function of tensors take numpy arrays: what it returns then is an array, or a named tuple of arrays.

    Arrays and tensors may be mixed; one tensor among them, and the answer is a tensor.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        given = [*args, *kwargs.values()]
        if not any(isinstance(value, np.ndarray) for value in given):
            return function(*args, **kwargs)
        found: Any = function(*map(_tensor, args), **{name: _tensor(value) for name, value in kwargs.items()})
        return found if any(isinstance(value, Tensor) for value in given) else _array(found)

    return wrapped


def _tensor(value: Any) -> Any:
    return torch.from_numpy(np.require(value, requirements=["C", "W"])) if isinstance(value, np.ndarray) else value


def _array(value: Any) -> Any:
    if isinstance(value, tuple):
        return type(value)(*map(_array, value))
    return value.numpy() if isinstance(value, Tensor) else value
