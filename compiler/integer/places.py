# SPDX-License-Identifier: Apache-2.0
"""Which elements of its input an operator picks: ONNX Runtime is asked."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.edit import constant, shape_of
from qnnc.compiler.ir.facts import FloatArray, IntArray, as_integers
from qnnc.compiler.ir.intervals import MOST_ELEMENTS, Interval, compact, compacted

MOST_NUMBERS = 1 << 24
"""Elements that float32 can number."""


class Places:
    """Where the elements of a moving operator's outputs come from.

    Args:
        node: Split, Slice, Resize, Upsample, DepthToSpace, SpaceToDepth or Pad, all its inputs but
            the first constant.
    """

    def __init__(self, node: ir.Node) -> None:
        self._node = node
        source = node.inputs[0]
        assert source is not None
        self._shape = shape_of(source)

    def bounds(self, index: int, x: Interval, pad: int | None) -> Interval:
        """Output `index` for an input x; exact up to MOST_ELEMENTS.

        Args:
            pad: what a Pad puts beside x.
        """
        if x.is_uniform or math.prod(self._shape) > MOST_ELEMENTS:
            return x.whole if pad is None else x.whole.including(pad)
        numbers = self._numbers[index]
        full = x.spread(self._shape)
        low, high = (bound.ravel()[np.maximum(numbers, 0)] for bound in (full.low, full.high))
        if pad is not None:
            low, high = (np.where(numbers < 0, pad, bound) for bound in (low, high))
        return compacted(Interval.of(low, high))

    def parameter(self, index: int, array: FloatArray) -> FloatArray:
        """A scale or offset of the input as one of output `index`.

        Raises:
            Unsupported: it differs along an axis that is padded; the tensor is too large.
        """
        if array.size == 1:
            return array.reshape(())
        if math.prod(self._shape) > MOST_NUMBERS:
            raise Unsupported("scales that differ within so large a tensor")
        numbers = self._numbers[index]
        found = np.broadcast_to(array, self._shape).ravel()[np.maximum(numbers, 0)]
        if np.any(numbers < 0):
            found = self._beside(found, numbers)
        small = compact(found)
        return small.reshape((1,) * (found.ndim - small.ndim) + small.shape)

    @staticmethod
    def _beside(found: FloatArray, numbers: IntArray) -> FloatArray:
        """What is padded takes the parameters of its channel."""
        axes = tuple(range(2, found.ndim))
        inside = numbers >= 0
        if not inside.any(axis=axes).all():
            raise Unsupported("padding of the channels of a tensor with a scale for each")
        least = np.where(inside, found, np.inf).min(axis=axes, keepdims=True)
        greatest = np.where(inside, found, -np.inf).max(axis=axes, keepdims=True)
        if not np.array_equal(least, greatest):
            raise Unsupported("padding of a tensor whose scales differ along its image")
        return np.broadcast_to(least, found.shape)

    @cached_property
    def _numbers(self) -> list[IntArray]:
        """For each output the number of the element that stands there, -1 for padding."""
        node = self._node
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self._shape)]
        constants: list[TensorProto] = []
        names = ["x"]
        for index, value in enumerate(node.inputs[1:], 1):
            array = constant(value)
            if node.op_type == "Pad" and index == 2:
                array = None
            if array is not None:
                constants.append(numpy_helper.from_array(array, f"c{index}"))
            names.append("" if array is None else f"c{index}")
        if node.op_type == "Pad":
            names = [*names, ""] if len(names) == 2 else names
            names[2] = "beside"
            constants.append(numpy_helper.from_array(np.asarray(-1, np.float32), "beside"))
        outputs = [f"y{i}" for i in range(len(node.outputs))]
        made = helper.make_node(node.op_type, names, outputs)
        made.attribute.extend(ir.to_proto(a) for a in node.attributes.values())
        results = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape_of(value))
            for name, value in zip(outputs, node.outputs, strict=True)
        ]
        graph = helper.make_graph([made], "places", inputs, results, constants)
        opsets = [helper.make_opsetid("", node.graph.opset_imports[""])] if node.graph else []
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        numbers = np.arange(math.prod(self._shape), dtype=np.float32).reshape(self._shape)
        return [as_integers(np.asarray(found)) for found in session.run(outputs, {"x": numbers})]
