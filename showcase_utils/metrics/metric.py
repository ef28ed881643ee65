"""What every metric returns: a value, the variant that was computed, and where it makes sense one value per sample."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One metric of one system.

    ``variant`` says exactly which of a metric's forms this is (library, version, tokeniser, casing, level), so
    that two numbers are compared only when their variants are the same. ``per_sample`` is ``None`` or one value
    per sample, in the order of the input; ``nan`` marks a sample for which the metric is not defined.
    """

    value: float
    variant: str
    per_sample: Floats | None = field(default=None, repr=False, compare=False)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"{self.value:.4f} ({self.variant})"
