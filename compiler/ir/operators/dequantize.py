# SPDX-License-Identifier: Apache-2.0
"""Dequantize: integer * scale + offset, in float64 and rounded once to float32.

This is the golden graph's tensor as exact arithmetic gives it; the golden graph itself, summing
in float32, may be a rounding error away from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import QNNC, Editor, constant
from qnnc.compiler.ir.facts import FloatArray


def insert(
    editor: Editor,
    before: ir.Node,
    codes: ir.Value,
    scale: FloatArray,
    offset: FloatArray,
    shape: Sequence[int],
    origins: Sequence[ir.Node],
) -> ir.Value:
    """Add a Dequantize node; returns its output."""
    return editor.insert(
        before,
        "Dequantize",
        [
            codes,
            editor.initializer(f"{codes.name}_scale", scale),
            editor.initializer(f"{codes.name}_offset", offset),
        ],
        f"{codes.name}_dequantized",
        domain=QNNC,
        shape=shape,
        origins=origins,
    )


def reference(node: ir.Node, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
    """Inputs codes, scale, offset."""
    y = b.op("Cast", inputs[0], to=ir.DataType.DOUBLE)
    scale, offset = constant(node.inputs[1]), constant(node.inputs[2])
    assert scale is not None and offset is not None
    y = b.op("Mul", y, b.constant(scale, np.float64))
    if np.any(offset):
        y = b.op("Add", y, b.constant(offset, np.float64))
    return [b.op("Cast", y, to=ir.DataType.FLOAT)]
