# SPDX-License-Identifier: Apache-2.0
"""Dataflow nodes that come from a file: their attributes must be possible."""

from __future__ import annotations

import math

import onnx_ir as ir

from qnnc.compiler.dataflow import declaration, is_dataflow, node_class
from qnnc.compiler.dataflow.base import DataflowNode, Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.operators.states import is_read

MOST = 1 << 31
"""Of an integer attribute."""
FREE = frozenset({"prefetch"})
"""Folding attributes that a pass after the folding sets."""


def check_dataflow(model: ir.Model) -> None:
    """Look at every dataflow node of a model that was read from a file.

    Raises:
        ModelError: a node's attributes are missing, of another kind, or do not fit each other or
            the node's tensors; names the node and, for its folding, the legal values.
    """
    for node in model.graph:
        if not is_dataflow(node):
            continue
        _check_numbers(node)
        try:
            declared = declaration(node)
            _check_streams(declared, declared.folding_type())
            _check_folding(declared)
            folding = declared.folding()
            _check_streams(declared, folding)
            for figure in (declared.cycles, declared.latency, declared.resources):
                figure(folding)
        except ModelError as error:
            if quote(node.name) in str(error):
                raise
            raise ModelError(f"{node.op_type} node {quote(node.name)}: {error}") from error
        except Exception as error:  # the declaration's own, by what the attributes say
            raise ModelError(
                f"{node.op_type} node {quote(node.name)}: its attributes do not fit each other "
                f"({type(error).__name__}: {error}); start from the model, or from an IR as "
                "--save-ir wrote it"
            ) from error


def _check_numbers(node: ir.Node) -> None:
    folding = node_class(node.op_type).folding_names()
    for name, attribute in node.attributes.items():
        if name in folding:
            continue  # compared with what is legal
        value = attribute.value
        numbers = value if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(n, int) and abs(n) >= MOST for n in numbers) or len(numbers) > 64:
            raise ModelError(f"{node.op_type} node {quote(node.name)}: {quote(name)} is too large")


def _check_folding(node: DataflowNode) -> None:
    options, default = list(node.foldings()), node.folding_type()
    for name in default.names():
        if name in FREE:
            continue
        attribute = node.node.attributes.get(name)
        found = getattr(default, name) if attribute is None else attribute.value
        legal = {getattr(option, name) for option in options}
        if name not in ("PE", "SIMD"):
            legal.add(getattr(default, name))
        if found not in legal or isinstance(found, bool):
            shown = ", ".join(str(value) for value in sorted(legal))
            raise ModelError(
                f"{node.op_type} node {quote(node.name)}: {name} cannot be {found!r}; it can be "
                f"{shown}"
            )


def _check_streams(node: DataflowNode, folding: Folding) -> None:
    """The streams of a node carry its tensors, in whole words."""
    ports = node.ports(folding)
    inputs = [node.node.inputs[i] for i in node.stream_inputs]
    taken = () if is_read(node.node) else ports.inputs  # its inputs are not tensors of the graph
    ends = ((inputs, taken), (list(node.node.outputs), ports.outputs))
    for values, streams in ends:
        if len(values) < len(streams):
            raise ModelError(
                f"{node.op_type} node {quote(node.name)} has {len(values)} tensors for "
                f"{len(streams)} streams"
            )
        for value, stream in zip(values, streams, strict=False):
            if value is not None:
                _check_stream(node, value, stream)


def _check_stream(node: DataflowNode, value: ir.Value, stream: Stream) -> None:
    if stream.elements != math.prod(shape_of(value)):
        raise ModelError(
            f"{node.op_type} node {quote(node.name)}: by its attributes tensor "
            f"{quote(value.name)} has shape {list(stream.shape)}, in the graph it has "
            f"{list(shape_of(value))}"
        )
    if stream.lanes < 1 or stream.shape[-1] % stream.lanes:
        raise ModelError(
            f"{node.op_type} node {quote(node.name)}: words of {stream.lanes} elements do not "
            f"divide a row of {stream.shape[-1]}"
        )
