# SPDX-License-Identifier: Apache-2.0
"""Conv and ConvTranspose with constant weights, on integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.datatypes import BINARY, BIPOLAR, carrier, smallest_type, type_of_values
from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer import bipolar
from qnnc.compiler.integer.form import Form, named_result, per_channel
from qnnc.compiler.integer.weights import on_one_grid, primitive, with_input_scales
from qnnc.compiler.integer.window import Window, window_of
from qnnc.compiler.integer.windowed import convolve, convolve_partial
from qnnc.compiler.ir.edit import QNNC, Editor, attribute, shape_of
from qnnc.compiler.ir.facts import FloatArray, IntArray, Integer, set_integer
from qnnc.compiler.ir.intervals import Interval, interval_of


def apply(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """Insert the integer convolution of x [N, C, H, W] (or [N, C, L]).

    Raises:
        Unsupported: the operands are not such that the sum stays integer.
    """
    x, w = forms[0], forms[1]
    if x is None or w is None:
        raise Unsupported("its weights or its input have no quantizer")
    codes, w_scale = _weights(w)
    window = window_of(node, codes.shape[2:])
    group = int(attribute(node, "group", 1))
    return [_convolve(editor, node, x, codes, w_scale, window, group)]


def apply_transposed(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """A transposed convolution: zeros between the pixels, then a convolution with the kernel
    turned round.

    Raises:
        Unsupported: as for a convolution; auto_pad; pads larger than the kernel.
    """
    x, w = forms[0], forms[1]
    if x is None or w is None:
        raise Unsupported("its weights or its input have no quantizer")
    group = int(attribute(node, "group", 1))
    codes, w_scale = _weights(_swapped(editor, w, group))
    turned = codes[:, :, ::-1, ::-1] if codes.ndim == 4 else codes[:, :, ::-1]
    kernel = codes.shape[2:]
    strides = list(attribute(node, "strides", [1] * len(kernel)))
    source = node.inputs[0]
    assert source is not None
    if np.any(x.offset):
        raise Unsupported("an input that does not represent zero exactly")
    if max(strides) > 1:
        x = _spaced(editor, node, x, strides)
    image = shape_of(x.base)[2:]
    out = shape_of(node.outputs[0])[2:]
    begin = _transposed_pads(node, kernel)
    dilation = list(attribute(node, "dilations", [1] * len(kernel)))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    before = [r - p for r, p in zip(reach, begin, strict=True)]
    after = [o + r - i - b for o, r, i, b in zip(out, reach, image, before, strict=True)]
    if min(*before, *after) < 0:
        raise Unsupported("a ConvTranspose whose pads are larger than its kernel")
    one = (1,) * len(kernel)
    window = Window(
        *(
            (filler, v[0]) if len(v) == 1 else (v[0], v[1])
            for v, filler in zip(
                (image, kernel, one, dilation, before, after), (1, 1, 1, 1, 0, 0), strict=True
            )
        )
    )
    return [_convolve(editor, node, x, turned, w_scale, window, group)]


def _transposed_pads(node: ir.Node, kernel: Sequence[int]) -> list[int]:
    if attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        raise Unsupported("a ConvTranspose with auto_pad; export explicit pads")
    return list(attribute(node, "pads", [0] * 2 * len(kernel)))[: len(kernel)]


def _swapped(editor: Editor, w: Form, group: int) -> Form:
    """ConvTranspose keeps weights as [C, M / groups, …]; a convolution wants [M, C / groups, …]."""
    codes = w.constant
    if codes is None:
        raise Unsupported("weights that are computed")
    shape = codes.shape

    def swapped(array: NDArray[Any]) -> NDArray[Any]:
        apart = np.broadcast_to(_full(array, len(shape)), shape)
        apart = apart.reshape(group, shape[0] // group, *shape[1:]).swapaxes(1, 2)
        return apart.reshape(group * shape[1], shape[0] // group, *shape[2:])

    def for_outputs(array: FloatArray) -> FloatArray:
        if array.size == 1:
            return array
        whole = swapped(array)
        first = whole[(slice(None), *(slice(1),) * (whole.ndim - 1))]
        return first if np.array_equal(np.broadcast_to(first, whole.shape), whole) else whole

    scale, offset = for_outputs(w.scale), for_outputs(w.offset)
    base = editor.initializer(f"{w.base.name}_swapped", swapped(codes).astype(np.float32))
    set_integer(base, w.fact.with_(scale=scale, offset=offset))
    return Form(base, scale, offset)


def _full(array: FloatArray, rank: int) -> FloatArray:
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def _spaced(editor: Editor, node: ir.Node, x: Form, strides: list[int]) -> Form:
    source = shape_of(x.base)
    shape = [*source[:2], *((d - 1) * s + 1 for d, s in zip(source[2:], strides, strict=True))]
    y = editor.insert(
        node,
        "InsertZeros",
        [x.base],
        f"{x.base.name}_spaced",
        domain=QNNC,
        shape=shape,
        dtype=x.base.dtype or ir.DataType.FLOAT,
        origins=(node,),
        attributes={"strides": strides},
    )
    rank = len(source)
    scale, offset = (
        np.asarray(a) if a.size == 1 else per_channel(a, source).reshape(-1, *(1,) * (rank - 2))
        for a in (x.scale, x.offset)
    )
    found = interval_of(x.fact).by_axes([1], source).including(0)
    set_integer(y, Integer.of(found.low[0], found.high[0], scale, offset))
    return Form(y, scale, offset)


def _weights(w: Form) -> tuple[IntArray, FloatArray]:
    """Integers [M, C / groups, …] and a scale for each output (or one for all)."""
    codes = w.constant
    if codes is None:
        raise Unsupported("a convolution with computed weights")
    scale = w.scale
    if np.any(w.offset):
        if not bipolar.is_bipolar(w):
            raise Unsupported("weights with a zero point that is not an integer")
        codes, scale = 2 * codes - 1, scale / 2
    if scale.size != _full(scale, codes.ndim).shape[0]:
        codes, scale = on_one_grid(codes, scale, 0)
    return primitive(codes, scale.ravel())


def _convolve(
    editor: Editor,
    node: ir.Node,
    x: Form,
    codes: IntArray,
    w_scale: FloatArray,
    window: Window,
    group: int,
) -> Form:
    rank, shape = codes.ndim - 2, shape_of(x.base)
    spread = (-1, *(1,) * rank)
    w_scale = w_scale.reshape(spread)
    own = codes
    codes, x_scale = _on_input_scales(codes, x.scale, group, shape)
    scale = x_scale.reshape(spread) * w_scale
    scale = scale.reshape(()) if scale.size == 1 else scale
    xnor = bipolar.is_bipolar(x) and bool(type_of_values(codes) == BIPOLAR)
    if xnor and not window.is_padded:
        unequal = codes.shape[1] * window.elements
        weights, low = (codes + 1) // 2, np.zeros((len(codes), *(1,) * rank), dtype=np.int64)
        fact = Integer.of(low, low + unequal, scale, -scale * unequal / 2)
        return insert_conv(editor, node, x.base, weights, window, group, fact, fact, xnor=True)
    if window.is_padded and np.any(x.offset):
        before, x = x.scale, bipolar.centred(editor, node, x)
        scale = scale * (x.scale / before).flat[0]
    offset = np.zeros(())
    if np.any(x.offset):
        added = per_channel(x.offset, shape)
        sums = own.reshape(*own.shape[:2], -1).sum(axis=2)
        total = (added[_seen(codes.shape, group)] * sums).sum(axis=1)
        offset = total.reshape(spread) * w_scale
    bounds = interval_of(x.fact)
    found = convolve(bounds, shape, codes, window, group)
    inner = convolve_partial(bounds, shape, codes, window, group)
    fact = Integer.of(found.low, found.high, scale, offset)
    return insert_conv(editor, node, x.base, codes, window, group, fact, inner)


def _on_input_scales(
    codes: IntArray, scale: FloatArray, group: int, source: tuple[int, ...]
) -> tuple[IntArray, FloatArray]:
    """Weights that take in how the scales of the channels that an output sums over differ, and
    the scale of what they are multiplied with: for each output, or one for all."""
    if np.all(scale == scale.flat[0]):
        return codes, np.asarray(scale.flat[0])
    outputs, per_group = codes.shape[:2]
    by_group = per_channel(scale, source).reshape(group, per_group)
    if np.all(by_group == by_group[:, :1]):
        return codes, np.repeat(by_group[:, 0], outputs // group)
    parts, scales = [], []
    for part, own in zip(np.split(codes, group), by_group, strict=True):
        found, common = with_input_scales(part, own, 1)
        parts.append(found)
        scales += [common] * len(found)
    same = len(set(scales)) == 1
    return np.concatenate(parts), np.asarray(scales[0] if same else scales)


def _seen(shape: tuple[int, ...], group: int) -> IntArray:
    """For each output the channels that it sums over."""
    outputs, per_group = shape[:2]
    first = np.arange(outputs) // (outputs // group) * per_group
    return first[:, None] + np.arange(per_group)


def insert_conv(
    editor: Editor,
    node: ir.Node,
    x: ir.Value,
    codes: IntArray,
    window: Window,
    group: int,
    fact: Integer,
    inner: Interval | Integer,
    xnor: bool = False,
) -> Form:
    """Insert an IntegerConv with output [1, M, OH, OW] or [1, M, OL]; returns that.

    Args:
        inner: range of the sums on the way, which the tensors must carry as well.
    """
    wide = carrier(smallest_type(int(inner.low.min()), int(inner.high.max()))) == np.float64
    base = node.outputs[0].name or "conv"
    weights = editor.initializer(f"{base}_weights", codes.astype(np.float32))
    kind = BINARY if xnor else type_of_values(codes)
    set_integer(weights, Integer.of(codes.min(), codes.max(), datatype=kind))
    start = 2 - (codes.ndim - 2)
    y = editor.insert(
        node,
        "IntegerConv",
        [x, weights],
        f"{base}_sum",
        domain=QNNC,
        shape=shape_of(node.outputs[0]),
        dtype=ir.DataType.DOUBLE if wide else ir.DataType.FLOAT,
        origins=(node,),
        attributes={
            "strides": list(window.stride[start:]),
            "dilations": list(window.dilation[start:]),
            "pads": [*window.before[start:], *window.after[start:]],
            "group": group,
            "xnor": int(xnor),
        },
    )
    set_integer(y, named_result(node, fact))
    return Form(y, fact.scale, fact.offset)
