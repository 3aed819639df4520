# SPDX-License-Identifier: Apache-2.0
"""Which pixels a nearest Resize picks: ONNX Runtime is asked."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import IntArray, as_integers
from qnnc.compiler.reference import Session


def picked_pixels(node: ir.Node) -> IntArray:
    """For each pixel [OH, OW] of a Resize's or Upsample's output its number in the input."""
    source = node.inputs[0]
    assert source is not None
    shape = shape_of(source)
    inputs = [
        ir.Value(
            name="x", shape=ir.Shape([1, 1, *shape[2:]]), type=ir.TensorType(ir.DataType.FLOAT)
        )
    ]
    constants: list[ir.Value] = []
    operands: list[ir.Value | None] = []
    for index, value in enumerate(node.inputs[1:]):
        array = constant(value)
        if array is None or array.size == 0:
            operands.append(None)
            continue
        single = np.array(array)
        if np.issubdtype(single.dtype, np.integer):
            for place, axis in enumerate(attribute(node, "axes", range(single.size))):
                if axis % len(shape) < 2:
                    single[place] = 1  # one channel tells what all do
        tensor = ir.tensor(single, name=f"c{index}")
        constants.append(
            ir.Value(
                name=f"c{index}",
                const_value=tensor,
                shape=ir.Shape(single.shape),
                type=ir.TensorType(tensor.dtype),
            )
        )
        operands.append(constants[-1])
    output = ir.Value(name="y")
    made = ir.Node(
        "", node.op_type, [inputs[0], *operands], list(node.attributes.values()), outputs=[output]
    )
    graph = ir.Graph(
        inputs, [output], nodes=[made], initializers=constants, opset_imports={"": 21}, name="main"
    )
    pixels = np.arange(np.prod(shape[2:]), dtype=np.float32).reshape(1, 1, *shape[2:])
    found = as_integers(Session(ir.Model(graph, ir_version=10)).run({"x": pixels}, ["y"])["y"])
    rows: IntArray = found.reshape((1, -1) if len(shape) == 3 else found.shape[2:])
    return rows
