# SPDX-License-Identifier: Apache-2.0
"""Operators that pick elements of one tensor: Split, Slice, Resize, Expand, DepthToSpace,
SpaceToDepth, Pad."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer import interpolate
from qnnc.compiler.integer.form import Form, Unsupported
from qnnc.compiler.ir.edit import Editor, attribute, constant, shape_of
from qnnc.compiler.ir.facts import FloatArray, IntArray, Integer, is_derived, set_integer

Numbers = TypeVar("Numbers", FloatArray, IntArray)


def apply(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """The same operator on the integers.

    Raises:
        Unsupported: parameters that differ along an axis that is broken up; a mode other than
            nearest; padding that no integer stands for.
    """
    x = forms[0]
    assert x is not None
    inputs: list[ir.Value | None] = [x.base, *node.inputs[1:]]
    if any(v is not None and constant(v) is None for v in node.inputs[1:]):
        raise Unsupported("its sizes are computed")
    padded = node.op_type == "Pad" and attribute(node, "mode", "constant") != "edge"
    if padded:
        inputs[2:3] = [_pad_value(editor, node, x)]
    if node.op_type in ("Resize", "Upsample") and attribute(node, "mode", "nearest") != "nearest":
        return [interpolate.apply(editor, node, x)]
    attributes = {name: a.value for name, a in node.attributes.items()}
    first = editor.insert(
        node,
        node.op_type,
        inputs,
        f"{node.outputs[0].name}_integers",
        shape=shape_of(node.outputs[0]),
        dtype=x.base.dtype or ir.DataType.FLOAT,
        origins=(node,),
        attributes=attributes,
        outputs=len(node.outputs),
    )
    made = first.producer()
    assert made is not None
    results = []
    for index, (value, output) in enumerate(zip(made.outputs, node.outputs, strict=True)):
        value.shape = output.shape
        low, high = _bound(node, index, x.fact.low, min), _bound(node, index, x.fact.high, max)
        scale, offset = (_picked(node, index, a) for a in (x.scale, x.offset))
        if padded:
            number = int(np.asarray(constant(inputs[2])).reshape(()))
            low, high = np.minimum(low, number), np.maximum(high, number)
        fact = Integer.of(
            low,
            high,
            scale,
            offset,
            golden=None if is_derived(output) else output.name,
            quantized=x.fact.quantized,
            datatype=None if padded else x.fact.datatype,
        )
        set_integer(value, fact)
        results.append(Form(value, fact.scale, fact.offset))
    return results


def _pad_value(editor: Editor, node: ir.Node, x: Form) -> ir.Value:
    if attribute(node, "mode", "constant") != "constant":
        raise Unsupported(
            "padding that mirrors the image; padding with a constant or with the edge is supported"
        )
    given = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    value = 0.0 if given is None else float(np.asarray(given).reshape(-1)[0])
    code = (value - x.offset) / x.scale
    if not np.all(code == code.flat[0]) or float(code.flat[0]) != round(float(code.flat[0])):
        raise Unsupported(f"padding with {value:g}, which no integer of its input stands for")
    return editor.initializer(
        f"{x.base.name}_padding", np.float32(round(float(code.flat[0]))).reshape(())
    )


def _bound(
    node: ir.Node, index: int, bound: IntArray, outermost: Callable[[Iterable[int]], int]
) -> IntArray:
    try:
        return _picked(node, index, bound)
    except Unsupported:
        return np.asarray(outermost(bound.reshape(-1).tolist()))


def _picked(node: ir.Node, index: int, array: Numbers) -> Numbers:
    """A parameter of the input as one of output `index`."""
    if array.size == 1:
        return array.reshape(())
    if node.op_type == "Expand":
        return array
    source = node.inputs[0]
    assert source is not None
    rank = len(shape_of(source))
    full = array.reshape((1,) * (rank - array.ndim) + array.shape)
    varying = [axis for axis, size in enumerate(full.shape) if size > 1]
    if node.op_type in ("Resize", "Upsample", "Pad") and varying == [1]:
        before, after = shape_of(source)[1], shape_of(node.outputs[0])[1]
        if before == after:
            return full
    if node.op_type == "Split" and len(varying) == 1:
        axis = int(attribute(node, "axis", 0)) % rank
        if varying[0] != axis:
            return full
        sizes = [shape_of(v)[axis] for v in node.outputs]
        start = sum(sizes[:index])
        return full.take(range(start, start + sizes[index]), axis=axis)
    raise Unsupported("a scale for each channel of a tensor whose channels are taken apart")
