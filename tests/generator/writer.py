# SPDX-License-Identifier: Apache-2.0
"""Writing a model operator by operator, as each opset from 9 to 21 wants it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
MICROSOFT = "com.microsoft"
Output = tuple[str, tuple[int, ...], int]
"""Name, shape without the batch, element type."""


class Writer:
    """A graph under construction; every method returns names of tensors."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.second = False  # version of QONNX's domain, which tells the forms of Trunc apart
        self.as_nodes = False  # constants are Constant nodes, not initializers
        self.as_inputs = False  # initializers are repeated among the inputs, as old exporters do
        self.named = True  # nodes have names
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def fresh(self, kind: str) -> str:
        """A name that is not taken yet."""
        return f"{kind}{len(self.nodes) + len(self.constants)}"

    def constant(self, array: object, dtype: type | None = np.float32) -> str:
        """An initializer."""
        data = np.asarray(array, dtype=dtype)
        if self.as_nodes and data.size:
            name = self.fresh("k")
            tensor = numpy_helper.from_array(data)
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
            return name
        self.constants.append(numpy_helper.from_array(data, self.fresh("c")))
        return self.constants[-1].name

    def typed(self, array: object, kind: int) -> str:
        """An initializer of an ONNX type, 4-bit integers among them."""
        data = np.asarray(array)
        flat = [int(v) for v in data.reshape(-1)]
        self.constants.append(helper.make_tensor(self.fresh("c"), kind, data.shape, flat))
        return self.constants[-1].name

    def op(
        self, op: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: object
    ) -> list[str]:
        """Any operator."""
        names = [self.fresh(op.lower()) + (f"_{i}" if i else "") for i in range(outputs)]
        node = helper.make_node(
            op,
            list(inputs),
            names,
            name=f"n_{names[0]}" if self.named else "",
            domain=domain,
            **attributes,
        )
        self.nodes.append(node)
        return names

    def input(self, name: str, shape: Sequence[int], kind: int = TensorProto.FLOAT) -> str:
        """An input of the model, shape without the batch."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, [1, *shape]))
        return name

    def indices(self, *numbers: int) -> str:
        """A constant list of integers."""
        return self.constant(numbers, np.int64)

    # --- operators whose form depends on the opset ------------------------------------------

    def clip(self, x: str, low: float | None, high: float | None) -> str:
        """Clip of floats."""
        bounds = {n: v for n, v in (("min", low), ("max", high)) if v is not None}
        if self.opset < 11:
            return self.op("Clip", x, **bounds)[0]
        ends = ["" if v is None else self.constant(v) for v in (low, high)]
        return self.op("Clip", x, *(ends if ends[1] else ends[:1]))[0]

    def cut(self, x: str, start: int, end: int, axis: int) -> str:
        """Slice along one axis."""
        if self.opset < 10:
            return self.op("Slice", x, starts=[start], ends=[end], axes=[axis])[0]
        return self.op("Slice", x, *(self.indices(v) for v in (start, end, axis)))[0]

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Split into given sizes."""
        if self.opset < 13:
            return self.op("Split", x, outputs=len(sizes), axis=axis, split=list(sizes))
        return self.op("Split", x, self.indices(*sizes), outputs=len(sizes), axis=axis)

    def pad(self, x: str, pads: Sequence[int], value: float = 0.0) -> str:
        """Constant padding."""
        if self.opset < 11:
            return self.op("Pad", x, pads=list(pads), value=value)[0]
        extra = [self.constant(value)] if value else []
        return self.op("Pad", x, self.indices(*pads), *extra)[0]

    def resize(self, x: str, factors: Sequence[int], how: tuple[str, str]) -> str:
        """Nearest upsampling of the image."""
        scales = self.constant([1.0, 1.0, *factors])
        if self.opset < 11:
            op = "Upsample" if self.opset < 10 else "Resize"
            return self.op(op, x, scales, mode="nearest")[0]
        attributes = {"coordinate_transformation_mode": how[0], "nearest_mode": how[1]}
        region = "" if self.opset >= 13 else self.constant([])
        return self.op("Resize", x, region, scales, mode="nearest", **attributes)[0]

    def reduce(self, op: str, x: str, axes: Sequence[int], keep: int) -> str:
        """ReduceMean or ReduceSum."""
        if self.opset < (13 if op == "ReduceSum" else 18):
            return self.op(op, x, axes=list(axes), keepdims=keep)[0]
        return self.op(op, x, self.indices(*axes), keepdims=keep)[0]

    def axes(self, op: str, x: str, axes: Sequence[int]) -> str:
        """Squeeze or Unsqueeze."""
        if self.opset < 13:
            return self.op(op, x, axes=list(axes))[0]
        return self.op(op, x, self.indices(*axes))[0]

    def model(self, outputs: Sequence[Output]) -> onnx.ModelProto:
        """The whole model."""
        graph = helper.make_graph(
            self.nodes,
            "random",
            [*self.inputs, *self._repeated()],
            [helper.make_tensor_value_info(n, kind, [1, *shape]) for n, shape, kind in outputs],
            self.constants,
        )
        domains = sorted({node.domain for node in self.nodes} - {""})
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(d, 2 if self.second and d == QONNX else 1) for d in domains]
        version = 10 if self.opset > 18 else 8 if self.opset > 11 else 6
        return helper.make_model(graph, opset_imports=opsets, ir_version=version)

    def _repeated(self) -> list[onnx.ValueInfoProto]:
        if not self.as_inputs:
            return []
        return [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in self.constants]
