# SPDX-License-Identifier: Apache-2.0
"""QDQ and QCDQ models: quantizers as ONNX Runtime computes them, what exporters write around
them, whole networks, hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from qnnc.compiler.frontend import find_frontend
from qnnc.compiler.ir.facts import integer, sources
from qnnc.compiler.passes.expand_quantizers import ExpandQuantizers
from qnnc.compiler.passes.infer_shapes import InferShapes
from qnnc.compiler.passes.manager import PassManager
from qnnc.compiler.reference import Session, expand
from tests.support.quantized import (
    NETWORKS,
    Array,
    assert_equals_original,
    imported,
    mlp,
    run_original,
    samples,
    static_quantized,
)

TYPES = {
    "int4": (ml_dtypes.int4, -8, 7),
    "uint4": (ml_dtypes.uint4, 0, 15),
    "int8": (np.int8, -128, 127),
    "uint8": (np.uint8, 0, 255),
    "int16": (np.int16, -32768, 32767),
    "uint16": (np.uint16, 0, 65535),
}


class Qdq:
    """A model with quantizers under construction; methods return the name of a tensor."""

    def __init__(self, shape: tuple[int, ...], element: int = TensorProto.FLOAT) -> None:
        self.inputs = [helper.make_tensor_value_info("x", element, list(shape))]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: object, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype=dtype), name))
        return name

    def op(self, op: str, *inputs: str, **attributes: object) -> str:
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, list(inputs), [output], name=f"n_{output}", **attributes)
        )
        return output

    def parameters(self, scale: object, zero: object, kind: str) -> tuple[str, str]:
        return self.constant(scale), self.constant(zero, TYPES[kind][0])

    def q(self, x: str, scale: object, zero: object = 0, kind: str = "uint8", **kw: object) -> str:
        return self.op("QuantizeLinear", x, *self.parameters(scale, zero, kind), **kw)

    def dq(self, x: str, scale: object, zero: object = 0, kind: str = "uint8", **kw: object) -> str:
        return self.op("DequantizeLinear", x, *self.parameters(scale, zero, kind), **kw)

    def qdq(self, x: str, scale: object, zero: object = 0, kind: str = "uint8") -> str:
        parameters = self.parameters(scale, zero, kind)
        q = self.op("QuantizeLinear", x, *parameters)
        return self.op("DequantizeLinear", q, *parameters)

    def model(
        self, *outputs: str, element: int = TensorProto.FLOAT, version: int = 21
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "g",
            self.inputs,
            [helper.make_tensor_value_info(n, element, None) for n in outputs],
            self.constants,
        )
        opsets = [helper.make_opsetid("", version)]
        proto = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        kind = self.inputs[0].type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        found = run_original(proto, {"x": np.zeros([d.dim_value for d in kind.shape.dim], dtype)})
        del proto.graph.output[:]
        proto.graph.output.extend(
            helper.make_tensor_value_info(n, element, found[n].shape) for n in outputs
        )
        return proto


def around_steps(scale: float, zero: int, low: int, high: int) -> Array:
    """Numbers on, beside and halfway between the steps near both ends and zero, and far out."""
    near = [low - zero, 0, high - zero]
    steps = np.concatenate([np.arange(n - 6, n + 6.5, 0.5) for n in near]).astype(np.float32)
    x = steps * np.float32(scale)
    x = np.concatenate([x, np.nextafter(x, np.float32(1e30)), np.nextafter(x, np.float32(-1e30))])
    return np.concatenate([x, np.float32([1e30, -1e30, 0.0, -0.0])]).astype(np.float32)[None]


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), scale=st.floats(2.0**-20, 2.0**10).map(np.float32))
def test_quantizer(kind: str, data: st.DataObject, scale: float) -> None:
    """Golden expansion and integer codes alike are what ONNX Runtime gives."""
    _, low, high = TYPES[kind]
    zero = data.draw(st.integers(low, high))
    x = around_steps(scale, zero, low, high)
    net = Qdq(x.shape)
    y = net.qdq("x", scale, zero, kind)
    stored = net.op("Cast", net.q("x", scale, zero, kind), to=TensorProto.FLOAT)
    proto = net.model(y, stored)
    expected = run_original(proto, {"x": x})
    model = imported(proto)
    found = Session(expand(model)).run({"x": x})
    InferShapes()(model)
    ExpandQuantizers()(model)
    lowered = Session(expand(model)).run({"x": x})
    for name, values in expected.items():
        assert np.array_equal(found[name], values)
        assert np.array_equal(lowered[name], values)


def test_one_quantizer_for_a_pair_and_integers_for_all_else() -> None:
    net = Qdq((1, 4))
    y = net.qdq("x", 0.1, 3)
    model = imported(net.model(y))
    assert [node.op_type for node in model.graph] == ["LinearQuant"]
    net = Qdq((1, 4))
    y = net.dq(net.op("Flatten", net.q("x", 0.1, 3)), 0.1, 4)
    model = imported(net.model(y))
    assert [node.op_type for node in model.graph] == ["LinearQuant", "Flatten", "Add", "Mul"]
    assert sources(next(iter(model.graph))) == ("n_QuantizeLinear_0",)


def weights_model(weights: str, net: Qdq) -> onnx.ModelProto:
    x = net.qdq("x", 0.05, 128)
    return net.model(net.qdq(net.op("MatMul", x, weights), 0.4, 100))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("axis", [None, 1])
def test_weights_of_every_type(kind: str, axis: int | None) -> None:
    dtype, low, high = TYPES[kind]
    rng = np.random.default_rng(0)
    q = rng.integers(low, high, (12, 6), endpoint=True)
    zero = rng.integers(low, high, 6 if axis else ()) // 4
    scale = rng.uniform(0.01, 0.02, 6 if axis else ())
    net = Qdq((1, 12))
    attributes = {} if axis is None else {"axis": axis}
    w = net.dq(net.constant(q, dtype), scale, zero, kind, **attributes)
    proto = weights_model(w, net)
    assert_equals_original(proto, list(samples(proto, 8)))


def test_weights_quantized_in_the_model_and_transposed() -> None:
    rng = np.random.default_rng(1)
    net = Qdq((1, 12))
    parameters = net.constant(rng.uniform(0.01, 0.02, 6)), net.constant(np.zeros(6), np.int8)
    w = net.op("QuantizeLinear", net.constant(rng.normal(size=(6, 12))), *parameters, axis=0)
    w = net.op("DequantizeLinear", w, *parameters, axis=0)
    proto = weights_model(net.op("Transpose", w, perm=[1, 0]), net)
    assert_equals_original(proto, list(samples(proto, 8)))
    net = Qdq((1, 12))
    q = net.op("Transpose", net.constant(rng.integers(-9, 9, (6, 12)), np.int8), perm=[1, 0])
    proto = weights_model(net.dq(q, 0.03, 1, "int8"), net)
    assert_equals_original(proto, list(samples(proto, 8)))


def test_weights_in_blocks() -> None:
    rng = np.random.default_rng(2)
    net = Qdq((1, 12))
    q = net.constant(rng.integers(-8, 8, (12, 6)), ml_dtypes.int4)
    scale, zero = rng.uniform(0.01, 0.02, (3, 6)), rng.integers(-3, 3, (3, 6))
    w = net.dq(q, scale, zero, "int4", axis=0, block_size=4)
    proto = weights_model(w, net)
    assert_equals_original(proto, list(samples(proto, 8)))


def test_bias_of_32_bits_and_clip_between() -> None:
    """As Brevitas writes QCDQ: narrow weights and activations of few bits through a Clip."""
    rng = np.random.default_rng(3)
    net = Qdq((1, 12))
    q = net.q("x", 0.1, 0, "int8")
    bounds = net.constant(-7, np.int8), net.constant(7, np.int8)
    x = net.dq(net.op("Clip", q, *bounds), 0.1, 0, "int8")
    w = net.constant(rng.integers(-9, 9, (12, 6)), np.int8)
    w = net.dq(net.op("Clip", w, *bounds), rng.uniform(0.01, 0.1, 6), np.zeros(6), "int8", axis=1)
    bias = net.constant(rng.integers(-(2**30), 2**30, 6), np.int32)
    bias = net.op("DequantizeLinear", bias, net.constant(1e-9))
    y = net.op("Relu", net.op("Gemm", x, w, bias))
    proto = net.model(net.qdq(y, 0.2, 0))
    assert_equals_original(proto, list(samples(proto, 8)))
    model = imported(proto)
    first = next(iter(model.graph))
    assert (first.attributes["low"].value, first.attributes["high"].value) == (-7, 7)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_operators_on_integers(kind: str) -> None:
    """What optimisers and other tools move between quantize and dequantize."""
    dtype, low, _ = TYPES[kind]
    zero, element = low + 77, getattr(TensorProto, kind.upper())
    net = Qdq((1, 4, 6, 6))
    q = net.q("x", 0.04, zero, kind)
    pooled = net.op("MaxPool", q, kernel_shape=[2, 2], strides=[2, 2])
    turned = net.op("Transpose", pooled, perm=[0, 1, 3, 2])
    pads = net.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    padded = net.op("Pad", turned, pads, net.constant(zero, dtype))
    zeros = net.op("Pad", turned, pads)
    joined = net.op("Concat", padded, zeros, axis=1)
    one = net.constant([1], np.int64)
    part = net.op("Slice", joined, one, net.constant([5], np.int64), one)
    clipped = net.op("Clip", part, net.constant(low + 60, dtype), net.constant(low + 120, dtype))
    larger = net.op(
        "Resize",
        clipped,
        "",
        net.constant([1.0, 1.0, 2.0, 2.0]),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    flat = net.op("Flatten", larger)
    proto = net.model(net.dq(flat, 0.04, zero, kind), net.op("Cast", flat, to=TensorProto.FLOAT))
    assert_equals_original(proto, list(samples(proto, 4)))
    proto = net.model(larger, element=element)
    assert_equals_original(proto, list(samples(proto, 4)))
    other = net.op("Mod", flat, net.constant(7, dtype))  # not known to the frontend
    proto = net.model(net.dq(other, 0.5, 1, kind))
    assert_equals_original(proto, list(samples(proto, 4)))


def test_relu_and_split_of_integers() -> None:
    net = Qdq((1, 8))
    q = net.op("Relu", net.q("x", 0.03, 0, "int8"))
    net.nodes.append(helper.make_node("Split", [q], ["left", "right"], axis=1, num_outputs=2))
    proto = net.model(net.dq("left", 0.03, 0, "int8"), net.dq("right", 0.02, -3, "int8"))
    assert_equals_original(proto, list(samples(proto, 8)))


def test_sums_of_integers_with_a_scale_of_their_own() -> None:
    """MatMulInteger, an int32 bias, a cast and a scale: a static rest of dynamic quantization."""
    rng = np.random.default_rng(4)
    net = Qdq((1, 12))
    x = net.q("x", 0.05, 120)
    w = net.constant(rng.integers(-60, 60, (12, 6)), np.int8)
    total = net.op("MatMulInteger", x, w, net.constant(120, np.uint8), net.constant(0, np.int8))
    total = net.op("Add", total, net.constant(rng.integers(-900, 900, 6), np.int32))
    y = net.op("Mul", net.op("Cast", total, to=TensorProto.FLOAT), net.constant(0.002))
    proto = net.model(net.qdq(y, 0.05, 90))
    assert_equals_original(proto, list(samples(proto, 8)))


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16"])
def test_integers_as_input_and_output(kind: str) -> None:
    """As tf2onnx writes TFLite models."""
    dtype, low, high = TYPES[kind]
    element, zero = getattr(TensorProto, kind.upper()), low + 100
    rng = np.random.default_rng(5)
    net = Qdq((1, 12), element)
    w = net.dq(net.constant(rng.integers(-90, 90, (12, 6)), np.int8), 0.01, 0, "int8")
    y = net.op("MatMul", net.dq("x", 0.02, zero, kind), w)
    proto = net.model(net.q(y, 0.03, zero + 5, kind), element=element)
    feeds = [{"x": rng.integers(low, high, (1, 12), endpoint=True).astype(dtype)} for _ in range(8)]
    assert_equals_original(proto, feeds)
    model = imported(proto)
    fact = integer(model.graph.inputs[0])
    assert fact is not None and (int(fact.low), int(fact.high)) == (low, high)


@pytest.mark.parametrize("version", [13, 18, 19, 21])
@pytest.mark.parametrize("kernel", [2, 3])
def test_average_pool_of_every_version(version: int, kernel: int) -> None:
    net = Qdq((1, 8, 12, 12))
    x = net.qdq("x", 0.037, 99)
    x = net.op("AveragePool", x, kernel_shape=[kernel] * 2, strides=[2, 2])
    proto = net.model(net.qdq(x, 0.037, 99), version=version)
    assert_equals_original(proto, list(samples(proto, 6)))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(
    ("activations", "weights", "symmetric"),
    [
        ("QUInt8", "QInt8", False),
        ("QInt8", "QInt8", True),
        ("QUInt8", "QUInt8", False),
        ("QUInt16", "QInt8", False),
        ("QInt16", "QInt16", True),
        ("QUInt8", "QInt4", False),
        ("QUInt4", "QUInt4", False),
    ],
)
@pytest.mark.parametrize("network", NETWORKS)
def test_networks(
    network: str,
    activations: str,
    weights: str,
    symmetric: bool,
    per_channel: bool,
    tmp_path: Path,
) -> None:
    from onnxruntime.quantization import QuantType

    proto = static_quantized(
        NETWORKS[network](17),
        tmp_path,
        activation_type=QuantType[activations],
        weight_type=QuantType[weights],
        per_channel=per_channel,
        extra_options={"ActivationSymmetric": symmetric},
    )
    assert assert_equals_original(proto, list(samples(proto, 4))) >= 4


@pytest.mark.parametrize("pairs", [False, True])
def test_weights_as_pairs_and_newer_opsets(pairs: bool, tmp_path: Path) -> None:
    for version in (13, 21, 23):
        proto = static_quantized(
            mlp(version), tmp_path, extra_options={"AddQDQPairToWeight": pairs}
        )
        assert_equals_original(proto, list(samples(proto, 4)))


def test_the_frontend_is_chosen_by_what_a_file_holds(tmp_path: Path) -> None:
    net = Qdq((1, 4))
    onnx.save(net.model(net.qdq("x", 0.1, 3)), tmp_path / "a.onnx")
    onnx.save(mlp(), tmp_path / "b.onnx")
    (tmp_path / "c.onnx").write_bytes(b"no model")
    found = [find_frontend(str(tmp_path / f"{name}.onnx")).name for name in "abc"]
    assert found == ["qdq", "qonnx", "qonnx"]
    assert find_frontend(str(tmp_path / "a.onnx"), "qonnx").name == "qonnx"
    (tmp_path / "a.onnx").rename(tmp_path / "model")
    assert find_frontend(str(tmp_path / "model")).name == "qdq"


def test_quantizers_of_both_families_in_one_model() -> None:
    net = Qdq((1, 12))
    x = net.qdq("x", 0.1, 30)
    scale, zero, bits = net.constant(0.25), net.constant(0), net.constant(4)
    net.nodes.append(
        helper.make_node(
            "Quant", [x, scale, zero, bits], ["y"], domain="onnx.brevitas", signed=1, narrow=0
        )
    )
    graph = helper.make_graph(
        net.nodes,
        "g",
        net.inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 12])],
        net.constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("onnx.brevitas", 1)]
    model = imported(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    assert [node.op_type for node in model.graph] == ["LinearQuant", "Quant"]
    PassManager().run(model, [InferShapes()])
    assert isinstance(model, ir.Model)
