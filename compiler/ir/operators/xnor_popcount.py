# SPDX-License-Identifier: Apache-2.0
"""XnorPopcountMatMul: QONNX's operator on 0/1 codes of -1/+1: the number of equal pairs."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import constant


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """Inputs x [..., K] and weights [K, M], both 0 or 1."""
    weights = constant(node.inputs[1])
    assert weights is not None
    # x and w are equal where x*w + (1-x)*(1-w) is 1
    product = b.op("MatMul", inputs[0], b.constant(2 * weights - 1))
    return [b.op("Add", product, b.constant((1 - weights).sum(axis=0)))]
