# SPDX-License-Identifier: Apache-2.0
"""Single dataflow nodes, and models made of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType, DataType

from qnnc.compiler.datatypes import carrier, smallest_type
from qnnc.compiler.ir.edit import FINN
from qnnc.compiler.ir.facts import ACCELERATOR, Integer, set_integer, set_part


@dataclass
class NodeSpec:
    """A dataflow node to make.

    Attributes:
        op: operator.
        attributes: of the node.
        x_type: of the streamed input.
        x_shape: of the streamed input, batch of one.
        out_type: of the output.
        out_shape: of the output.
        constants: further inputs.
        more_inputs: (type, shape) of further streamed inputs.
        more_outputs: (type, shape) of further outputs.
        unused: numbers of outputs that nothing uses.
    """

    op: str
    attributes: dict[str, Any]
    x_type: BaseDataType
    x_shape: tuple[int, ...]
    out_type: BaseDataType
    out_shape: tuple[int, ...]
    constants: list[NDArray[Any]] = field(default_factory=list)
    more_inputs: list[tuple[BaseDataType, tuple[int, ...]]] = field(default_factory=list)
    more_outputs: list[tuple[BaseDataType, tuple[int, ...]]] = field(default_factory=list)
    unused: tuple[int, ...] = ()

    def inputs(self, i: int) -> dict[str, tuple[BaseDataType, tuple[int, ...]]]:
        """Types and shapes of the streamed inputs of node `i` of a model, by name."""
        streams = [(self.x_type, self.x_shape), *self.more_inputs]
        return {f"x{i}" + (f"_{j}" if j else ""): stream for j, stream in enumerate(streams)}

    def outputs(self, i: int) -> dict[str, tuple[BaseDataType, tuple[int, ...]]]:
        """Types and shapes of the outputs of node `i` of a model, by name."""
        streams = [(self.out_type, self.out_shape), *self.more_outputs]
        return {f"y{i}" + (f"_{j}" if j else ""): stream for j, stream in enumerate(streams)}


def random_of(
    rng: np.random.Generator, kind: BaseDataType, shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """Random integers over the whole range of a type."""
    if kind == DataType["BIPOLAR"]:
        return rng.choice([-1, 1], size=shape).astype(np.int64)
    return rng.integers(int(kind.min()), int(kind.max()), size=shape, endpoint=True)


def extreme_weights(kind: BaseDataType, shape: tuple[int, int], first: str) -> NDArray[np.int64]:
    """All weights of an output at an end of the type, outputs alternately at either."""
    ends = [int(kind.min()), int(kind.max())]
    if first == "high":
        ends.reverse()
    return np.broadcast_to(np.resize(ends, shape[1]), shape).astype(np.int64)


def mvau(
    rng: np.random.Generator,
    *,
    mw: int,
    mh: int,
    x: str,
    w: str,
    pe: int,
    simd: int,
    ram_style: str = "block",
    res: str = "lut",
    vectors: int = 1,
    ends: str = "",
    narrow: bool = False,
) -> NodeSpec:
    """An MVAU with random weights; x BINARY and w BINARY is the XNOR form.

    Args:
        ends: "low" or "high" for weights at the ends of their type, starting with that.
        narrow: no weight is as low as its type goes.
    """
    x_type, w_type = DataType[x], DataType[w]
    weights = extreme_weights(w_type, (mw, mh), ends) if ends else random_of(rng, w_type, (mw, mh))
    if narrow:
        weights = np.maximum(weights, int(w_type.min()) + 1)
    xnor = x == "BINARY" and w == "BINARY"
    if xnor:
        out_type = smallest_type(0, mw)
    else:
        ends = np.array([int(x_type.min()), int(x_type.max())])
        products = ends[:, None, None] * weights[None]
        out_type = smallest_type(
            int(products.min(axis=0).sum(axis=0).min()),
            int(products.max(axis=0).sum(axis=0).max()),
        )
    attributes = {
        "MW": mw,
        "MH": mh,
        "PE": pe,
        "SIMD": simd,
        "inputDataType": x_type.name,
        "weightDataType": w_type.name,
        "outputDataType": out_type.name,
        "accDataType": out_type.name,
        "noActivation": 1,
        "binaryXnorMode": int(xnor),
        "numInputVectors": [vectors],
        "ram_style": ram_style,
        "resType": res,
    }
    return NodeSpec("MVAU", attributes, x_type, (vectors, mw), out_type, (vectors, mh), [weights])


def _with_tables(
    x_type: BaseDataType,
    out_type: BaseDataType,
    shape: tuple[int, int],
    tables: list[NDArray[Any]],
    **attributes: object,
) -> NodeSpec:
    """A Thresholding with some tables, of [vectors, channels]."""
    thresholds = tables[0]
    attributes |= {
        "NumChannels": shape[1],
        "numSteps": thresholds.shape[1],
        "inputDataType": x_type.name,
        "weightDataType": smallest_type(int(thresholds.min()), int(thresholds.max())).name,
        "outputDataType": out_type.name,
        "numInputVectors": [shape[0]],
    }
    return NodeSpec("Thresholding", attributes, x_type, shape, out_type, shape, tables)


def thresholding(
    rng: np.random.Generator,
    *,
    channels: int,
    steps: int,
    x: str,
    pe: int,
    base: int = 0,
    shared: bool = False,
    values: bool = False,
    ram_style: str = "distributed",
    vectors: int = 1,
) -> NodeSpec:
    """A Thresholding with random tables."""
    x_type = DataType[x]
    rows = 1 if shared else channels
    low, high = int(x_type.min()), int(x_type.max()) + 1
    thresholds = np.sort(rng.integers(low, high, size=(rows, steps), endpoint=True), axis=1)
    constants: list[NDArray[Any]] = [thresholds]
    if values:
        table = rng.integers(-3, 4, size=(rows, steps + 1), endpoint=True)
        constants.append(table)
        out_type, base = smallest_type(int(table.min()), int(table.max())), 0
    else:
        out_type = smallest_type(base, base + steps)
    attributes = {"PE": pe, "ActVal": base, "ram_style": ram_style}
    return _with_tables(x_type, out_type, (vectors, channels), constants, **attributes)


def tail(
    rng: np.random.Generator,
    *,
    channels: int,
    steps: int,
    x: str,
    function: str = "uniform",
    spread: float = 1.2,
    base: int = 0,
    falling: bool = False,
    strange: int = 0,
    rows: int | None = None,
    pe: int = 1,
    style: str = "table",
    res: str = "lut",
    ram_style: str = "distributed",
    vectors: int = 1,
) -> NodeSpec:
    """A Thresholding whose channels have a function of an affine map in common.

    Args:
        function: "uniform", "tanh" or "ties" (steps at exact halves, which go to even).
        spread: how far the steps reach over the range of x.
        falling: some channels fall, given by values.
        strange: steps moved by one.
        rows: of the table, 1 if all channels share one.
    """
    x_type = DataType[x]
    low, high = int(x_type.min()), int(x_type.max())
    count = channels if rows is None else rows
    middle = rng.integers(low, high, size=(count, 1), endpoint=True) / 2 + (low + high) / 4
    width = (high - low) * spread * rng.uniform(0.5, 1, size=(count, 1))
    at = (np.arange(steps) + 0.5) / steps
    codes = base + np.arange(steps)
    if function == "tanh":
        at = np.arctanh(0.99 * (2 * at - 1)) / 5 + 0.5
    if function == "ties":
        unit = 2.0 ** np.ceil(np.log2(width / steps))
        places = (codes + 0.5 - base - steps // 2) * unit + np.rint(middle / unit) * unit
        exact = np.where(codes % 2 == 0, np.floor(places) + 1, np.ceil(places))
    else:
        exact = np.ceil((at - 0.5) * width + middle)
    thresholds = np.clip(exact, low, high + 1).astype(np.int64)
    for _ in range(strange):
        row, step = rng.integers(count), rng.integers(steps)
        if low + 1 < thresholds[row, step] < high:
            thresholds[row, step] += rng.choice([-1, 1])
    thresholds = np.sort(thresholds, axis=1)
    constants: list[NDArray[Any]] = [thresholds]
    if falling:
        values = np.broadcast_to(base + np.arange(steps + 1), (count, steps + 1))
        constants.append(np.where(rng.random((count, 1)) < 0.5, values[:, ::-1], values))
        base = 0
        out_type = smallest_type(int(constants[1].min()), int(constants[1].max()))
    else:
        out_type = smallest_type(base, base + steps)
    attributes = {"PE": pe, "ActVal": base, "ram_style": ram_style}
    attributes |= {"impl_style": style, "resType": res}
    return _with_tables(x_type, out_type, (vectors, channels), constants, **attributes)


def width_converter(*, elements: int, kind: str, lanes_in: int, lanes_out: int) -> NodeSpec:
    """A StreamingDataWidthConverter."""
    x_type, shape = DataType[kind], (1, elements)
    bits = x_type.bitwidth()
    attributes = {
        "shape": list(shape),
        "inWidth": lanes_in * bits,
        "outWidth": lanes_out * bits,
        "dataType": kind,
    }
    return NodeSpec("StreamingDataWidthConverter", attributes, x_type, shape, x_type, shape)


def fifo(*, elements: int, kind: str, lanes: int, depth: int, ram: str) -> NodeSpec:
    """A StreamingFIFO."""
    x_type, shape = DataType[kind], (1, elements)
    attributes = {
        "depth": depth,
        "normal_shape": list(shape),
        "folded_shape": [1, elements // lanes, lanes],
        "dataType": kind,
        "ram_style": ram,
    }
    return NodeSpec("StreamingFIFO", attributes, x_type, shape, x_type, shape)


def label_select(*, labels: int, k: int, kind: str) -> NodeSpec:
    """A LabelSelect."""
    x_type = DataType[kind]
    attributes = {
        "Labels": labels,
        "PE": 1,
        "K": k,
        "inputDataType": kind,
        "outputDataType": "UINT8",
        "numInputVectors": [1],
    }
    return NodeSpec("LabelSelect", attributes, x_type, (1, labels), DataType["UINT8"], (1, k))


def elementwise(
    rng: np.random.Generator, *, op: str, channels: int, x: str, c: str, pe: int, shared: bool
) -> NodeSpec:
    """An ElementwiseAdd or ElementwiseMul with a random constant."""
    x_type, c_type = DataType[x], DataType[c]
    operand = random_of(rng, c_type, (1 if shared else channels,))
    ends = [int(x_type.min()), int(x_type.max())]
    results = [e + operand if op == "Add" else e * operand for e in ends]
    out_type = smallest_type(int(np.min(results)), int(np.max(results)))
    shape = (1, channels)
    attributes = {
        "lhs_dtype": x_type.name,
        "rhs_dtype": c_type.name,
        "out_dtype": out_type.name,
        "lhs_shape": list(shape),
        "rhs_shape": list(operand.shape),
        "out_shape": list(shape),
        "lhs_style": "input",
        "rhs_style": "const",
        "PE": pe,
    }
    return NodeSpec(f"Elementwise{op}", attributes, x_type, shape, out_type, shape, [operand])


def model_of(specs: Sequence[NodeSpec]) -> ir.Model:
    """A model with every node between an input and an output of its own."""
    inputs, outputs, nodes, constants = [], [], [], []
    for i, spec in enumerate(specs):
        streams = [_value(name, shape, kind) for name, (kind, shape) in spec.inputs(i).items()]
        results = [_value(name, shape, kind) for name, (kind, shape) in spec.outputs(i).items()]
        extra = []
        for j, array in enumerate(spec.constants):
            kind = smallest_type(int(array.min()), int(array.max()))
            tensor = ir.tensor(array.astype(carrier(kind)), name=f"c{i}_{j}")
            extra.append(
                ir.Value(
                    name=f"c{i}_{j}",
                    const_value=tensor,
                    shape=ir.Shape(array.shape),
                    type=ir.TensorType(tensor.dtype),
                )
            )
        node = ir.node(
            spec.op,
            [*streams, *extra],
            {"backend": "fpgadataflow", **spec.attributes},
            domain=FINN,
            outputs=results,
            name=f"{spec.op}_{i}",
        )
        set_part(node, ACCELERATOR)
        inputs += streams
        outputs += [value for j, value in enumerate(results) if j not in spec.unused]
        nodes.append(node)
        constants += extra
    graph = ir.Graph(
        inputs, outputs, nodes=nodes, initializers=constants, opset_imports={"": 21, FINN: 1}
    )
    return ir.Model(graph, ir_version=10)


def _value(name: str, shape: tuple[int, ...], kind: BaseDataType) -> ir.Value:
    wide = carrier(kind) == np.float64
    value = ir.Value(
        name=name,
        shape=ir.Shape(shape),
        type=ir.TensorType(ir.DataType.DOUBLE if wide else ir.DataType.FLOAT),
    )
    set_integer(value, Integer.of(int(kind.min()), int(kind.max()), datatype=kind))
    return value


def random_inputs(
    rng: np.random.Generator, specs: Sequence[NodeSpec], frames: int
) -> dict[str, NDArray[Any]]:
    """Frames for every input of `model_of(specs)`: one at the low end of the type, one at the high
    end, the rest random; where there are thresholds, half of the elements lie at one or just
    below."""
    found = {}
    for i, spec in enumerate(specs):
        for name, (kind, shape) in spec.inputs(i).items():
            x = random_of(rng, kind, (frames, *shape))
            if spec.op == "Thresholding":
                rows = (x.shape[-1], spec.constants[0].shape[1])
                table = np.broadcast_to(spec.constants[0], rows)
                step = rng.integers(table.shape[1], size=x.shape)
                edges = table[np.arange(x.shape[-1]), step] - rng.integers(2, size=x.shape)
                edges = np.clip(edges, int(kind.min()), int(kind.max()))
                x = np.where(rng.random(x.shape) < 0.5, edges, x)
            for index, end in enumerate((kind.min(), kind.max())[:frames]):
                x[index] = int(end)
            found[name] = x.astype(carrier(kind))
    return found
