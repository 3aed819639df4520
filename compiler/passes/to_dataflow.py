# SPDX-License-Identifier: Apache-2.0
"""to-dataflow: integer operators become FINN's dataflow nodes, on streams with channels last."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow import is_dataflow
from qnnc.compiler.dataflow.stream_graph import name_nodes
from qnnc.compiler.errors import ModelError
from qnnc.compiler.ir.edit import Editor, remove_unused, replace_value
from qnnc.compiler.ir.facts import ACCELERATOR, integer, part
from qnnc.compiler.lowering import lowering
from qnnc.compiler.lowering.streams import Streams
from qnnc.compiler.passes.base import Pass


@dataclass
class ToDataflow(Pass):
    """Lower every operator of the accelerator to FINN dataflow nodes."""

    name = "to-dataflow"

    def run(self, model: ir.Model) -> bool:
        streams = Streams(Editor(model.graph))
        outputs = set(model.graph.outputs)
        for node in list(model.graph):
            if part(node) != ACCELERATOR:
                continue
            streams.node = node
            lower = lowering(node.op_type)
            if lower is None:
                raise streams.error(f"no dataflow node does {node.op_type}")
            lower(streams)
            for value in node.outputs:
                _hand_over(streams, value, value in outputs)
        remove_unused(model)
        name_nodes(model)
        if not any(is_dataflow(node) for node in model.graph):
            raise ModelError(
                "the accelerator would do nothing but move elements about: the model has no "
                "layer between its quantizers"
            )
        return True


def _hand_over(streams: Streams, value: ir.Value, is_output: bool) -> None:
    """Let the host continue with the stream instead of the tensor."""
    if integer(value) is None:
        return
    users = [(user, i) for user, i in value.uses() if part(user) != ACCELERATOR]
    if not users and not is_output:
        return
    restored = streams.restore(value)
    for user, index in users:
        user.replace_input_with(index, restored)
    if is_output:
        replace_value(value, restored)
