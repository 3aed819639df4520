# SPDX-License-Identifier: Apache-2.0
"""Operators between quantizers and dataflow nodes, and what they compute. One file each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import QNNC, QONNX
from qnnc.compiler.ir.operators import (
    dequantize,
    insert_zeros,
    integer_conv,
    integer_softmax,
    multi_threshold,
    states,
    sum_pool,
    xnor_popcount,
)

_REFERENCES: dict[
    tuple[str, str], Callable[[ir.Node, Builder, Sequence[ir.Value]], list[ir.Value]]
] = {
    (QONNX, "MultiThreshold"): multi_threshold.reference,
    (QONNX, "XnorPopcountMatMul"): xnor_popcount.reference,
    (QNNC, "Dequantize"): dequantize.reference,
    (QNNC, "InsertZeros"): insert_zeros.reference,
    (QNNC, "IntegerConv"): integer_conv.reference,
    (QNNC, integer_softmax.NAME): integer_softmax.reference,
    (QNNC, states.READ): states.reference,
    (QNNC, states.WRITE): states.reference,
    (QNNC, "SumPool"): sum_pool.reference,
}


def reference_of(
    node: ir.Node,
) -> Callable[[Builder, Sequence[ir.Value]], list[ir.Value]] | None:
    """What writes the operator in standard ONNX, or None if it is none of ours."""
    found = _REFERENCES.get((node.domain, node.op_type))
    if found is None:
        return None
    return lambda b, inputs: found(node, b, inputs)
