# SPDX-License-Identifier: Apache-2.0
"""expand-quantizers: every quantizer as the operators that give its integer code, and those that
give its value from the code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.integer import layout
from qnnc.compiler.ir.builder import EditBuilder
from qnnc.compiler.ir.edit import Editor, constant, remove_unused, replace_value
from qnnc.compiler.ir.facts import Integer, is_derived, set_integer
from qnnc.compiler.ir.quantizers import Quantizer, quantizer
from qnnc.compiler.passes.base import Pass

WEIGHTED = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose"})
"""Operators with weights, their second input."""
MOST_BETWEEN = 24
"""Operators between a constant and the weights that they make of it."""


@dataclass
class ExpandQuantizers(Pass):
    """Write quantizers in standard operators and mark their integer codes.

    A quantized constant that is not a layer's weights (a bias) becomes plain numbers. Codes whose
    zero point lies off the middle of their type (-110..145, say) are kept as 0..255, which takes
    a bit less, where only matrix products and the host see them.
    """

    name = "expand-quantizers"

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        changed = False
        for node in list(model.graph):
            found = quantizer(node)
            if found is None:
                continue
            weights = constant(found.input)
            if weights is not None and not np.all(np.isfinite(weights)):
                raise ModelError(
                    f"node {quote(node.name)}: its weights {quote(found.input.name)} are not finite"
                )
            b = EditBuilder(editor, node, node.outputs[0].name or "quantized", (node,))
            if weights is not None and not _is_weights(node.outputs[0]):
                values = found.reference(b, found.input)
            else:
                values = _with_codes(b, found, node.outputs[0], activation=weights is None)
            values.shape = node.outputs[0].shape
            replace_value(node.outputs[0], values)
            changed = True
        remove_unused(model)
        return changed


def _with_codes(
    b: EditBuilder, found: Quantizer, output: ir.Value, *, activation: bool
) -> ir.Value:
    codes = found.codes(b, found.input)
    golden = None if is_derived(output) else output.name
    # beyond 24 bits the golden graph clips to what float32 makes of the bounds
    low, high = (int(np.float32(bound)) for bound in (found.low, found.high))
    fact = Integer.of(low, high, found.scale, found.offset, golden=golden, quantized=True)
    shifted = activation and low < 0 and _takes_more_bits(found) and _only_products(output)
    if shifted:
        codes = b.op("Sub", codes, b.constant(low))
        fact = Integer.of(
            0,
            high - low,
            found.scale,
            found.offset + low * found.scale,
            golden=golden,
            quantized=True,
        )
    codes.shape = output.shape
    set_integer(codes, fact)
    if shifted:
        codes = b.op("Add", codes, b.constant(low))
        codes.shape = output.shape
    return found.values(b, codes)


def _takes_more_bits(found: Quantizer) -> bool:
    """Signed codes are wider than the same ones counted from their least."""
    signed: int = smallest_type(found.low, found.high).bitwidth()
    unsigned: int = smallest_type(0, found.high - found.low).bitwidth()
    return signed > unsigned


def _is_weights(value: ir.Value) -> bool:
    """A layer multiplies by the tensor, possibly reshaped."""
    return any(
        (index == 1 and user.op_type in WEIGHTED)
        or (user.op_type == "MatMul" and index == 0)
        or (user.op_type in layout.OPERATORS and _is_weights(user.outputs[0]))
        for user, index in value.uses()
    )


def _only_products(value: ir.Value) -> bool:
    """Only products with constants and the host use the tensor, perhaps scaled or reshaped."""
    return all(
        (user.op_type == "MatMul" and index == 0 and _from_constant(user.inputs[1]))
        or (
            (user.op_type in layout.OPERATORS or _with_constant(user))
            and _only_products(user.outputs[0])
        )
        for user, index in value.uses()
    )


def _from_constant(value: ir.Value | None) -> bool:
    """A constant, or what a quantizer or a layout makes of one."""
    for _ in range(MOST_BETWEEN):
        if value is None or constant(value) is not None:
            return value is not None
        producer = value.producer()
        if producer is None:
            return False
        value = producer.inputs[0] if producer.inputs else None
    return False


def _with_constant(node: ir.Node) -> bool:
    return node.op_type in ("Add", "Sub", "Mul", "Div") and any(
        constant(value) is not None for value in node.inputs
    )
