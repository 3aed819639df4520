# SPDX-License-Identifier: Apache-2.0
"""Reading ONNX files from untrusted sources: what every ONNX frontend starts with."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError
from onnx import inliner
from onnx.external_data_helper import load_external_data_for_tensor
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from qnnc.compiler.errors import ModelError, WorkspaceError, quote
from qnnc.frontends import opsets, vendors
from qnnc.frontends.contents import check_contents
from qnnc.frontends.sorting import sort_nodes

MICROSOFT = "com.microsoft"
INTEGER_OPERATORS = frozenset(
    {
        "QuantizeLinear",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "QLinearMatMul",
        "QLinearConv",
        "MatMulInteger",
        "ConvInteger",
    }
)
"""Quantized operators of ONNX's own domain."""


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
    check_contents(proto)
    return proto


def set_input_shape(proto: onnx.ModelProto, shape: Sequence[int] | None) -> onnx.ModelProto:
    """Give the model's only input a shape, if one is asked for; returns the model.

    Raises:
        ModelError: it has several inputs, or one of another rank or of other fixed sizes.
    """
    if shape is None:
        return proto
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise ModelError(f"an input shape is for models with one input; this has {len(inputs)}")
    found = inputs[0].type.tensor_type.shape
    fits = not inputs[0].type.tensor_type.HasField("shape") or (
        len(found.dim) == len(shape)
        and all(
            not d.HasField("dim_value") or d.dim_value in (size, 0, -1)
            for d, size in list(zip(found.dim, shape, strict=True))[1:]
        )
    )
    if not fits:
        dims = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in found.dim]
        raise ModelError(
            f"input {quote(inputs[0].name)} has shape {dims}, which {list(shape)} does not fit"
        )
    del found.dim[:]
    for size in shape:
        found.dim.add().dim_value = size
    return proto


def operators_in(source: str) -> frozenset[tuple[str, str]]:
    """Domain and name of every operator that a file uses, or nothing if it is not an ONNX model;
    never raises."""
    try:
        stat = os.stat(source)
    except (OSError, ValueError):
        return frozenset()
    return _operators_in(source, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _operators_in(source: str, changed: int, size: int) -> frozenset[tuple[str, str]]:
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(Path(source).read_bytes())
    except (OSError, DecodeError, RuntimeError):
        return frozenset()
    nodes = [*proto.graph.node, *(node for f in proto.functions for node in f.node)]
    return frozenset(
        ("" if node.domain == "ai.onnx" else node.domain, node.op_type) for node in nodes
    )


def uses_integers(domain: str, name: str) -> bool:
    """The operator belongs to ONNX's own quantized formats, QDQ and QOperator, or means it."""
    if vendors.quantizer_name(domain, name) is not None:
        return True
    return domain == MICROSOFT or (domain == "" and name in INTEGER_OPERATORS)


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


def to_canonical_opset(
    proto: onnx.ModelProto,
    custom_domains: dict[str, str],
    input_types: Collection[int] = (onnx.TensorProto.FLOAT,),
) -> ir.Model:
    """Inline functions, sort the nodes, bring standard operators to opset 21, turn Constant nodes
    into initializers, drop initializers from the inputs.

    Args:
        custom_domains: domains that the frontend knows -> the canonical name of each.
        input_types: element types that the frontend can read from an input.

    Raises:
        ModelError: an operator of another domain, no known opset, or a broken graph.
    """
    if proto.functions:
        try:
            proto = inliner.inline_local_functions(proto)
        except Exception as error:
            raise ModelError(f"the model is not valid ONNX: {_reason(error)}") from error
    _set_domains(proto.graph, custom_domains)
    _set_opsets(proto, set(custom_domains.values()))
    _drop_initializers_from_inputs(proto)
    _check_ends(proto.graph, input_types)
    vendors.refuse_small_floats(proto)
    sort_nodes(proto.graph)
    try:
        proto = opsets.to_canonical(proto)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"the model is not valid ONNX: {_reason(error)}") from error
    _drop_initializers_from_inputs(proto)
    try:
        model = ir.from_proto(proto)
        LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        return model
    except Exception as error:
        raise ModelError(f"the model is not valid ONNX: {_reason(error)}") from error


def _set_domains(graph: onnx.GraphProto, custom_domains: dict[str, str]) -> None:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.domain in ("", "ai.onnx"):
            node.domain = ""
        elif node.domain in custom_domains:
            node.domain = custom_domains[node.domain]
        elif not vendors.to_standard(node, constants):
            raise vendors.unsupported(node)


def _set_opsets(proto: onnx.ModelProto, custom: set[str]) -> None:
    version = opsets.check_version(proto)
    del proto.opset_import[:]
    proto.opset_import.append(onnx.helper.make_opsetid("", version))
    proto.opset_import.extend(onnx.helper.make_opsetid(domain, 1) for domain in sorted(custom))
    proto.ir_version = max(proto.ir_version, 4)  # from 4 on, initializers need not be inputs


def _drop_initializers_from_inputs(proto: onnx.ModelProto) -> None:
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)


def _check_ends(graph: onnx.GraphProto, input_types: Collection[int]) -> None:
    """Refuse inputs and outputs with clearer messages than the checker's."""
    if not graph.output:
        raise ModelError("the model has no output")
    for value in graph.input:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
            raise ModelError(
                f"input {quote(value.name)} has no shape; export the model with an example input"
            )
        if kind.elem_type not in input_types:
            name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
            raise ModelError(
                f"input {quote(value.name)} is of type {name}; export the model with a float "
                "(32-bit) input"
            )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:300] or type(error).__name__
