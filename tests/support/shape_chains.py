# SPDX-License-Identifier: Apache-2.0
"""One small network whose sizes are computed from shapes, in the ways in which exporters write
torch's view, flatten, chunk, pad, interpolate, expand and select; and the same with numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
SHAPE = (1, 4, 5, 5)


class Graph:
    """Nodes and constants under construction; methods return the name of a tensor."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def ints(self, *numbers: int) -> str:
        return self.array(np.array(numbers, np.int64))

    def number(self, number: int) -> str:
        return self.array(np.array(number, np.int64))

    def array(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, op: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0]

    def quant(self, x: str, bits: int = 4, scale: float = 0.25, name: str = "") -> str:
        operands = [np.float32(n) for n in (scale, 0, bits)]
        y = name or f"q{len(self.nodes)}"
        names = [x, *(self.array(np.asarray(a)) for a in operands)]
        self.nodes.append(
            helper.make_node(
                "Quant", names, [y], domain=QONNX, signed=1, narrow=0, rounding_mode="ROUND"
            )
        )
        return y

    def conv(self, x: str, c: int, m: int, size: int = 1, **attributes: object) -> str:
        rng = np.random.default_rng(c * m)  # the same however many nodes there are before
        w = self.array((rng.integers(-7, 8, (m, c, size, size)) / 4).astype(np.float32))
        return self.op("Conv", x, self.quant(w), **attributes)

    def size(self, x: str, axis: int) -> str:
        """x.shape[axis], a scalar."""
        return self.op("Gather", self.op("Shape", x), self.number(axis), axis=0)

    def unsqueezed(self, x: str) -> str:
        return self.op("Unsqueeze", x, self.ints(0))


def chunk(g: Graph, x: str, plain: bool) -> str:
    """x.chunk(2, 1) by (channels + 1) // 2."""
    if plain:
        ends = [g.ints(2), g.ints(4)]
    else:
        count = g.op("Gather", g.op("Shape", x), g.ints(1), axis=0)
        half = g.op("Div", g.op("Add", count, g.ints(1)), g.ints(2))
        ends = [g.op("Mul", half, g.ints(n)) for n in (1, 2)]
    first = g.op("Slice", x, g.ints(0), ends[0], g.ints(1))
    second = g.op("Slice", x, ends[0], ends[1], g.ints(1))
    second = g.quant(g.op("Relu", g.conv(second, 2, 2)))
    return g.op("Concat", first, second, axis=1)


def view(g: Graph, x: str, plain: bool) -> str:
    """x.view(x.size(0), -1)."""
    if plain:
        return g.op("Reshape", x, g.ints(1, -1))
    first = g.unsqueezed(g.size(x, 0))
    return g.op("Reshape", x, g.op("Concat", first, g.ints(-1), axis=0))


def flatten(g: Graph, x: str, plain: bool) -> str:
    """x.reshape(b, c * h * w)."""
    if plain:
        return g.op("Reshape", x, g.ints(1, 100))
    sizes = [g.size(x, axis) for axis in range(4)]
    product = g.op("Mul", g.op("Mul", sizes[1], sizes[2]), sizes[3])
    shape = [g.unsqueezed(s) for s in (sizes[0], product)]
    return g.op("Reshape", x, g.op("Concat", *shape, axis=0))


def pad(g: Graph, x: str, plain: bool) -> str:
    """F.pad(x, (0, 1, 0, 1)), from last axis to first."""
    if plain:
        return g.op("Pad", x, g.ints(0, 0, 0, 0, 0, 0, 1, 1))
    zeros = g.op("ConstantOfShape", g.ints(4), value=numpy_helper.from_array(np.zeros(1, np.int64)))
    pairs = g.op("Reshape", g.op("Concat", g.ints(0, 1, 0, 1), zeros, axis=0), g.ints(-1, 2))
    turned = g.op("Slice", pairs, g.ints(-1), g.ints(-(2**63)), g.ints(0), g.ints(-1))
    flat = g.op("Reshape", g.op("Transpose", turned, perm=[1, 0]), g.ints(-1))
    return g.op("Pad", x, g.op("Cast", flat, to=TensorProto.INT64))


def upsample(g: Graph, x: str, plain: bool) -> str:
    """Resize to twice the size that the tensor has."""
    if plain:
        sizes = g.ints(1, 4, 10, 10)
    else:
        shape = g.op("Shape", x)
        image = g.op("Slice", shape, g.ints(2), g.ints(4), g.ints(0))
        real = g.op("Cast", image, to=TensorProto.FLOAT)
        twice = g.op("Floor", g.op("Mul", real, g.array(np.float32(2).reshape(1))))
        start = g.op("Slice", shape, g.ints(0), g.ints(2), g.ints(0))
        whole = g.op("Cast", twice, to=TensorProto.INT64)
        sizes = g.op("Concat", start, whole, axis=0)
    attributes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return g.op("Resize", x, "", "", sizes, mode="nearest", **attributes)


def expand(g: Graph, x: str, plain: bool) -> str:
    """x.expand_as(x), as torch writes it: Where(shape == -1, ones, shape)."""
    if plain:
        return g.op("Identity", x)
    shape = g.op("Shape", x)
    rank = g.op("Shape", shape)
    ones = g.op("ConstantOfShape", rank, value=numpy_helper.from_array(np.ones(1, np.int64)))
    minus = g.op("Mul", ones, g.number(-1))
    wanted = g.op("Where", g.op("Equal", shape, minus), ones, shape)
    return g.op("Expand", x, wanted)


def select(g: Graph, x: str, plain: bool) -> str:
    """x[:, :, size - 1], a row."""
    if plain:
        return g.op("Reshape", g.op("Slice", x, g.ints(4), g.ints(5), g.ints(2)), g.ints(1, 4, 5))
    last = g.op("Sub", g.size(x, 2), g.number(1))
    return g.op("Gather", x, last, axis=2)


def counted(g: Graph, x: str, plain: bool) -> str:
    """Reshape by Size and Range: [1, Size / 5, 5]."""
    if plain:
        return g.op("Reshape", x, g.ints(1, 20, 5))
    lines = g.op("Div", g.op("Size", x), g.number(5))
    last = g.op("Range", g.number(5), g.number(6), g.number(1))
    shape = g.op("Concat", g.ints(1), g.unsqueezed(lines), last, axis=0)
    return g.op("Reshape", x, shape)


CHAINS: dict[str, Callable[[Graph, str, bool], str]] = {
    f.__name__: f for f in (chunk, view, flatten, pad, upsample, expand, select, counted)
}


def chain_model(name: str, plain: bool = False) -> onnx.ModelProto:
    """Conv, quantizer, the chain, and a quantizer after it."""
    g = Graph()
    x = g.quant("x", name="xq")
    if name != "chunk":
        x = g.quant(g.op("Relu", g.conv(x, 4, 4)), scale=2.0)
    y = CHAINS[name](g, x, plain)
    y = g.op("Mul", y, g.array(np.float32(0.5)))
    g.nodes.append(helper.make_node("Identity", [y], ["y"]))
    graph = helper.make_graph(
        g.nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        g.constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)
