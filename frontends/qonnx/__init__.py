# SPDX-License-Identifier: Apache-2.0
"""QONNX: networks exported by Brevitas or QKeras with Quant, BipolarQuant and Trunc nodes."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from qnnc.compiler.frontend import Frontend
from qnnc.compiler.ir.edit import QONNX
from qnnc.frontends.onnx_file import (
    operators_in,
    read_proto,
    set_input_shape,
    to_canonical_opset,
    uses_integers,
)
from qnnc.frontends.qonnx.recurrent import expand_cells

DOMAINS = {
    "onnx.brevitas": QONNX,
    "qonnx.custom_op.general": QONNX,
    "finn.custom_op.general": QONNX,
}
QUANTIZERS = {
    "Quant": "Quant",
    "IntQuant": "Quant",
    "BipolarQuant": "BipolarQuant",
    "Trunc": "Trunc",
}


class QonnxFrontend(Frontend):
    """Reads .onnx files with quantizers of any of the domains they have been exported in."""

    name = "qonnx"

    def accepts(self, source: str) -> bool:
        operators = operators_in(source)
        if not operators:  # reading it will say what is wrong with it
            return source.lower().endswith((".onnx", ".qonnx", ".pb"))
        return not any(uses_integers(*operator) for operator in operators)

    def load(self, source: str) -> ir.Model:
        return from_proto(set_input_shape(read_proto(source), self.settings.input_shape))


def from_proto(proto: onnx.ModelProto) -> ir.Model:
    """Canonical IR of a QONNX model in memory; raises ModelError as `Frontend.load` does."""
    canonical_names(proto)
    model = to_canonical_opset(proto, DOMAINS)
    expand_cells(model)
    return model


def canonical_names(proto: onnx.ModelProto) -> None:
    """Call quantizers as the IR does."""
    for node in proto.graph.node:
        if node.domain in DOMAINS:
            node.op_type = QUANTIZERS.get(node.op_type, node.op_type)
