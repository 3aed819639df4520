# SPDX-License-Identifier: Apache-2.0
"""Every operator that is built in hardware, alone between two quantizers or before a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.qonnx_graph import QONNX, QonnxGraph, Tensor
from qnnc.backends.simulation.simulate import Pressure
from tests.support.build import compile_proto, operators
from tests.support.graph_check import simulated_failure

ANY = ("C", "H", "W")
"""Shape of an output that shape inference works out."""


class Net(QonnxGraph):
    """A graph with quantized images to start from."""

    def image(self, name: str = "x", scale: float = 0.125, **how: bool) -> Tensor:
        return self.quantize(self.input((4, 6, 6), name), 4, scale, **how)

    def signal(self) -> Tensor:
        return self.quantize(self.input((4, 10)), 4, 0.125)

    def apply(
        self, op: str, *inputs: Tensor | object, shape: Sequence[object] = ANY, **attributes: object
    ) -> Tensor:
        """An operator on tensors and constants."""
        names = [
            x.name
            if isinstance(x, Tensor)
            else self.constant(x, np.int64 if isinstance(x, list) else np.float32)
            for x in inputs
        ]
        return Tensor(self.op(op, names, **attributes)[0], tuple(shape))  # type: ignore[arg-type]

    def end(self, x: Tensor, bits: int = 4, scale: float = 0.25) -> Tensor:
        """The quantizer after a sum or a function."""
        return self.quantize(x, bits, scale)


Case = Callable[[Net], Tensor]


def conv(**how: object) -> Case:
    """A two-dimensional convolution and its quantizer."""
    return lambda g: g.end(g.conv(g.image(), 4, (3, 2), 4, **how), scale=1.0)  # type: ignore[arg-type]


def zero_point(g: Net) -> Tensor:
    """What stands for zero is not zero: padding is with the zero point."""
    x = g.input((4, 6, 6))
    parts = [g.constant(v) for v in (0.125, 3.0, 4)]
    name = g.op("Quant", [x.name, *parts], QONNX, signed=0, narrow=0, rounding_mode="ROUND")[0]
    return g.end(g.conv(Tensor(name, x.shape), 3, (3, 3), 4, pads=1), scale=1.0)


def conv_transpose(g: Net) -> Tensor:
    weights = Tensor(g.weights((4, 2, 3, 2), 3), ())
    y = g.apply("ConvTranspose", g.image(), weights, strides=[2, 1], pads=[1, 0, 1, 1])
    return g.end(y, scale=1.0)


def trunc(g: Net) -> Tensor:
    """AveragePool and Trunc, as Brevitas's TruncAvgPool2d has them."""
    y = g.apply("AveragePool", g.image(signed=False), kernel_shape=[2, 2], strides=[2, 2])
    y = g.apply("Mul", y, 4.0)
    parts = [g.constant(v) for v in (0.125, 0.0, 6, 4)]
    return Tensor(g.op("Trunc", [y.name, *parts], QONNX, rounding_mode="FLOOR")[0], ANY)  # type: ignore[arg-type]


def split(g: Net) -> Tensor:
    left, right = g.op("Split", [g.image().name, g.constant([1, 3], np.int64)], outputs=2, axis=1)
    parts = [g.conv(Tensor(n, (c, 6, 6)), 2, (1, 1), 3) for n, c in ((left, 1), (right, 3))]
    return g.end(g.add(*parts), scale=0.5)


def branches(op: str, other: float) -> Case:
    """Two inputs, of one scale or of two."""
    return lambda g: g.end(g.apply(op, g.image(), g.image("z", other)))


def moved(op: str, *operands: object, **attributes: object) -> Case:
    """An operator that moves elements, with a 1x1 convolution after."""

    def make(g: Net) -> Tensor:
        x = g.end(g.conv(g.image(), 4, (1, 1), 4), scale=0.5)  # the host would move the input
        y = g.apply(op, x, *operands, **attributes)
        channels = {"DepthToSpace": 1, "SpaceToDepth": 16, "Slice": 2}.get(op, 4)
        y = g.conv(Tensor(y.name, (channels, 6, 6)), 3, (1, 1), 4)
        return g.end(Tensor(y.name, ANY), scale=0.5)  # type: ignore[arg-type]

    return make


def flat(op: str, *operands: object, **attributes: object) -> Case:
    """To one dimension, and a dense layer."""

    def make(g: Net) -> Tensor:
        y = g.apply(op, g.image(), *operands, **attributes)
        return g.end(g.linear(Tensor(y.name, (144,)), 5, 3), scale=2.0)

    return make


def transpose(g: Net) -> Tensor:
    y = g.apply("Transpose", g.image(), perm=[0, 2, 3, 1])
    return g.end(g.linear(g.flatten(Tensor(y.name, (6, 6, 4))), 5, 3), scale=2.0)


def resize(g: Net) -> Tensor:
    return g.end(g.conv(g.upsample(g.image(), 2), 3, (3, 3), 3), scale=1.0)


def tail(op: str, *operands: object, **attributes: object) -> Case:
    """A function between a layer and a quantizer."""

    def make(g: Net) -> Tensor:
        x = g.batch_norm(g.conv(g.image(), 4, (1, 1), 4), both_signs=True)
        return g.end(g.apply(op, x, *operands, **attributes), scale=0.125)

    return make


def silu(g: Net) -> Tensor:
    x = g.batch_norm(g.conv(g.image(), 4, (1, 1), 4))
    return g.end(g.apply("Mul", x, g.apply("Sigmoid", x)), scale=0.125)


