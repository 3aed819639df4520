# SPDX-License-Identifier: Apache-2.0
"""What is known of a tensor: for each element, the least and greatest number that it may be.

A float32 network does not define one number for each tensor: the order of a sum is free, and so
are the last bits of a tanh. A `Span` holds both ends. Where they are equal the number is certain,
halfway cases included, and a code that differs there is wrong. Where they differ and a decision
boundary lies between them, either code is right (a near-tie).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ULP = 2.0**-23
"""Of float32, relative: twice the largest rounding error."""


@dataclass(frozen=True)
class Span:
    """A tensor.

    Attributes:
        low: the least that each element may be, float64.
        high: the greatest; equal to `low` where the number is certain.
        slack: how far an element may be from what it is in real arithmetic; 0.1 times 3 in
            float32 is 0.3 but for this. Who computes on the integers has no such error, so that
            sums of such elements are not certain. Broadcasts.
        constant: the same for every sample, without a batch.
    """

    low: Array
    high: Array
    slack: Array
    constant: bool = False

    @classmethod
    def of(cls, array: NDArray[Any], *, constant: bool = False) -> Span:
        """Certain numbers."""
        values = np.asarray(array, np.float64)
        return cls(values, values, np.zeros(()), constant)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all ends."""
        return self.low.shape

    @property
    def certain(self) -> bool:
        """Every element is one number."""
        return self.low is self.high or bool(np.array_equal(self.low, self.high))

    @property
    def middle(self) -> Array:
        """Halfway between the ends."""
        return self.low if self.low is self.high else (self.low + self.high) / 2

    @property
    def half(self) -> Array:
        """From the middle to the ends."""
        return np.zeros(()) if self.low is self.high else (self.high - self.low) / 2

    @property
    def integers(self) -> list[int]:
        """The elements of a constant such as a shape."""
        return [int(v) for v in self.low.reshape(-1)]

    def moved(self, move: Callable[[Array], Array]) -> Span:
        """What an operator gives that only moves elements."""
        low = move(self.low)
        high = low if self.low is self.high else move(self.high)
        slack = np.zeros(())
        if self.slack.any():
            slack = move(np.broadcast_to(self.slack, self.shape))
        return replace(self, low=low, high=high, slack=slack)


def joined(spans: Sequence[Span], join: Callable[[list[Array]], Array]) -> Span:
    """What an operator gives that puts tensors together."""
    low = join([s.low for s in spans])
    high = low if all(s.low is s.high for s in spans) else join([s.high for s in spans])
    slack = np.zeros(())
    if any(s.slack.any() for s in spans):
        slack = join([np.broadcast_to(s.slack, s.shape) for s in spans])
    return Span(low, high, slack, all(s.constant for s in spans))


def round32(array: NDArray[Any]) -> Array:
    """Rounded to float32, in float64."""
    with np.errstate(over="ignore"):
        return np.asarray(np.asarray(array, np.float32), np.float64)


def around(middle: Array, radius: Array | float) -> Span:
    """Numbers no further than `radius` from the middle, rounded to float32."""
    return Span(round32(middle - radius), round32(middle + radius), np.zeros(()))


def grid(array: Array) -> float:
    """The largest power of two that all elements are multiples of; infinite for zeros."""
    mantissa, exponent = np.frexp(array[array != 0])
    if not mantissa.size:
        return float("inf")
    whole = np.rint(np.abs(mantissa) * 2.0**53).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)
    return float(np.ldexp(lowest, exponent - 53).min())
