# SPDX-License-Identifier: Apache-2.0
"""QONNX quantizers: what they compute, in standard ONNX operators. One file an operator."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.ir.edit import QONNX
from qnnc.compiler.ir.quantizers.base import Quantizer
from qnnc.compiler.ir.quantizers.bipolar_quant import BipolarQuant
from qnnc.compiler.ir.quantizers.quant import Quant
from qnnc.compiler.ir.quantizers.trunc import Trunc

QUANTIZERS: dict[str, type[Quantizer]] = {
    "Quant": Quant,
    "BipolarQuant": BipolarQuant,
    "Trunc": Trunc,
}
"""By operator, in the domain `qonnx.custom_op.general`."""


def quantizer(node: ir.Node) -> Quantizer | None:
    """The quantizer that `node` is, checked, or None if it is something else."""
    if node.domain != QONNX or node.op_type not in QUANTIZERS:
        return None
    return QUANTIZERS[node.op_type](node)


__all__ = ["QUANTIZERS", "Quantizer", "quantizer"]
