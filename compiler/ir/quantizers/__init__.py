# SPDX-License-Identifier: Apache-2.0
"""Quantizers, QONNX's and our own: what they compute, in standard ONNX operators. One file an
operator."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.ir.edit import QNNC, QONNX
from qnnc.compiler.ir.quantizers.base import Quantizer
from qnnc.compiler.ir.quantizers.bipolar_quant import BipolarQuant
from qnnc.compiler.ir.quantizers.linear_quant import LinearQuant
from qnnc.compiler.ir.quantizers.quant import Quant
from qnnc.compiler.ir.quantizers.trunc import Trunc

QUANTIZERS: dict[str, type[Quantizer]] = {
    "Quant": Quant,
    "BipolarQuant": BipolarQuant,
    "Trunc": Trunc,
    "LinearQuant": LinearQuant,
}
"""By operator: in the domain `qonnx.custom_op.general`, LinearQuant in our own."""


def quantizer(node: ir.Node) -> Quantizer | None:
    """The quantizer that `node` is, checked, or None if it is something else."""
    home = QNNC if node.op_type == "LinearQuant" else QONNX
    if node.domain != home or node.op_type not in QUANTIZERS:
        return None
    return QUANTIZERS[node.op_type](node)


__all__ = ["QUANTIZERS", "Quantizer", "quantizer"]
