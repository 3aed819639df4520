# SPDX-License-Identifier: Apache-2.0
"""Residual binarisation (ReBNet): products of binary tensors, summed on learned scales.

x = g0*b0 + g1*b1 + …, each b in {-1, +1}, so that x·W = g0*(b0·W) + g1*(b1·W) + …. The scales are
float32 numbers, hence integers of 24 bits on a grid: the sum is exact with those as factors.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.edit import QNNC, QONNX, constant
from qnnc.compiler.ir.facts import integer

PRODUCTS = frozenset({"MatMul", "XnorPopcountMatMul", "IntegerConv"})
PASSED = frozenset({"Mul", "Add", "Sub", "Cast"})
MAX_FACTOR_BITS = 28
"""Bits of a scale as a factor: those of float32, and some for scales of different size."""
FURTHEST = 64


def is_product(value: ir.Value) -> bool:
    """The tensor is a layer of a binary tensor, or a sum of such on some scale."""
    stack, looked_at = [value], 0
    while stack:
        node = stack.pop().producer()
        looked_at += 1
        if node is None or looked_at > FURTHEST:
            return False
        if node.op_type in PRODUCTS and node.domain in ("", QONNX, QNNC):
            x = node.inputs[0]
            if x is None or not _is_binary(x):
                return False
        elif node.op_type in PASSED:
            stack += [v for v in node.inputs if v is not None and constant(v) is None]
        else:
            return False
    return True


def _is_binary(value: ir.Value) -> bool:
    """Integers 0 and 1, or -1 and 1 (and 0 for padding)."""
    fact = integer(value)
    while fact is None and (node := value.producer()) is not None and node.op_type == "Cast":
        assert node.inputs[0] is not None
        value = node.inputs[0]
        fact = integer(value)
    return fact is not None and int(fact.low.min()) >= -1 and int(fact.high.max()) <= 1


def grid_of(scales: tuple[float, ...]) -> tuple[list[int], float]:
    """Factors and scale of one place, exact to the last bit of the scales.

    Raises:
        Unsupported: a factor has more than MAX_FACTOR_BITS bits.
    """
    base = next((s for s in scales if s != 0), 0.0)
    if base == 0:
        return [0 for _ in scales], 1.0
    ratios = [Fraction(s) / Fraction(base) for s in scales]
    denominator = int(np.lcm.reduce([r.denominator for r in ratios], dtype=object))
    factors = [int(r * denominator) for r in ratios]
    if max(abs(f) for f in factors) >= 1 << MAX_FACTOR_BITS:
        raise Unsupported(
            f"its terms have scales {base:.6g} and {scales[-1]:.6g}, which need factors of more "
            f"than {MAX_FACTOR_BITS} bits; let the scales of the residual quantizers be powers of "
            "two, or round them to 16 bits"
        )
    return factors, base / denominator
