# SPDX-License-Identifier: Apache-2.0
"""Comparing tensors of the compiled graph with golden ones, integer by integer.

Exactness: an activation's code must be the golden one. The golden graph sums in float32, in an
order of its own; where its sum is rounded across a decision boundary, the exact integers give the
neighbouring code. Such a *near-tie* is told from a fault by the sum before it: it must lie within
float32's rounding bound of the exact one. From there on that sample goes its own way, and is
compared no further. Near-ties are counted, never hidden.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.ir.facts import Integer

FLOAT32_EPSILON = 2.0**-23


@dataclass(frozen=True)
class Difference:
    """One element that differs.

    Attributes:
        tensor: of the compiled graph.
        golden: the golden tensor it stands for.
        sample: index of the sample.
        element: index within the flattened tensor of the sample.
        expected: the integer that the golden value stands for (or the label).
        found: the integer that came out.
    """

    tensor: str
    golden: str
    sample: int
    element: int
    expected: float
    found: float


@dataclass
class Outcome:
    """What a comparison of some samples found.

    Attributes:
        samples: how many were compared.
        mismatches: elements that differ and should not.
        near_ties: elements that differ by the golden graph's own rounding.
        tensors: how many tensors were compared in each sample.
        first: the first mismatch, if any.
        diverged: samples that have gone their own way after a near-tie.
    """

    samples: int
    mismatches: int = 0
    near_ties: int = 0
    tensors: int = 0
    first: Difference | None = None
    diverged: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __post_init__(self) -> None:
        if self.diverged.size != self.samples:
            self.diverged = np.zeros(self.samples, dtype=bool)

    def record(
        self,
        bad: NDArray[np.bool_],
        tensor: str,
        golden: str,
        expected: NDArray[Any],
        found: NDArray[Any],
    ) -> None:
        """Count mismatching elements [samples, elements]."""
        self.mismatches += int(bad.sum())
        if self.first is None and bad.any():
            sample, element = (int(i) for i in np.argwhere(bad)[0])
            self.first = Difference(
                tensor,
                golden,
                sample,
                element,
                float(expected[sample, element]),
                float(found[sample, element]),
            )


def flat(array: NDArray[Any]) -> NDArray[np.float64]:
    """[samples, elements] in float64."""
    return np.asarray(array, dtype=np.float64).reshape(array.shape[0], -1)


def spread(parameter: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A scale or offset for every element of a sample, [1, elements]."""
    return np.broadcast_to(np.asarray(parameter, np.float64), (1, *shape[1:])).reshape(1, -1)


def compare_sums(
    outcome: Outcome,
    tensor: str,
    fact: Integer,
    found: NDArray[Any],
    golden: NDArray[Any],
    bound: NDArray[np.float64],
) -> None:
    """Compare sums: the golden value must be the exact one but for float32 rounding.

    Args:
        bound: largest rounding error of the golden sum, [samples, elements].
    """
    scale, offset = spread(fact.scale, found.shape), spread(fact.offset, found.shape)
    integers, values = flat(found), flat(golden)
    exact = integers * scale + offset
    bad = np.abs(values - exact) > bound + FLOAT32_EPSILON * (np.abs(exact) + np.abs(offset))
    bad &= ~outcome.diverged[:, None]
    expected = np.rint((values - offset) / np.where(scale == 0, 1, scale))
    outcome.tensors += 1
    outcome.record(bad, tensor, str(fact.golden), expected, integers)


def compare_codes(
    outcome: Outcome,
    tensor: str,
    fact: Integer,
    found: NDArray[Any],
    golden: NDArray[Any],
    may_tie: bool,
) -> None:
    """Compare codes of a quantizer exactly.

    Args:
        may_tie: the golden code follows a sum that float32 may have rounded. A difference of
            one code is then a near-tie, since `compare_sums` has held that sum to its bound.
    """
    scale, offset = spread(fact.scale, found.shape), spread(fact.offset, found.shape)
    integers = flat(found)
    expected = np.rint((flat(golden) - offset) / scale)
    differs = (integers != expected) & ~outcome.diverged[:, None]
    near = differs & may_tie & (np.abs(integers - expected) == 1)
    outcome.tensors += 1
    outcome.near_ties += int(near.sum())
    outcome.record(differs & ~near, tensor, str(fact.golden), expected, integers)
    outcome.diverged |= differs.any(axis=1)


def compare_labels(
    outcome: Outcome,
    tensor: str,
    found: NDArray[Any],
    golden: NDArray[Any],
    scores: NDArray[Any] | None,
) -> None:
    """Compare labels exactly; labels whose golden scores tie in float32 are near-ties."""
    labels, expected = flat(found), flat(golden)
    differs = (labels != expected) & ~outcome.diverged[:, None]
    near = np.zeros_like(differs)
    if scores is not None and differs.any():
        values = flat(scores)
        tie = 8 * FLOAT32_EPSILON * np.abs(values).max(axis=1, keepdims=True)
        mine = np.take_along_axis(values, labels.astype(np.int64), axis=1)
        theirs = np.take_along_axis(values, expected.astype(np.int64), axis=1)
        near = differs & (np.abs(mine - theirs) <= tie)
    outcome.tensors += 1
    outcome.near_ties += int(near.sum())
    outcome.record(differs & ~near, tensor, tensor, expected, labels)
    outcome.diverged |= differs.any(axis=1)


def compare_values(
    outcome: Outcome, tensor: str, found: NDArray[Any], golden: NDArray[Any]
) -> None:
    """Compare floating-point outputs. The integers they follow from are compared exactly; what
    is left is rounding, relative to the largest output."""
    mine, theirs = flat(found), flat(golden)
    largest = np.abs(theirs).max(axis=1, keepdims=True, initial=0)
    bad = ~(np.abs(mine - theirs) <= 4096 * FLOAT32_EPSILON * largest)
    bad &= ~outcome.diverged[:, None]
    outcome.tensors += 1
    outcome.record(bad, tensor, tensor, theirs, mine)
