# SPDX-License-Identifier: Apache-2.0
"""Cells of recurrences, one node for a direction's whole sequence, as quantizers and operators
between the two ends of a loop."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import QONNX, Editor, attribute
from qnnc.compiler.ir.facts import set_sources
from qnnc.frontends.qonnx.recurrent.cell import Cell
from qnnc.frontends.qonnx.recurrent.lstm import LstmCell
from qnnc.frontends.qonnx.recurrent.rnn import RnnCell

CELLS: dict[str, type[Cell]] = {"QuantLSTMCell": LstmCell, "QuantRNNCell": RnnCell}


def expand_cells(model: ir.Model) -> bool:
    """Write every cell as quantizers and operators between StateRead and StateWrite.

    Raises:
        ModelError: one has parameters that are missing, computed, or without a quantizer.
    """
    cells = [n for n in model.graph if n.op_type in CELLS and n.domain == QONNX]
    editor = Editor(model.graph)
    for value in model.graph.inputs if cells else ():
        _give_batch(editor, value)
    for number, node in enumerate(cells):
        if not node.name:
            node.name = f"{node.op_type}_{number}"
        set_sources(node, (node.name,))
        CELLS[node.op_type](editor, node).expand()
        model.graph.remove(node, safe=True)
    return bool(cells)


def _give_batch(editor: Editor, value: ir.Value) -> None:
    """Make an input [T, 1, C] one frame, with a batch axis before it, where a cell takes it with
    the steps first."""
    if value.shape is None or len(value.shape) != 3 or not _steps_first(value):
        return
    steps, batch, features = value.shape
    if (
        not isinstance(steps, int)
        or not isinstance(features, int)
        or (isinstance(batch, int) and batch > 1)
    ):
        return
    shape = [steps, 1, features]
    users = list(value.uses())
    target = editor.initializer(f"{value.name}_shape", np.array(shape, np.int64))
    first = min((user for user, _ in users), key=editor.position)
    y = editor.insert(first, "Reshape", [value, target], f"{value.name}_sequence", shape=shape)
    for user, index in users:
        user.replace_input_with(index, y)
    value.shape = ir.Shape([1, *shape])


def _steps_first(value: ir.Value) -> bool:
    """A cell that has the steps first takes the tensor, quantized or as it is."""
    for user, index in value.uses():
        if index or (user.op_type in CELLS and attribute(user, "batch_first", 0)):
            continue
        if user.op_type in CELLS:
            return True
        if user.op_type in ("Quant", "BipolarQuant", "Identity") and _steps_first(user.outputs[0]):
            return True
    return False
