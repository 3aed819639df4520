# SPDX-License-Identifier: Apache-2.0
"""Pools on integers: the maximum stays a maximum, an average becomes a sum."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.arithmetic import bounds_of, with_constant
from qnnc.compiler.integer.form import Form, named_result, per_channel
from qnnc.compiler.integer.uneven import evened, window_counts
from qnnc.compiler.integer.window import Window, window_of
from qnnc.compiler.integer.windowed import max_pool, sees_only_padding, sum_pool
from qnnc.compiler.ir.edit import QNNC, Editor, attribute, constant, shape_of
from qnnc.compiler.ir.facts import FloatArray, Integer, integer, set_integer
from qnnc.compiler.ir.intervals import interval_of


def apply_max(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """MaxPool and GlobalMaxPool. Channels whose scale is negative are negated before.

    Raises:
        Unsupported: the indices are wanted; more than two spatial dimensions.
    """
    x = forms[0]
    assert x is not None
    if len(node.outputs) > 1 and node.outputs[1].uses():
        raise Unsupported("the indices of a MaxPool are used")
    window = _whole(node) if node.op_type == "GlobalMaxPool" else window_of(node)
    if sees_only_padding(window):
        raise Unsupported("a MaxPool with windows that lie in the padding alone; pad less")
    shape = shape_of(x.base)
    x = Form(x.base, _by_channel(x.scale, shape), _by_channel(x.offset, shape))
    base, fact, scale = _upright(editor, node, x)
    y = _insert(editor, node, base, "MaxPool", "", window)
    quantized = x.fact.quantized and base is x.base and bool(np.all(scale != 0))
    found = max_pool(interval_of(fact), shape, window)
    result = Integer.of(found.low, found.high, scale, x.offset, quantized=quantized)
    set_integer(y, named_result(node, result.with_(datatype=fact.datatype)))
    return [Form(y, scale, x.offset)]


def apply_average(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """AveragePool, GlobalAveragePool, ReduceMean and ReduceSum over the image.

    Raises:
        Unsupported: windows of different sizes; a reduction over other axes.
    """
    x = forms[0]
    assert x is not None
    squeezed: tuple[int, ...] = ()
    if node.op_type in ("ReduceMean", "ReduceSum"):
        axes = _reduced(node)
        squeezed = () if attribute(node, "keepdims", 1) else axes
        window = _whole(node, axes)
    elif node.op_type == "GlobalAveragePool":
        window = _whole(node)
    else:
        window = window_of(node)
    counts = window_counts(node, window) if window.is_padded else None
    padding_counts = window.is_padded and bool(attribute(node, "count_include_pad", 0))
    if padding_counts and np.any(x.offset):
        raise Unsupported("padding of an input that does not represent zero exactly")
    shape, count = shape_of(x.base), window.elements
    found = sum_pool(interval_of(x.fact), shape, window)
    if found.magnitude >= 1 << 24:
        raise Unsupported("sums beyond 24 bits")
    y = _insert(editor, node, x.base, "SumPool", QNNC, window)
    divisor = 1 if node.op_type == "ReduceSum" else count
    low, high = found.low, found.high
    offset = _by_channel(x.offset, shape) * count / divisor
    if counts is not None:
        set_integer(y, Integer.of(low, high))
        y, divisor = evened(editor, node, y, counts)
        sums = integer(y)
        assert sums is not None
        low, high = sums.low, sums.high
    scale = _by_channel(x.scale, shape) / divisor
    if squeezed:
        # a table may take the squeezed tensor's place: the sum itself must be compared
        set_integer(y, named_result(node, Integer.of(low, high, scale, offset)))
        y = _squeeze(editor, node, y, squeezed)
        low, high = (_drop(a, squeezed, len(shape)) for a in (low, high))
        scale, offset = (_drop(a, squeezed, len(shape)) for a in (scale, offset))
    set_integer(y, named_result(node, Integer.of(low, high, scale, offset)))
    return [Form(y, scale, offset)]


def _drop(array: NDArray[Any], axes: tuple[int, ...], rank: int) -> NDArray[Any]:
    """An array that broadcasts against a tensor of some rank, without the axes that a reduction
    leaves at size one."""
    full = array.reshape((1,) * (rank - array.ndim) + array.shape)
    return array if array.ndim == 0 else full.squeeze(axis=axes)


def _by_channel(array: FloatArray, shape: Sequence[int]) -> FloatArray:
    """A scale or offset that is the same all over the image: one number, or [C, 1, …].

    Raises:
        Unsupported: it differs along the image.
    """
    if array.size == 1:
        return array.reshape(())
    return per_channel(array, shape).reshape(-1, *(1,) * (len(shape) - 2))


def _reduced(node: ir.Node) -> tuple[int, ...]:
    """What is reduced: one or all of the image's axes."""
    source = node.inputs[0]
    assert source is not None
    rank = len(shape_of(source))
    given = constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "axes")
    axes = (
        tuple(sorted(int(a) % rank for a in np.asarray(given).ravel()))
        if (given is not None)
        else tuple(range(rank))
    )
    if rank not in (3, 4) or not axes or not set(axes) <= set(range(2, rank)):
        if 0 in axes:
            raise Unsupported(f"{node.op_type} over the batch is not supported")
        raise Unsupported(
            f"{node.op_type} over axes {list(axes)} of {rank}; those of an image, from 2 on, are "
            "supported; transpose or reshape its input so that it reduces axis 2 of 3"
        )
    return axes


