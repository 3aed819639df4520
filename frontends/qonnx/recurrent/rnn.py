# SPDX-License-Identifier: Apache-2.0
"""QuantRNNCell: Brevitas' QuantRNN, which it cannot export itself; frontends/brevitas writes it in
the way of QuantLSTMCell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import attribute
from qnnc.frontends.qonnx.grids import Grid
from qnnc.frontends.qonnx.recurrent.cell import Cell

FUNCTIONS = {"tanh": "Tanh", "relu": "Relu"}


class RnnCell(Cell):
    """One gate, whose function's quantizer gives the hidden state."""

    QUANTIZERS: ClassVar = ("gate_acc", "output")
    STATES: ClassVar = ("output",)
    TENSORS: ClassVar = 5
    INPUT_WEIGHTS: ClassVar = 2
    HIDDEN_WEIGHTS: ClassVar = 3
    BIAS: ClassVar = 4

    def _step(self, x: ir.Value, x_grid: Grid, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
        function = str(attribute(self.node, "nonlinearity", "tanh"))
        if function not in FUNCTIONS:
            raise ModelError(
                f"node {quote(self.node.name)} (QuantRNNCell): {function!r} is not one of its "
                f"functions, {' and '.join(FUNCTIONS)}"
            )
        value = self._sum("gate", x, x_grid, states[0], weights=self.INPUT_WEIGHTS, bias=self.BIAS)
        value = self._op(FUNCTIONS[function], [value], f"gate_{function}", self.size)
        return [self._codes(value, self.grids["output"], self.size, "hidden")]
