# SPDX-License-Identifier: Apache-2.0
"""Bringing a model to the opset of the canonical IR, from older and from newer ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
from onnx import helper, version_converter
from onnx.defs import OpSchema, SchemaError, get_schema

from qnnc.compiler.errors import ModelError, quote

OPSET = 21
OLDER_OPSET = 18
MIN_OPSET = 7
WRONGLY_LABELLED = (13, 17)
"""Opsets that torch's newer exporter gives models of opset 18 that it could not convert back; from
13 to 18 no operator has changed its meaning, so that they can be read as what they are."""
PER_CHANNEL_OPSET = 13
"""The first in which QuantizeLinear and DequantizeLinear have an axis. ONNX Runtime's quantizer
writes one into older models, too, and then does not load them."""
REAL = (onnx.TensorProto.UNDEFINED, onnx.TensorProto.FLOAT)

ADDED: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("Cast", "round_mode"): lambda _: True,  # for FLOAT8E8M0 only
    ("CastLike", "round_mode"): lambda _: True,
    ("QuantizeLinear", "precision"): lambda value: value in REAL,
    ("DequantizeLinear", "output_dtype"): lambda value: value in REAL,
    ("Range", "stash_type"): lambda value: value in REAL,
    ("SpaceToDepth", "mode"): lambda value: value == b"DCR",
}
"""Attributes that operators have got since opset 21, and which of their values say no more than
what opset 21 does anyway. That nothing else was added is checked by a test."""


def check_version(proto: onnx.ModelProto) -> int:
    """The opset of a model; raises ModelError for one that cannot be read."""
    found = [o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")]
    if not found:
        raise ModelError("the model does not say which ONNX opset it uses")
    version = int(found[0])
    newest = onnx.defs.onnx_opset_version()
    if version > newest:
        raise ModelError(f"opset {version} is newer than the newest known one ({newest})")
    if version < MIN_OPSET:
        raise ModelError(f"opset {version} is too old; export the model with opset 13 or later")
    return version


def to_canonical(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Check a model and convert its standard operators to opset 21.

    Models of opset 18 and before that have an AveragePool go to opset 18 instead: from 19 on ONNX
    Runtime sums a window in another order, so that a mean that lies between two integers may be
    rounded the other way.

    Raises:
        ModelError: an operator that opset 21 does not have, or an attribute of such a value; an
            axis of a quantizer that the model's own opset does not have.
        Exception: whatever onnx raises about a broken graph.
    """
    version = check_version(proto)
    if WRONGLY_LABELLED[0] <= version < OLDER_OPSET and _has_split_counts(proto.graph):
        version = OLDER_OPSET
        _set_version(proto, version)
    if version < PER_CHANNEL_OPSET:
        _refuse_axis(proto.graph, version)
    _check(proto)
    if version > OPSET:
        return _taken_back(proto)
    pools = any(node.op_type == "AveragePool" for node in proto.graph.node)
    target = OLDER_OPSET if pools and version <= OLDER_OPSET else OPSET
    return version_converter.convert_version(proto, target)


def _taken_back(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A newer model as one of opset 21. What has come since then are types (which the IR does
    not have, so that nothing needs to be converted), a few attributes, and new operators; onnx's
    own converter refuses the types."""
    _write_out_swish(proto.graph)
    for node in proto.graph.node:
        if node.domain != "":
            continue
        schema = _schema(node)
        if schema is None:
            raise ModelError(
                f"node {quote(node.name or node.op_type)}: {node.op_type} is newer than opset "
                f"{OPSET} and not supported; export the model with opset {OPSET} or before"
            )
        for attribute in list(node.attribute):
            if attribute.name in schema.attributes:
                continue
            value = helper.get_attribute_value(attribute)
            harmless = ADDED.get((node.op_type, attribute.name))
            if harmless is None or not harmless(value):
                raise ModelError(
                    f"node {quote(node.name or node.op_type)}: attribute {attribute.name} of "
                    f"{node.op_type} is not supported with the value {value!r}; export the model "
                    f"with opset {OPSET}"
                )
            node.attribute.remove(attribute)
    _set_version(proto, OPSET)
    return proto


def _refuse_axis(graph: onnx.GraphProto, version: int) -> None:
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or node.domain != "":
            continue
        if any(attribute.name == "axis" for attribute in node.attribute):
            raise ModelError(
                f"node {quote(node.name or node.op_type)}: {node.op_type} has a scale for each "
                f"channel, which there is from opset {PER_CHANNEL_OPSET} on and not in the model's "
                f"{version} (ONNX Runtime does not load it either); export the float model with "
                f"opset {PER_CHANNEL_OPSET} or later and quantize that, or quantize per tensor"
            )


def _check(proto: onnx.ModelProto) -> None:
    """Check a model; that an output says no shape, which ONNX Runtime allows, is not a fault."""
    bare = [v for v in proto.graph.output if not v.type.tensor_type.HasField("shape")]
    for value in bare:
        value.type.tensor_type.shape.dim.add()
    try:
        onnx.checker.check_model(proto)
    finally:
        for value in bare:
            value.type.tensor_type.ClearField("shape")


def _set_version(proto: onnx.ModelProto, version: int) -> None:
    for entry in proto.opset_import:
        if entry.domain == "":
            entry.version = version


def _has_split_counts(graph: onnx.GraphProto) -> bool:
    """A Split says into how many parts, which it can since opset 18 only."""
    splits = [node for node in graph.node if node.domain == "" and node.op_type == "Split"]
    return any(attribute.name == "num_outputs" for node in splits for attribute in node.attribute)


def _schema(node: onnx.NodeProto) -> OpSchema | None:
    """An operator as opset 21 has it, or None."""
    try:
        return get_schema(node.op_type, OPSET, "")
    except SchemaError:
        return None


def _write_out_swish(graph: onnx.GraphProto) -> None:
    """x * sigmoid(alpha * x), as ONNX defines Swish (opset 24)."""
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.domain != "" or node.op_type != "Swish":
            nodes.append(node)
            continue
        alpha = next((a.f for a in node.attribute if a.name == "alpha"), 1.0)
        x, y = node.input[0], node.output[0]
        inner = x
        if alpha != 1.0:
            factor = helper.make_tensor(f"{y}/alpha", onnx.TensorProto.FLOAT, (), [alpha])
            graph.initializer.append(factor)
            inner = f"{y}/scaled"
            nodes.append(helper.make_node("Mul", [x, factor.name], [inner], f"{node.name}/alpha"))
        gate = f"{y}/gate"
        nodes.append(helper.make_node("Sigmoid", [inner], [gate], f"{node.name}/gate"))
        nodes.append(helper.make_node("Mul", [x, gate], [y], node.name))
    del graph.node[:]
    graph.node.extend(nodes)
