# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of elementwise nodes: one adder or multiplier per lane."""

from __future__ import annotations

from qnnc.backends.design import LOGIC, Memory, NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, codes, finish, packed
from qnnc.compiler.dataflow.cost import bits_for
from qnnc.compiler.dataflow.dot_product import is_bipolar
from qnnc.compiler.errors import ModelError, quote
from qnnc.nodes.shared.elementwise.node import Elementwise

TEMPLATES = Templates(__name__)


def generate(node: Elementwise, *, operator: str) -> NodeRtl:
    """The node under the folding in its attributes.

    Args:
        operator: SystemVerilog's, such as "+".

    Raises:
        ModelError: an operand is BIPOLAR.
    """
    if is_bipolar(node.x_type) or is_bipolar(node.y_type):
        raise ModelError(f"node {quote(node.name)}: BIPOLAR operands are not supported")
    return _with_constant(node, operator) if node.is_constant else _of_two(node, operator)


def _of_two(node: Elementwise, operator: str) -> NodeRtl:
    x_bits, y_bits = node.x_type.bitwidth(), node.y_type.bitwidth()
    out_bits = node.out_type.bitwidth()
    text = TEMPLATES.render(
        "elementwise_join.sv.j2",
        op=node.op_type,
        pe=node.folding().PE,
        x_bits=x_bits,
        x_signed=node.x_type.min() < 0,
        y_bits=y_bits,
        y_signed=node.y_type.min() < 0,
        out_bits=out_bits,
        work_bits=max(x_bits + y_bits + 2, out_bits),
        operator=operator,
    )
    return finish(node, text)


def _with_constant(node: Elementwise, operator: str) -> NodeRtl:
    """Constants come from a table."""
    folding = node.folding()
    folds = node.folds(folding)
    operand = node.operand()
    rows = operand.reshape(folds, -1)
    if rows.shape[1] != folding.PE:
        rows = rows.repeat(folding.PE, axis=1)
    x_bits, constant_bits = node.x_type.bitwidth(), node.y_type.bitwidth()
    out_bits = node.out_type.bitwidth()
    text = TEMPLATES.render(
        "elementwise.sv.j2",
        op=node.op_type,
        channels=node.shape[-1],
        pe=folding.PE,
        folds=folds,
        fold_bits=bits_for(folds),
        x_bits=x_bits,
        x_signed=node.x_type.min() < 0,
        constant_bits=constant_bits,
        constant_signed=node.y_type.min() < 0,
        out_bits=out_bits,
        work_bits=max(x_bits + constant_bits + 2, out_bits),
        operator=operator,
    )
    memory = Memory(
        packed(codes(rows, False), constant_bits), folding.PE * constant_bits, LOGIC, "rom"
    )
    return finish(node, text, {"CONSTANTS_FILE": memory})
