# SPDX-License-Identifier: Apache-2.0
"""From integer tensors to float tensors that hold the integers, in one walk over the graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import Editor, constant, remove_unused, replace_value
from qnnc.compiler.ir.facts import Integer, name_sources, set_integer
from qnnc.compiler.reference import Session, expand
from qnnc.frontends.onnx_file import MICROSOFT
from qnnc.frontends.qdq.integers import (
    RANGES,
    Affine,
    IntArray,
    IntTensor,
    Writer,
)
from qnnc.frontends.qdq.parameters import before_identity

Handler = Callable[["Importer", ir.Node], None]


class Importer:
    """Rewrites a model in place.

    Attributes:
        editor: of the model's graph.
        tensors: integer tensors met so far.
    """

    def __init__(self, model: ir.Model, handlers: dict[tuple[str, str], Handler]) -> None:
        self.model = model
        self.handlers = handlers
        self.tensors: dict[ir.Value, IntTensor] = {}
        name_sources(model)
        self.editor = Editor(model.graph)

    def run(self) -> None:
        """Raises ModelError for what cannot be brought to canonical form."""
        graph = self.model.graph
        for value in graph.inputs:
            self._take_input(value)
        for node in list(graph):
            handler = self.handlers.get((node.domain, node.op_type))
            if handler is not None:
                handler(self, node)
            elif any(v in self.tensors for v in node.inputs if v is not None):
                self.give_integers(node)
        self._give_outputs()
        remove_unused(self.model)
        graph.opset_imports.pop(MICROSOFT, None)

    def _take_input(self, value: ir.Value) -> None:
        """An input of integers becomes one of floats that holds integers of that type."""
        dtype = value.dtype
        if dtype is None or dtype not in RANGES:
            return
        low, high = RANGES[dtype]
        value.type = ir.TensorType(ir.DataType.FLOAT)
        set_integer(value, Integer.of(low, high, golden=value.name, quantized=True))
        self.tensors[value] = IntTensor(value, 0, dtype)

    def _give_outputs(self) -> None:
        for index, value in enumerate(list(self.model.graph.outputs)):
            tensor, producer = self.tensors.get(value), value.producer()
            if tensor is None or producer is None:
                continue
            name = str(tensor.base.name)
            tensor.base.name = self.editor.fresh(f"{name}_integers")
            q = self._stored(Writer(self.editor, producer, at_end=True), tensor)
            q.name = name
            self.model.graph.outputs[index] = q

    def writer(self, node: ir.Node) -> Writer:
        """Writes in the place of `node`."""
        return Writer(self.editor, node)

    def integer(self, w: Writer, value: ir.Value) -> IntTensor:
        """The integers of a tensor that an integer operator reads."""
        found = self.tensors.get(value)
        if found is None:
            array = constant(before_identity(value))
            dtype = value.dtype or ir.DataType.INT32
            if array is not None:
                base = w.constant(array.astype(np.int64))
            else:  # made integer by an operator that is not a quantizer
                base = w.op("Cast", value, to=ir.DataType.FLOAT)
                base.shape = value.shape
            found = self.tensors[value] = IntTensor(base, 0, dtype)
        return found

    def less(self, w: Writer, tensor: IntTensor, number: int) -> ir.Value:
        """q - number, as floats."""
        if tensor.shift == number:
            return tensor.base
        if number not in tensor.shifted:
            difference = w.constant(tensor.shift - number)
            y = w.op("Add", tensor.base, difference)
            y.shape = tensor.base.shape
            tensor.shifted[number] = y
        return tensor.shifted[number]

    def codes(self, w: Writer, value: ir.Value, affine: Affine) -> ir.Value:
        """q - zero point, as floats; constants become quantized weights.

        Raises:
            ModelError: the zero point belongs to a channel.
        """
        array = constant(before_identity(value))
        if array is not None:
            return self.weights(w, array.astype(np.int64), affine.codes())
        zero = affine.single_zero
        if zero is None:
            raise ModelError(
                f"tensor {quote(value.name)} has a zero point for each channel; quantize "
                "activations per tensor"
            )
        return self.less(w, self.integer(w, value), zero)

    def weights(self, w: Writer, q: IntArray, affine: Affine) -> ir.Value:
        """Constant integers as a quantizer of the numbers, of the same shape, that they stand for.

        Raises:
            ModelError: float32 does not hold the numbers.
        """
        with np.errstate(all="ignore"):
            numbers = (q - affine.zero).astype(np.float32) * affine.scale
            again = np.rint(numbers / affine.scale)
        if not np.array_equal(again, q - affine.zero):
            raise ModelError(
                f"node {quote(w.origins[0].name)}: its scale is too large: weights times it "
                "overflow float32"
            )
        return w.quantize(w.constant(numbers), affine)

    def shape(self, value: ir.Value) -> list[int | None]:
        """The shape of a tensor, None for a free dimension, worked out from what has been
        written so far; raises ModelError if that is not possible."""
        if value.shape is None:
            plain = expand(self.model, outputs=[value], nodes=_ancestors(value))
            inferred = ShapeInferencePass(check_type=False, strict_mode=False)(plain).model
            value.shape = inferred.graph.outputs[0].shape
        if value.shape is None:
            raise ModelError(f"the shape of tensor {quote(value.name)} cannot be worked out")
        return [d if isinstance(d, int) else None for d in value.shape]

    def fold(self, node: ir.Node) -> bool:
        """Compute a standard operator all of whose inputs are constant."""
        if any(v is not None and constant(v) is None for v in node.inputs):
            return False
        found = Session(expand(self.model, inputs=[], outputs=node.outputs, nodes=[node])).run({})
        for value in node.outputs:
            folded = self.editor.initializer(f"{value.name}_folded", found[str(value.name)])
            replace_value(value, folded)
        return True

    def keep(self, old: ir.Value, base: ir.Value, shift: int, dtype: ir.DataType) -> None:
        """Say which new tensor stands for an integer one from now on; it takes over the name."""
        base.shape = old.shape if base.shape is None else base.shape
        self.tensors[old] = IntTensor(base, shift, dtype)
        name = str(old.name)
        old.name = self.editor.fresh(f"{name}_stored")
        base.name = name

    def give_integers(self, node: ir.Node) -> None:
        """Hand an operator that is not known here the integers it reads."""
        w = self.writer(node)
        for index, value in enumerate(node.inputs):
            if value is not None and value in self.tensors:
                node.replace_input_with(index, self._stored(w, self.tensors[value]))

    def _stored(self, w: Writer, tensor: IntTensor) -> ir.Value:
        q = w.op("Cast", self.less(w, tensor, 0), to=tensor.dtype)
        q.shape = tensor.base.shape
        return q


def _ancestors(value: ir.Value) -> list[ir.Node]:
    """The nodes that a tensor is computed by, in order."""
    order: dict[ir.Node, None] = {}
    seen: set[ir.Node] = set()
    stack = [value.producer()]
    while stack:
        node = stack.pop()
        if node is None or node in order:
            continue
        if node in seen:
            order[node] = None
            continue
        seen.add(node)
        stack.append(node)
        stack += [v.producer() for v in node.inputs if v is not None]
    return list(order)
