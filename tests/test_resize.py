# SPDX-License-Identifier: Apache-2.0
"""Operators that pick, repeat, cut, pad and interpolate: each in dataflow nodes, against ONNX
Runtime on the same operators; several to a model, each with an output of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.compiler import api
from qnnc.compiler.errors import ModelError
from tests.support.branches import Branch, exact, model
from tests.support.build import compile_proto

RULES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def resized(factors: tuple[int, int], mode: str = "nearest", **rules: str) -> Branch:
    def branch(g: QonnxGraph, x: str) -> str:
        scales = g.constant([1, 1, *factors])
        return g.op("Resize", [x, "", scales], mode=mode, **rules)[0]

    return branch


@pytest.mark.parametrize("rule", RULES)
def test_nearest_resize_by_every_rule_and_rounding(rule: str) -> None:
    branches = [
        resized(factors, coordinate_transformation_mode=rule, nearest_mode=rounding)
        for rounding in ROUNDINGS
        for factors in ((2, 2), (3, 1), (2, 5))
    ]
    exact(model((2, 3, 4), branches), "Resize")


@pytest.mark.parametrize("rule", ["half_pixel", "pytorch_half_pixel", "asymmetric"])
def test_linear_resize_by_powers_of_two(rule: str) -> None:
    branches = [
        resized(factors, "linear", coordinate_transformation_mode=rule)
        for factors in ((2, 2), (1, 4), (4, 1), (8, 2))
    ]
    exact(model((3, 2, 5), branches), "Resize")


@pytest.mark.parametrize(
    ("factors", "rule", "words"),
    [((3, 3), "half_pixel", "powers of two"), ((2, 2), "align_corners", "align_corners=False")],
)
def test_other_interpolations_say_what_works(
    factors: tuple[int, int], rule: str, words: str
) -> None:
    def layered(g: QonnxGraph, x: str) -> str:
        y = resized(factors, "linear", coordinate_transformation_mode=rule)(g, x)
        return g.conv(g.quantize(Tensor(y, (2, 1, 1)), 4, 0.5), 2, (1, 1), 4).name

    with pytest.raises(ModelError, match=words):
        compile_proto(model((2, 3, 3), [layered]))


def sliced(*ranges: tuple[int, int, int, int]) -> Branch:
    """x[start:end:step] along axes, as (axis, start, end, step)."""

    def branch(g: QonnxGraph, x: str) -> str:
        columns = [g.constant([r[i] for r in ranges], np.int64) for i in (1, 2, 0, 3)]
        return g.op("Slice", [x, *columns])[0]

    return branch


def test_slices_along_several_axes_and_in_steps() -> None:
    ranges = [
        ((2, 1, 5, 1), (3, 0, 4, 1)),
        ((1, 1, 3, 1), (2, 0, 6, 2)),
        ((3, 0, 7, 2),),  # the last one is cut off
        ((3, 1, 7, 3), (2, 2, 6, 3)),
        ((1, 0, 4, 2), (2, -2, 99, 1), (3, 2, 7, 4)),
    ]
    exact(model((4, 6, 7), [sliced(*r) for r in ranges]), "Slice")
    exact(model((6, 5), [sliced((1, 1, 6, 2)), sliced((1, 0, 5, 2), (2, 1, 4, 1))]), "Slice")


def padded(pads: list[int], mode: str = "constant", value: float = 0.5) -> Branch:
    def branch(g: QonnxGraph, x: str) -> str:
        inputs = [x, g.constant(pads, np.int64)]
        return g.op(
            "Pad", [*inputs, g.constant(value)] if mode == "constant" else inputs, mode=mode
        )[0]

    return branch


def test_pads_along_any_axis_with_a_constant_or_the_edge() -> None:
    branches = [
        padded([0, 1, 0, 0, 0, 2, 0, 0]),
        padded([0, 1, 2, 0, 0, 0, 0, 3]),
        padded([0, 0, -1, 1, 0, 0, 0, -2]),
        padded([0, 0, 1, 2, 0, 0, 3, 0], "edge"),
        padded([0, 2, 0, 1, 0, 0, 0, 0], "edge"),
        padded([0, 0, 1, 0, 0, 0, -1, 0]),  # the size stays, the elements move
    ]
    exact(model((3, 4, 5), branches), "Pad")


def test_gathers_of_regular_places_are_slices() -> None:
    def gathered(index: object, axis: int) -> Branch:
        return lambda g, x: g.op("Gather", [x, g.constant(index, np.int64)], axis=axis)[0]

    branches = [gathered(-1, 2), gathered([0, 2, 4], 3), gathered([1], 1), gathered([-2, -1], 2)]
    exact(model((3, 4, 5), branches), "Gather")


@pytest.mark.parametrize("operator", ["Add", "Mul"])
def test_sums_and_products_of_different_shapes(operator: str) -> None:
    """Of a tensor with what pools, slices and reshapes make of it."""

    def joined(*small: Branch) -> Branch:
        def branch(g: QonnxGraph, x: str) -> str:
            for make in small:
                x = g.op(operator, [x, make(g, x)])[0]
            return x

        return branch

    branches = [
        joined(sliced((2, 0, 1, 1), (3, 1, 2, 1))),  # [1, C, 1, 1]
        joined(sliced((1, 0, 1, 1))),  # [1, 1, H, W]
        joined(sliced((3, 2, 3, 1))),  # [1, C, H, 1]
        joined(sliced((1, 1, 2, 1), (2, 0, 1, 1))),  # [1, 1, 1, W]
        joined(sliced((1, 0, 1, 1), (2, 0, 1, 1), (3, 0, 1, 1))),  # one number
        lambda g, x: g.op(
            operator, [sliced((1, 0, 1, 1))(g, x), sliced((2, 0, 1, 1), (3, 0, 1, 1))(g, x)]
        )[0],
    ]
    exact(model((3, 4, 5), branches), operator)
    exact(model((4, 6), [joined(sliced((1, 0, 1, 1))), joined(sliced((2, 1, 2, 1)))]), operator)


def test_expand_of_a_quantized_tensor() -> None:
    def expanded(g: QonnxGraph, x: str) -> str:
        pooled = g.op("GlobalAveragePool", [x])[0]
        few = g.quantize(Tensor(pooled, ()), 4, 0.25).name
        return g.op("Expand", [few, g.constant([1, 3, 2, 4], np.int64)])[0]

    exact(model((3, 4, 4), [expanded]), "Expand")


def test_squeeze_and_excitation_in_rtl(tmp_path: Path, cache: Path) -> None:
    """The held-back stream keeps the pace that the estimate says, in the simulation."""

    def gated(g: QonnxGraph, x: str) -> str:
        few = g.quantize(Tensor(g.op("GlobalAveragePool", [x])[0], (4, 1, 1)), 4, 0.125)
        gate = g.activation(g.conv(few, 4, (1, 1), 3), 4, "Sigmoid", 0.0625)
        y = g.op("Mul", [x, gate.name])[0]
        return resized((2, 2), "linear")(g, y)

    path = tmp_path / "model.onnx"
    onnx.save(model((4, 4, 4), [gated]), path)
    report = api.build(path, out=tmp_path / "b", until="simulate", frames=3, cache=cache)
    levels = {level.level: level.mismatches for level in report.verification.levels}
    assert levels.keys() >= {"dataflow", "emulator", "rtl"} and not any(levels.values())
    estimate = report.performance.ii_cycles_estimate
    assert report.performance.ii_cycles == pytest.approx(estimate, rel=0.01)


def averaged(**attributes: object) -> Branch:
    return lambda g, x: g.op("AveragePool", [x], **attributes)[0]  # type: ignore[arg-type]


def test_average_pools_by_every_padding_rule() -> None:
    """Windows at the border count fewer elements."""
    branches = [
        averaged(kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        averaged(kernel_shape=[3, 2], pads=[1, 1, 0, 0], strides=[2, 1]),
        averaged(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        averaged(kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
        averaged(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        averaged(kernel_shape=[2, 3], strides=[3, 2], pads=[0, 1, 1, 1], ceil_mode=1),
    ]
    exact(model((2, 6, 5), branches), "AveragePool")


def transposed(shape: tuple[int, ...], **attributes: object) -> Branch:
    def branch(g: QonnxGraph, x: str) -> str:
        weights = g.weights(shape, 3, per_channel=attributes.get("group", 1) == 1, axis=1)
        return g.op("ConvTranspose", [x, weights], kernel_shape=list(shape[2:]), **attributes)[0]

    return branch


def test_transposed_convolutions_with_groups_and_dilations() -> None:
    branches = [
        transposed((4, 3, 2, 2), strides=[2, 2]),
        transposed((4, 1, 3, 3), group=4, strides=[2, 2], pads=[1, 1, 1, 1]),
        transposed((4, 3, 2, 3), group=2, strides=[1, 2]),
        transposed((4, 2, 2, 2), dilations=[2, 2]),
        transposed((4, 2, 3, 2), group=2, dilations=[1, 3], strides=[2, 1], pads=[1, 0, 0, 1]),
        transposed((4, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    ]
    exact(model((4, 3, 4), branches), "ConvTranspose")


def positioned(*shapes: tuple[int, ...], rest: bool = False) -> Branch:
    """Parameters that differ along several axes, such as a position's embedding."""

    def branch(g: QonnxGraph, x: str) -> str:
        y = x
        for number, shape in enumerate(shapes):
            array = g.rng.uniform(0.4, 1.6, shape)
            y = g.op("Add" if number % 2 == 0 else "Mul", [y, g.constant(array)])[0]
            if rest and number == 0:
                y = g.op("Reshape", [y, g.constant([1, -1], np.int64)])[0]
        return g.op("Tanh", [y])[0]

    return branch


def test_parameters_that_differ_along_several_axes() -> None:
    branches = [
        positioned((1, 3, 4, 5)),
        positioned((4, 5), (3, 1, 1)),
        positioned((3, 1, 5)),
        positioned((3, 1, 1), (1, 60), rest=True),
    ]
    exact(model((3, 4, 5), branches), "Tanh")
    exact(model((6, 5), [positioned((6, 5)), positioned((6, 1), (5,))]), "Tanh")
