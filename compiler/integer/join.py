# SPDX-License-Identifier: Apache-2.0
"""Operators on several computed tensors: Add, Sub, Mul, Concat."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.form import Form, Unsupported, named_result
from qnnc.compiler.ir.edit import Editor, attribute, shape_of
from qnnc.compiler.ir.facts import FloatArray, IntArray, Integer, set_integer

MAX_FACTOR = 256
"""Largest integer by which a tensor is multiplied to bring it onto another's scale."""
EXACT = 2.0**-22
"""Relative difference up to which float32 scales count as multiples of each other: what rounding
to float32 makes of 0.3 and 3 * 0.1."""


def add(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """The sum (or difference) of two computed tensors, on a common scale.

    Raises:
        Unsupported: there is no common scale.
    """
    a, b = (_known(node, form) for form in forms[:2])
    sign = -1 if node.op_type == "Sub" else 1
    factors, scale = common_grid([a.scale, b.scale])
    operands = [
        multiplied(editor, node, form, factor * s)
        for form, factor, s in zip((a, b), factors, (1, sign), strict=True)
    ]
    low = sum(_bounds(value)[0] for value in operands)
    high = sum(_bounds(value)[1] for value in operands)
    y = _insert(editor, node, operands, "Add")
    fact = Integer.of(low, high, scale, a.offset + sign * b.offset)
    set_integer(y, named_result(node, fact))
    return [Form(y, fact.scale, fact.offset)]


def multiply(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """The product of two computed tensors.

    Raises:
        Unsupported: an offset that is no multiple of the scale.
    """
    operands, scale = [], np.ones(())
    for form in forms[:2]:
        found = _known(node, form)
        operands.append(_centred(editor, node, found))
        scale = scale * found.scale
    ends = [x * y for x in _bounds(operands[0]) for y in _bounds(operands[1])]
    low, high = (
        np.minimum.reduce(np.broadcast_arrays(*ends)),
        np.maximum.reduce(np.broadcast_arrays(*ends)),
    )
    y = _insert(editor, node, operands, "Mul")
    set_integer(y, named_result(node, Integer.of(low, high, scale)))
    return [Form(y, scale, np.zeros(()))]


def concat(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """Tensors side by side: on one scale where there is a common one, else each keeps its own."""
    found = [_known(node, form) for form in forms]
    rank = len(shape_of(node.outputs[0]))
    axis = int(attribute(node, "axis")) % rank
    sizes = [shape_of(form.base)[axis] for form in found]
    scales = [form.scale for form in found]
    offsets = [form.offset for form in found]
    same_offset = all(np.array_equal(o, offsets[0]) for o in offsets) and not any(
        _varies(o, axis, rank) for o in offsets
    )
    try:
        if any(_varies(scale, axis, rank) for scale in scales):
            raise Unsupported("its inputs have scales for each channel")
        factors, scale = common_grid(scales)
        operands = [multiplied(editor, node, f, n) for f, n in zip(found, factors, strict=True)]
    except Unsupported:
        operands, scale = [form.base for form in found], _along(scales, sizes, axis, rank)
    low, high = (
        _along([_bounds(v)[i] for v in operands], sizes, axis, rank).astype(np.int64)
        for i in (0, 1)
    )
    offset = offsets[0] if same_offset else _along(offsets, sizes, axis, rank)
    if scale.size == 1:
        scale = scale.reshape(())
    y = editor.insert(
        node,
        "Concat",
        operands,
        f"{node.outputs[0].name}_integers",
        shape=shape_of(node.outputs[0]),
        dtype=_widest(operands),
        origins=(node,),
        attributes={"axis": axis},
    )
    quantized = all(
        form.fact.quantized and value is form.base
        for form, value in zip(found, operands, strict=True)
    )
    set_integer(y, named_result(node, Integer.of(low, high, scale, offset, quantized=quantized)))
    return [Form(y, np.asarray(scale), np.asarray(offset))]


def common_grid(scales: Sequence[FloatArray]) -> tuple[list[IntArray], FloatArray]:
    """Integer factors and one scale with factor * scale = each tensor's own scale.

    Raises:
        Unsupported: the scales are no small multiples of a common one.
    """
    whole = np.broadcast_arrays(*scales)
    shape = whole[0].shape
    flat = np.stack([np.asarray(s, dtype=np.float64).reshape(-1) for s in whole])
    factors = np.empty(flat.shape, dtype=np.int64)
    grid = np.empty(flat.shape[1])
    known: dict[tuple[float, ...], tuple[list[int], float]] = {}
    for column in range(flat.shape[1]):
        key = tuple(flat[:, column].tolist())
        if key not in known:
            known[key] = _grid_of(key)
        factors[:, column], grid[column] = known[key]
    return [f.reshape(shape) for f in factors], grid.reshape(shape)


def _grid_of(scales: tuple[float, ...]) -> tuple[list[int], float]:
    base = scales[0]
    if not all(s != 0 and np.isfinite(s) for s in scales):
        raise Unsupported("a scale of zero")
    ratios = [Fraction(s / base).limit_denominator(MAX_FACTOR) for s in scales]
    for ratio, scale in zip(ratios, scales, strict=True):
        if ratio == 0 or abs(float(ratio) * base / scale - 1) > EXACT:
            raise Unsupported(
                f"its inputs have scales {scales[0]:.6g} and {scale:.6g}, which are no small "
                "multiples of a common one; let both go through the same quantizer"
            )
    denominator = int(np.lcm.reduce([r.denominator for r in ratios]))
    factors = [int(r * denominator) for r in ratios]
    if max(abs(f) for f in factors) > MAX_FACTOR:
        raise Unsupported("its inputs have scales that are no small multiples of a common one")
    return factors, base / denominator


def multiplied(editor: Editor, node: ir.Node, form: Form, factor: IntArray) -> ir.Value:
    """The form's integers times a constant (one for all, or one a channel)."""
    if np.all(factor == 1):
        return form.base
    if np.all(factor == factor.flat[0]):
        factor = np.asarray(factor.flat[0])
    shape = shape_of(form.base)
    if np.broadcast_shapes(factor.shape, shape) != shape:
        raise Unsupported("its scales differ along an axis along which it is repeated")
    return with_constant(editor, node, form.base, "Mul", np.asarray(factor))


def _centred(editor: Editor, node: ir.Node, form: Form) -> ir.Value:
    shift = form.offset / form.scale
    if not np.all(shift == np.rint(shift)):
        raise Unsupported("a factor that does not represent zero exactly")
    if not np.any(shift):
        return form.base
    return with_constant(editor, node, form.base, "Add", np.rint(shift).astype(np.int64))


def with_constant(
    editor: Editor, node: ir.Node, x: ir.Value, op: str, number: IntArray
) -> ir.Value:
    """Add or multiply integers by a constant that broadcasts against them."""
    operand = editor.initializer(f"{x.name}_{op}_constant", number.astype(np.float32))
    set_integer(operand, Integer.of(number.min(), number.max()))
    y = editor.insert(
        node,
        op,
        [x, operand],
        f"{x.name}_{op}",
        shape=shape_of(x),
        dtype=x.dtype or ir.DataType.FLOAT,
        origins=(node,),
    )
    low, high = _bounds(x)
    ends = (low * number, high * number) if op == "Mul" else (low + number, high + number)
    set_integer(y, Integer.of(np.minimum(*ends), np.maximum(*ends)))
    return y


def _insert(editor: Editor, node: ir.Node, operands: list[ir.Value], op: str) -> ir.Value:
    return editor.insert(
        node,
        op,
        operands,
        f"{node.outputs[0].name}_integers",
        shape=shape_of(node.outputs[0]),
        dtype=_widest(operands),
        origins=(node,),
    )


def _widest(operands: Sequence[ir.Value]) -> ir.DataType:
    kinds = {value.dtype for value in operands}
    if len(kinds) > 1:
        raise Unsupported("sums of more than 24 bits next to narrower ones")
    return kinds.pop() or ir.DataType.FLOAT


def _bounds(value: ir.Value) -> tuple[IntArray, IntArray]:
    form = Form(value, np.ones(()), np.zeros(()))
    return form.fact.low, form.fact.high


def _along(
    arrays: Sequence[FloatArray] | Sequence[IntArray], sizes: list[int], axis: int, rank: int
) -> FloatArray:
    """Parameters of tensors side by side, which differ along the axis at most (and along those
    along which each differed before)."""
    full = [a.reshape((1,) * (rank - a.ndim) + a.shape) for a in arrays]
    if all(a.size == 1 for a in full) and len({float(a.reshape(())) for a in full}) == 1:
        return np.asarray(full[0].reshape(()), dtype=np.float64)
    parts = []
    others = np.broadcast_shapes(*(_without(a.shape, axis) for a in full))
    for array, size in zip(full, sizes, strict=True):
        shape = (*others[:axis], size, *others[axis + 1 :])
        parts.append(np.broadcast_to(array, shape))
    joined: FloatArray = np.concatenate(parts, axis=axis).astype(np.float64)
    return joined


def _varies(array: FloatArray, axis: int, rank: int) -> bool:
    """There is more than one number along the axis."""
    return array.ndim >= rank - axis and array.shape[axis - rank] > 1


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis + 1 :])


def _known(node: ir.Node, form: Form | None) -> Form:
    if form is None:
        raise Unsupported("one of its inputs has no quantizer")
    return form
