# SPDX-License-Identifier: Apache-2.0
"""Operators that pick elements of one tensor: Split, Slice, Resize, Expand, DepthToSpace,
SpaceToDepth, Pad."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer import interpolate
from qnnc.compiler.integer.form import Form
from qnnc.compiler.integer.places import Places
from qnnc.compiler.ir.edit import Editor, attribute, constant, shape_of
from qnnc.compiler.ir.facts import Integer, is_derived, set_integer
from qnnc.compiler.ir.intervals import interval_of


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
    if attribute(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize":
        raise Unsupported("a Resize that crops; use Slice and Resize")
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
    pad = None if not padded else int(np.asarray(constant(inputs[2])).reshape(()))
    places = Places(node)
    for index, (value, output) in enumerate(zip(made.outputs, node.outputs, strict=True)):
        value.shape = output.shape
        bounds = places.bounds(index, interval_of(x.fact), pad)
        scale, offset = (places.parameter(index, a) for a in (x.scale, x.offset))
        fact = Integer.of(
            bounds.low,
            bounds.high,
            scale,
            offset,
            golden=None if is_derived(output) else output.name,
            quantized=x.fact.quantized and bool(np.all(x.scale != 0)),
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
    value = 0.0 if given is None else float(np.asarray(given).ravel()[0])
    if np.any(x.scale == 0):
        raise Unsupported("padding of an input that is constant; fold it into the bias")
    code = (value - x.offset) / x.scale
    if not np.all(code == code.flat[0]) or float(code.flat[0]) != round(float(code.flat[0])):
        raise Unsupported(f"padding with {value:g}, which no integer of its input stands for")
    dtype = np.float64 if x.base.dtype == ir.DataType.DOUBLE else np.float32
    return editor.initializer(f"{x.base.name}_padding", np.asarray(round(code.flat[0]), dtype))
