# SPDX-License-Identifier: Apache-2.0
"""QuantLSTMCell, as Brevitas exports QuantLSTM: one node for a direction's whole sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import onnx_ir as ir

from qnnc.compiler.ir.edit import attribute
from qnnc.frontends.qonnx.grids import Grid
from qnnc.frontends.qonnx.recurrent.cell import Cell

GATES = ("input", "forget", "cell", "output")


class LstmCell(Cell):
    """Four gates, a hidden state and a cell state; the input and forget gates may be coupled."""

    QUANTIZERS: ClassVar = (
        *("output", "cell_state", "input_acc", "forget_acc", "cell_acc", "output_acc"),
        *("input_sigmoid", "forget_sigmoid", "cell_tanh", "output_sigmoid", "hidden_state_tanh"),
    )
    STATES: ClassVar = ("output", "cell_state")
    TENSORS: ClassVar = 15
    INPUT_WEIGHTS: ClassVar = 3
    HIDDEN_WEIGHTS: ClassVar = 7
    BIASES: ClassVar = 11

    def _step(self, x: ir.Value, x_grid: Grid, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
        hidden, cell = states
        coupled = bool(attribute(self.node, "cifg", 0))
        gates = {}
        for index, gate in enumerate(GATES):
            if gate == "forget" and coupled:
                continue
            gates[gate] = self._gate(index, gate, x, x_grid, hidden)
        if coupled:
            gates["forget"] = self._complement(gates["input"])
        g, h = self.grids, self.size
        state = g["cell_state"]
        names = {"forget": "forget_sigmoid", "input": "input_sigmoid", "output": "output_sigmoid"}
        if coupled:
            names["forget"] = "input_sigmoid"
        kept = self._product("forget_cell", gates["forget"], g[names["forget"]], cell, state, state)
        new = self._product(
            "input_cell", gates["input"], g[names["input"]], gates["cell"], g["cell_tanh"], state
        )
        total = self._op("Add", [kept, new], "cell_sum", h)
        cell_now = self._codes(total, state.coded, h, "cell_state")
        value = self._scaled(cell_now, state.scale, "cell_value")
        activated = self._codes(
            self._op("Tanh", [value], "cell_tanh_value", h), g["hidden_state_tanh"], h, "cell_tanh"
        )
        hidden_now = self._product(
            "hidden",
            gates["output"],
            g[names["output"]],
            activated,
            g["hidden_state_tanh"],
            g["output"],
        )
        return [hidden_now, cell_now]

    def _gate(self, index: int, gate: str, x: ir.Value, x_grid: Grid, hidden: ir.Value) -> ir.Value:
        """A gate's codes: its value, the function, and that one's quantizer."""
        value = self._sum(
            gate, x, x_grid, hidden, weights=self.INPUT_WEIGHTS + index, bias=self.BIASES + index
        )
        function = "tanh" if gate == "cell" else "sigmoid"
        value = self._op(function.capitalize(), [value], f"{gate}_{function}", self.size)
        return self._codes(value, self.grids[f"{gate}_{function}"], self.size, f"{gate}_gate")

    def _complement(self, gate: ir.Value) -> ir.Value:
        """One minus the input gate, on that gate's grid."""
        one = self.grids["input_sigmoid"].nearest(1.0)
        return self._op("Sub", [self._number(one), gate], "forget_gate", self.size)

    def _product(
        self, name: str, a: ir.Value, a_grid: Grid, b: ir.Value, b_grid: Grid, to: Grid
    ) -> ir.Value:
        """Codes of a product of two tensors, from theirs."""
        whole = self._op("Mul", [a, b], f"{name}_product", self.size)
        value = self._scaled(whole, a_grid.scale * b_grid.scale, f"{name}_value")
        return self._codes(value, to, self.size, name)