SLOPES = np.linspace(-0.2, 0.5, 4).reshape(4, 1, 1)
CASES: dict[str, tuple[Case, set[str]]] = {
    "Conv": (conv(bias=True), {"ConvolutionInputGenerator", "MVAU"}),
    "Conv-1d": (lambda g: g.end(g.conv(g.signal(), 3, (3,), 4, stride=2), scale=1.0), {"MVAU"}),
    "Conv-asymmetric": (conv(pads=[1, 0, 2, 1], stride=[2, 1]), {"FMPadding", "MVAU"}),
    "Conv-dilated": (conv(dilation=2), {"ConvolutionInputGenerator"}),
    "Conv-grouped": (conv(group=2), {"MVAU", "StreamingSplit", "StreamingConcat"}),
    "Conv-depthwise": (conv(group=4, pads=1), {"VVAU"}),
    "Conv-zero-point": (zero_point, {"FMPadding"}),
    "ConvTranspose": (conv_transpose, {"FMPadding_Pixel", "MVAU"}),
    "MaxPool": (lambda g: g.end(g.pool(g.image(), 3, stride=2, pads=1)), {"Pool"}),
    "AveragePool": (lambda g: g.end(g.pool(g.image(), 2, op="AveragePool")), {"Pool"}),
    "AveragePool-Trunc": (trunc, {"Pool", "Thresholding"}),
    "GlobalAveragePool": (lambda g: g.end(g.global_average(g.image())), {"GlobalAccPool"}),
    "Add": (branches("Add", 0.125), {"ElementwiseAdd"}),
    "Add-scales": (branches("Add", 0.3), {"ElementwiseAdd", "ElementwiseMul"}),
    "Sub": (branches("Sub", 0.25), {"ElementwiseAdd"}),
    "Mul": (branches("Mul", 0.3), {"ElementwiseMul"}),
    "Concat": (lambda g: g.end(g.concat(g.image(), g.image("z"))), {"StreamingConcat"}),
    "Split": (split, {"StreamingSplit", "ElementwiseAdd"}),
    "Slice": (moved("Slice", [1], [3], [1]), {"StreamingSplit"}),
    "Resize": (resize, {"UpsampleNearestNeighbour"}),
    "DepthToSpace-DCR": (moved("DepthToSpace", blocksize=2), {"Shuffle"}),
    "DepthToSpace-CRD": (moved("DepthToSpace", blocksize=2, mode="CRD"), {"Shuffle"}),
    "SpaceToDepth": (moved("SpaceToDepth", blocksize=2), {"Shuffle"}),
    "Pad": (moved("Pad", [0, 0, 1, 0, 0, 0, 2, 1]), {"FMPadding"}),
    "Flatten": (flat("Flatten"), {"MVAU"}),
    "Reshape": (flat("Reshape", [1, 144]), {"MVAU"}),
    "Transpose": (transpose, {"MVAU"}),
    "Relu": (tail("Relu"), {"Thresholding"}),
    "LeakyRelu": (tail("LeakyRelu", alpha=0.1), {"Thresholding"}),
    "PRelu": (tail("PRelu", SLOPES), {"Thresholding"}),
    "Clip": (tail("Clip", -0.4, 0.7), {"Thresholding"}),
    "HardSwish": (tail("HardSwish"), {"Thresholding"}),
    "HardSigmoid": (tail("HardSigmoid"), {"Thresholding"}),
    "Tanh": (tail("Tanh"), {"Thresholding"}),
    "Sigmoid": (tail("Sigmoid"), {"Thresholding"}),
    "Gelu": (tail("Gelu"), {"Thresholding"}),
    "Elu": (tail("Elu", alpha=0.7), {"Thresholding"}),
    "Selu": (tail("Selu"), {"Thresholding"}),
    "Silu": (silu, {"Thresholding"}),
}


@pytest.mark.parametrize("name", CASES)
def test_alone(name: str) -> None:
    make, expected = CASES[name]
    g = Net(1)
    proto = g.model(make(g), opset=20)
    model, outcome, _ = compile_proto(proto, samples=50, each=False, fold=True)
    assert outcome.mismatches == 0
    assert expected <= set(operators(model))


@pytest.mark.parametrize("opset", [7, 9])
def test_upsample(opset: int) -> None:
    g = Net(2)
    x = g.image()
    if opset == 9:
        y = g.op("Upsample", [x.name, g.constant([1, 1, 2, 2])], mode="nearest")[0]
    else:
        y = g.op("Upsample", [x.name], scales=[1.0, 1.0, 2.0, 2.0], mode="nearest")[0]
    proto = g.model(g.end(g.conv(Tensor(y, (4, 12, 12)), 3, (1, 1), 3), scale=1.0), opset=opset)
    model, outcome, _ = compile_proto(proto, samples=50, each=False)
    assert outcome.mismatches == 0
    assert "UpsampleNearestNeighbour" in operators(model)


def test_hardware_of_many_inputs_and_outputs(cache: Path) -> None:
    """Operators that no network of test_cnn.py has, side by side in one accelerator."""
    g = Net(3)
    inputs = iter("abcdefgh")
    g.image = lambda *_, **how: Net.image(g, next(inputs), **how)  # type: ignore[method-assign]
    names = ("ConvTranspose", "AveragePool-Trunc", "Conv-dilated", "SpaceToDepth", "Slice", "Mul")
    proto = g.model(*[CASES[name][0](g) for name in names], opset=20)
    assert len(proto.graph.input) == 7
    pressure = Pressure(source=50, sink=50, seed=1)
    assert simulated_failure(proto, cache, pressure) is None


def test_models_are_valid() -> None:
    for make, _ in CASES.values():
        g = Net(1)
        onnx.checker.check_model(g.model(make(g), opset=20))
