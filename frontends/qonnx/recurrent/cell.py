# SPDX-License-Identifier: Apache-2.0
"""What the cells of a recurrence have in common: their sequence, states, gates and quantizers.

What a cell computes is taken from Brevitas' forward (brevitas/nn/quant_rnn.py), with one
difference: sums and products are taken of the integer codes, so that they are exact, and scaled
once. Where float32 would round a sum across a quantizer's boundary, the two differ; elsewhere they
are equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, Unsupported, quote
from qnnc.compiler.integer.join import common_grid
from qnnc.compiler.ir.edit import QNNC, QONNX, Editor, attribute, constant, replace_value
from qnnc.compiler.ir.facts import FloatArray
from qnnc.compiler.ir.operators.states import READ, WRITE
from qnnc.frontends.qonnx.grids import Grid, declared, grid_of, sequence_shape

END = 1 << 30
"""Beyond the end of any sequence."""


@dataclass
class Cell(ABC):
    """A cell under expansion.

    Attributes:
        QUANTIZERS: names in the order of the node's inputs, a scale, a zero point and a bit width
            each.
        STATES: the quantizer of each state; the node gives its outputs of all steps, and each
            state after the last one.
        TENSORS: inputs before those of the quantizers: the sequence, a start for each state,
            weights and biases.
        INPUT_WEIGHTS, HIDDEN_WEIGHTS: the first inputs that hold weights of the input, and of the
            hidden state.
    """

    QUANTIZERS: ClassVar[tuple[str, ...]]
    STATES: ClassVar[tuple[str, ...]]
    TENSORS: ClassVar[int]
    INPUT_WEIGHTS: ClassVar[int]
    HIDDEN_WEIGHTS: ClassVar[int]

    editor: Editor
    node: ir.Node

    @abstractmethod
    def _step(self, x: ir.Value, x_grid: Grid, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
        """Codes of the states after a step, from those before it and codes of the input."""

    def expand(self) -> None:
        """Put the operators in the node's place.

        Raises:
            ModelError: a parameter is missing, computed, or not possible.
        """
        node = self.node
        inputs, outputs = self.TENSORS + 3 * len(self.QUANTIZERS), 1 + len(self.STATES)
        if len(node.inputs) != inputs or len(node.outputs) != outputs:
            raise ModelError(
                f"node {quote(node.name)} ({node.op_type}) has {len(node.inputs)} inputs and "
                f"{len(node.outputs)} outputs, not {inputs} and {outputs}; export it with Brevitas "
                "0.10 or newer"
            )
        self.first = bool(attribute(node, "batch_first", 0))
        self.reverse = bool(attribute(node, "reverse_input", 0))
        self.grids = {name: self._quantizer(i, name) for i, name in enumerate(self.QUANTIZERS)}
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
        grid = grid_of(x)
        if grid is None:
            raise ModelError(
                f"node {quote(node.name)}: its input {quote(x.name)} has no quantizer; quantize it"
            )
        sequence = self._in_order(self._turned(x, [1, self.steps, self.features]), self.features)
        codes = self._codes(sequence, grid, self.features, "input")
        self._finish(self._step(codes, grid, self._read(codes)))

    # --- parts ------------------------------------------------------------------------------

    def _read(self, codes: ir.Value) -> list[ir.Value]:
        starts = []
        for index, name in enumerate(self.STATES, 1):
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
            outputs=len(self.STATES),
        )
        producer = y.producer()
        assert producer is not None
        return list(producer.outputs)

    def _sum(
        self, name: str, x: ir.Value, x_grid: Grid, hidden: ir.Value, weights: int, bias: int
    ) -> ir.Value:
        """A gate's value: its accumulator's quantizer after the sum of both products and the bias.

        Args:
            weights: input of the node that holds weights of the input; those of the hidden state
                lie as far after it as in the first gate.
            bias: input of the node that holds the bias.
        """
        h = self.size
        products, scales = [], []
        hidden_weights = weights + self.HIDDEN_WEIGHTS - self.INPUT_WEIGHTS
        for kind, index, operand, grid, features in (
            ("input", weights, x, x_grid, self.features),
            ("hidden", hidden_weights, hidden, self.grids[self.STATES[0]], h),
        ):
            matrix, scale = self._weights(index, f"{name}_{kind}_weights", features)
            products.append(self._op("MatMul", [operand, matrix], f"{name}_{kind}", h))
            scales.append(np.asarray(scale * grid.scale, dtype=np.float64))
        try:
            factors, common = common_grid(scales)
        except Unsupported as why:
            raise ModelError(
                f"node {quote(self.node.name)}: the sums of its {name} gate have scales that are "
                "not small multiples of each other: let input and hidden state, and the weights of "
                "both, go through quantizers of one scale, or of powers of two"
            ) from why
        products = [
            p if np.all(f == 1) else self._op("Mul", [p, self._number(f)], f"{name}_on_grid", h)
            for p, f in zip(products, factors, strict=True)
        ]
        value = self._scaled(self._op("Add", products, f"{name}_sum", h), common, f"{name}_acc")
        added = self.node.inputs[bias]
        if added is not None and not _is_zero(added):
            value = self._op("Add", [value, added], f"{name}_biased", h)
        return self._quantized(value, self.grids[f"{name}_acc"], h, f"{name}_acc_quant")

    def _finish(self, states: Sequence[ir.Value]) -> None:
        """Close the recurrence, and give the node's outputs."""
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
            outputs=len(self.STATES),
        )
        producer = y.producer()
        assert producer is not None
        for codes, name, output in zip(
            producer.outputs, self.STATES, node.outputs[1:], strict=True
        ):
            if output.uses() or output.is_graph_output():
                replace_value(output, self._last(codes, name))
        if node.outputs[0].uses() or node.outputs[0].is_graph_output():
            value = self._scaled(producer.outputs[0], self.grids[self.STATES[0]].scale, "outputs")
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
            raise ModelError(f"node {quote(self.node.name)} ({self.node.op_type}) has no {what}")
        return value

    def _quantizer(self, index: int, name: str) -> Grid:
        first = self.TENSORS + 3 * index
        values = self.node.inputs[first : first + 3]
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
        weights = self.node.inputs[self.HIDDEN_WEIGHTS]
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
