# SPDX-License-Identifier: Apache-2.0
"""Operators on several computed tensors: Add, Sub, Mul, Concat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer import residual
from qnnc.compiler.integer.arithmetic import bounds_of, of_two, widened, with_constant
from qnnc.compiler.integer.form import Form, named_result
from qnnc.compiler.ir import intervals
from qnnc.compiler.ir.edit import Editor, attribute, shape_of
from qnnc.compiler.ir.facts import FloatArray, IntArray, Integer, set_integer

Grid = tuple[list[int], float]
"""Factors, and the scale that they share."""
MAX_FACTOR = 256
"""Largest integer by which a tensor is multiplied to bring it onto another's scale."""
MAX_SHIFT_BITS = 31
"""Bits of an offset that is added to integers."""
EXACT = 2.0**-22
"""Relative difference up to which float32 scales count as multiples of each other: what rounding
to float32 makes of 0.3 and 3 * 0.1."""


def add(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """The sum (or difference) of two computed tensors, on a common scale.

    Raises:
        Unsupported: there is no common scale.
    """
    a, b = (_known(node, form) for form in forms)
    sign = -1 if node.op_type == "Sub" else 1
    terms = residual.is_product(a.base) and residual.is_product(b.base)
    factors, scale = common_grid([a.scale, b.scale], residual.grid_of if terms else None)
    operands = [
        multiplied(editor, node, form, factor * s)
        for form, factor, s in zip((a, b), factors, (1, sign), strict=True)
    ]
    found = intervals.add(*(bounds_of(value) for value in operands))
    y = of_two(editor, node, operands, "Add", found, f"{node.outputs[0].name}_integers")
    fact = Integer.of(found.low, found.high, scale, a.offset + sign * b.offset)
    set_integer(y, named_result(node, fact))
    return [Form(y, fact.scale, fact.offset)]


def multiply(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """The product of two computed tensors.

    Raises:
        Unsupported: an offset that is not a multiple of the scale.
    """
    operands, scale = [], np.ones(())
    for form in forms:
        operand, own = centred(editor, node, _known(node, form))
        operands.append(operand)
        scale = scale * own
    same = operands[0] is operands[1]
    bounds = [bounds_of(value) for value in operands]
    found = intervals.squared(bounds[0]) if same else intervals.multiply(*bounds)
    y = of_two(editor, node, operands, "Mul", found, f"{node.outputs[0].name}_integers")
    set_integer(y, named_result(node, Integer.of(found.low, found.high, scale)))
    return [Form(y, scale, np.zeros(()))]


def concat(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """Tensors side by side: on one scale where there is a common one, else each keeps its own."""
    found = [_known(node, form) for form in forms]
    rank = len(shape_of(node.outputs[0]))
    axis = int(attribute(node, "axis")) % rank
    shapes = [shape_of(form.base) for form in found]
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
        operands, scale = [form.base for form in found], _along(scales, shapes, axis, rank)
    bounds = intervals.concat([bounds_of(v) for v in operands], shapes, axis)
    offset = offsets[0] if same_offset else _along(offsets, shapes, axis, rank)
    if scale.size == 1:
        scale = scale.reshape(())
    quantized = all(
        form.fact.quantized and value is form.base and bool(np.all(form.scale != 0))
        for form, value in zip(found, operands, strict=True)
    )
    if any(value.dtype == ir.DataType.DOUBLE for value in operands):
        operands = [widened(editor, node, value) for value in operands]
    y = editor.insert(
        node,
        "Concat",
        operands,
        f"{node.outputs[0].name}_integers",
        shape=shape_of(node.outputs[0]),
        dtype=operands[0].dtype or ir.DataType.FLOAT,
        origins=(node,),
        attributes={"axis": axis},
    )
    fact = Integer.of(bounds.low, bounds.high, scale, offset, quantized=quantized)
    set_integer(y, named_result(node, fact))
    return [Form(y, np.asarray(scale), np.asarray(offset))]


def common_grid(
    scales: Sequence[FloatArray], grid_of: Callable[[tuple[float, ...]], Grid] | None = None
) -> tuple[list[IntArray], FloatArray]:
    """Integer factors and one scale with factor * scale = each tensor's own scale; they broadcast
    against the tensors.

    Args:
        grid_of: finds those of one place; by default small factors.

    Raises:
        Unsupported: the scales are not small multiples of a common one.
    """
    grid_of = grid_of or _grid_of
    whole = np.broadcast_arrays(*scales)
    shape = whole[0].shape
    flat = np.stack([np.asarray(s, dtype=np.float64).ravel() for s in whole])
    factors = np.empty(flat.shape, dtype=np.int64)
    grid = np.empty(flat.shape[1])
    known: dict[tuple[float, ...], Grid] = {}
    for column in range(flat.shape[1]):
        key = tuple(flat[:, column].tolist())
        if key not in known:
            known[key] = grid_of(key)
        factors[:, column], grid[column] = known[key]
    return [f.reshape(shape) for f in factors], grid.reshape(shape)


def _grid_of(scales: tuple[float, ...]) -> tuple[list[int], float]:
    """Factors and scale of one place. What has a scale of zero is its offset alone: its integers
    are multiplied by zero."""
    base = next((s for s in scales if s != 0), 0.0)
    if base == 0:
        return [0 for _ in scales], 1.0
    ratios = [Fraction(s / base).limit_denominator(MAX_FACTOR) for s in scales]
    for ratio, scale in zip(ratios, scales, strict=True):
        if scale != 0 and (ratio == 0 or abs(float(ratio) * base / scale - 1) > EXACT):
            raise Unsupported(
                f"its inputs have scales {base:.6g} and {scale:.6g}, which are not small "
                "multiples of a common one; let both go through the same quantizer"
            )
    denominator = int(np.lcm.reduce([r.denominator for r in ratios]))
    factors = [int(r * denominator) for r in ratios]
    if max(abs(f) for f in factors) > MAX_FACTOR:
        raise Unsupported("its inputs have scales that are not small multiples of a common one")
    return factors, base / denominator


def multiplied(editor: Editor, node: ir.Node, form: Form, factor: IntArray) -> ir.Value:
    """The form's integers times a constant that broadcasts against them."""
    if np.all(factor == 1):
        return form.base
    if np.all(factor == factor.flat[0]):
        factor = np.asarray(factor.flat[0])
    return with_constant(editor, node, form.base, "Mul", np.asarray(factor))


def centred(editor: Editor, node: ir.Node, form: Form) -> tuple[ir.Value, FloatArray]:
    """Integers that are the values but for a scale, and that scale. Where the scale is zero, the
    offset is the scale of an integer that is always one."""
    shape = np.broadcast_shapes(form.scale.shape, form.offset.shape)
    scale, offset = np.broadcast_to(form.scale, shape), np.broadcast_to(form.offset, shape)
    still = scale == 0
    shift = np.where(still, 0, offset) / np.where(still, 1, scale)
    if not np.all(shift == np.rint(shift)) or np.any(np.abs(shift) >= 2.0**MAX_SHIFT_BITS):
        raise Unsupported("a factor that does not represent zero exactly")
    y, addend = form.base, np.rint(shift).astype(np.int64)
    if not np.any(still):
        scale = form.scale
    else:
        y = with_constant(editor, node, y, "Mul", np.where(still, 0, 1))
        addend = np.where(still & (offset != 0), 1, addend)
        scale = np.where(still, np.where(offset != 0, offset, 1), scale)
    if np.any(addend):
        y = with_constant(editor, node, y, "Add", addend)
    return y, scale


def _along(
    arrays: Sequence[FloatArray], shapes: Sequence[Sequence[int]], axis: int, rank: int
) -> FloatArray:
    """Scales or offsets of tensors side by side, which differ along the axis at most (and along
    those along which each differed before)."""
    full = [a.reshape((1,) * (rank - a.ndim) + a.shape) for a in arrays]
    if all(a.size == 1 for a in full) and len({float(a.reshape(())) for a in full}) == 1:
        return np.asarray(full[0].reshape(()), dtype=np.float64)
    parts = []
    others = np.broadcast_shapes(*(_without(a.shape, axis) for a in full))
    for array, shape in zip(full, shapes, strict=True):
        parts.append(np.broadcast_to(array, (*others[:axis], shape[axis], *others[axis + 1 :])))
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
