# SPDX-License-Identifier: Apache-2.0
"""TopK and ArgMax."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute, constant, replace_value, shape_of
from qnnc.compiler.ir.facts import HOST_POST, Integer, set_part
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import Streams
from qnnc.nodes.label_select.node import LabelSelect


def labels(streams: Streams) -> None:
    """TopK and ArgMax become a LabelSelect; its labels go on as int64."""
    node = streams.node
    x = streams.source()
    stream, shape = streams.plain(x), shape_of(x)
    if node.op_type == "ArgMax":
        k, output = 1, node.outputs[0]
        if not attribute(node, "keepdims", 1):
            raise streams.error("ArgMax must keep its dimension")
    else:
        wanted = constant(node.inputs[1])
        assert wanted is not None
        k, output = int(wanted.reshape(-1)[0]), node.outputs[1]
    y = streams.emit(
        LabelSelect.create(labels=shape[-1], k=k, x=streams.fact(stream).type, vectors=shape[:-1]),
        [stream],
        [(*shape[:-1], k)],
        [Integer.of(0, shape[-1] - 1)],
        ir.DataType.FLOAT,
    )[0]
    indices = streams.editor.insert(
        node,
        "Cast",
        [y],
        f"{output.name}_indices",
        attributes={"to": ir.DataType.INT64},
        dtype=ir.DataType.INT64,
        shape=shape_of(y),
        origins=(node,),
    )
    cast = indices.producer()
    assert cast is not None
    set_part(cast, HOST_POST)
    replace_value(output, indices)


LOWERINGS: Mapping[str, Lowering] = {"TopK": labels, "ArgMax": labels}
