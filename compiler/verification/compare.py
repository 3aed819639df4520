# SPDX-License-Identifier: Apache-2.0
"""Comparing tensors of the compiled graph with golden ones, integer by integer.

Exactness: an activation's code must be the golden one. The golden graph sums in float32, in an
order of its own; where its sum is rounded across a decision boundary, the exact integers give
another code. Such a *near-tie* is distinguished from a fault in two steps: the golden sum must lie
within float32's rounding bound of the exact one, and the golden graph's own operators, run on the
exact sum, must give the compiled code. From there on that sample goes its own way, and is compared
with what the golden operators make of its own sums. Near-ties are counted, never hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx_ir as ir
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
        expected: the integer that the golden value stands for (or the label); the nearest end of
            the range, where the integer lies outside of its range.
        found: the integer that came out.
        outside: the range, where the integer lies outside of it.
        node: the node that gave an integer outside of its range.
    """

    tensor: str
    golden: str
    sample: int
    element: int
    expected: float
    found: float
    outside: tuple[float, float] | None = None
    node: str = ""


@dataclass
class Outcome:
    """What a comparison of some samples found.

    Attributes:
        samples: how many were compared.
        mismatches: elements that differ and should not, and those outside of their ranges.
        near_ties: elements that differ by the golden graph's own rounding.
        tensors: how many tensors were compared in each sample.
        first: the first mismatch, if any.
        diverged: samples that have gone their own way after a near-tie.
        faulty: samples with a mismatch.
    """

    samples: int
    mismatches: int = 0
    near_ties: int = 0
    tensors: int = 0
    first: Difference | None = None
    diverged: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    faulty: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __post_init__(self) -> None:
        if self.diverged.size != self.samples:
            self.diverged = np.zeros(self.samples, dtype=bool)
        if self.faulty.size != self.samples:
            self.faulty = np.zeros(self.samples, dtype=bool)

    def followed_by(self, other: Outcome) -> Outcome:
        """The outcome of this portion of samples and the next."""
        first = self.first
        if first is None and other.first is not None:
            first = replace(other.first, sample=other.first.sample + self.samples)
        return Outcome(
            self.samples + other.samples,
            self.mismatches + other.mismatches,
            self.near_ties + other.near_ties,
            max(self.tensors, other.tensors),
            first,
            np.concatenate([self.diverged, other.diverged]),
            np.concatenate([self.faulty, other.faulty]),
        )

    def record(
        self,
        bad: NDArray[np.bool_],
        tensor: str,
        golden: str,
        expected: NDArray[Any],
        found: NDArray[Any],
    ) -> None:
        """Count mismatching elements [samples, elements]."""
        if not bad.any():
            return
        self.mismatches += int(bad.sum())
        self.faulty |= bad.any(axis=1)
        if self.first is None:
            sample, element = (int(i) for i in np.argwhere(bad)[0])
            self.first = Difference(
                tensor,
                golden,
                sample,
                element,
                float(expected[sample, element]),
                float(found[sample, element]),
            )


def flat(array: NDArray[Any]) -> NDArray[Any]:
    """[samples, elements]."""
    return array.reshape(array.shape[0], -1)


