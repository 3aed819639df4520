# SPDX-License-Identifier: Apache-2.0
"""QuantLSTMCell, as Brevitas exports QuantLSTM: one node for a direction's whole sequence.

What it computes is taken from Brevitas' forward (brevitas/nn/quant_rnn.py), with one difference:
sums and products are taken of the integer codes, so that they are exact, and scaled once. Where
float32 would round a sum across a quantizer's boundary, the two differ; elsewhere they are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, Unsupported, quote
from qnnc.compiler.integer.join import common_grid
from qnnc.compiler.ir.edit import QNNC, QONNX, Editor, attribute, constant, replace_value
from qnnc.compiler.ir.facts import FloatArray, set_sources
from qnnc.compiler.ir.operators.states import READ, WRITE
from qnnc.frontends.qonnx.grids import Grid, declared, grid_of, sequence_shape

OPERATOR = "QuantLSTMCell"
GATES = ("input", "forget", "cell", "output")
QUANTIZERS = (
    *("output", "cell_state", "input_acc", "forget_acc", "cell_acc", "output_acc"),
    *("input_sigmoid", "forget_sigmoid", "cell_tanh", "output_sigmoid", "hidden_state_tanh"),
)
"""In the order of the node's inputs, a scale, a zero point and a bit width each."""
END = 1 << 30
"""Beyond the end of any sequence."""
TENSORS = 15
"""Inputs before those of the quantizers."""


def expand_lstm_cells(model: ir.Model) -> bool:
    """Write every QuantLSTMCell as quantizers and operators between StateRead and StateWrite.

    Raises:
        ModelError: one has parameters that are missing, computed, or without a quantizer.
    """
    cells = [n for n in model.graph if n.op_type == OPERATOR and n.domain == QONNX]
    editor = Editor(model.graph)
    for value in model.graph.inputs if cells else ():
        _give_batch(editor, value)
    for number, node in enumerate(cells):
        if not node.name:
            node.name = f"{OPERATOR}_{number}"
        set_sources(node, (node.name,))
        _Cell(editor, node).expand()
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
        if index or (user.op_type == OPERATOR and attribute(user, "batch_first", 0)):
            continue
        if user.op_type == OPERATOR:
            return True
        if user.op_type in ("Quant", "BipolarQuant", "Identity") and _steps_first(user.outputs[0]):
            return True
    return False


