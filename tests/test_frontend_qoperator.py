# SPDX-License-Identifier: Apache-2.0
"""QOperator models: what each operator gives for all integers, whole networks, hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from qnnc.compiler.reference import Session, expand
from tests.support.quantized import (
    NETWORKS,
    Array,
    all_bytes,
    assert_equals_original,
    imported,
    input_shape,
    one_operator,
    run_original,
    samples,
    static_quantized,
)

MS = "com.microsoft"
SIGNED = pytest.mark.parametrize("signed", [False, True])
scales = st.floats(0.004, 0.06).map(np.float32)


def kind(signed: bool) -> tuple[Any, int]:
    return (np.int8, TensorProto.INT8) if signed else (np.uint8, TensorProto.UINT8)


def number(value: object, dtype: Any = np.float32) -> Array:
    return np.array(value, dtype=dtype)


def zero_points(signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-128, 127) if signed else st.integers(0, 255)


def check_all_pairs(op: str, signed: bool, data: st.DataObject, sizes: tuple[float, ...]) -> None:
    """Two operands of one byte each, every value with every other."""
    dtype, element = kind(signed)
    zeros = data.draw(st.tuples(*[zero_points(signed)] * 3))
    x, y = np.meshgrid(all_bytes(signed), all_bytes(signed))
    parts: list[Any] = []
    for name, size, zero in zip(("a", "b", None), sizes, zeros, strict=True):
        parts += [*([name] if name else []), number(size), number(zero, dtype)]
    inputs = {"a": (element, x.shape), "b": (element, y.shape)}
    proto = one_operator(op, inputs, parts, domain=MS)
    assert_equals_original(proto, [{"a": x, "b": y}])


@SIGNED
@settings(max_examples=40, deadline=None)
@given(data=st.data(), sizes=st.tuples(scales, scales, scales))
def test_add_of_all_pairs(signed: bool, data: st.DataObject, sizes: tuple[float, ...]) -> None:
    check_all_pairs("QLinearAdd", signed, data, sizes)


@SIGNED
@settings(max_examples=20, deadline=None)
@given(data=st.data(), sizes=st.tuples(scales, scales, scales))
def test_mul_of_all_pairs(signed: bool, data: st.DataObject, sizes: tuple[float, ...]) -> None:
    check_all_pairs("QLinearMul", signed, data, sizes)


@SIGNED
@pytest.mark.parametrize("op", ["QLinearSigmoid", "QLinearLeakyRelu"])
@settings(max_examples=20, deadline=None)
@given(data=st.data(), sizes=st.tuples(scales, scales))
def test_function_of_all_integers(
    op: str, signed: bool, data: st.DataObject, sizes: tuple[float, float]
) -> None:
    dtype, element = kind(signed)
    zeros = data.draw(st.tuples(*[zero_points(signed)] * 2))
    parts: list[Any] = ["x"]
    for size, zero in zip(sizes, zeros, strict=True):
        parts += [number(size), number(zero, dtype)]
    attributes = {"alpha": 0.1} if op == "QLinearLeakyRelu" else {}
    proto = one_operator(op, {"x": (element, (1, 256))}, parts, domain=MS, **attributes)
    assert_equals_original(proto, [{"x": all_bytes(signed)[None]}])


@SIGNED
def test_concat_of_parts_with_scales_of_their_own(signed: bool) -> None:
    dtype, element = kind(signed)
    parts: list[Any] = [number(0.02), number(3, dtype)]
    for name, size, zero in (("a", 0.02, 3), ("b", 0.031, 7), ("c", 0.013, -4 if signed else 90)):
        parts += [name, number(size), number(zero, dtype)]
    inputs = dict.fromkeys("abc", (element, (1, 256, 2, 2)))
    proto = one_operator("QLinearConcat", inputs, parts, domain=MS, axis=1)
    x = np.repeat(all_bytes(signed), 4).reshape(1, 256, 2, 2)
    assert_equals_original(proto, [{"a": x, "b": x, "c": x[:, ::-1].copy()}])


@SIGNED
@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ([2, 2], {"strides": [2, 2]}),
        ([3, 3], {"strides": [1, 1], "pads": [1, 1, 1, 1]}),
        ([3, 3], {"strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
        ([3, 2], {"strides": [3, 1]}),
        ([7, 7], {}),
    ],
)
def test_average_pool(signed: bool, shape: list[int], attributes: dict[str, Any]) -> None:
    dtype, element = kind(signed)
    rng = np.random.default_rng(0)
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, (1, 6, 14, 14), endpoint=True).astype(dtype)
    parts = ["x", number(0.021), number(9, dtype), number(0.017), number(3, dtype)]
    for version in (17, 21):
        proto = one_operator(
            "QLinearAveragePool",
            {"x": (element, x.shape)},
            parts,
            domain=MS,
            version=version,
            kernel_shape=shape,
            **attributes,
        )
        assert_equals_original(proto, [{"x": x}])


@SIGNED
@pytest.mark.parametrize("image", [(7, 7), (5, 9), (1, 3)])
def test_global_average_pool(signed: bool, image: tuple[int, int]) -> None:
    dtype, element = kind(signed)
    rng = np.random.default_rng(1)
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, (1, 300, *image), endpoint=True).astype(dtype)
    parts = ["x", number(0.021), number(9, dtype), number(0.007), number(3, dtype)]
    proto = one_operator("QLinearGlobalAveragePool", {"x": (element, x.shape)}, parts, domain=MS)
    assert_equals_original(proto, [{"x": x}])


@SIGNED
@settings(max_examples=15, deadline=None)
@given(size=st.floats(0.01, 0.3), classes=st.integers(2, 60), seed=st.integers(0, 10**6))
def test_softmax(signed: bool, size: float, classes: int, seed: int) -> None:
    dtype, element = kind(signed)
    info = np.iinfo(dtype)
    x = np.random.default_rng(seed).integers(info.min, info.max, (64, classes), endpoint=True)
    zero = -128 if signed else 0
    parts = ["x", number(size), number(0, dtype), number(1 / 256), number(zero, dtype)]
    proto = one_operator(
        "QLinearSoftmax", {"x": (element, x.shape)}, parts, domain=MS, axis=-1, opset=21
    )
    assert_equals_original(proto, [{"x": x.astype(dtype)}])


def integers(rng: np.random.Generator, dtype: Any, shape: tuple[int, ...]) -> Array:
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, endpoint=True).astype(dtype)


WEIGHTS = pytest.mark.parametrize(
    ("x_type", "w_type"), [("uint8", "uint8"), ("int8", "int8"), ("uint8", "int8")]
)


def weights_of(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """Random weights; 7 bits of them where 8 overflow in ONNX Runtime's kernels (see below)."""
    w = integers(rng, np.dtype(dtype), shape)
    return w // 2 if dtype == "int8" else w


