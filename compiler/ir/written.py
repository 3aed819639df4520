# SPDX-License-Identifier: Apache-2.0
"""Models as files: every tensor with its type, valid by ONNX's own checker."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

from qnnc.compiler.errors import VerificationError
from qnnc.compiler.files import write_bytes

STANDARD = ("", "ai.onnx")
SHAPE_KEEPING = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc", "LinearQuant"})
LARGEST = 1 << 30
"""Bytes of a model beyond which it is not checked: protobuf ends at 2 GiB, and it is copied."""


def write_model(model: ir.Model, path: Path) -> onnx.ModelProto:
    """Write a model of standard operators, with types and shapes of all tensors.

    Raises:
        VerificationError: the model is not valid ONNX.
        WorkspaceError: the file cannot be written.
    """
    proto = with_types(ir.to_proto(model))
    check_valid(proto, path.name)
    write_bytes(path, proto.SerializeToString())
    return proto


def with_types(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A model in which every tensor that ONNX can know the type of has one."""
    graph = proto.graph
    typed = [info for info in graph.value_info if info.HasField("type")]
    del graph.value_info[:]
    graph.value_info.extend(typed)
    if proto.ByteSize() > LARGEST:
        return proto
    proto = _inferred(proto)
    if _assume_floats(proto):
        proto = _inferred(proto)
    return proto


def _inferred(proto: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(proto)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return proto  # the checker says what is wrong


def _assume_floats(proto: onnx.ModelProto) -> bool:
    """Results of operators that ONNX does not know are float in QONNX and here, those of
    quantizers in their input's shape; returns whether any had no type."""
    graph = proto.graph
    known = {info.name: info for info in (*graph.value_info, *graph.input, *graph.output)}
    missing = False
    for node in graph.node:
        if node.domain in STANDARD:
            continue
        for name in node.output:
            if not name or (name in known and known[name].HasField("type")):
                continue
            missing = True
            info = known[name] if name in known else graph.value_info.add(name=name)
            info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            source = known.get(node.input[0]) if node.input else None
            if node.op_type in SHAPE_KEEPING and source is not None:
                info.type.tensor_type.CopyFrom(source.type.tensor_type)
            known[name] = info
    return missing


def check_valid(proto: onnx.ModelProto, name: str) -> None:
    """Hold a model against ONNX's rules: all of them where all its operators are standard; where
    others occur, whose shapes ONNX cannot know, all but the inference through them.

    Raises:
        VerificationError: it breaks one; says which file and what.
    """
    if proto.ByteSize() > LARGEST:
        return
    standard = all(node.domain in STANDARD for node in proto.graph.node)
    try:
        onnx.checker.check_model(proto, full_check=standard)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise VerificationError(f"{name} would not be valid ONNX: {first[:300]}") from error
