# SPDX-License-Identifier: Apache-2.0
"""Weights with a scale or a bit width of their own, as HGQ writes them: one grid for each output,
where the ratios are powers of two; inputs with a scale for each channel. Compared with qonnx's
executor on the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from benchmarks.qonnx_graph import QONNX, QonnxGraph, Tensor
from qnnc.compiler import api
from qnnc.compiler.errors import ModelError, Unsupported
from qnnc.compiler.integer.weights import MOST_BITS, on_one_grid, with_input_scales
from tests.support import witness


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(5, 3), (4, 2, 3, 1), (1, 6)]),
    outputs=st.integers(0, 1),
    spread=st.integers(0, 9),
    seed=st.integers(0, 9999),
)
def test_every_weight_stands_for_what_it_did(
    shape: tuple[int, ...], outputs: int, spread: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(-15, 16, shape)
    scale = 0.3 * 2.0 ** rng.integers(-spread, spread + 1, shape)
    if int(np.abs(codes).max(initial=1)).bit_length() + 2 * spread > MOST_BITS:
        return
    found, grid = on_one_grid(codes, scale, outputs)
    assert found.dtype.kind == "i" and np.array_equal(found * grid, codes * scale)
    assert all(size == 1 for axis, size in enumerate(grid.shape) if axis != outputs)


@pytest.mark.parametrize(
    ("scales", "words"),
    [([[0.1], [0.3]], "powers of two"), ([[1.0], [2.0**-30]], "bits on a common grid")],
)
def test_other_ratios_are_refused(scales: list[list[float]], words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        on_one_grid(np.array([[3], [5]]), np.array(scales), 1)


def whole(g: QonnxGraph, y: Tensor) -> onnx.ModelProto:
    """A model with one output."""
    values = [helper.make_tensor_value_info(y.name, TensorProto.FLOAT, [1, *y.shape])]
    graph = helper.make_graph(g.nodes, "g", g.inputs, values, g.constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def both(proto: onnx.ModelProto, folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """What the compiled network gives for some samples, and what qonnx's executor does."""
    path = folder / "model.onnx"
    onnx.save(proto, path)
    api.compile(path, out=folder / "build")
    inputs = witness.random_inputs(path, 16)
    compiled = folder / "build" / "model" / "compiled.onnx"
    found, expected = (next(iter(witness.run(m, inputs).values())) for m in (compiled, path))
    return found.reshape(expected.shape), expected


def layered(kind: str) -> onnx.ModelProto:
    """Two layers; scale or width differ from weight to weight."""
    g = QonnxGraph(3)
    x = g.quantize(g.input((4, 5, 5) if kind == "conv" else (6,)), 4, 0.25)
    shape = (3, 4, 3, 3) if kind == "conv" else (6, 5)
    scale = 2.0 ** g.rng.integers(-5, -1, shape)
    bits = g.rng.integers(2, 7, shape) if kind == "widths" else np.array(5)
    values = g.constant(g.rng.normal(size=shape) * 0.4)
    operands = [values, g.constant(scale), g.constant(0), g.constant(bits)]
    attributes = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
    w = g.op("Quant", operands, QONNX, **attributes)[0]
    if kind == "conv":
        y = Tensor(g.op("Conv", [x.name, w], kernel_shape=[3, 3])[0], (3, 3, 3))
    else:
        y = Tensor(g.op("MatMul", [x.name, w])[0], (5,))
    y = g.quantize(y, 5, 0.5)
    return whole(g, y)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_a_layer_equals_qonnx_s_executor(kind: str, tmp_path: Path) -> None:
    found, expected = both(layered(kind), tmp_path)
    assert np.array_equal(found, expected)  # all scales are powers of two


