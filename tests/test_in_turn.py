# SPDX-License-Identifier: Apache-2.0
"""StreamingConcat and StreamingSplit pass one part of a vector after the other: where ways from a
fork meet again, the parts that wait have FIFOs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.dataflow.schedule import in_turn
from tests.generator.writer import QONNX, Writer
from tests.support.graph_check import simulated_failure

CHANNELS, SIDE = 12, 3


class _Graph(Writer):
    """Quantizers, and the halves of a tensor."""

    def quant(self, x: str, bits: int) -> str:
        parts = [self.constant(v) for v in (0.25, 0.0, float(bits))]
        flags = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        return self.op("Quant", x, *parts, domain=QONNX, **flags)[0]

    def part(self, x: str, start: int, end: int) -> str:
        places = (self.constant([number], np.int64) for number in (start, end, 1))
        return self.op("Slice", x, *places)[0]

    def halves(self, x: str) -> tuple[str, str]:
        return self.part(x, 0, CHANNELS // 2), self.part(x, CHANNELS // 2, CHANNELS)

    def done(self, y: str, channels: int) -> onnx.ModelProto:
        offsets = self.constant(np.linspace(0, 1, channels).reshape(channels, 1, 1))
        y = self.quant(self.op("Add", y, offsets)[0], 3)
        return self.model([(y, (channels, SIDE, SIDE), TensorProto.FLOAT)])


def twice() -> onnx.ModelProto:
    g = _Graph(17)
    x = g.quant(g.input("x", (CHANNELS, SIDE, SIDE)), 7)
    return g.done(g.op("Concat", x, x, axis=1)[0], 2 * CHANNELS)


def swapped() -> onnx.ModelProto:
    g = _Graph(17)
    first, second = g.halves(g.quant(g.input("x", (CHANNELS, SIDE, SIDE)), 7))
    return g.done(g.op("Concat", second, first, axis=1)[0], CHANNELS)


def gated() -> onnx.ModelProto:
    g = _Graph(17)
    first, second = g.halves(g.quant(g.input("x", (CHANNELS, SIDE, SIDE)), 5))
    return g.done(g.op("Mul", first, second)[0], CHANNELS // 2)


@pytest.mark.parametrize("make", [twice, swapped, gated])
def test_parts_that_wait_do_not_stop_the_rest(
    make: Callable[[], onnx.ModelProto], cache: Path
) -> None:
    pressure = Pressure(source=60, sink=50, seed=1)
    assert simulated_failure(make(), cache, pressure) is None


@given(
    vectors=st.integers(1, 4),
    words=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    lanes=st.integers(1, 3),
    joined=st.booleans(),
)
def test_a_schedule_takes_parts_in_order(
    vectors: int, words: list[int], lanes: int, joined: bool
) -> None:
    parts = [n * lanes for n in words]
    found = in_turn(vectors, parts, lanes, 1, joined=joined)
    assert found.cycles.sum() == vectors * sum(words)
    apart = [i.needed for i in found.intakes] if joined else list(found.given)
    whole = found.given[0] if joined else found.intakes[0].needed
    assert np.array_equal(np.sum(apart, axis=0), whole)
    owners = [part for _ in range(vectors) for part in range(len(parts))]
    for firing, owner in enumerate(owners):
        moved = [int(a[firing] - (a[firing - 1] if firing else 0)) for a in apart]
        assert moved == [parts[owner] if i == owner else 0 for i in range(len(parts))]
