# SPDX-License-Identifier: Apache-2.0
"""Writing the QONNX model that a FINN graph stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import helper, numpy_helper
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import BIPOLAR, datatype, smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import QONNX
from qnnc.frontends.finn.graph import annotated_types

T = TypeVar("T")


class Node:
    """A node of FINN's: attributes and inputs by convenient names."""

    def __init__(self, proto: onnx.NodeProto) -> None:
        self.proto = proto
        self.attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
        self.inputs = list(proto.input)
        self.outputs = list(proto.output)

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute.

        Raises:
            ModelError: it is missing and has no default, or is of another kind; so do the other
                methods that read attributes.
        """
        return self._read(name, default, int, "an integer")

    def number(self, name: str, default: float) -> float:
        """An integer or a float."""
        value = self.attributes.get(name, default)
        if not isinstance(value, (int, float)):
            raise self.refusal(f"{name} must be a number")
        return float(value)

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        """A list of integers."""
        found = self._read(name, default, Sequence, "a list of integers")
        if not all(isinstance(n, int) for n in found):
            raise self.refusal(f"{name} must be a list of integers")
        return [int(n) for n in found]

    def text(self, name: str, default: str | None = None) -> str:
        """A string."""
        given = None if default is None else default.encode()
        return self._read(name, given, bytes, "a string").decode(errors="replace")

    def integer_type(self, name: str) -> BaseDataType:
        """The name of an integer type."""
        return datatype(self.text(name))

    def pair(self, name: str, default: int | None = None) -> tuple[int, int]:
        """A list [height, width]; older versions have one number for both."""
        value = self.attributes.get(name, default)
        if isinstance(value, int):
            return value, value
        numbers = self.integers(name)
        if len(numbers) != 2:
            raise self.refusal(f"{name} must be two numbers")
        return numbers[0], numbers[1]

    def _read(self, name: str, default: T | None, kind: type[T], described: str) -> T:
        value = self.attributes.get(name, default)
        if value is None:
            raise self.refusal(f"it lacks attribute {name}")
        if not isinstance(value, kind) or (kind is Sequence and isinstance(value, bytes)):
            raise self.refusal(f"{name} must be {described}")
        return value

    def refusal(self, why: str) -> ModelError:
        """An error that names the node."""
        return ModelError(f"{self.proto.op_type} node {quote(self.proto.name)}: {why}")


class Writer:
    """Collects nodes and constants; tensors keep FINN's names where they can."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.source = graph
        self.types = annotated_types(graph)
        self.constants = {t.name: t for t in graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.aliases: dict[str, str] = {}
        self._first: dict[str, str] = {}
        self._count = 0

    def fresh(self, base: str) -> str:
        """A new name."""
        self._count += 1
        return f"{base}#{self._count}"

    def value(self, name: str) -> str:
        """What a tensor of FINN's is called here."""
        if name in self._first and name not in self.aliases:
            self.aliases[name] = self.op("Transpose", self._first[name], perm=[0, 2, 3, 1])
        return self.aliases.get(name, name)

    def is_first(self, name: str) -> bool:
        """An image is at hand with its channels first."""
        return name in self._first

    def first(self, name: str) -> str:
        """An image of FINN's, [N, H, W, C] there, as [N, C, H, W]: qnnc's passes see through few
        of the transposes that converting back and forth would take."""
        if name not in self._first:
            self._first[name] = self.op("Transpose", self.value(name), perm=[0, 3, 1, 2])
        return self._first[name]

    def give_first(self, name: str, image: str) -> None:
        """An image of FINN's is there as [N, C, H, W]."""
        self._first[name] = image

    def array(self, node: Node, index: int) -> NDArray[Any]:
        """A constant input, in its shape."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        if name not in self.constants:
            raise node.refusal(f"its input {index} must be a constant")
        return np.asarray(numpy_helper.to_array(self.constants[name]))

    def constant(self, array: ArrayLike, dtype: Any = np.float32, base: str = "constant") -> str:
        """A new constant of the array's shape."""
        name = self.fresh(base)
        data = np.ascontiguousarray(np.asarray(array, dtype=dtype))
        self.initializers[name] = numpy_helper.from_array(data.reshape(np.shape(array)), name)
        return name

    def op(
        self,
        op_type: str,
        *inputs: str,
        output: str | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add an operator with one output and return its name."""
        result = output or self.fresh(op_type)
        self.nodes.append(
            helper.make_node(
                op_type, list(inputs), [result], name=result, domain=domain, **attributes
            )
        )
        return result

    def quantizer(self, x: str, kind: BaseDataType, output: str | None = None) -> str:
        """A quantizer that leaves integers of a type as they are, to say that they are some."""
        one = self.constant(1.0)
        if kind == BIPOLAR:
            return self.op("BipolarQuant", x, one, output=output, domain=QONNX)
        narrow = int(kind.min() < 0 and kind.min() == -kind.max())
        bits = self.constant(float(kind.bitwidth()))
        return self.op(
            "Quant",
            x,
            one,
            self.constant(0.0),
            bits,
            output=output,
            domain=QONNX,
            signed=int(kind.min() < 0),
            narrow=narrow,
            rounding_mode="ROUND",
        )

    def weights(self, array: NDArray[Any], kind: BaseDataType) -> str:
        """Quantized weights, in the array's shape.

        Raises:
            ModelError: they are not of the type.
        """
        low, high = float(array.min()), float(array.max())
        if low < kind.min() or high > kind.max() or np.any(array != np.rint(array)):
            raise ModelError(
                f"weights from {low:g} to {high:g} are not {kind.name}, as FINN's graph says"
            )
        return self.quantizer(self.constant(array, base="weights"), kind)

    def thresholds(
        self,
        node: Node,
        x: str,
        table: NDArray[Any],
        kind: BaseDataType,
        base: int,
        output: str | None = None,
        axis: int = -1,
    ) -> str:
        """`base` plus the number of thresholds reached; for BIPOLAR twice that, less one.

        Args:
            table: [channels or 1, steps].
            kind: of the result.
            axis: of the channels, negative.
        """
        if table.ndim != 2 or table.shape[1] < 1:
            raise node.refusal("its thresholds must be [channels, steps]")
        behind = (1,) * (-axis - 1)
        total = ""
        for step in range(table.shape[1]):
            column = table[:, step].reshape(-1, *behind)
            reached = self.op("GreaterOrEqual", x, self.constant(column))
            one = self.op("Cast", reached, to=onnx.TensorProto.FLOAT)
            total = self.op("Add", total, one) if total else one
        if kind == BIPOLAR:
            total = self.op("Mul", total, self.constant(2.0))
            base = -1
        if base:
            total = self.op("Add", total, self.constant(float(base)))
        steps = table.shape[1]
        ends = (-1, 1) if kind == BIPOLAR else (base, base + steps)
        fits = kind.min() <= ends[0] and ends[1] <= kind.max()
        return self.quantizer(total, kind if fits else smallest_type(*ends), output)

    def model(self) -> onnx.ModelProto:
        """The model with all that has been written."""
        outputs = list(self.source.output)
        for value in outputs:
            if self.value(value.name) != value.name:
                self.op("Identity", self.value(value.name), output=value.name)
        used = {name for node in self.nodes for name in node.input}
        kept = [t for name, t in self.constants.items() if name in used]
        inputs = [v for v in self.source.input if v.name not in self.constants]
        graph = helper.make_graph(
            self.nodes, "finn", inputs, outputs, [*kept, *self.initializers.values()]
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)
