# SPDX-License-Identifier: Apache-2.0
"""One dataflow node in FINN's terms: attributes, constants, annotations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from qonnx.core.datatype import BaseDataType

from qnnc.backends.finn.facet import COMMON, finn_class, to_finn
from qnnc.compiler.dataflow import DataflowNode, Stream
from qnnc.compiler.datatypes import datatype, smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import FINN, constant

_LAYOUTS = {2: "['N', 'C']", 4: "['N', 'H', 'W', 'C']"}
_CONSTANT_TYPES = ("weightDataType", "rhs_dtype")


@dataclass(frozen=True)
class FinnNode:
    """A node with its constants; `style` is hls or rtl."""

    proto: onnx.NodeProto
    constants: list[onnx.TensorProto]
    annotations: list[onnx.TensorAnnotation]
    style: str


def finn_node(
    node: DataflowNode,
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    changed: Mapping[str, int],
) -> FinnNode:
    """Make FINN's node.

    Args:
        name: of the node.
        inputs: names of its streams in.
        outputs: names of its streams out.
        changed: attributes that are others in FINN.

    Raises:
        ModelError: it cannot be handed over to FINN.
    """
    finn = to_finn(node)
    if reason := finn.refusal():
        raise ModelError(f"node {quote(node.name)}: {reason}")
    chosen = "hls" if node.made_by == "hls" else finn.style
    attributes = {
        key: attribute.value
        for key, attribute in node.node.attributes.items()
        if key in finn.taken()
    }
    attributes.update(changed, backend="fpgadataflow", preferred_impl_style=chosen)
    if attributes.get("mem_mode") == "external":  # batches are ours alone
        attributes["mem_mode"] = "internal_decoupled"
    names = list(inputs)
    tensors, annotations = [], []
    for index, value in enumerate(node.node.inputs):
        array = constant(value)
        if value is None or array is None:
            continue
        own = f"{name}_param{index}"
        tensors.append(numpy_helper.from_array(np.asarray(array, dtype=np.float32), own))
        annotations.append(annotation(own, _constant_type(node, array)))
        names.append(own)
    proto = helper.make_node(
        node.op_type, names, list(outputs), name=name, domain=FINN, **attributes
    )
    return FinnNode(proto, tensors, annotations, chosen)


def attributes_of(op_type: str) -> frozenset[str]:
    """Attributes that one of FINN's operators takes; raises PluginError for one that no node is."""
    if op_type == "Reshape":
        return frozenset(f"{COMMON} inp_shape out_shape dtype PE".split())
    return finn_class(op_type).taken()


def reshape_lanes(before: Stream, after: Stream) -> int:
    """Elements that a reshape passes at once."""
    return math.gcd(before.shape[-1], after.shape[-1], after.lanes)


def reshape_node(name: str, source: str, target: str, before: Stream, after: Stream) -> FinnNode:
    """A stream's elements in their order as a tensor of another shape (finn-plus only)."""
    chosen = "rtl"
    proto = helper.make_node(
        "Reshape",
        [source],
        [target],
        name=name,
        domain=FINN,
        backend="fpgadataflow",
        preferred_impl_style=chosen,
        inp_shape=list(before.shape),
        out_shape=list(after.shape),
        dtype=after.datatype.name,
        PE=reshape_lanes(before, after),
    )
    return FinnNode(proto, [], [], chosen)


def _constant_type(node: DataflowNode, array: NDArray[Any]) -> BaseDataType:
    """The type that the node's attribute gives its constant; both must agree in FINN."""
    for name in _CONSTANT_TYPES:
        if name in node.node.attributes:
            return datatype(node.node.attributes[name].as_string())
    return smallest_type(int(array.min()), int(array.max()))


def annotation(tensor: str, kind: BaseDataType, rank: int = 0) -> onnx.TensorAnnotation:
    """FINN's annotation of a tensor: integer type, and layout if it is a stream."""
    made = onnx.TensorAnnotation(tensor_name=tensor)
    entries = {"finn_datatype": kind.name}
    if rank in _LAYOUTS:
        entries["tensor_layout"] = _LAYOUTS[rank]
    for key, value in entries.items():
        made.quant_parameter_tensor_names.append(onnx.StringStringEntryProto(key=key, value=value))
    return made
