# SPDX-License-Identifier: Apache-2.0
"""append-top-k: labels instead of scores as the output."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.errors import ModelError, OptionError, quote
from qnnc.compiler.ir.builder import EditBuilder, top_k
from qnnc.compiler.ir.edit import Editor, shape_of
from qnnc.compiler.passes.base import Pass


@dataclass
class AppendTopK(Pass):
    """Append TopK: the indices of the k largest scores become the output.

    Options:
        k: how many labels; 0 leaves the model as it is.
    """

    name = "append-top-k"
    k: int = 0

    def run(self, model: ir.Model) -> bool:
        if self.k == 0:
            return False
        graph = model.graph
        if len(graph.outputs) != 1:
            raise ModelError(
                f"top-k needs a model with one output; this one has {len(graph.outputs)}"
            )
        scores = graph.outputs[0]
        classes = shape_of(scores)[-1]
        if not 1 <= self.k <= classes:
            raise OptionError(
                f"top-k {self.k} is not possible: output {quote(scores.name)} has {classes} scores"
            )
        producer = scores.producer()
        builder = EditBuilder(Editor(graph), None, "labels", (producer,) if producer else ())
        labels = top_k(builder, scores, self.k)
        labels.type = ir.TensorType(ir.DataType.INT64)
        labels.shape = ir.Shape([*shape_of(scores)[:-1], self.k])
        graph.outputs[0] = labels
        return True
