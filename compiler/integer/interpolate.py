# SPDX-License-Identifier: Apache-2.0
"""Resize by interpolation (linear, bilinear), on integers.

Enlarging by a factor f that is a power of two weighs neighbours with multiples of 1 / 2f, so that
the result is an integer times a scale. It is computed as each pixel f times, the ones at the edges
more often, and a small depthwise convolution: with half-pixel centres its kernel along an axis is
1, 2, …, 2, 1 (f + 1 numbers, of 2f in all), with the asymmetric rule 1, …, 1 (f numbers).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.conv import insert_conv
from qnnc.compiler.integer.form import Form, named_result
from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.edit import Editor, attribute, constant, shape_of
from qnnc.compiler.ir.facts import IntArray, Integer, set_integer

HALF_PIXEL = ("half_pixel", "pytorch_half_pixel")
MOST = 16
"""Largest factor along an axis."""


def apply(editor: Editor, node: ir.Node, x: Form) -> Form:
    """The interpolated integers of [N, C, L] or [N, C, H, W].

    Raises:
        Unsupported: another factor or rule than those above; scales that differ along the image.
    """
    mode, rule = attribute(node, "mode", "nearest"), _rule(node)
    shape, out = shape_of(x.base), shape_of(node.outputs[0])
    if mode != "linear":
        raise Unsupported(f"Resize of mode {mode}; use nearest or linear")
    if rule not in (*HALF_PIXEL, "asymmetric") or attribute(node, "antialias", 0):
        raise Unsupported(
            f"interpolation by the rule {rule}, whose weights are not powers of two; use "
            "half_pixel or asymmetric (align_corners=False)"
        )
    _check_scales(node, shape, out)
    if len(shape) not in (3, 4) or shape[:2] != out[:2]:
        raise Unsupported("interpolation along other axes than those of an image")
    for parameter in (x.scale, x.offset):
        if any(
            parameter.shape[axis] > 1
            for axis in range(2 - len(shape), 0)
            if -axis <= parameter.ndim
        ):
            raise Unsupported("scales that differ along the image")
    base, kernels = x.base, list[IntArray]()
    for axis in range(2, len(shape)):
        factor = out[axis] // shape[axis]
        if factor * shape[axis] != out[axis] or factor & (factor - 1) or factor > MOST:
            raise Unsupported(
                f"interpolation from {shape[axis]} to {out[axis]}; factors that are powers of two "
                f"up to {MOST} are supported"
            )
        kernel, before, after = _kernel(factor, rule in HALF_PIXEL)
        kernels.append(kernel)
        places = np.arange(-before, out[axis] + after) // factor
        base = _gathered(editor, node, base, axis, np.clip(places, 0, shape[axis] - 1), x)
    return _weighed(editor, node, Form(base, x.scale, x.offset), x, kernels)


def _rule(node: ir.Node) -> str:
    default = "half_pixel" if node.op_type == "Resize" else "asymmetric"
    return str(attribute(node, "coordinate_transformation_mode", default))


def _check_scales(node: ir.Node, shape: tuple[int, ...], out: tuple[int, ...]) -> None:
    """Scales that are not the ratio of the sizes move the pixels."""
    place = 2 if node.op_type == "Resize" else 1
    given = constant(node.inputs[place]) if len(node.inputs) > place else None
    if given is None or given.size != len(shape):
        return
    if any(float(s) * n != o for s, n, o in zip(given.tolist(), shape, out, strict=True)):
        raise Unsupported("interpolation by factors that are not whole")


def _kernel(factor: int, half_pixel: bool) -> tuple[IntArray, int, int]:
    """Weights along an axis, and how many pixels more are wanted before and after the image."""
    if factor == 1:
        return np.ones(1, dtype=np.int64), 0, 0
    if not half_pixel:
        return np.ones(factor, dtype=np.int64), 0, factor - 1
    kernel = np.full(factor + 1, 2, dtype=np.int64)
    kernel[0] = kernel[-1] = 1
    return kernel, factor // 2, factor // 2


def _gathered(
    editor: Editor, node: ir.Node, x: ir.Value, axis: int, places: IntArray, form: Form
) -> ir.Value:
    shape = list(shape_of(x))
    if np.array_equal(places, np.arange(shape[axis])):
        return x
    shape[axis] = len(places)
    operand = editor.initializer(f"{node.outputs[0].name}_places", places)
    y = editor.insert(
        node,
        "Gather",
        [x, operand],
        f"{node.outputs[0].name}_spread",
        attributes={"axis": axis},
        shape=shape,
        dtype=x.dtype or ir.DataType.FLOAT,
        origins=(node,),
    )
    low, high = form.fact.low.min(), form.fact.high.max()
    set_integer(y, Integer.of(low, high, datatype=form.fact.datatype))
    return y


def _weighed(editor: Editor, node: ir.Node, spread: Form, x: Form, kernels: list[IntArray]) -> Form:
    channels = shape_of(x.base)[1]
    kernel = kernels[0] if len(kernels) == 1 else np.multiply.outer(kernels[0], kernels[1])
    total = int(kernel.sum())
    codes = np.broadcast_to(kernel, (channels, 1, *kernel.shape)).copy()
    image, size = shape_of(spread.base)[2:], kernel.shape
    window = Window(_pair(image), _pair(size), (1, 1), (1, 1), (0, 0), (0, 0))
    low, high = (_outermost(a, f) * total for a, f in ((x.fact.low, np.min), (x.fact.high, np.max)))
    fact = named_result(node, Integer.of(low, high, x.scale / total, x.offset))
    return insert_conv(editor, node, spread.base, codes, window, channels, fact, fact)


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    """Rows and columns; one-dimensional images are one row."""
    return (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _outermost(bound: IntArray, reduce: object) -> IntArray:
    """A bound for each channel, or for all."""
    if bound.size == 1:
        return bound.reshape(())
    return np.asarray(reduce(bound))  # type: ignore[operator]
