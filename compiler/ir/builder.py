# SPDX-License-Identifier: Apache-2.0
"""One way to write standard ONNX operators, into a graph under edit or into a new one.

Quantizers and dataflow nodes say what they compute by calling a `Builder`; passes hand them one
that edits the graph, the reference expansion one that writes a plain ONNX model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray

from qnnc.compiler.ir.edit import Editor


class Builder(Protocol):
    """Writes operators of the default ONNX domain."""

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """Add an operator with one output and return the output."""
        ...

    def ops(
        self, op_type: str, outputs: int, *inputs: ir.Value | None, **attributes: Any
    ) -> list[ir.Value]:
        """Add an operator with several outputs and return them."""
        ...

    def constant(self, array: ArrayLike, dtype: Any = np.float32) -> ir.Value:
        """A constant tensor."""
        ...


class PlainBuilder:
    """Collects nodes and constants of a new plain graph."""

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[ir.Node] = []
        self.initializers: list[ir.Value] = []
        self.prefix = prefix
        self._count = 0

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self.prefix}{kind}#{self._count}"

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """Add an operator with one output and return the output."""
        return self.ops(op_type, 1, *inputs, **attributes)[0]

    def ops(
        self, op_type: str, outputs: int, *inputs: ir.Value | None, **attributes: Any
    ) -> list[ir.Value]:
        """Add an operator with several outputs and return them."""
        results = [ir.Value(name=self._name(op_type)) for _ in range(outputs)]
        self.nodes.append(ir.node(op_type, list(inputs), attributes, outputs=results))
        return results

    def constant(self, array: ArrayLike, dtype: Any = np.float32) -> ir.Value:
        """A constant tensor, of the array's shape."""
        return self.tensor(ir.Tensor(np.asarray(array, dtype=dtype)))

    def tensor(self, tensor: ir.TensorProtocol, name: str | None = None) -> ir.Value:
        """A constant from a tensor that exists already, not copied."""
        value = ir.Value(
            name=name or self._name("constant"),
            const_value=tensor,
            shape=ir.Shape(tensor.numpy().shape),
            type=ir.TensorType(tensor.dtype),
        )
        self.initializers.append(value)
        return value


class EditBuilder:
    """Inserts operators into a graph, before one of its nodes or at the end."""

    def __init__(
        self, editor: Editor, before: ir.Node | None, base: str, origins: Sequence[ir.Node]
    ) -> None:
        self.editor = editor
        self.before = before
        self.base = base
        self.origins = origins

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """Add an operator with one output and return the output."""
        return self.ops(op_type, 1, *inputs, **attributes)[0]

    def ops(
        self, op_type: str, outputs: int, *inputs: ir.Value | None, **attributes: Any
    ) -> list[ir.Value]:
        """Add an operator with several outputs and return them."""
        first = self.editor.insert(
            self.before,
            op_type,
            inputs,
            f"{self.base}_{op_type}",
            attributes=attributes,
            origins=self.origins,
            dtype=_result_type(op_type, inputs, attributes),
            outputs=outputs,
        )
        node = first.producer()
        assert node is not None
        return list(node.outputs)

    def constant(self, array: ArrayLike, dtype: Any = np.float32) -> ir.Value:
        """A constant tensor, of the array's shape."""
        data: NDArray[Any] = np.asarray(array, dtype=dtype)
        return self.editor.initializer(f"{self.base}_constant", data)


def _result_type(
    op_type: str, inputs: Sequence[ir.Value | None], attributes: Mapping[str, Any]
) -> ir.DataType:
    if op_type == "Cast":
        return ir.DataType(attributes["to"])
    if op_type in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"):
        return ir.DataType.BOOL
    first = next((value for value in inputs if value is not None), None)
    return first.dtype if first is not None and first.dtype is not None else ir.DataType.FLOAT


def top_k(b: Builder, scores: ir.Value, k: int) -> ir.Value:
    """Indices, as float32, of the k largest along the last axis; ONNX's TopK puts the lower
    index first among equals."""
    wanted = b.constant(np.array([k]), np.int64)
    _, indices = b.ops("TopK", 2, scores, wanted, axis=-1, largest=1, sorted=1)
    return b.op("Cast", indices, to=ir.DataType.FLOAT)
