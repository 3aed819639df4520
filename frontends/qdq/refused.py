# SPDX-License-Identifier: Apache-2.0
"""Quantized operators that cannot become hardware, and what to do instead."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.frontends.qdq.importer import Importer

_STATIC = (
    "its scale is computed from each input as it comes, which hardware with fixed scales cannot "
    "do; quantize statically with calibration data (onnxruntime.quantization.quantize_static)"
)
_FUSED = (
    "ONNX Runtime fuses it from standard operators when it optimises a model; quantize the "
    "original model in the QDQ format and save it without optimisation"
)
_QDQ = (
    "quantize the model in the QDQ format (quant_format=QuantFormat.QDQ), which has no need of it"
)

REASONS = {
    "DynamicQuantizeLinear": _STATIC,
    "DynamicQuantizeMatMul": _STATIC,
    "DynamicQuantizeLSTM": _STATIC,
    "MatMulIntegerToFloat": _FUSED,
    "MatMulNBits": "weights in blocks are dequantized in it; quantize activations as well (QDQ)",
    "QAttention": _FUSED,
    "QEmbedLayerNormalization": _FUSED,
    "QLinearReduceMean": _QDQ,
    "QLinearWhere": _QDQ,
    "NhwcMaxPool": _FUSED,
    "FusedConv": _FUSED,
    "FusedGemm": _FUSED,
    "FusedMatMul": _FUSED,
    "QOrderedMatMul": _QDQ,
}
"""By operator, of ONNX's or Microsoft's domain."""


def refuse(importer: Importer, node: ir.Node) -> None:
    """Raise the ModelError that says why and what to do."""
    reason = REASONS.get(node.op_type, _FUSED)
    raise ModelError(f"node {quote(node.name)}: {node.op_type} cannot be compiled: {reason}")