@WEIGHTS
@pytest.mark.parametrize("per_column", [False, True])
def test_qlinear_matmul(x_type: str, w_type: str, per_column: bool) -> None:
    rng = np.random.default_rng(2)
    x, w = integers(rng, np.dtype(x_type), (40, 33)), weights_of(rng, w_type, (33, 12))
    size = rng.uniform(0.001, 0.02, 12) if per_column else 0.004
    zero = np.full(12 if per_column else (), 5 if w_type == "uint8" else 0)
    parts = ["x", number(0.03), number(17, x_type), w, number(size), number(zero, w_type)]
    parts += [number(0.2), number(11, x_type)]
    element = getattr(TensorProto, x_type.upper())
    proto = one_operator("QLinearMatMul", {"x": (element, x.shape)}, parts)
    assert_equals_original(proto, [{"x": x}])


@WEIGHTS
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("floats", [False, True])
def test_qgemm(x_type: str, w_type: str, transposed: bool, floats: bool) -> None:
    rng = np.random.default_rng(3)
    x, w = integers(rng, np.dtype(x_type), (40, 33)), weights_of(rng, w_type, (33, 12))
    bias = rng.integers(-50000, 50000, 12).astype(np.int32)
    parts: list[Any] = ["x", number(0.03), number(17, x_type), w.T.copy() if transposed else w]
    parts += [number(rng.uniform(0.001, 0.02, 12)), number(np.full(12, 3), w_type), bias]
    parts += [] if floats else [number(0.2), number(11, x_type)]
    element = getattr(TensorProto, x_type.upper())
    proto = one_operator(
        "QGemm",
        {"x": (element, x.shape)},
        parts,
        outputs=[TensorProto.FLOAT if floats else element],
        domain=MS,
        transB=int(transposed),
        alpha=0.75,
    )
    assert_equals_original(proto, [{"x": x}])