@dataclass
class _Cell:
    """A cell under expansion."""

    editor: Editor
    node: ir.Node

    def expand(self) -> None:
        """Put the operators in the node's place."""
        node = self.node
        if len(node.inputs) != TENSORS + 3 * len(QUANTIZERS) or len(node.outputs) != 3:
            raise ModelError(
                f"node {quote(node.name)} ({OPERATOR}) has {len(node.inputs)} inputs, not "
                f"{TENSORS + 3 * len(QUANTIZERS)}; export it with Brevitas 0.10 or newer"
            )
        self.first = bool(attribute(node, "batch_first", 0))
        self.reverse = bool(attribute(node, "reverse_input", 0))
        self.coupled = bool(attribute(node, "cifg", 0))
        self.grids = {name: self._quantizer(i, name) for i, name in enumerate(QUANTIZERS)}
        x = self._given(0, "sequence")
        shape = sequence_shape(x)
        if shape is None:
            raise ModelError(
                f"node {quote(node.name)}: the length of its sequence {quote(x.name)} is not "
                "known; export the model with fixed dimensions"
            )
        batch, steps = shape[:2] if self.first else (shape[1], shape[0])
        if batch != 1:
            raise ModelError(
                f"node {quote(node.name)}: its sequence {quote(x.name)} has a batch of {batch}; "
                "export the model with a batch of 1"
            )
        self.steps, self.features = steps, shape[2]
        self.size = self._hidden_size()
        self._write(x)

    def _write(self, x: ir.Value) -> None:
        grid = grid_of(x)
        if grid is None:
            raise ModelError(
                f"node {quote(self.node.name)}: its input {quote(x.name)} has no quantizer; "
                "quantize it"
            )
        sequence = self._in_order(self._turned(x, [1, self.steps, self.features]), self.features)
        codes = self._codes(sequence, grid, self.features, "input")
        states = self._read(codes)
        hidden, cell = states
        gates = {}
        for index, gate in enumerate(GATES):
            if gate == "forget" and self.coupled:
                continue
            gates[gate] = self._gate(index, gate, codes, grid, hidden)
        if self.coupled:
            gates["forget"] = self._complement(gates["input"])
        g, h = self.grids, self.size
        state = g["cell_state"]
        names = {"forget": "forget_sigmoid", "input": "input_sigmoid", "output": "output_sigmoid"}
        if self.coupled:
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
        self._finish([hidden_now, cell_now])

    # --- parts ------------------------------------------------------------------------------

    def _read(self, codes: ir.Value) -> list[ir.Value]:
        starts = []
        for index, name in ((1, "output"), (2, "cell_state")):
            start = self._given(index, "initial state")
            known = constant(start)
            if known is not None and known.size != self.size:
                raise ModelError(
                    f"node {quote(self.node.name)}: its initial state {quote(start.name)} has "
                    f"{known.size} elements; it needs one for each of its {self.size} hidden units"
                )
            flat = self._op_of(
                "Reshape", [start, self._number(np.array([self.size]), np.int64)], f"{name}_start",
                [self.size],
            )  # fmt: skip
            scale = self._number(self.grids[name].scale)
            starts.append(self._op_of("Div", [flat, scale], f"{name}_start", [self.size]))
        y = self.editor.insert(
            self.node,
            READ,
            [codes, *starts],
            f"{self.node.name}/state",
            domain=QNNC,
            attributes={"loop": str(self.node.name)},
            shape=[1, self.steps, self.size],
            origins=(self.node,),
            outputs=2,
        )
        producer = y.producer()
        assert producer is not None
        return list(producer.outputs)

    def _gate(self, index: int, gate: str, x: ir.Value, x_grid: Grid, hidden: ir.Value) -> ir.Value:
        """A gate's codes: sums, the accumulator's quantizer, the function, and its quantizer."""
        h = self.size
        products, scales = [], []
        for kind, first, operand, grid, features in (
            ("input", 3, x, x_grid, self.features),
            ("hidden", 7, hidden, self.grids["output"], h),
        ):
            weights, scale = self._weights(first + index, f"{gate}_{kind}_weights", features)
            products.append(self._op("MatMul", [operand, weights], f"{gate}_{kind}", h))
            scales.append(np.asarray(scale * grid.scale, dtype=np.float64))
        try:
            factors, common = common_grid(scales)
        except Unsupported as why:
            raise ModelError(
                f"node {quote(self.node.name)}: the sums of its {gate} gate have scales that are "
                "not small multiples of each other: let input and hidden state, and the weights of "
                "both, go through quantizers of one scale, or of powers of two"
            ) from why
        products = [
            p if np.all(f == 1) else self._op("Mul", [p, self._number(f)], f"{gate}_on_grid", h)
            for p, f in zip(products, factors, strict=True)
        ]
        total = self._op("Add", products, f"{gate}_sum", h)
        value = self._scaled(total, common, f"{gate}_acc")
        bias = self.node.inputs[11 + index]
        if bias is not None and not _is_zero(bias):
            value = self._op("Add", [value, bias], f"{gate}_biased", h)
        value = self._quantized(value, self.grids[f"{gate}_acc"], h, f"{gate}_acc_quant")
        function = "tanh" if gate == "cell" else "sigmoid"
        value = self._op(function.capitalize(), [value], f"{gate}_{function}", h)
        return self._codes(value, self.grids[f"{gate}_{function}"], h, f"{gate}_gate")

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

    def _finish(self, states: Sequence[ir.Value]) -> None:
        """Close the recurrence, and give the node's three outputs."""
        h, node = self.size, self.node
        y = self.editor.insert(
            node,
            WRITE,
            list(states),
            f"{node.name}/written",
            domain=QNNC,
            attributes={"loop": str(node.name)},
            shape=[1, self.steps, h],
            origins=(node,),
            outputs=2,
        )
        producer = y.producer()
        assert producer is not None
        names = ("output", "cell_state")
        for codes, name, output in zip(producer.outputs, names, node.outputs[1:], strict=True):
            if output.uses() or output.is_graph_output():
                replace_value(output, self._last(codes, name))
        if node.outputs[0].uses() or node.outputs[0].is_graph_output():
            value = self._scaled(producer.outputs[0], self.grids["output"].scale, "outputs")
            value = self._turned(self._in_order(value, h), [self.steps, 1, h])
            replace_value(node.outputs[0], value)

    def _last(self, codes: ir.Value, name: str) -> ir.Value:
        """A state after the last step, [1, H]."""
        h = self.size
        last = self._op_of("Slice", [codes, *self._span(-1, END, 1)], f"{name}_end", [1, 1, h])
        scale = self._number(self.grids[name].scale)
        last = self._op_of("Mul", [last, scale], f"{name}_last", [1, 1, h])
        shape = self._number(np.array([1, h]), np.int64)
        return self._op_of("Reshape", [last, shape], f"{name}_last", [1, h])

    # --- pieces -----------------------------------------------------------------------------

    def _given(self, index: int, what: str) -> ir.Value:
        value = self.node.inputs[index]
        if value is None:
            raise ModelError(f"node {quote(self.node.name)} ({OPERATOR}) has no {what}")
        return value

    def _quantizer(self, index: int, name: str) -> Grid:
        values = self.node.inputs[TENSORS + 3 * index : TENSORS + 3 * index + 3]
        ends = ("narrow", "narrow_range")  # Brevitas names this attribute of one differently
        narrow = any(attribute(self.node, f"{name}_{end}", 0) for end in ends)
        # checked as any quantizer of a model is
        alone = ir.node(
            "Quant",
            [self.node.inputs[0], *values],
            {
                "signed": int(bool(attribute(self.node, f"{name}_signed", 1))),
                "narrow": int(narrow),
                "rounding_mode": str(attribute(self.node, f"{name}_rounding_mode", "ROUND")),
            },
            domain=QONNX,
            name=self.node.name,
        )
        grid = declared(alone)
        for position in range(len(alone.inputs)):
            alone.replace_input_with(position, None)
        if grid is None or grid.scale.size != 1:
            raise ModelError(
                f"node {quote(self.node.name)}: its quantizer {name} needs one scale, one zero "
                "point and one bit width for the tensor"
            )
        return replace(grid, scale=grid.scale.astype(np.float32).reshape(()).astype(np.float64))

    def _weights(self, index: int, name: str, features: int) -> tuple[ir.Value, FloatArray]:
        """Codes of a gate's weights [features, H], and their scale, one or one for each of H."""
        value = self.node.inputs[index]
        grid = grid_of(value) if value is not None else None
        if value is None or grid is None:
            named = quote(value.name if value is not None else None)
            raise ModelError(
                f"node {quote(self.node.name)}: its weights {named} have no quantizer; quantize "
                "them"
            )
        shape = [self.size, features]
        codes = self._op_of("Div", [value, self._number(grid.scale)], name, shape)
        codes = self._quant(codes, grid.coded, shape, f"{name}_codes")
        turned = self._op_of("Transpose", [codes], f"{name}_turned", shape[::-1], perm=[1, 0])
        scale = grid.scale
        if scale.size > 1 and scale.reshape(-1).size != self.size:
            raise ModelError(
                f"node {quote(self.node.name)}: its weights {quote(value.name)} have scales that "
                "differ along their inputs; quantize them per tensor or per output"
            )
        return turned, scale.reshape(-1) if scale.size > 1 else scale.reshape(())

    def _hidden_size(self) -> int:
        weights = self.node.inputs[7]
        shape = weights.shape if weights is not None else None
        if shape is None and weights is not None and (made := weights.producer()) is not None:
            source = made.inputs[0]
            shape = source.shape if source is not None else None
        size = shape[0] if shape is not None else None
        if not isinstance(size, int):
            raise ModelError(f"node {quote(self.node.name)}: the shape of its weights is not known")
        return size

    def _codes(self, value: ir.Value, grid: Grid, channels: int, name: str) -> ir.Value:
        """The integers that a quantizer gives, less its zero point."""
        if np.any(grid.scale != 1):
            value = self._op(
                "Div", [value, self._number(grid.scale)], f"{name}_over_scale", channels
            )
        return self._quantized(value, grid.coded, channels, f"{name}_codes")

    def _quantized(self, value: ir.Value, grid: Grid, channels: int, name: str) -> ir.Value:
        return self._quant(value, grid, [1, self.steps, channels], name)

    def _quant(self, value: ir.Value, grid: Grid, shape: Sequence[int], name: str) -> ir.Value:
        operands = [self._number(n) for n in (grid.scale, grid.zero, grid.bits)]
        y = self.editor.insert(
            self.node,
            "Quant",
            [value, *operands],
            f"{self.node.name}/{name}",
            domain=QONNX,
            shape=shape,
            origins=(self.node,),
            attributes={
                "signed": int(grid.signed),
                "narrow": int(grid.narrow),
                "rounding_mode": grid.rounding,
            },
        )
        return y

    def _scaled(self, value: ir.Value, scale: FloatArray, name: str) -> ir.Value:
        return self._op("Mul", [value, self._number(scale)], name, self.size)

    def _turned(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        """Batch and steps the other way round, where the node has the steps first."""
        if self.first:
            return value
        return self._op_of("Transpose", [value], "turned", shape, perm=[1, 0, 2])

    def _in_order(self, value: ir.Value, channels: int) -> ir.Value:
        """The sequence from its end, for the backward direction."""
        if not self.reverse:
            return value
        shape = [1, self.steps, channels]
        return self._op_of("Slice", [value, *self._span(-1, -END, -1)], "reversed", shape)

    def _span(self, start: int, end: int, step: int) -> list[ir.Value]:
        return [self._number(np.array([n]), np.int64) for n in (start, end, 1, step)]

    def _op(self, op: str, inputs: Sequence[ir.Value], name: str, channels: int) -> ir.Value:
        return self._op_of(op, inputs, name, [1, self.steps, channels])

    def _op_of(
        self, op: str, inputs: Sequence[ir.Value], name: str, shape: Sequence[int], **more: object
    ) -> ir.Value:
        return self.editor.insert(
            self.node,
            op,
            inputs,
            f"{self.node.name}/{name}",
            shape=shape,
            origins=(self.node,),
            attributes=more,
        )

    def _number(self, number: object, dtype: type = np.float32) -> ir.Value:
        return self.editor.initializer(f"{self.node.name}/number", np.asarray(number, dtype=dtype))


def _is_zero(value: ir.Value) -> bool:
    array = constant(value)
    return array is not None and not np.any(array)
