# SPDX-License-Identifier: Apache-2.0
"""MatMul on integers, with constant weights: ranges, scales, and the XNOR form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import BINARY, BIPOLAR, carrier, smallest_type, type_of_values
from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer import bipolar, product
from qnnc.compiler.integer.form import Form, named_result
from qnnc.compiler.integer.weights import on_one_grid, primitive, with_input_scales
from qnnc.compiler.ir.edit import QONNX, Editor, shape_of
from qnnc.compiler.ir.facts import FloatArray, IntArray, Integer, set_integer
from qnnc.compiler.ir.intervals import Interval, interval_of, partial_sums
from qnnc.compiler.ir.intervals import matmul as product_of


def apply(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """Insert the integer product of [..., K] and [K, M], a constant or computed too (`product`).

    Raises:
        Unsupported: the operands are not such that the sum stays integer.
    """
    x, w = forms[0], forms[1]
    if x is None or w is None:
        raise Unsupported("its weights or its input have no quantizer")
    if x.constant is not None and w.constant is None:
        raise Unsupported(
            "weights on the left of its input; transpose both and exchange them, which gives the "
            "transposed product"
        )
    if w.constant is None:
        return [product.apply(editor, node, x, w)]
    return [_product(editor, node, x, w)]


def _product(editor: Editor, node: ir.Node, x: Form, w: Form) -> Form:
    weights, w_scale = _weights(w)
    k = weights.shape[0]
    offset = np.zeros(())
    if np.any(x.offset):
        per_input = np.broadcast_to(_last_axis(x.offset), (k,))
        offset = (per_input @ weights) * w_scale
    x_scale = x.scale.reshape(-1)[:1].reshape(())
    if not np.all(x.scale == x_scale):
        per_input = np.broadcast_to(_last_axis(x.scale), (k,))
        weights, common = with_input_scales(weights, per_input, 0)
        x_scale = np.asarray(common)
    scale = x_scale * w_scale
    if bipolar.is_bipolar(x) and type_of_values(weights) == BIPOLAR:
        return _xnor(editor, node, x, weights, x_scale, w_scale)
    bounds = interval_of(x.fact)
    found, inner = product_of(bounds, weights), partial_sums(bounds, weights)
    y = _insert(editor, node, x.base, weights, "MatMul", "", found, inner, scale, offset)
    return Form(y, scale, np.asarray(offset))


def _weights(w: Form) -> tuple[IntArray, FloatArray]:
    """Integer matrix and scale per output; two-valued codes become -1 and +1 again."""
    codes = w.constant
    assert codes is not None
    if codes.ndim != 2:
        raise Unsupported(f"weights with {codes.ndim} dimensions")
    scale = w.scale
    if np.any(w.offset):
        if not bipolar.is_bipolar(w):
            raise Unsupported("weights with a zero point that is not an integer")
        codes, scale = 2 * codes - 1, scale / 2
    if scale.ndim == 2 and scale.shape[0] != 1:
        codes, scale = on_one_grid(codes, scale, 1)
    codes, per_output = primitive(codes, scale.ravel())
    return codes, per_output if per_output.size > 1 else per_output.reshape(())


def _last_axis(array: FloatArray) -> FloatArray:
    if array.size > 1 and array.size != array.shape[-1]:
        raise Unsupported(
            "the input has scales or offsets that differ along other axes than the summed one; "
            "quantize it per tensor"
        )
    return array.ravel() if array.size > 1 else array.reshape(())


def _xnor(
    editor: Editor,
    node: ir.Node,
    x: Form,
    weights: IntArray,
    x_scale: FloatArray,
    w_scale: FloatArray,
) -> Form:
    """Both operands are two-valued: count equal pairs p, the sum is (2p - K) * scales."""
    k, m = weights.shape
    scale = x_scale * w_scale
    offset = -scale * k / 2
    equal = Interval.of(np.zeros(m), np.full(m, k))
    y = _insert(
        editor,
        node,
        x.base,
        (weights + 1) // 2,
        "XnorPopcountMatMul",
        QONNX,
        equal,
        equal,
        scale,
        offset,
        weights_type=BINARY,
    )
    return Form(y, scale, np.asarray(offset))


def _insert(
    editor: Editor,
    node: ir.Node,
    x: ir.Value,
    weights: IntArray,
    op_type: str,
    domain: str,
    found: Interval,
    inner: Interval,
    scale: FloatArray,
    offset: FloatArray,
    weights_type: BaseDataType | None = None,
) -> ir.Value:
    """Args:
    found: range of the sums.
    inner: range of the sums on the way, which the tensors must carry as well.
    """
    dtype = carrier(smallest_type(inner.least, inner.greatest))
    wide = dtype == np.float64
    output = node.outputs[0]
    base = output.name or "matmul"
    constant = editor.initializer(f"{base}_weights", weights.astype(dtype))
    set_integer(
        constant,
        Integer.of(weights.min(), weights.max(), datatype=weights_type or type_of_values(weights)),
    )
    operand = x
    if wide and x.dtype != ir.DataType.DOUBLE:
        operand = editor.insert(
            node,
            "Cast",
            [x],
            f"{x.name}_wide",
            dtype=ir.DataType.DOUBLE,
            attributes={"to": ir.DataType.DOUBLE},
            shape=shape_of(x),
        )
    y = editor.insert(
        node,
        op_type,
        [operand, constant],
        f"{base}_sum",
        domain=domain,
        shape=shape_of(output),
        dtype=ir.DataType.DOUBLE if wide else ir.DataType.FLOAT,
        origins=(node,),
    )
    set_integer(y, named_result(node, Integer.of(found.low, found.high, scale, offset)))
    return y
