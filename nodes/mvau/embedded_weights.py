# SPDX-License-Identifier: Apache-2.0
"""Weights that are part of the logic: all products in every cycle, nothing to read them from.

FINN's `mem_mode` "internal_embedded". What a unit costs then follows its very weights: zeros and
powers of two are free, and sums that several outputs have in common are made once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from qnnc.compiler.dataflow.constant_matrix import MatrixPlan, plan_matrix
from qnnc.compiler.dataflow.dot_product import is_bipolar
from qnnc.compiler.ir.facts import IntArray, integer
from qnnc.compiler.resources import Resources

if TYPE_CHECKING:
    from qnnc.nodes.mvau.node import MVAU

EMBEDDED = "internal_embedded"
MAX_BITS = 100_000
"""Bits of inputs to add up, over all outputs, beyond which a Z7020 does not have the LUTs."""
CONTROL_LUTS, CONTROL_REGISTERS = 10, 10
_KEPT = "qnnc.matrix"


def possible(node: MVAU) -> bool:
    """The matrix is small enough to look at, and its inputs are plain integers."""
    if is_bipolar(node.x_type):
        return False
    nonzero = int(np.count_nonzero(node.weights())) if not node.xnor else node.MW * node.MH
    return nonzero * int(node.x_type.bitwidth()) <= MAX_BITS


def matrix_plan(node: MVAU) -> MatrixPlan:
    """The plan of the node's matrix; found once for its constants and the range of its input."""
    constant = node.node.inputs[1]
    assert constant is not None
    low, high = _input_range(node)
    key = (node.x_type.name, low.tobytes(), high.tobytes())
    kept = node.node.meta.get(_KEPT)
    if kept is not None and kept[0] is constant.const_value and kept[1] == key:
        found: MatrixPlan = kept[2]
        return found
    weights, constants = node.weights(), np.zeros(node.MH, dtype=np.int64)
    if node.xnor:
        # equal pairs = x.w + (1-x).(1-w) = x.(2w-1) + sum(1-w)
        weights, constants = 2 * weights - 1, (1 - weights).sum(axis=0)
    plan = plan_matrix(
        weights,
        constants,
        x_bits=node.x_type.bitwidth(),
        x_signed=node.x_type.min() < 0,
        low=low,
        high=high,
    )
    node.node.meta[_KEPT] = (constant.const_value, key, plan)
    return plan


def _input_range(node: MVAU) -> tuple[IntArray, IntArray]:
    """Least and greatest input: one for all, or one for each."""
    source = node.node.inputs[0]
    fact = integer(source) if isinstance(source, ir.Value) else None
    if fact is None:
        return np.array([int(node.x_type.min())]), np.array([int(node.x_type.max())])
    ends = []
    for array, whole in ((fact.low, fact.low.min()), (fact.high, fact.high.max())):
        flat = array.reshape(-1)
        ends.append(flat if flat.size == node.MW else np.array([whole]))
    return ends[0].astype(np.int64), ends[1].astype(np.int64)


def waits_at_input(node: MVAU) -> bool:
    """Words wait before the pipeline and not after it: where they are narrower."""
    return bool(node.MW * node.x_type.bitwidth() < node.MH * node.out_type.bitwidth())


def latency(node: MVAU) -> int:
    """Cycles from a word to its result: the pipeline, and registers at its end or its beginning."""
    return matrix_plan(node).latency + 2


def resources(node: MVAU) -> Resources:
    """Of the matrix, its control, and the two to four words that may wait."""
    plan = matrix_plan(node)
    out_bits = sum(output.bits for output in plan.outputs if output.digits)
    x_bits = node.MW * node.x_type.bitwidth()
    at_input = waits_at_input(node)
    registers = plan.registers + out_bits + plan.latency + CONTROL_REGISTERS
    registers += 2 * x_bits if at_input else 0
    luts = plan.luts + CONTROL_LUTS + (x_bits if at_input else out_bits)
    return Resources(LUT=luts, FF=registers)