def _whole(node: ir.Node, axes: Collection[int] | None = None) -> Window:
    """The window that is the whole image, or the whole of some of its axes."""
    source = node.inputs[0]
    assert source is not None
    image = shape_of(source)[2:]
    if len(image) not in (1, 2):
        raise Unsupported(f"{len(image)} spatial dimensions; 1 or 2 are supported")
    size = (1, image[0]) if len(image) == 1 else (image[0], image[1])
    kernel = size
    if axes is not None and len(image) == 2:
        kernel = size[0] if 2 in axes else 1, size[1] if 3 in axes else 1
    return Window(size, kernel, (1, 1), (1, 1), (0, 0), (0, 0))


def _upright(editor: Editor, node: ir.Node, x: Form) -> tuple[ir.Value, Integer, FloatArray]:
    """Integers whose order is that of the values."""
    if np.all(x.scale > 0):
        return x.base, x.fact, x.scale
    sign = np.sign(x.scale).astype(np.int64)
    y = with_constant(editor, node, x.base, "Mul", sign)
    found = bounds_of(y)
    fact = Integer.of(found.low, found.high, np.abs(x.scale), x.offset)
    set_integer(y, fact)
    return y, fact, np.abs(x.scale)


def _insert(
    editor: Editor, node: ir.Node, x: ir.Value, op: str, domain: str, window: Window
) -> ir.Value:
    source = shape_of(x)
    start = 4 - len(source)
    attributes = {
        "kernel_shape": list(window.kernel[start:]),
        "strides": list(window.stride[start:]),
        "dilations": list(window.dilation[start:]),
        "pads": [*window.before[start:], *window.after[start:]],
    }
    return editor.insert(
        node,
        op,
        [x],
        f"{node.outputs[0].name}_integers",
        domain=domain,
        shape=[*source[:2], *window.out[start:]],
        dtype=x.dtype or ir.DataType.FLOAT,
        origins=(node,),
        attributes=attributes,
    )


def _squeeze(editor: Editor, node: ir.Node, y: ir.Value, axes: tuple[int, ...]) -> ir.Value:
    operand = editor.initializer(f"{y.name}_axes", np.asarray(axes, dtype=np.int64))
    return editor.insert(
        node,
        "Squeeze",
        [y, operand],
        f"{y.name}_squeezed",
        shape=shape_of(node.outputs[0]),
        dtype=y.dtype or ir.DataType.FLOAT,
        origins=(node,),
    )
