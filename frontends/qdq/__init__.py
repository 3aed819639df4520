# SPDX-License-Identifier: Apache-2.0
"""ONNX's own quantized formats: QDQ (QuantizeLinear and DequantizeLinear), QCDQ (with a Clip
between), and QOperator (QLinearConv and the like), with QONNX quantizers among them or without.

Every integer tensor becomes a float tensor that holds its integers, so that what comes out is the
canonical IR: standard operators on floats, and quantizers.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from qnnc.compiler.frontend import Frontend
from qnnc.frontends.onnx_file import (
    MICROSOFT,
    operators_in,
    read_proto,
    set_input_shape,
    to_canonical_opset,
    uses_integers,
)
from qnnc.frontends.qdq import linear, moves, pointwise, pools, quantize, softmax
from qnnc.frontends.qdq.importer import Handler, Importer
from qnnc.frontends.qdq.integers import RANGES
from qnnc.frontends.qdq.refused import REASONS, refuse
from qnnc.frontends.qonnx import DOMAINS, canonical_names

ONNX: dict[str, Handler] = {
    "QuantizeLinear": quantize.quantize_linear,
    "DequantizeLinear": quantize.dequantize_linear,
    "QLinearMatMul": linear.qlinear_matmul,
    "QLinearConv": linear.qlinear_conv,
    "MatMulInteger": linear.matmul_integer,
    "ConvInteger": linear.conv_integer,
    "DynamicQuantizeLinear": refuse,
}
"""Quantized operators of ONNX's own domain."""

CONTRIB: dict[str, Handler] = {
    "QuantizeLinear": quantize.quantize_linear,
    "DequantizeLinear": quantize.dequantize_linear,
    "QGemm": linear.qgemm,
    "QLinearConv": linear.qlinear_conv,
    "QLinearAdd": pointwise.qlinear_add,
    "QLinearMul": pointwise.qlinear_mul,
    "QLinearSigmoid": pointwise.qlinear_function,
    "QLinearLeakyRelu": pointwise.qlinear_function,
    "QLinearConcat": pointwise.qlinear_concat,
    "QLinearAveragePool": pools.qlinear_average_pool,
    "QLinearGlobalAveragePool": pools.qlinear_global_average_pool,
    "QLinearSoftmax": softmax.qlinear_softmax,
    **dict.fromkeys(REASONS, refuse),
}
"""Quantized operators of Microsoft's domain."""

ON_INTEGERS: dict[str, Handler] = {
    **dict.fromkeys(moves.MOVES, moves.move),
    "Split": moves.split,
    "Concat": moves.concat,
    "Pad": moves.pad,
    "Resize": moves.resize,
    "Clip": moves.clip,
    "Relu": moves.clip,
    "Cast": moves.cast,
    "Add": moves.add_integers,
    "Sub": moves.add_integers,
    "Mul": moves.add_integers,
}
"""Operators on floats that may also be used on integers."""

HANDLERS: dict[tuple[str, str], Handler] = {
    **{("", name): handler for name, handler in {**ON_INTEGERS, **ONNX}.items()},
    **{(MICROSOFT, name): handler for name, handler in CONTRIB.items()},
}


class QdqFrontend(Frontend):
    """Reads .onnx files that ONNX Runtime, NNCF, tf2onnx and others have quantized."""

    name = "qdq"

    def accepts(self, source: str) -> bool:
        return any(uses_integers(*operator) for operator in operators_in(source))

    def load(self, source: str) -> ir.Model:
        return from_proto(set_input_shape(read_proto(source), self.settings.input_shape))


def from_proto(proto: onnx.ModelProto) -> ir.Model:
    """Canonical IR of a QDQ or QOperator model in memory; raises ModelError as `load` does."""
    canonical_names(proto)
    types = [onnx.TensorProto.FLOAT, *(int(dtype) for dtype in RANGES)]
    model = to_canonical_opset(proto, {**DOMAINS, MICROSOFT: MICROSOFT}, types)
    Importer(model, HANDLERS).run()
    return model
