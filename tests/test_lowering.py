# SPDX-License-Identifier: Apache-2.0
"""Linear operators on integers, each in the forms that exporters write, against ONNX Runtime on
the same operators."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.compiler.errors import ModelError
from tests.support.branches import Branch, exact, model
from tests.support.build import compile_proto

IMAGE = (4, 5, 6)
CHANNELS = np.array([0.5, 1.0, 2.0, 0.25]).reshape(4, 1, 1)


def then_conv(*steps: Branch, outputs: int = 3, **settings: object) -> Branch:
    """Some operators, then a convolution of 2 x 2."""

    def branch(g: QonnxGraph, x: str) -> str:
        for step in steps:
            x = step(g, x)
        w = g.weights((outputs, 4, 2, 2), 4)
        return g.op("Conv", [x, w], **settings)[0]

    return branch


def with_number(op: str, number: object, *, first: bool = False) -> Branch:
    """An operator with a constant, which comes first or second."""

    def branch(g: QonnxGraph, x: str) -> str:
        inputs = [x, g.constant(number)]
        return g.op(op, inputs[::-1] if first else inputs)[0]

    return branch


def norm(gamma: object, shift: object = 0.0) -> Branch:
    """A BatchNormalization with a mean of 0 and a variance of 1."""

    def branch(g: QonnxGraph, x: str) -> str:
        parameters = [np.broadcast_to(a, (4,)) for a in (gamma, shift, 0.0, 1.0)]
        return g.op("BatchNormalization", [x, *map(g.constant, parameters)], epsilon=0.0)[0]

    return branch


def clipped(low: float | None, high: float | None) -> Branch:
    """A Clip with one bound, or both."""

    def branch(g: QonnxGraph, x: str) -> str:
        bounds = ["" if b is None else g.constant(b) for b in (low, high)]
        return g.op("Clip", [x, *(bounds if high is not None else bounds[:1])])[0]

    return branch


def alone(op: str, **attributes: object) -> Branch:
    """An operator of one input."""
    return lambda g, x: g.op(op, [x], **attributes)[0]


def test_constants_on_either_side_before_a_layer() -> None:
    numbers = [("Sub", 2.0), ("Sub", 4 * CHANNELS), ("Add", 4 * CHANNELS), ("Mul", -0.5)]
    steps = [with_number(op, n, first=first) for op, n in numbers for first in (False, True)]
    steps += [with_number("Div", 0.5), with_number("Div", np.full((1, 1, 1), -3.0))]
    exact(model(IMAGE, [then_conv(step) for step in steps]), "Conv")
    exact(model((6,), [_product(step) for step in steps[:2] + steps[6:8]]), "MatMul")


def _product(step: Branch) -> Branch:
    return lambda g, x: g.op("MatMul", [step(g, x), g.weights((6, 3), 4, axis=1)])[0]


def test_clips_before_a_layer() -> None:
    """Of one bound or two; all that is left may be one number."""
    bounds = [(0.5, None), (None, 2.0), (0.25, 3.25), (1.0, 1.0), (3.0, 2.0), (9.0, None)]
    branches = [then_conv(clipped(*b)) for b in bounds]
    branches += [then_conv(with_number("Sub", 2.0), alone("Relu"))]
    branches += [then_conv(with_number("Sub", 5.0), alone("Relu"))]
    branches += [then_conv(with_number("Sub", 2.0), alone("Relu"), with_number("Mul", -0.5))]
    branches += [then_conv(clipped(0.5, 2.5), alone("Identity"), with_number("Add", 4 * CHANNELS))]
    exact(model(IMAGE, branches), "Conv")


def test_pads_of_every_kind() -> None:
    settings: list[dict[str, object]] = [
        {"auto_pad": "VALID"},
        {"auto_pad": "SAME_UPPER", "strides": [2, 3]},
        {"auto_pad": "SAME_LOWER", "strides": [1, 2]},
        {"pads": [1, 0, 0, 1], "strides": [3, 1]},
        {"pads": [0, 1, 1, 2], "dilations": [1, 3]},
    ]
    exact(model(IMAGE, [then_conv(**s) for s in settings]), "Conv")


@pytest.mark.parametrize("value", [None, 0.0, 1.5])
def test_borders_of_channels_with_scales_of_their_own(value: float | None) -> None:
    """A Pad says what it pads with, or nothing, which is zero."""

    def padded(g: QonnxGraph, x: str) -> str:
        pads = g.constant([0, 0, 1, 0, 0, 0, 0, 2], np.int64)
        given = [] if value is None else [g.constant(value)]
        return g.op("Pad", [x, pads, *given])[0]

    scaled: Branch = lambda g, x: padded(g, norm(CHANNELS.reshape(4))(g, x))  # noqa: E731
    branches = [padded] if value else [padded, scaled]
    exact(model(IMAGE, branches), "Pad")


def test_transposed_convolutions_of_channels_with_scales_of_their_own() -> None:
    def transposed(group: int, **settings: object) -> Branch:
        def branch(g: QonnxGraph, x: str) -> str:
            w = g.weights((4, 8 // group, 2, 3), 4)
            return g.op("ConvTranspose", [x, w], group=group, **settings)[0]

        return branch

    def after_norm(step: Branch) -> Branch:
        return lambda g, x: step(g, norm(CHANNELS.reshape(4))(g, x))

    branches = [
        transposed(1, strides=[2, 1]),
        transposed(2, strides=[1, 2], pads=[0, 1, 1, 0]),
        transposed(1, strides=[2, 3], output_padding=[1, 0], dilations=[1, 2]),
        after_norm(transposed(4, strides=[2, 2])),
        after_norm(transposed(4)),
    ]
    exact(model(IMAGE, branches), "ConvTranspose")


def test_depthwise_convolutions_of_channels_with_scales_of_their_own() -> None:
    def depthwise(g: QonnxGraph, x: str) -> str:
        w = g.weights((8, 1, 2, 2), 4, per_channel=True)
        return g.op("Conv", [norm(CHANNELS.reshape(4))(g, x), w], group=4)[0]

    exact(model(IMAGE, [depthwise]), "Conv")


def test_lines() -> None:
    """Images of one dimension: layers, pools and interpolation."""

    def conv(g: QonnxGraph, x: str, **settings: object) -> str:
        return g.op("Conv", [x, g.weights((3, 2, 3), 4)], **settings)[0]

    def longer(g: QonnxGraph, x: str) -> str:
        scales = g.constant([1, 1, 4])
        y = g.op("Resize", [x, "", scales], mode="linear")[0]
        return conv(g, g.quantize(Tensor(y, (2, 28)), 4, 0.25, signed=False).name)

    def transposed(g: QonnxGraph, x: str) -> str:
        return g.op("ConvTranspose", [x, g.weights((2, 3, 3), 4)], strides=[2], pads=[1, 0])[0]

    branches: list[Branch] = [
        lambda g, x: conv(g, x, strides=[2], pads=[1, 2]),
        lambda g, x: conv(g, x, strides=[2], auto_pad="SAME_LOWER"),
        alone("MaxPool", kernel_shape=[3], strides=[2], pads=[1, 0]),
        alone("AveragePool", kernel_shape=[2], strides=[2], ceil_mode=1),
        alone("AveragePool", kernel_shape=[3], pads=[1, 1], count_include_pad=1),
        alone("GlobalAveragePool"),
        longer,
        transposed,
    ]
    proto = model((2, 7), branches, line=True)
    for operator in ("Conv", "MaxPool", "AveragePool", "ConvTranspose"):
        exact(proto, operator)


def test_pools_of_every_kind() -> None:
    def negative(step: Branch) -> Branch:
        return lambda g, x: step(g, norm(-CHANNELS.reshape(4), 1.0)(g, x))

    pools = [
        alone("MaxPool", kernel_shape=[2, 3], strides=[2, 1], ceil_mode=1),
        alone("MaxPool", kernel_shape=[3, 2], pads=[1, 0, 1, 1], dilations=[1, 2]),
        alone("AveragePool", kernel_shape=[2, 2], pads=[1, 0, 0, 1]),
        alone("AveragePool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
        alone("AveragePool", kernel_shape=[2, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        alone("AveragePool", kernel_shape=[4, 5], pads=[3, 4, 3, 4]),
        alone("GlobalMaxPool"),
        alone("GlobalAveragePool"),
        lambda g, x: g.op("ReduceMean", [x, g.constant([2, 3], np.int64)], keepdims=1)[0],
        lambda g, x: g.op("ReduceSum", [x, g.constant([-1, -2], np.int64)], keepdims=0)[0],
    ]
    exact(model(IMAGE, [*pools, *map(negative, pools[:4])]), "MaxPool")


def test_parameters_on_both_sides_of_a_flatten() -> None:
    """One table for each channel, wherever the parameters stand."""

    def branch(g: QonnxGraph, x: str) -> str:
        y = norm(CHANNELS.reshape(4), 0.5)(g, g.op("GlobalAveragePool", [x])[0])
        y = g.op("Flatten", [g.op("Tanh", [y])[0]], axis=1)[0]
        return g.op("Mul", [y, g.constant([[1.0, -0.5, 2.0, 1.5]])])[0]

    exact(model(IMAGE, [branch]), "GlobalAveragePool")


REFUSED: dict[str, tuple[Branch, str]] = {
    "divided by the tensor": (then_conv(with_number("Div", 2.0, first=True)), "Div"),
    "a bound between two integers": (then_conv(clipped(0.3, None)), "no integer .* stands for 0.3"),
    "scales for each channel": (
        then_conv(norm(np.array([0.5, 0.7071, 1.0, 0.3137]))),
        "differ among channels",
    ),
    "padding of what has no zero": (
        then_conv(with_number("Add", 0.1), pads=[1, 1, 1, 1]),
        "does not represent zero",
    ),
    "padding of a constant": (
        then_conv(norm(0.0, 1.0), pads=[1, 1, 1, 1]),
        "padding of an input that is constant",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_integer_computes_is_refused(name: str) -> None:
    branch, words = REFUSED[name]
    with pytest.raises(ModelError, match=words):
        compile_proto(model(IMAGE, [branch]), each=False)
