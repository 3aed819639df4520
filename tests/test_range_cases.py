# SPDX-License-Identifier: Apache-2.0
"""Small graphs whose ranges, turning points or scales are out of the ordinary, against qonnx."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes

from qnnc.compiler import api
from qnnc.compiler.errors import QnncError
from tests.support import witness

DOMAIN = "qonnx.custom_op.general"


class Net:
    """A QONNX graph under construction; every method returns the name of a tensor."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def op(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], f"n{name}", **attributes))
        return name

    def quant(self, x: str, bits: float, scale: float = 1.0, zero: float = 0, sign: int = 1) -> str:
        operands = [self.constant(number) for number in (scale, zero, bits)]
        return self.op("Quant", x, *operands, domain=DOMAIN, signed=sign, narrow=0)

    def layer(self, x: str, *shape: int, seed: int = 0, op: str = "Conv", **attributes: Any) -> str:
        weights = np.random.default_rng(seed).integers(-7, 8, shape)
        return self.op(op, x, self.quant(self.constant(weights), 4), **attributes)

    def norm(self, x: str, *gammas: float) -> str:
        count = len(gammas)
        shift = np.linspace(-1.25, 2.5, count)
        operands = (gammas, shift, np.zeros(count), np.ones(count))
        return self.op("BatchNormalization", x, *(self.constant(a) for a in operands))

    def save(self, path: Path, shape: list[int], *outputs: str) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, None) for y in outputs],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        onnx.save(ModelWrapper(model).transform(InferShapes()).model, path)
        return path


Case = tuple[list[int], str]


def beside(net: Net, axis: int, zero: float) -> str:
    """Two quantizers of the input side by side, with bounds of their own."""
    one = net.quant("x", 2, zero=zero, sign=0)
    return net.op("Concat", one, net.quant("x", 3, zero=0, sign=0), axis=axis)


def rows_then_conv(net: Net, zero: float = 4, axis: int = 2) -> Case:
    y = net.layer(beside(net, axis, zero), 2, 1, 2, 2, pads=[1, 0, 1, 1])
    return [1, 1, 2, 3], net.quant(y, 6)


def rows_then_pool(net: Net) -> Case:
    y = net.op("MaxPool", beside(net, 2, -5), kernel_shape=[2, 2])
    return [1, 1, 3, 3], net.quant(net.layer(y, 2, 1, 1, 1), 6)


def rows_then_average(net: Net) -> Case:
    y = net.op("AveragePool", beside(net, 3, 6), kernel_shape=[2, 2], strides=[1, 2])
    return [1, 1, 3, 2], net.quant(net.layer(net.quant(y, 5, 0.5), 2, 1, 1, 1), 6)


def rows_through_layouts(net: Net) -> Case:
    y = net.op("Transpose", beside(net, 2, 5), perm=[0, 1, 3, 2])
    return [1, 1, 2, 2], net.quant(net.layer(y, 2, 1, 2, 3), 6)


def rows_then_matmul(net: Net) -> Case:
    y = net.op("Reshape", beside(net, 2, 9), net.constant([1, 8], np.int64))
    return [1, 1, 2, 2], net.quant(net.layer(y, 8, 3, op="MatMul"), 7)


def rows_then_resize(net: Net) -> Case:
    sizes = net.constant([1, 1, 8, 4], np.int64)
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    floor = {"nearest_mode": "floor"}
    y = net.op("Resize", beside(net, 2, 7), "", "", sizes, **attributes, **floor)
    return [1, 1, 2, 2], net.quant(net.layer(y, 2, 1, 3, 2), 7)


def rows_then_pad(net: Net) -> Case:
    pads = net.constant([0, 0, 1, 0, 0, 0, 0, 2], np.int64)
    y = net.op("Pad", beside(net, 2, 6), pads, net.constant(0))
    return [1, 1, 2, 2], net.quant(net.layer(y, 2, 1, 2, 2), 7)


def branches_of_rows(net: Net) -> Case:
    y = beside(net, 2, 5)
    y = net.op("Add", y, net.op("Mul", y, y))
    return [1, 1, 2, 2], net.quant(net.layer(net.quant(y, 8), 2, 1, 2, 2), 8)


def channels_as_high_as_the_image(net: Net, scale: float = 0.5) -> Case:
    one = net.layer(net.quant("x", 3), 4, 2, 1, 1)
    y = net.op("Concat", net.quant(one, 3), net.quant(one, 3, scale), axis=2)
    return [1, 2, 2, 2], net.quant(net.op("MaxPool", y, kernel_shape=[1, 2]), 4, 0.5)


def unlike_scales_along_the_image(net: Net) -> Case:
    shape, y = channels_as_high_as_the_image(net, 0.27182818)
    return shape, net.quant(net.layer(y, 2, 4, 1, 1), 5)


def far_zero_point(net: Net) -> Case:
    """Sums that end near zero by way of millions."""
    one = net.quant("x", 2, zero=-300_000, sign=0)
    y = net.layer(one, 200, 2, op="MatMul")
    return [1, 200], net.quant(y, 8, 2.0**16)


def dead_channels(net: Net, *gammas: float) -> Case:
    y = net.norm(net.layer(net.quant("x", 3), 3, 2, 2, 2), *gammas)
    return [1, 2, 3, 3], y


def dead_squared(net: Net) -> Case:
    shape, y = dead_channels(net, 0, 0, 0)
    return shape, net.quant(net.op("Mul", y, y), 5, 0.25)


def one_dead_squared(net: Net) -> Case:
    shape, y = dead_channels(net, 0.5, 0, 0.5)
    return shape, net.quant(net.op("Mul", y, y), 8, 0.25)


