# SPDX-License-Identifier: Apache-2.0
"""hoist-quantizers: a function, then a MaxPool, Concat or Resize, and the quantizer only then;
and a Relu of quantized values that a layer reads as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.errors import ModelError
from tests.support.build import compile_proto, operators
from tests.support.graph_check import simulated_failure


class Net(QonnxGraph):
    """Networks whose middle lies between two layers."""

    def start(self) -> Tensor:
        """A quantized image [4, 6, 6]."""
        return self.quantize(self.input((4, 6, 6)), 4, 0.125)

    def sum(self, x: Tensor, outputs: int = 4) -> Tensor:
        """A layer and its batch norm, falling channels among them."""
        return self.batch_norm(self.conv(x, outputs, (3, 3), 3, pads=1), both_signs=True)

    def relu(self, x: Tensor) -> Tensor:
        return Tensor(self.op("Relu", [x.name])[0], x.shape, x.rms)

    def apply(self, op: str, x: Tensor, *constants: object, **attributes: object) -> Tensor:
        names = [self.constant(c) for c in constants]
        return Tensor(self.op(op, [x.name, *names], **attributes)[0], x.shape, x.rms)

    def end(self, *parts: Tensor) -> onnx.ModelProto:
        """A last layer after each part, so that nothing of it can go to the host."""
        outputs = [self.conv(x, 3, (1,) * (len(x.shape) - 1), 3) for x in parts]
        return self.model(*outputs)


def pool_behind_relu(g: Net) -> onnx.ModelProto:
    x = g.pool(g.relu(g.sum(g.start())), 2)
    return g.end(g.quantize(x, 4, 0.2))


def overlapping_pool_before_a_rising_function(g: Net) -> onnx.ModelProto:
    x = g.pool(g.relu(g.sum(g.start())), 3, stride=2, pads=1)
    x = g.apply("Sub", g.apply("Mul", g.batch_norm(x), np.linspace(0, 2, 4).reshape(4, 1, 1)), 0.4)
    return g.end(g.quantize(g.apply("Sigmoid", x), 3, 0.1))


def pool_and_flatten(g: Net) -> onnx.ModelProto:
    x = g.flatten(g.pool(g.relu(g.sum(g.start())), 3))
    return g.model(g.linear(g.quantize(x, 4, 0.2), 5, 3))


def concat_of_functions(g: Net) -> onnx.ModelProto:
    x = g.start()
    y = g.concat(g.relu(g.sum(x, 3)), g.apply("Tanh", g.sum(x, 2)))
    y = g.apply("Mul", g.batch_norm(y, both_signs=True), np.linspace(-1, 2, 5).reshape(5, 1, 1))
    return g.end(g.quantize(y, 4, 0.2))


def concat_with_what_is_quantized(g: Net) -> onnx.ModelProto:
    x = g.start()
    return g.end(g.quantize(g.concat(g.relu(g.sum(x, 3)), x), 4, 0.2))


def pool_in_a_branch_of_a_concat(g: Net) -> onnx.ModelProto:
    x = g.start()
    parts = [g.pool(g.relu(g.sum(x, 3)), 3, stride=1, pads=1), g.relu(g.sum(x, 2))]
    return g.end(g.quantize(g.concat(*parts), 4, 0.2))


def resize(g: Net) -> onnx.ModelProto:
    return g.end(g.quantize(g.upsample(g.relu(g.sum(g.start())), 2), 4, 0.2))


def depth_to_space(g: Net) -> onnx.ModelProto:
    return g.end(g.quantize(g.depth_to_space(g.relu(g.sum(g.start())), 2), 4, 0.2))


def sum_of_scales_that_do_not_meet(g: Net) -> onnx.ModelProto:
    x = g.start()
    y = g.add(g.quantize(g.sum(x), 4, 0.1), g.quantize(g.sum(x), 3, 0.2371))
    return g.end(g.quantize(g.pool(g.relu(y), 2), 4, 0.2))


def two_quantizers(g: Net) -> onnx.ModelProto:
    x = g.pool(g.relu(g.sum(g.start())), 2)
    return g.end(g.quantize(x, 4, 0.2), g.quantize(x, 2, 0.5))


CASES: list[Callable[[Net], onnx.ModelProto]] = [
    pool_behind_relu,
    overlapping_pool_before_a_rising_function,
    pool_and_flatten,
    concat_of_functions,
    concat_with_what_is_quantized,
    pool_in_a_branch_of_a_concat,
    resize,
    depth_to_space,
    sum_of_scales_that_do_not_meet,
    two_quantizers,
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_quantizers_come_first(make: Callable[[Net], onnx.ModelProto]) -> None:
    model, outcome, runs = compile_proto(make(Net(2)), samples=50, each=True)
    assert outcome.mismatches == 0
    assert next(run for run in runs if run.name == "hoist-quantizers").changed
    assert not {"Relu", "MaxPool", "Concat", "Resize"} & set(operators(model))


def test_hardware(cache: Path) -> None:
    pressure = Pressure(source=60, sink=60, seed=1)
    assert simulated_failure(pool_in_a_branch_of_a_concat(Net(3)), cache, pressure) is None


def test_quantizers_that_need_not_move_stay() -> None:
    g = Net(4)
    x = g.quantize(g.relu(g.pool(g.sum(g.start()), 2)), 4, 0.2)
    _, outcome, runs = compile_proto(g.end(x), samples=32)
    assert outcome.mismatches == 0
    assert not next(run for run in runs if run.name == "hoist-quantizers").changed


def test_a_falling_function_behind_a_maximum_is_refused() -> None:
    g = Net(5)
    x = g.pool(g.relu(g.sum(g.start())), 2)
    x = g.quantize(g.apply("Mul", x, -1.0), 4, 0.2)
    with pytest.raises(ModelError, match=r"MaxPool.*between two quantized.*Mul after it may fall"):
        compile_proto(g.end(x))


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_relu_between_quantizer_and_layer(bits: int) -> None:
    """The integers themselves are clipped, in the table of the quantizer before."""
    g = Net(6)
    x = g.relu(g.quantize(g.sum(g.start()), bits, 0.1 if bits > 1 else 1.0, signed=bits > 1))
    model, outcome, _ = compile_proto(g.end(x), samples=50)
    assert outcome.mismatches == 0
    assert operators(model).count("Thresholding") <= 2


def test_clip_of_quantized_values() -> None:
    g = Net(7)
    x = g.quantize(g.sum(g.start()), 6, 0.125)
    x = g.add(g.apply("Clip", x, -0.5, 2.0), x)
    model, outcome, _ = compile_proto(g.end(g.quantize(x, 4, 0.25)), samples=50)
    assert outcome.mismatches == 0
    assert "ElementwiseAdd" in operators(model)


def test_a_bound_that_no_integer_stands_for_is_refused() -> None:
    g = Net(8)
    x = g.apply("Clip", g.quantize(g.sum(g.start()), 6, 0.125), 0.0, 1.3)
    with pytest.raises(ModelError, match=r"Clip.*no integer of its input stands for 1\.3"):
        compile_proto(g.end(x))


def test_relu_of_a_sum_that_a_layer_reads_is_refused() -> None:
    g = Net(9)
    with pytest.raises(ModelError, match=r"Conv.*its input 'relu\d+' has no quantizer"):
        compile_proto(g.end(g.relu(g.conv(g.start(), 3, (1, 1), 3))))
