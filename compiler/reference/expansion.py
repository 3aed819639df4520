# SPDX-License-Identifier: Apache-2.0
"""Reference expansion: any IR, at any stage, as a plain ONNX model.

Quantizers, threshold tables and dataflow nodes are replaced by the standard operators that
define them; everything else is copied. Tensor names survive, so that a tensor can be compared
across stages. This is how the golden graph and the compiled one are run by the same engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.dataflow import declaration, is_dataflow
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir import operators
from qnnc.compiler.ir.builder import PlainBuilder
from qnnc.compiler.ir.edit import attribute, constant, shape_of
from qnnc.compiler.ir.operators.states import is_read, loops_in
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.reference.loops import STEP, write_loop

OPSET = 21
IR_VERSION = 10
BATCH = "N"

Reference = Callable[[PlainBuilder, Sequence[ir.Value]], list[ir.Value]]


def reference_of(node: ir.Node) -> Reference | None:
    """What writes a node in standard operators, or None for a standard operator.

    Raises:
        ModelError: the operator is unknown.
    """
    if node.domain == "":
        return None
    if is_dataflow(node):
        return declaration(node).reference
    found = quantizer(node)
    if found is not None:
        return lambda b, inputs: [found.reference(b, inputs[0])]
    own = operators.reference_of(node)
    if own is not None:
        return own
    raise ModelError(
        f"node {quote(node.name)}: operator {quote(node.op_type)} of domain "
        f"{quote(node.domain)} is not supported"
    )


def expand(
    model: ir.Model,
    *,
    outputs: Iterable[ir.Value] | None = None,
    inputs: Sequence[ir.Value] | None = None,
    nodes: Iterable[ir.Node] | None = None,
    any_batch: bool = False,
    any_shape: bool = False,
    skip: Collection[ir.Node] = (),
    cut: bool = False,
) -> ir.Model:
    """Write (part of) a model in standard ONNX operators; the model itself is not changed.

    Args:
        outputs: values to make outputs, by default the model's.
        inputs: values to start from, by default the model's inputs.
        nodes: the nodes to write, in order, by default all.
        any_batch: make the first dimension of every input free.
        any_shape: make all dimensions of every input free.
        skip: nodes to write as Identity of their first input.
        cut: leave recurrences open: states before each step become inputs.

    Raises:
        ModelError: an operator is unknown, or has wrong parameters.
    """
    graph = model.graph
    writer = _Writer(any_batch, any_shape, frozenset(skip))
    starts = list(graph.inputs if inputs is None else inputs)
    listed = list(graph if nodes is None else nodes)
    wanted = list(graph.outputs if outputs is None else outputs)
    if cut:
        states = [v for node in listed if is_read(node) for v in node.outputs]
        starts += [value for value in states if value not in starts]
        listed = [node for node in listed if not is_read(node)]
    for value in starts:
        writer.start(value)
    _write(writer, listed, wanted)
    ends = [writer.value(v) for v in wanted]
    plain = ir.Graph(
        [writer.map[v] for v in starts],
        ends,
        nodes=writer.builder.nodes,
        initializers=writer.builder.initializers,
        opset_imports={"": graph.opset_imports.get("", OPSET)},
        name="main",
    )
    return ir.Model(plain, ir_version=IR_VERSION)


def _write(writer: _Writer, nodes: list[ir.Node], wanted: Collection[ir.Value]) -> None:
    """Write nodes in order. A recurrence is written whole where its StateWrite stands; what waits
    for anything inside comes after."""
    loops = {loop.write: loop for loop in loops_in(nodes)}
    inside = {node: loop for loop in loops.values() for node in (loop.read, *loop.inside)}
    waiting: list[ir.Node] = []
    open_: set[ir.Value] = {v for node in inside for v in node.outputs}
    for node in nodes:
        if node in inside:
            continue
        if node in loops:
            loop = loops[node]
            own = {loop.read, *loop.inside}
            asked = {
                v
                for n in own
                for v in n.outputs
                if v in wanted or any(user not in own for user, _ in v.uses())
            }
            write_loop(writer, writer.step(), loop, asked)
            open_ -= {v for n in own for v in n.outputs}
            writer.copy(node)
            late, waiting = waiting, []
            for other in late:
                _copy_or_wait(writer, other, open_, waiting)
            continue
        _copy_or_wait(writer, node, open_, waiting)


def _copy_or_wait(
    writer: _Writer, node: ir.Node, open_: set[ir.Value], waiting: list[ir.Node]
) -> None:
    if any(value in open_ for value in node.inputs):
        waiting.append(node)
        open_.update(node.outputs)
    else:
        writer.copy(node)
        open_ -= set(node.outputs)


class _Writer:
    suffix = ""
    """Ends the names of the tensors that are written."""

    def __init__(self, any_batch: bool, any_shape: bool, skip: frozenset[ir.Node]) -> None:
        self.builder = PlainBuilder()
        self.map: dict[ir.Value, ir.Value] = {}
        self.named: set[ir.Value] = set()
        self.any_batch = any_batch
        self.any_shape = any_shape
        self.skip = skip

    def step(self) -> _StepWriter:
        """What writes the body of a recurrence."""
        return _StepWriter(self)

    def start(self, value: ir.Value) -> None:
        shape = value.shape
        if self.any_shape and shape is not None:
            shape = ir.Shape([f"{value.name}.{axis}" for axis in range(len(shape))])
        elif self.any_batch and shape is not None and len(shape) > 0:
            shape = ir.Shape([BATCH, *list(shape)[1:]])
        self.map[value] = ir.Value(
            name=value.name, shape=shape, type=value.type or ir.TensorType(ir.DataType.FLOAT)
        )
        self.named.add(self.map[value])

    def value(self, value: ir.Value) -> ir.Value:
        """The plain graph's counterpart; constants are brought in when first used."""
        if value not in self.map:
            if value.const_value is None:
                raise ModelError(f"tensor {quote(value.name)} is used but never computed")
            self.map[value] = self.builder.tensor(value.const_value, value.name)
            self.named.add(self.map[value])
        return self.map[value]

    def copy(self, node: ir.Node) -> None:
        if node in self.skip:
            source = node.inputs[0]
            assert source is not None
            self.map[node.outputs[0]] = self.value(source)
            return
        reference = reference_of(node)
        if reference is None:
            self._copy_standard(node)
            return
        # a definition reads its parameters from the node itself: only data is handed on
        inputs = [
            self.value(v)
            for i, v in enumerate(node.inputs)
            if v is not None and (i == 0 or v.const_value is None)
        ]
        self.builder.prefix = f"{node.outputs[0].name}{self.suffix}/"
        for old, new in zip(node.outputs, reference(self.builder, inputs), strict=True):
            self._finish(old, new)

    def _copy_standard(self, node: ir.Node) -> None:
        inputs: list[ir.Value | None] = [
            None if value is None else self.value(value) for value in node.inputs
        ]
        attributes = list(node.attributes.values())
        if (self.any_batch or self.suffix) and node.op_type == "Reshape":
            target = self._free_batch(node)
            if target is not None:  # in which 0 stands for the batch, whatever allowzero said
                inputs[1] = target
                attributes = [a for a in attributes if a.name != "allowzero"]
        if self.any_batch and node.op_type == "Resize":
            sizes = self._sizes_without_batch(node)
            if sizes is not None:
                inputs[1:] = [None, None, sizes]
                axes = range(1, 1 + len(shape_of(node.outputs[0])[1:]))
                attributes.append(ir.AttrInt64s("axes", list(axes)))
        new = ir.Node(
            "",
            node.op_type,
            inputs,
            attributes,
            num_outputs=len(node.outputs),
            name=node.name,
        )
        self.builder.nodes.append(new)
        for old, output in zip(node.outputs, new.outputs, strict=True):
            self._finish(old, output)

    def _free_batch(self, node: ir.Node) -> ir.Value | None:
        """The target shape of a Reshape that keeps a batch of 1, with the batch left as it is."""
        target, source = constant(node.inputs[1]), node.inputs[0]
        if target is None or source is None or source.shape is None or target.size == 0:
            return None
        keeps = source.shape.rank() > 0 and source.shape[0] == 1 and int(target[0]) == 1
        if not keeps or (target[1:] == 0).any():
            return None
        return self.builder.constant(np.concatenate([[0], target[1:]]), np.int64)

    def _sizes_without_batch(self, node: ir.Node) -> ir.Value | None:
        """The sizes of a Resize that keeps a batch of 1, for its other axes."""
        sizes = constant(node.inputs[3]) if len(node.inputs) > 3 else None
        source, shape = node.inputs[0], node.outputs[0].shape
        if sizes is None or source is None or source.shape is None or shape is None:
            return None
        if "axes" in node.attributes or attribute(node, "keep_aspect_ratio_policy", "stretch") != (
            "stretch"
        ):
            return None
        if attribute(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize":
            return None
        if not sizes.size or sizes[0] != 1 or source.shape[0] != 1 or len(shape) != sizes.size:
            return None
        return self.builder.constant(sizes[1:], np.int64)

    def _finish(self, old: ir.Value, new: ir.Value) -> None:
        if new in self.named:  # a definition that passes an input through
            new = self.builder.op("Identity", new)
        new.name = f"{old.name}{self.suffix}"
        self.named.add(new)
        self.map[old] = new


class _StepWriter(_Writer):
    """Writes one step of a recurrence; constants are the graph's around it."""

    suffix = STEP

    def __init__(self, outer: _Writer) -> None:
        super().__init__(outer.any_batch, outer.any_shape, outer.skip)
        self._outer = outer
        self.builder = PlainBuilder(f"loop{len(outer.builder.nodes)}{STEP}/")
        self.builder.initializers = outer.builder.initializers

    def value(self, value: ir.Value) -> ir.Value:
        if value in self.map:
            return self.map[value]
        return self._outer.value(value)

    def _free_batch(self, node: ir.Node) -> ir.Value | None:
        """A Reshape inside keeps batch and steps; of those there is one now."""
        target, source = constant(node.inputs[1]), node.inputs[0]
        assert source is not None
        shape, old = shape_of(node.outputs[0]), shape_of(source)
        if target is None or shape[:2] != old[:2]:
            raise ModelError(
                f"node {quote(node.name)}: Reshape mixes the steps of a recurrence; reshape the "
                "sequence before or after it"
            )
        return self.builder.constant([0, 1, *shape[2:]], np.int64)
