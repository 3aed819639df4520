# SPDX-License-Identifier: Apache-2.0
"""Inputs that drive the sums of the first layer to the ends of their ranges, from the signs of
its weights.

Which element of the input each element of a window is, is found by sending numbered elements
through the graph up to the layer, with what works element by element left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import Role, declaration, is_dataflow, role_of
from qnnc.compiler.errors import ModelError
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.facts import IntArray
from qnnc.compiler.reference import Session, expand

ELEMENTWISE = frozenset(
    {"Add", "Sub", "Mul", "Div", "Clip", "Round", "Floor", "Ceil", "Sign", "Cast", "Identity"}
    | {"Relu", "BatchNormalization", "GreaterOrEqual", "Greater", "MultiThreshold", "Dequantize"}
)
"""What the host does to an input before the accelerator, if that is quantizing it."""
NUMBERED = 1 << 24
"""Elements up to which float32 tells their numbers apart."""
MANY = 1 << 24
"""Elements of all windows beyond which they are not sorted out."""
TRIED = 4096
"""Windows of a sample that are looked at in search of free ones."""


def first_layer(model: ir.Model) -> tuple[IntArray, NDArray[np.float64]] | None:
    """Windows of the first dense layer (or convolution), and its weights.

    Returns:
        For each place of the layer and each of its inputs the number of the element of the
        model's inputs that it is, counted from 1 over all inputs in order, or 0 for a constant,
        [places, inputs]; and weights whose signs tell the direction, [inputs, outputs]. None
        where the model does not begin in such a way.
    """
    before: list[ir.Node] = []
    for node in model.graph:
        if role_of(node) is Role.PRODUCT:
            break
        before.append(node)
    else:
        return None
    weights, x = constant(node.inputs[1]), node.inputs[0]
    if weights is None or x is None or np.prod(shape_of(x)) > MANY:
        return None
    weights = weights.astype(np.float64)
    if attribute(node, "binaryXnorMode", 0):
        weights = 2 * weights - 1
    try:
        windows = _origins(model, before, x)
    except ModelError:  # the host computes before it, or more than that
        return None
    return None if windows is None else (windows.reshape(-1, len(weights)), weights)


def _origins(model: ir.Model, before: list[ir.Node], x: ir.Value) -> IntArray | None:
    """For each element of `x` the number of the input's element that it is, or 0; None where it
    is made of several."""
    plain = expand(
        model, outputs=[x], nodes=before, skip=[n for n in before if _works_elementwise(n)]
    )
    session = Session(plain)
    shapes = {str(v.name): shape_of(v) for v in model.graph.inputs}
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    if total >= NUMBERED:
        return None
    upwards, downwards = (
        session.run(_split(numbers, shapes))[session.outputs[0]]
        for numbers in (np.arange(1, total + 1), np.arange(total, 0, -1))
    )
    found = np.rint(upwards)
    same = (upwards == found) & (found >= 0) & (found <= total)
    same &= downwards == np.where(found > 0, total + 1 - found, 0)
    return found.astype(np.int64) if np.all(same) else None


def _works_elementwise(node: ir.Node) -> bool:
    """The node makes each element of its first input another number, in the same place."""
    if not is_dataflow(node):
        return node.op_type in ELEMENTWISE
    source, output = node.inputs[0], node.outputs[0]
    same = source is not None and source.shape == output.shape
    return same and not declaration(node).keeps_coding


def _split(
    numbers: NDArray[np.int64], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[np.float32]]:
    feeds, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        feeds[name] = numbers[start : start + size].astype(np.float32).reshape(shape)
        start += size
    return feeds


def directed(
    windows: IntArray,
    weights: NDArray[np.float64],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    most: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Inputs that bring each output of the layer to both of its ends, at some place each: as
    many in one input as find windows without a common element.

    Args:
        windows: as `first_layer` gives them.
        weights: likewise.
        low: least value of each element, [elements].
        high: greatest, likewise.
        most: inputs.

    Returns:
        [inputs, elements].
    """
    wanted = [(output, sign) for output in range(weights.shape[1]) for sign in (1, -1)]
    whole = (windows > 0).sum(axis=1)
    wholly = np.flatnonzero(whole == whole.max())
    made: list[NDArray[np.float32]] = []
    while wanted and len(made) < most:
        x = np.where(rng.random(low.size) < 0.5, low, high)
        taken = np.zeros(low.size + 1, dtype=bool)
        for place in rng.permutation(wholly)[:TRIED]:
            window = windows[place]
            inside = window > 0
            if not wanted or taken[window[inside]].any():
                continue
            taken[window[inside]] = True
            output, sign = wanted.pop()
            up = sign * weights[inside, output] > 0
            elements = window[inside] - 1
            x[elements] = np.where(up, high[elements], low[elements])
        made.append(x)
    return np.stack(made) if made else np.zeros((0, low.size), dtype=np.float32)
