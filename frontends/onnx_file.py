# SPDX-License-Identifier: Apache-2.0
"""Reading ONNX files from people one does not know: what every ONNX frontend starts with."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError
from onnx import inliner, version_converter
from onnx.external_data_helper import load_external_data_for_tensor
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from qnnc.compiler.errors import ModelError, WorkspaceError, quote

OPSET = 21
MIN_OPSET = 7


def read_proto(source: str) -> onnx.ModelProto:
    """Parse a file, external data included if it lies in the model's folder.

    Raises:
        WorkspaceError: the file cannot be read.
        ModelError: it is not an ONNX model, is cut off, or points outside its folder.
    """
    path = Path(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WorkspaceError(f"cannot read {source!r}: {error.strerror or error}") from error
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, RuntimeError) as error:
        raise ModelError(f"{source!r} is not an ONNX model, or is cut off") from error
    if not proto.HasField("graph") or not proto.graph.node:
        raise ModelError(f"{source!r} is not an ONNX model, or is cut off: it has no graph")
    _load_external_data(proto, path.parent)
    return proto


def _load_external_data(proto: onnx.ModelProto, folder: Path) -> None:
    root = folder.resolve()
    external = [t for t in _tensors(proto.graph) if t.data_location == onnx.TensorProto.EXTERNAL]
    for tensor in external:
        location = next((e.value for e in tensor.external_data if e.key == "location"), "")
        target = (root / location).resolve() if "\0" not in location else root
        if not location or not target.is_relative_to(root) or target == root:
            raise ModelError(
                f"tensor {quote(tensor.name)}: its external data {quote(location)} lies outside "
                "the model's folder; put the file beside the model"
            )
        if not target.is_file():
            raise ModelError(
                f"tensor {quote(tensor.name)}: its external data {quote(location)} is missing"
            )
        try:
            load_external_data_for_tensor(tensor, str(root))
        except Exception as error:
            raise ModelError(
                f"tensor {quote(tensor.name)}: its external data {quote(location)} cannot be "
                f"read: {_reason(error)}"
            ) from error
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _tensors(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    found = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                found.append(attribute.t)
            found.extend(attribute.tensors)
            if attribute.HasField("g"):
                found.extend(_tensors(attribute.g))
            for subgraph in attribute.graphs:
                found.extend(_tensors(subgraph))
    return found


def to_canonical_opset(proto: onnx.ModelProto, custom_domains: dict[str, str]) -> ir.Model:
    """Inline functions, bring standard operators to opset 21, turn Constant nodes into
    initializers, drop initializers from the inputs.

    Args:
        custom_domains: domains that the frontend knows -> the canonical name of each.

    Raises:
        ModelError: an operator of another domain, no known opset, or a broken graph.
    """
    if proto.functions:
        try:
            proto = inliner.inline_local_functions(proto)
        except Exception as error:
            raise ModelError(f"the model is not valid ONNX: {_reason(error)}") from error
    for node in proto.graph.node:
        if node.domain in ("", "ai.onnx"):
            node.domain = ""
        elif node.domain in custom_domains:
            node.domain = custom_domains[node.domain]
        else:
            raise ModelError(
                f"node {quote(node.name or node.op_type)}: operator {quote(node.op_type)} of "
                f"domain {quote(node.domain)} is not supported"
            )
    _set_opsets(proto, set(custom_domains.values()))
    _drop_initializers_from_inputs(proto)
    _check_ends(proto.graph)
    try:
        onnx.checker.check_model(proto)
        proto = version_converter.convert_version(proto, OPSET)
    except Exception as error:
        raise ModelError(f"the model is not valid ONNX: {_reason(error)}") from error
    _drop_initializers_from_inputs(proto)
    try:
        model = ir.from_proto(proto)
        LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        return model
    except Exception as error:
        raise ModelError(f"the model is not valid ONNX: {_reason(error)}") from error


def _set_opsets(proto: onnx.ModelProto, custom: set[str]) -> None:
    version = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), None)
    if version is None:
        raise ModelError("the model does not say which ONNX opset it uses")
    newest = onnx.defs.onnx_opset_version()
    if version > newest:
        raise ModelError(f"opset {version} is newer than the newest known one ({newest})")
    if version < MIN_OPSET:
        raise ModelError(f"opset {version} is too old; export the model with opset 13 or later")
    del proto.opset_import[:]
    proto.opset_import.append(onnx.helper.make_opsetid("", version))
    proto.opset_import.extend(onnx.helper.make_opsetid(domain, 1) for domain in sorted(custom))
    proto.ir_version = max(proto.ir_version, 4)  # from 4 on, initializers need not be inputs


def _drop_initializers_from_inputs(proto: onnx.ModelProto) -> None:
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)


def _check_ends(graph: onnx.GraphProto) -> None:
    """What the checker says less clearly of inputs and outputs."""
    if not graph.output:
        raise ModelError("the model has no output")
    for value in graph.input:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
            raise ModelError(
                f"input {quote(value.name)} has no shape; export the model with an example input"
            )
        if kind.elem_type != onnx.TensorProto.FLOAT:
            name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
            raise ModelError(
                f"input {quote(value.name)} is of type {name}; export the model with a float "
                "(32-bit) input"
            )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:300] or type(error).__name__
