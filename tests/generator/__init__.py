# SPDX-License-Identifier: Apache-2.0
"""Random quantized graphs of all supported operators. Nothing here imports qnnc.

A graph grows operator by operator: each takes tensors that are there already and gives new ones;
what nobody took in the end is an output. Of a tensor the generator knows what an operator may
assume: its shape, and the scale of its quantizer if it comes from one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from tests.generator.choices import Choices
from tests.generator.joints import Joints
from tests.generator.layers import Layers
from tests.generator.stored import OPERATORS as STORED_OPERATORS
from tests.generator.stored import StoredGraph

SAMPLES = 14


@dataclass(frozen=True)
class Case:
    """A model and what to run it on.

    Attributes:
        seed: it follows from.
        flavour: "qonnx", "qdq" or "qoperator".
        proto: the model.
        feeds: samples of each input, the first axis theirs.
        options: of the build.
    """

    seed: int
    flavour: str
    proto: onnx.ModelProto
    feeds: dict[str, NDArray[Any]]
    options: dict[str, Any] = field(default_factory=dict)


class RandomGraph(Layers, Joints):
    """Grows a graph of float operators between quantizers."""

    def build(
        self, most: int, operators: Mapping[Callable[[RandomGraph], bool], float]
    ) -> onnx.ModelProto:
        """The whole model.

        Args:
            most: operators that it grows by.
            operators: how often each is drawn.
        """
        c = self.choose
        for number in range(c.weighted({1: 8, 2: 2, 3: 0.3})):
            self._input(f"x{number}")
        for _ in range(c.number(1, most)):
            for _ in range(10):
                if c.weighted(operators)(self):
                    break
        if not self.worked:
            self.tail()
        ends = [(m.name, m.shape, TensorProto.FLOAT) for m in self.made if m.name not in self.used]
        inner = [m for m in self.made if m.name in self.used]
        if inner and c.chance(0.1):
            some = c.item(inner)
            ends.append((some.name, some.shape, TensorProto.FLOAT))
        if c.chance(0.02):
            ends.append((self.w.constant([[1.5, -2.0]]), (2,), TensorProto.FLOAT))
        flat = [m for m in self.made if m.name not in self.used and len(m.shape) == 1]
        if flat and len(ends) == 1 and c.chance(0.2):
            name = self.w.op("ArgMax", flat[0].name, axis=1, keepdims=1)[0]
            ends = [(name, (1,), TensorProto.INT64)]
        return self.w.model(ends)


OPERATORS: dict[Callable[[RandomGraph], bool], float] = {
    RandomGraph.conv: 12,
    RandomGraph.conv_transpose: 2,
    RandomGraph.linear: 4,
    RandomGraph.pool: 4,
    RandomGraph.whole: 1.5,
    RandomGraph.tail: 3,
    RandomGraph.bounded: 1,
    RandomGraph.trunc: 1,
    RandomGraph.residual: 5,
    RandomGraph.gate: 2,
    RandomGraph.concat: 4,
    RandomGraph.split: 2,
    RandomGraph.cut: 2,
    RandomGraph.resize: 2,
    RandomGraph.shuffle: 2,
    RandomGraph.border: 1.5,
    RandomGraph.layout: 2,
}
"""How often each is drawn."""
WITH_ATTENTION: dict[Callable[[RandomGraph], bool], float] = {
    **OPERATORS,
    RandomGraph.product: 12,
    RandomGraph.softmax: 5,
}
"""Of every fifth seed, so that the other seeds keep the graphs that they had."""


def random_case(seed: int, most: int = 6) -> Case:
    """The case of a seed.

    Args:
        most: operators that the graph grows by, tails not counted.
    """
    c = Choices(seed)
    flavour = c.weighted({"qonnx": 6, "qdq": 2.5, "qoperator": 1.5})
    options: dict[str, Any] = {"host_layers": c.chance(0.35)}
    if flavour == "qoperator":
        stored = StoredGraph(c)
        for number in range(1 if c.chance(0.8) else 2):
            stored.start(f"x{number}")
        for _ in range(c.number(1, most)):
            for _ in range(10):
                if c.weighted(STORED_OPERATORS)(stored):
                    break
        proto, reaches = stored.w.model(stored.finish()), stored.reaches
    else:
        grown = RandomGraph(c, flavour)
        operators = WITH_ATTENTION if seed % 5 == 2 else OPERATORS
        proto, reaches = grown.build(most, operators), grown.reaches
    return Case(seed, flavour, proto, _feeds(c, proto, reaches), options)


def _feeds(
    c: Choices, proto: onnx.ModelProto, reaches: dict[str, tuple[float, float]]
) -> dict[str, NDArray[Any]]:
    """Samples over and beyond each input's range: random ones, ones halfway between steps, and
    ones at the ends."""
    feeds: dict[str, NDArray[Any]] = {}
    for value in proto.graph.input:
        if value.name not in reaches:  # an initializer that is repeated here
            continue
        shape = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)[1:]
        step, reach = reaches[value.name]
        kind = value.type.tensor_type.elem_type
        if kind != TensorProto.FLOAT:
            dtype = np.int8 if kind == TensorProto.INT8 else np.uint8
            info = np.iinfo(dtype)
            x = c.rng.integers(info.min, info.max, (SAMPLES, *shape), endpoint=True)
            x[0], x[1] = info.min, info.max
            feeds[value.name] = x.astype(dtype)
            continue
        x = c.rng.uniform(-1.3, 1.3, (SAMPLES, *shape)) * reach
        half = step / 2
        x[2:6] = np.rint(x[2:6] / half) * half
        x[6:10] = np.sign(x[6:10]) * reach * 4
        x[0], x[1], x[10] = reach * 4, -reach * 4, 0
        x[11] = np.abs(x[11])
        feeds[value.name] = x.astype(np.float32)
    return feeds