def test_widths_of_their_own_equal_numpy(tmp_path: Path) -> None:
    """qonnx's executor takes one width for a tensor only."""
    proto = layered("widths")
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    api.compile(path, out=tmp_path / "build")
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    quant = next(n for n in proto.graph.node if arrays.get(n.input[0], np.zeros(0)).ndim == 2)
    values, scale, _, bits = (arrays[name].astype(np.float64) for name in quant.input)
    top = 2 ** (bits - 1) - 1
    weights = np.clip(np.rint(values / scale), -top, top) * scale
    x = np.random.default_rng(0).uniform(-2.2, 2, (32, 6)).astype(np.float32)
    q = np.clip(np.rint(x / 0.25), -8, 7) * 0.25
    expected = np.clip(np.rint(q @ weights / 0.5), -16, 15) * 0.5
    found = witness.run(tmp_path / "build" / "model" / "compiled.onnx", {"x": x})
    assert len(np.unique(bits)) > 2
    assert np.array_equal(next(iter(found.values()))[:, 0], expected)


def test_a_layer_with_other_scales_is_refused(tmp_path: Path) -> None:
    proto = layered("dense")
    for tensor in proto.graph.initializer:
        if list(tensor.dims) == [6, 5] and tensor.name != proto.graph.node[1].input[0]:
            array = np.random.default_rng(0).uniform(0.1, 0.2, (6, 5)).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    with pytest.raises(ModelError, match=r"MatMul_matmul\d+.*powers of two"):
        api.compile(path, out=tmp_path / "build")


@settings(max_examples=60, deadline=None)
@given(
    multiples=st.lists(st.integers(1, 9), min_size=3, max_size=3),
    powers=st.booleans(),
    inputs=st.integers(0, 1),
    seed=st.integers(0, 9999),
)
def test_what_inputs_are_multiplied_with_takes_in_their_scales(
    multiples: list[int], powers: bool, inputs: int, seed: int
) -> None:
    ratios = 2 ** np.array(multiples) if powers else np.array(multiples)
    codes = np.random.default_rng(seed).integers(-7, 8, (3, 4) if inputs == 0 else (4, 3, 2))
    spread = (-1, *(1,) * (codes.ndim - 1 - inputs))
    found, common = with_input_scales(codes, 0.125 * ratios, inputs)
    assert found.dtype.kind == "i"
    assert np.array_equal(found * common, codes * (0.125 * ratios).reshape(spread))


@pytest.mark.parametrize(
    ("scales", "words"),
    [
        ([0.1, 0.1234], "differ among channels, from 0.1 to 0.1234, .* small multiples"),
        ([1.0, 2.0**-13], "weights take 17 bits on a common grid, 16"),
    ],
)
def test_other_scales_of_inputs_are_refused(scales: list[float], words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        with_input_scales(np.array([[5], [7]]), np.array(scales), 0)


def channelwise(kind: str) -> onnx.ModelProto:
    """A layer on an activation whose channels have scales of their own."""
    g = QonnxGraph(5)
    conv = kind != "dense"
    x = g.quantize(g.input((4, 5, 5) if conv else (4,)), 6, 0.125)
    scale = 0.25 * np.array([1.0, 4.0, 2.0, 0.5])
    scale = scale.reshape(1, 4, 1, 1) if conv else scale.reshape(1, 4)
    operands = [x.name, g.constant(scale), g.constant(0), g.constant(4)]
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    q = g.op("Quant", operands, QONNX, **attributes)[0]
    group = 2 if kind == "groups" else 1
    shape = (6, 4 // group, 3, 3) if conv else (4, 5)
    values = g.constant(g.rng.normal(size=shape))
    w = g.op("Quant", [values, g.constant(0.25), g.constant(0), g.constant(4)], QONNX, **attributes)
    if conv:
        y = g.op("Conv", [q, w[0]], kernel_shape=[3, 3], pads=[1] * 4, group=group)[0]
    else:
        y = g.op("MatMul", [q, w[0]])[0]
    return whole(g, g.quantize(Tensor(y, (6, 5, 5) if conv else (5,)), 5, 0.5))


@pytest.mark.parametrize("kind", ["dense", "conv", "groups"])
def test_channels_with_scales_of_their_own(kind: str, tmp_path: Path) -> None:
    found, expected = both(channelwise(kind), tmp_path)
    assert len(np.unique(expected)) > 8
    assert np.array_equal(found, expected)  # all scales are powers of two