def dead_added(net: Net) -> Case:
    shape, y = dead_channels(net, 0, 0, 0)
    return shape, net.quant(net.op("Add", y, net.layer(net.quant("x", 3), 3, 2, 2, 2)), 6)


def dead_pooled(net: Net) -> Case:
    shape, y = dead_channels(net, 1, 0, -1)
    return shape, net.quant(net.op("MaxPool", y, kernel_shape=[2, 2]), 5)


def dead_beside(net: Net) -> Case:
    shape, y = dead_channels(net, 0, 0, 0)
    return shape, net.quant(
        net.op("Concat", y, net.layer(net.quant("x", 3), 3, 2, 2, 2), axis=1), 6
    )


def dead_through_a_layer(net: Net) -> Case:
    shape, y = dead_channels(net, 0, 0, 0)
    return shape, net.quant(net.layer(y, 2, 3, 1, 1, seed=4), 6)


def times_zero(net: Net) -> Case:
    y = net.op("Mul", net.quant("x", 3), net.constant(0))
    return [1, 4], net.quant(net.layer(net.op("Add", y, net.constant(1)), 4, 2, op="MatMul"), 6)


def divided_by_zero(net: Net) -> Case:
    y = net.op("Div", net.quant("x", 3), net.constant(0))
    return [1, 4], net.quant(net.layer(y, 4, 2, op="MatMul"), 6)


def turned_before_a_maximum(net: Net, op: str, **attributes: Any) -> Case:
    y = net.layer(net.quant("x", 3), 3, 2, 1, 1)
    y = net.op(op, net.norm(y, 0.1, -0.2, 0.15), **attributes)
    return [1, 2, 4, 4], net.quant(net.op("MaxPool", y, kernel_shape=[2, 2]), 4, 0.2)


def turned_behind_a_maximum(net: Net) -> Case:
    y = net.op("Relu", net.layer(net.quant("x", 3), 3, 2, 1, 1))
    y = net.op("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = net.op("ThresholdedRelu", net.op("Sub", y, net.constant(20)), alpha=-9.0)
    return [1, 2, 4, 4], net.quant(net.layer(net.quant(y, 4, 4.0), 2, 3, 1, 1), 4)


def interpolated(net: Net) -> Case:
    y = net.op("Relu", net.layer(net.quant("x", 3), 3, 2, 1, 1))
    y = net.op("Resize", y, "", net.constant([1, 1, 2, 2]), mode="linear")
    return [1, 2, 2, 2], net.quant(y, 4, 4.0, sign=0)


def no_outputs(net: Net) -> Case:
    y = net.op("MatMul", net.quant("x", 3), net.quant(net.constant(np.zeros((4, 0))), 4))
    y = net.op("Relu", net.op("Add", y, net.constant(np.zeros(0))))
    return [1, 4], net.quant(y, 4)


def no_channels(net: Net) -> Case:
    y = net.layer(net.quant("x", 3), 3, 2, 2, 2)
    y = net.op("Conv", net.quant(y, 4, 4.0), net.quant(net.constant(np.zeros((0, 3, 1, 1))), 4))
    return [1, 2, 3, 3], net.quant(y, 4)


EXACT: dict[str, Callable[[Net], Case]] = {
    "no_outputs": no_outputs,
    "no_channels": no_channels,
    "rows_then_conv": rows_then_conv,
    "rows_then_conv_negative": lambda net: rows_then_conv(net, -4),
    "columns_then_conv": lambda net: rows_then_conv(net, 5, 3),
    "rows_then_pool": rows_then_pool,
    "rows_then_average": rows_then_average,
    "rows_through_layouts": rows_through_layouts,
    "rows_then_matmul": rows_then_matmul,
    "rows_then_resize": rows_then_resize,
    "rows_then_pad": rows_then_pad,
    "branches_of_rows": branches_of_rows,
    "channels_as_high_as_the_image": channels_as_high_as_the_image,
    "far_zero_point": far_zero_point,
    "dead_squared": dead_squared,
    "one_dead_squared": one_dead_squared,
    "dead_added": dead_added,
    "dead_pooled": dead_pooled,
    "dead_beside": dead_beside,
    "dead_through_a_layer": dead_through_a_layer,
    "times_zero": times_zero,
    "thresholded_before_a_maximum": lambda net: turned_before_a_maximum(
        net, "ThresholdedRelu", alpha=-0.5
    ),
    "elu_before_a_maximum": lambda net: turned_before_a_maximum(net, "Elu", alpha=-1.0),
    "tanh_before_a_maximum": lambda net: turned_before_a_maximum(net, "Tanh"),
    "interpolated": interpolated,
}
REFUSED: dict[str, tuple[Callable[[Net], Case], str]] = {
    "divided_by_zero": (divided_by_zero, "divides by zero"),
    "scales_along_the_image": (unlike_scales_along_the_image, "along its image"),
    "turned_behind_a_maximum": (turned_behind_a_maximum, "may fall"),
}


@pytest.mark.parametrize("name", EXACT)
def test_it_computes_what_qonnx_says(name: str, tmp_path: Path) -> None:
    net = Net()
    shape, y = EXACT[name](net)
    path = net.save(tmp_path / "model.onnx", shape, y)
    api.compile(path, out=tmp_path / "build")
    inputs = witness.random_inputs(path, 12)
    (expected,) = witness.run(path, inputs).values()
    (found,) = witness.run(tmp_path / "build" / "model" / "compiled.onnx", inputs).values()
    assert np.array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_name(name: str, tmp_path: Path) -> None:
    make, word = REFUSED[name]
    net = Net()
    shape, y = make(net)
    path = net.save(tmp_path / "model.onnx", shape, y)
    with pytest.raises(QnncError, match=word) as refusal:
        api.compile(path, out=tmp_path / "build")
    assert "\n" not in str(refusal.value)
