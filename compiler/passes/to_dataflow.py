# SPDX-License-Identifier: Apache-2.0
"""to-dataflow: integer operators become FINN's dataflow nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow.label_select import label_type
from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.integer import layout
from qnnc.compiler.ir.edit import (
    FINN,
    Editor,
    attribute,
    constant,
    remove_unused,
    replace_value,
    shape_of,
)
from qnnc.compiler.ir.facts import (
    ACCELERATOR,
    HOST_POST,
    Integer,
    integer,
    part,
    set_integer,
    set_part,
    sources,
)
from qnnc.compiler.ir.operators.multi_threshold import table_of
from qnnc.compiler.passes.base import Pass


@dataclass
class ToDataflow(Pass):
    """Lower every operator of the accelerator to a FINN dataflow node."""

    name = "to-dataflow"

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        for node in list(model.graph):
            if part(node) != ACCELERATOR:
                continue
            lower = LOWERINGS.get(node.op_type)
            if lower is None:
                named = sources(node)[0] if sources(node) else node.name
                raise ModelError(f"node {quote(named)}: no dataflow node does {node.op_type}")
            lower(editor, node)
        remove_unused(model)
        return True


def _fact(value: ir.Value | None) -> Integer:
    fact = None if value is None else integer(value)
    if fact is None:
        raise ModelError(f"tensor {quote(value.name if value else None)} is not integer")
    return fact


def _source(node: ir.Node) -> ir.Value:
    """The data input, widening casts seen through."""
    value = node.inputs[0]
    assert value is not None
    producer = value.producer()
    if integer(value) is None and producer is not None and producer.op_type == "Cast":
        assert producer.inputs[0] is not None
        return producer.inputs[0]
    return value


def _emit(
    editor: Editor,
    node: ir.Node,
    op_type: str,
    inputs: list[ir.Value | None],
    attributes: dict[str, object],
    fact: Integer | None = None,
) -> ir.Value:
    old = node.outputs[0]
    y = editor.insert(
        node,
        op_type,
        inputs,
        op_type,
        domain=FINN,
        shape=shape_of(old),
        dtype=old.dtype or ir.DataType.FLOAT,
        origins=(node,),
        attributes={"backend": "fpgadataflow", **attributes},
    )
    producer = y.producer()
    assert producer is not None
    set_part(producer, ACCELERATOR)
    set_integer(y, fact if fact is not None else integer(old))
    replace_value(old, y)
    return y


def _vectors(value: ir.Value) -> list[int]:
    return [int(d) for d in shape_of(value)[:-1]]


def _matmul(editor: Editor, node: ir.Node) -> None:
    x, w = _source(node), node.inputs[1]
    fact, weights = _fact(node.outputs[0]), constant(w)
    assert weights is not None
    _emit(
        editor,
        node,
        "MVAU",
        [x, w],
        {
            "MW": int(weights.shape[0]),
            "MH": int(weights.shape[1]),
            "PE": 1,
            "SIMD": 1,
            "inputDataType": _fact(x).type.name,
            "weightDataType": _fact(w).type.name,
            "outputDataType": fact.type.name,
            "accDataType": fact.type.name,
            "noActivation": 1,
            "binaryXnorMode": int(node.op_type == "XnorPopcountMatMul"),
            "numInputVectors": _vectors(x),
        },
    )


def _thresholds(editor: Editor, node: ir.Node) -> None:
    x, table = node.inputs[0], table_of(node)
    assert x is not None
    if table.axis != -1 and table.thresholds.shape[0] > 1:
        raise ModelError(
            f"node {quote(node.name)}: thresholds that differ along axis {table.axis} need a "
            "channels-last layout"
        )
    kind = smallest_type(int(table.thresholds.min()), int(table.thresholds.max()))
    _emit(
        editor,
        node,
        "Thresholding",
        list(node.inputs),
        {
            "NumChannels": int(shape_of(x)[-1]),
            "PE": 1,
            "numSteps": int(table.thresholds.shape[1]),
            "inputDataType": _fact(x).type.name,
            "weightDataType": kind.name,
            "outputDataType": _fact(node.outputs[0]).type.name,
            "ActVal": table.base if table.values is None else 0,
            "numInputVectors": _vectors(x),
        },
    )


def _elementwise(editor: Editor, node: ir.Node) -> None:
    x, operand = _source(node), node.inputs[1]
    shape = list(shape_of(node.outputs[0]))
    array = constant(operand)
    assert array is not None and operand is not None
    _emit(
        editor,
        node,
        f"Elementwise{node.op_type}",
        [x, operand],
        {
            "lhs_dtype": _fact(x).type.name,
            "rhs_dtype": _fact(operand).type.name,
            "out_dtype": _fact(node.outputs[0]).type.name,
            "lhs_shape": shape,
            "rhs_shape": list(array.shape),
            "out_shape": shape,
            "lhs_style": "input",
            "rhs_style": "const",
            "PE": 1,
        },
    )


def _labels(editor: Editor, node: ir.Node) -> None:
    x = node.inputs[0]
    assert x is not None
    labels = int(shape_of(x)[-1])
    if node.op_type == "ArgMax":
        k, output = 1, node.outputs[0]
        if not attribute(node, "keepdims", 1):
            raise ModelError(f"node {quote(node.name)}: ArgMax must keep its dimension")
    else:
        wanted = constant(node.inputs[1])
        assert wanted is not None
        k, output = int(wanted.reshape(-1)[0]), node.outputs[1]
    y = editor.insert(
        node,
        "LabelSelect",
        [x],
        "LabelSelect",
        domain=FINN,
        shape=[*_vectors(x), k],
        origins=(node,),
        attributes={
            "backend": "fpgadataflow",
            "Labels": labels,
            "PE": 1,
            "K": k,
            "inputDataType": _fact(x).type.name,
            "outputDataType": label_type(labels),
            "numInputVectors": _vectors(x),
        },
    )
    producer = y.producer()
    assert producer is not None
    set_part(producer, ACCELERATOR)
    set_integer(y, Integer.of(0, labels - 1))
    indices = editor.insert(
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


def _layout(editor: Editor, node: ir.Node) -> None:
    """The order of elements in the stream stays; the Reshape is kept to say so."""
    if node.op_type == "Transpose":
        raise ModelError(f"node {quote(node.name)}: Transpose between layers is not supported")


def _widening(editor: Editor, node: ir.Node) -> None:
    """A Cast to float64 has no hardware; its users have looked through it."""


LOWERINGS: dict[str, Callable[[Editor, ir.Node], None]] = {
    "MatMul": _matmul,
    "XnorPopcountMatMul": _matmul,
    "MultiThreshold": _thresholds,
    "Add": _elementwise,
    "Mul": _elementwise,
    "TopK": _labels,
    "ArgMax": _labels,
    "Cast": _widening,
    **dict.fromkeys(layout.OPERATORS, _layout),
}