def _integers(golden: NDArray[Any], fact: Integer, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The integers [samples, elements] that golden values stand for."""
    values = flat(golden).astype(np.float64)
    values -= spread(fact.offset, shape)
    values /= spread(fact.scale, shape)
    return np.rint(values, out=values)


def check_range(
    outcome: Outcome, value: ir.Value, fact: Integer, found: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Hold integers against the range that the compiler has worked out for them.

    Returns:
        The least and the greatest over the samples, in the tensor's shape with one sample.
    """
    low, high = found.min(axis=0, keepdims=True), found.max(axis=0, keepdims=True)
    if not (np.all(low >= fact.low) and np.all(high <= fact.high)):  # not for NaN either
        shape = (1, *found.shape[1:])
        least, most = (flat(np.broadcast_to(end, shape)) for end in (fact.low, fact.high))
        mine = flat(found)
        bad = ~((mine >= least) & (mine <= most))
        before = outcome.first
        nearest = np.clip(mine, least, most)
        outcome.record(bad, str(value.name), str(fact.golden or value.name), nearest, mine)
        if before is None and outcome.first is not None:
            element, producer = outcome.first.element, value.producer()
            outcome.first = replace(
                outcome.first,
                outside=(float(least[0, element]), float(most[0, element])),
                node="" if producer is None else str(producer.name),
            )
    return low, high


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
        bound: largest rounding error of the golden sum, broadcasts against a sample.
    """
    scale, offset = spread(fact.scale, found.shape), spread(fact.offset, found.shape)
    exact = flat(found) * scale
    exact += offset
    error = flat(golden) - exact
    np.abs(error, out=error)
    limit = np.abs(exact, out=exact)
    limit += np.abs(offset)
    limit *= FLOAT32_EPSILON
    limit += spread(bound, found.shape)
    bad = ~(error <= limit)  # not for NaN either
    bad &= ~outcome.diverged[:, None]
    outcome.tensors += 1
    if bad.any():
        expected = np.rint((flat(golden) - offset) / np.where(scale == 0, 1, scale))
        outcome.record(bad, tensor, str(fact.golden), expected, flat(found))


Replay = Callable[[], NDArray[Any] | None]
"""Gives a golden tensor as it follows from the compiled graph's exact sums, if it does."""


def compare_codes(
    outcome: Outcome,
    tensor: str,
    fact: Integer,
    found: NDArray[Any],
    golden: NDArray[Any],
    replay: Replay,
) -> None:
    """Compare codes of a quantizer exactly; `found` and `golden` are [samples, ...]."""

    def as_codes() -> NDArray[Any] | None:
        again = replay()
        return None if again is None else _integers(again, fact, found.shape)

    expected = _integers(golden, fact, found.shape)
    _compare(outcome, tensor, str(fact.golden), flat(found), expected, as_codes)


def compare_between(
    outcome: Outcome,
    tensor: str,
    fact: Integer,
    found: NDArray[Any],
    golden: NDArray[Any],
    least: NDArray[Any],
    greatest: NDArray[Any],
) -> None:
    """Compare codes of a quantizer that follow from a function which float32 computes up to a known
    error: both have to be codes that this allows, and are near-ties where they differ.

    Args:
        least: [samples, ...], the least code that float32 may give.
        greatest: the greatest.
    """
    expected, mine = _integers(golden, fact, found.shape), flat(found)
    low, high = flat(least), flat(greatest)
    fresh = ~outcome.diverged[:, None]
    faults = ~((low <= mine) & (mine <= high))
    faults |= ~((low <= expected) & (expected <= high)) & fresh
    differs = mine != expected
    outcome.tensors += 1
    outcome.near_ties += int((differs & ~faults & fresh).sum())
    outcome.record(faults, tensor, str(fact.golden), expected, mine)
    outcome.diverged |= differs.any(axis=1)


def compare_labels(
    outcome: Outcome,
    tensor: str,
    found: NDArray[Any],
    golden: NDArray[Any],
    replay: Replay,
    scores: Replay,
) -> None:
    """Compare labels [samples, ...] exactly. Labels whose golden scores are the same to float32's
    last bit (two saturated sigmoids, say) tie as well: the integers tell them apart, float32 does
    not.

    Args:
        scores: gives what the labels are chosen from, as it follows from the exact sums.
    """
    mine, theirs = flat(found), flat(golden)

    def untied() -> NDArray[Any] | None:
        again, values = replay(), scores()
        if again is None or values is None:
            return again
        chosen = [
            np.take_along_axis(flat(values).astype(np.float64), labels.astype(np.int64), axis=1)
            for labels in (mine, flat(again))
        ]
        tied = np.abs(chosen[0] - chosen[1]) <= FLOAT32_EPSILON * np.abs(chosen[1])
        return np.where(tied, mine, flat(again))

    _compare(outcome, tensor, tensor, mine, theirs, untied)


def _compare(
    outcome: Outcome,
    tensor: str,
    golden: str,
    found: NDArray[Any],
    expected: NDArray[Any],
    replay: Replay,
) -> None:
    differs = found != expected
    outcome.tensors += 1
    if not differs.any():
        return
    again = replay()
    faults = differs if again is None else found != flat(again)
    near = differs & ~faults & ~outcome.diverged[:, None]
    outcome.near_ties += int(near.sum())
    outcome.record(faults, tensor, golden, expected, found)
    outcome.diverged |= differs.any(axis=1)


def compare_values(
    outcome: Outcome, tensor: str, found: NDArray[Any], golden: NDArray[Any], replay: Replay
) -> None:
    """Compare floating-point outputs [samples, ...]: exactly with what the golden operators make of
    the exact sums, or, where no sum lies before them, with the golden outputs."""
    again = replay()
    mine, theirs = flat(found), flat(golden if again is None else again)
    bad = ~((mine == theirs) | (np.isnan(mine) & np.isnan(theirs)))
    outcome.tensors += 1
    outcome.record(bad, tensor, tensor, theirs, mine)
