# SPDX-License-Identifier: Apache-2.0
"""Operators of other tools' domains: those that mean ONNX's own QDQ, and what to do about the
others."""

from __future__ import annotations

import onnx
from onnx import numpy_helper

from qnnc.compiler.errors import ModelError, quote

QDQ_DOMAINS = frozenset({"com.amd.quark", "com.vai.quantize"})
"""AMD Quark's and Vitis AI's quantizers."""
PREFIXES = ("Extended", "Vitis")
QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})

REASONS: dict[str, str] = {
    "FakeQuantize": (
        "it is OpenVINO's own; export the float model to ONNX and give that to nncf.quantize, "
        "which then writes QuantizeLinear and DequantizeLinear"
    ),
    "BFPQuantizeDequantize": (
        "blocks of activations share an exponent that is computed from each input; quantize to "
        "integers with fixed scales (in Quark XINT8, A8W8 or INT8)"
    ),
    "MXQuantizeDequantize": (
        "blocks of activations share an exponent that is computed from each input; quantize to "
        "integers with fixed scales (in Quark XINT8, A8W8 or INT8)"
    ),
}
"""What to do instead, by the operator that stands for a format."""

FLOATS = frozenset(
    number
    for name, number in onnx.TensorProto.DataType.items()
    if name.startswith(("FLOAT4", "FLOAT6", "FLOAT8"))
)


def quantizer_name(domain: str, name: str) -> str | None:
    """QuantizeLinear or DequantizeLinear for an operator of a tool's domain that means it."""
    if domain not in QDQ_DOMAINS:
        return None
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name if name in QDQ else None


def to_standard(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Make a tool's QuantizeLinear or DequantizeLinear ONNX's own; returns whether it was one.

    The tools' libraries round (x / scale + zero point) half to even at once, ONNX rounds before
    the zero point is added, which is the same for even zero points.

    Raises:
        ModelError: its zero point is odd.
    """
    name = quantizer_name(node.domain, node.op_type)
    if name is None:
        return False
    zero = constants.get(node.input[2]) if len(node.input) > 2 else None
    if name == "QuantizeLinear" and zero is not None and zero.data_type not in FLOATS:
        values = numpy_helper.to_array(zero)
        if values.dtype.kind in "iu" and (values.astype("int64") % 2).any():
            raise ModelError(
                f"node {quote(node.name or node.op_type)}: {node.op_type} of domain "
                f"{quote(node.domain)} rounds after its zero point, {int(values.flat[0])}, is "
                "added; quantize symmetrically, or use ONNX's own QuantizeLinear"
            )
    node.domain, node.op_type = "", name
    return True


def unsupported(node: onnx.NodeProto) -> ModelError:
    """The error for an operator of a domain that nothing here knows."""
    reason = REASONS.get(node.op_type)
    return ModelError(
        f"node {quote(node.name or node.op_type)}: operator {quote(node.op_type)} of domain "
        f"{quote(node.domain)} is not supported{f': {reason}' if reason else ''}"
    )


def refuse_small_floats(proto: onnx.ModelProto) -> None:
    """Raise ModelError for a tensor or a quantizer of a float format of 4, 6 or 8 bits."""
    kinds = {t.name: t.data_type for t in proto.graph.initializer}
    kinds |= {v.name: v.type.tensor_type.elem_type for v in proto.graph.input}
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("output_dtype", "to", "dtype") and attribute.i in FLOATS:
                raise _small_float(node, node.output[0] if node.output else "", attribute.i)
            if attribute.HasField("t") and attribute.t.data_type in FLOATS:
                raise _small_float(node, node.output[0], attribute.t.data_type)
        for name in node.input:
            if kinds.get(name) in FLOATS:
                raise _small_float(node, name, kinds[name])


def _small_float(node: onnx.NodeProto, tensor: str, kind: int) -> ModelError:
    return ModelError(
        f"node {quote(node.name or node.op_type)} ({node.op_type}): tensor {quote(tensor)} is of "
        f"type {onnx.TensorProto.DataType.Name(kind)}; hardware takes integers of 2 to 16 bits: "
        "quantize to INT8 or narrower instead"
    )
