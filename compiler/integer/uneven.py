# SPDX-License-Identifier: Apache-2.0
"""AveragePools whose windows count different numbers of elements: at the borders without their
padding (count_include_pad=0), or beyond it (ceil_mode).

The sum of a window times (common multiple of all counts / its own count) is an integer on one
scale, so that what follows is the same all over the image.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.arithmetic import with_constant
from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.edit import Editor, shape_of
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.reference import Session

MOST = 1 << 12
"""Largest common multiple of the counts."""


def window_counts(node: ir.Node, window: Window) -> IntArray:
    """What ONNX Runtime divides each window's sum by, [OH, OW]: its mean of ones is the elements
    inside the image over the count.

    Raises:
        Unsupported: a window without any element of the image.
    """
    source = node.inputs[0]
    assert source is not None
    shape = (1, 1, *shape_of(source)[2:])
    ones = np.zeros(window.padded, dtype=np.int64)
    (top, left), (height, width) = window.before, window.image
    ones[top : top + height, left : left + width] = 1
    inside = ones.ravel()[window.indices()].sum(axis=1).reshape(window.out)
    if not inside.min():
        raise Unsupported("an AveragePool some of whose windows lie in the padding alone")
    x = ir.Value(name="x", shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))
    y = ir.Value(name="y")
    pool = ir.Node("", node.op_type, [x], list(node.attributes.values()), outputs=[y])
    assert node.graph is not None
    opsets = {"": node.graph.opset_imports[""]}
    graph = ir.Graph([x], [y], nodes=[pool], opset_imports=opsets, name="main")
    mean = Session(ir.Model(graph, ir_version=10)).run({"x": np.ones(shape, np.float32)})["y"]
    counts: IntArray = np.rint(inside / mean.reshape(window.out).astype(np.float64))
    return counts.astype(np.int64)


def evened(editor: Editor, node: ir.Node, sums: ir.Value, counts: IntArray) -> tuple[ir.Value, int]:
    """Sums of windows on one scale, and what they are to be divided by; `counts` is [OH, OW].

    Raises:
        Unsupported: the counts have no common multiple that is small.
    """
    common = math.lcm(*np.unique(counts).tolist())
    if common > MOST:
        raise Unsupported(
            f"an AveragePool whose windows count {np.unique(counts).tolist()} elements, which have "
            "no small common multiple; use count_include_pad=1"
        )
    factors = common // counts
    if np.all(factors == 1):
        return sums, common
    shape = shape_of(sums)
    spread = factors.reshape((1, 1, *shape[2:]))
    return with_constant(editor, node, sums, "Mul", spread), common