@WEIGHTS
@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((6, 4, 3, 3), {"pads": [1, 1, 1, 1]}),
        ((6, 4, 3, 3), {"pads": [2, 0, 1, 1], "strides": [2, 1], "dilations": [1, 2]}),
        ((8, 1, 3, 3), {"group": 4, "auto_pad": "SAME_UPPER"}),
        ((6, 4, 1, 1), {}),
    ],
)
def test_qlinear_conv(
    x_type: str, w_type: str, shape: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    rng = np.random.default_rng(4)
    x, w = integers(rng, np.dtype(x_type), (1, 4, 11, 10)), weights_of(rng, w_type, shape)
    zero = number(np.full(shape[0], 7 if w_type == "uint8" else 0), w_type)
    parts = ["x", number(0.03), number(19, x_type), w]
    parts += [number(rng.uniform(0.001, 0.02, shape[0])), zero, number(0.15), number(4, x_type)]
    parts += [rng.integers(-5000, 5000, shape[0]).astype(np.int32)]
    element = getattr(TensorProto, x_type.upper())
    proto = one_operator("QLinearConv", {"x": (element, x.shape)}, parts, **attributes)
    assert_equals_original(proto, [{"x": x}])


@pytest.mark.parametrize("w_type", ["uint8", "int8"])
def test_sums_of_integers(w_type: str) -> None:
    rng = np.random.default_rng(5)
    x, w = integers(rng, np.uint8, (9, 21)), weights_of(rng, w_type, (21, 5))
    parts = ["x", w, number(200, np.uint8), number(3, w_type)]
    int32 = [TensorProto.INT32]
    proto = one_operator("MatMulInteger", {"x": (TensorProto.UINT8, x.shape)}, parts, outputs=int32)
    assert_equals_original(proto, [{"x": x}])
    image, kernel = integers(rng, np.uint8, (1, 3, 8, 8)), weights_of(rng, w_type, (5, 3, 3, 3))
    parts = ["x", kernel, number(200, np.uint8), number(3, w_type)]
    inputs = {"x": (TensorProto.UINT8, image.shape)}
    proto = one_operator("ConvInteger", inputs, parts, outputs=int32, pads=[1, 1, 1, 1])
    assert_equals_original(proto, [{"x": image}])


def test_sums_are_exact_where_onnx_runtime_overflows() -> None:
    """On x86 without VNNI, ONNX Runtime adds pairs of uint8 * int8 products in 16 bits, and
    clips them. What is compiled is what ONNX defines."""
    rng = np.random.default_rng(6)
    x = rng.integers(200, 256, (8, 64)).astype(np.uint8)
    w = rng.choice([-128, 127], (64, 6)).astype(np.int8)
    w[:, 0] = 127
    proto = one_operator(
        "MatMulInteger",
        {"x": (TensorProto.UINT8, x.shape)},
        ["x", w],
        outputs=[TensorProto.INT32],
    )
    exact = x.astype(np.int64) @ w.astype(np.int64)
    found = Session(expand(imported(proto))).run({"x": x.astype(np.float32)})["y"]
    assert np.array_equal(found, exact)
    theirs = run_original(proto, {"x": x})["y"]
    assert np.all((theirs == exact) | (theirs < exact) | (w.min() < 0))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("activations", ["QUInt8", "QInt8"])
@pytest.mark.parametrize("network", NETWORKS)
def test_networks(
    network: str, activations: str, symmetric: bool, per_channel: bool, tmp_path: Path
) -> None:
    from onnxruntime.quantization import QuantType

    proto = static_quantized(
        NETWORKS[network](17),
        tmp_path,
        qoperator=True,
        activation_type=QuantType[activations],
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        reduce_range=True,
        extra_options={"ActivationSymmetric": symmetric},
    )
    assert any(node.op_type.startswith("Q") for node in proto.graph.node)
    assert input_shape(proto) == input_shape(NETWORKS[network](17))
    assert assert_equals_original(proto, list(samples(proto, 6))) >= 4
