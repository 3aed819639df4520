# SPDX-License-Identifier: Apache-2.0
"""QDQ and QOperator models that cannot be compiled, with what the error must name."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MS = "com.microsoft"
BAD: dict[str, tuple[Callable[[], onnx.ModelProto], tuple[str, ...]]] = {}


class Model:
    """A model under construction whose tensors are named by the test."""

    def __init__(
        self, shape: tuple[object, ...] = (1, 8), element: int = TensorProto.FLOAT
    ) -> None:
        self.shape, self.element = shape, element
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, array: object, dtype: object = np.float32) -> str:
        data = np.asarray(array, dtype=dtype)  # type: ignore[call-overload]
        self.constants.append(numpy_helper.from_array(data, name))
        return name

    def node(self, op: str, inputs: str, output: str, domain: str = "", **kw: object) -> str:
        self.nodes.append(
            helper.make_node(op, inputs.split(), [output], name=f"n_{output}", domain=domain, **kw)
        )
        return output

    def qdq(self, x: str, y: str, scale: object = 0.1, zero: object = 3) -> str:
        self.constant(f"{y}_scale", scale)
        self.constant(f"{y}_zero", zero, np.uint8)
        self.node("QuantizeLinear", f"{x} {y}_scale {y}_zero", f"{y}_q")
        return self.node("DequantizeLinear", f"{y}_q {y}_scale {y}_zero", y)

    def weights(self, name: str, *shape: int, dtype: object = np.int8) -> str:
        array = np.random.default_rng(0).integers(-7, 8, shape)
        self.constant(f"{name}_int", array, dtype)
        self.constant(f"{name}_scale", 0.02)
        self.constant(f"{name}_zero", 0, dtype)
        return self.node("DequantizeLinear", f"{name}_int {name}_scale {name}_zero", name)

    def build(self, y: str, element: int = TensorProto.FLOAT, rank: int = 2) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", self.element, list(self.shape))],
            [helper.make_tensor_value_info(y, element, [None] * rank)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def bad(*names: str) -> Callable[[Callable[[], onnx.ModelProto]], Callable[[], onnx.ModelProto]]:
    """Register a model by the name of the function that makes it."""

    def register(make: Callable[[], onnx.ModelProto]) -> Callable[[], onnx.ModelProto]:
        BAD[make.__name__.replace("_", " ")] = (make, names)
        return make

    return register


# -- scales and zero points -----------------------------------------------------------------------


def _scaled(scale: object, dtype: object = np.float32) -> onnx.ModelProto:
    m = Model()
    m.constant("s", scale, dtype)
    m.constant("z", 3, np.uint8)
    q = m.node("QuantizeLinear", "x s z", "q")
    return m.build(q, TensorProto.UINT8)


@bad("n_q", "'s'", "positive")
def scale_of_zero() -> onnx.ModelProto:
    return _scaled(0.0)


@bad("n_q", "'s'", "positive")
def negative_scale() -> onnx.ModelProto:
    return _scaled(-0.5)


@bad("n_q", "'s'", "finite")
def scale_that_is_no_number() -> onnx.ModelProto:
    return _scaled(np.nan)


@bad("n_q", "'s'", "positive")
def scale_without_elements() -> onnx.ModelProto:
    m = Model()
    m.constant("s", np.zeros(0))
    m.constant("z", np.zeros(0), np.uint8)
    return m.build(m.node("QuantizeLinear", "x s z", "q", axis=1), TensorProto.UINT8)


@bad("n_y", "'s'", "float16", "float32")
def scale_in_half_precision() -> onnx.ModelProto:
    m = Model()
    m.constant("w", np.ones((8, 2)), np.int8)
    m.constant("s", 0.5, np.float16)
    m.node("DequantizeLinear", "w s", "y")
    m.node("Cast", "y", "f", to=TensorProto.FLOAT)
    return m.build(m.node("MatMul", "x f", "out"))


@bad("n_q", "'s'", "computed", "calibration")
def scale_that_is_computed() -> onnx.ModelProto:
    m = Model()
    m.constant("z", 3, np.uint8)
    m.node("ReduceMax", "x", "s", keepdims=0)
    return m.build(m.node("QuantizeLinear", "x s z", "q"), TensorProto.UINT8)


@bad("n_q", "'z'", "FLOAT8E4M3FN", "2 to 16 bits")
def float8() -> onnx.ModelProto:
    m = Model()
    m.constant("s", 0.5)
    m.constant("z", 0, ml_dtypes.float8_e4m3fn)
    m.node("QuantizeLinear", "x s z", "q")
    return m.build(m.node("DequantizeLinear", "q s z", "y"))


@bad("n_q", "'z'", "per tensor")
def zero_point_for_each_channel_of_an_activation() -> onnx.ModelProto:
    m = Model()
    m.constant("s", np.full(8, 0.5))
    m.constant("z", np.arange(8), np.uint8)
    return m.build(m.node("QuantizeLinear", "x s z", "q", axis=1), TensorProto.UINT8)


@bad("n_q", "'s'", "5 elements for 8 channels")
def scales_that_do_not_fit() -> onnx.ModelProto:
    m = Model()
    m.constant("s", np.full(5, 0.5))
    m.constant("z", np.zeros(5), np.uint8)
    return m.build(m.node("QuantizeLinear", "x s z", "q", axis=1), TensorProto.UINT8)


@bad("n_w", "axis 7")
def axis_that_is_not_there() -> onnx.ModelProto:
    m = Model()
    m.constant("i", np.ones((8, 2)), np.int8)
    m.constant("s", np.full(2, 0.5))
    m.node("DequantizeLinear", "i s", "w", axis=7)
    return m.build(m.node("MatMul", "x w", "y"))


@bad("n_q", "blocks of activations", "per tensor")
def blocks_of_activations() -> onnx.ModelProto:
    m = Model()
    m.constant("s", np.full((1, 2), 0.5))
    m.constant("z", np.zeros((1, 2)), np.uint8)
    q = m.node("QuantizeLinear", "x s z", "q", axis=1, block_size=4)
    return m.build(q, TensorProto.UINT8)


@bad("n_w", "blocks of 3")
def blocks_that_do_not_fit() -> onnx.ModelProto:
    m = Model()
    m.constant("i", np.ones((8, 2)), np.int8)
    m.constant("s", np.full((2, 2), 0.5))
    m.node("DequantizeLinear", "i s", "w", axis=0, block_size=3)
    return m.build(m.node("MatMul", "x w", "y"))


@bad("n_w", "scale", "too large")
def scale_too_large_for_float32() -> onnx.ModelProto:
    m = Model()
    m.constant("i", np.arange(16).reshape(8, 2), np.int8)
    m.constant("s", 3e38)
    m.node("DequantizeLinear", "i s", "w")
    return m.build(m.node("MatMul", "x w", "y"))


@bad("n_y", "'s'", "one number for the whole tensor")
def vector_of_scales_for_the_input_of_a_product() -> onnx.ModelProto:
    m = Model(element=TensorProto.UINT8)
    m.constant("s", np.full(8, 0.5))
    for name in ("z", "bz", "yz"):
        m.constant(name, 0, np.uint8)
    m.constant("b", np.ones((8, 2)), np.uint8)
    m.constant("bs", 0.5)
    y = m.node("QLinearMatMul", "x s z b bs bz bs yz", "y")
    return m.build(y, TensorProto.UINT8)


@bad("n_y", "'az'", "one number for the whole tensor")
def zero_point_for_each_row() -> onnx.ModelProto:
    m = Model((4, 8), TensorProto.UINT8)
    m.constant("az", np.arange(4), np.uint8)
    m.constant("b", np.ones((8, 2)), np.uint8)
    return m.build(m.node("MatMulInteger", "x b az", "y"), TensorProto.INT32)


@bad("n_y", "'ws'", "axis 0", "shape ()")
def weights_of_a_convolution_that_are_one_number() -> onnx.ModelProto:
    m = Model((1, 2, 5, 5), TensorProto.UINT8)
    m.constant("s", 0.5)
    m.constant("z", 0, np.uint8)
    m.constant("w", 3, np.int8)
    m.constant("ws", 0.5)
    m.constant("wz", 0, np.int8)
    y = m.node("QLinearConv", "x s z w ws wz s z", "y")
    return m.build(y, TensorProto.UINT8, rank=4)


@bad("n_y", "'ws'", "3 elements for 4 channels")
def weight_scales_that_do_not_fit_a_convolution() -> onnx.ModelProto:
    m = Model((1, 2, 5, 5), TensorProto.UINT8)
    m.constant("s", 0.5)
    m.constant("z", 0, np.uint8)
    m.constant("w", np.ones((4, 2, 3, 3)), np.int8)
    m.constant("ws", np.full(3, 0.5))
    m.constant("wz", np.zeros(4), np.int8)
    y = m.node("QLinearConv", "x s z w ws wz s z", "y")
    return m.build(y, TensorProto.UINT8, rank=4)


# -- operators ------------------------------------------------------------------------------------


@bad("n_q", "DynamicQuantizeLinear", "each input", "quantize_static")
def dynamic_quantization() -> onnx.ModelProto:
    m = Model()
    m.nodes.append(helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="n_q"))
    return m.build(m.node("DequantizeLinear", "q s z", "y"))


def _contrib(op: str, inputs: str = "x w", **kw: object) -> onnx.ModelProto:
    m = Model()
    m.constant("w", np.ones((8, 8)))
    return m.build(m.node(op, inputs, "y", MS, **kw))


@bad("n_y", "DynamicQuantizeMatMul", "quantize_static")
def dynamic_product() -> onnx.ModelProto:
    return _contrib("DynamicQuantizeMatMul", "x w w w")


@bad("n_y", "QAttention", "without optimisation")
def fused_attention() -> onnx.ModelProto:
    return _contrib("QAttention")


@bad("n_y", "FusedConv", "without optimisation")
def fused_convolution() -> onnx.ModelProto:
    return _contrib("FusedConv")


@bad("n_y", "MatMulNBits", "quantize activations")
def weights_only_product() -> onnx.ModelProto:
    return _contrib("MatMulNBits", K=8, N=8, bits=4, block_size=16)


@bad("n_y", "QLinearReduceMean", "QDQ")
def integer_reduction() -> onnx.ModelProto:
    return _contrib("QLinearReduceMean")


@bad("n_y", "FrobnicateQuickly", "com.microsoft")
def operator_that_onnx_runtime_does_not_have() -> onnx.ModelProto:
    return _contrib("FrobnicateQuickly")


@bad("n_y", "channels last")
def channels_last() -> onnx.ModelProto:
    m = Model((1, 5, 5, 2), TensorProto.UINT8)
    m.constant("s", 0.5)
    m.constant("z", 0, np.uint8)
    y = m.node("QLinearAveragePool", "x s z s z", "y", MS, channels_last=1, kernel_shape=[2, 2])
    return m.build(y, TensorProto.UINT8, rank=4)


@bad("'x'", "static shape")
def pool_of_an_unknown_size() -> onnx.ModelProto:
    m = Model((1, 2, "h", "w"), TensorProto.UINT8)
    m.constant("s", 0.5)
    m.constant("z", 0, np.uint8)
    y = m.node("QLinearGlobalAveragePool", "x s z s z", "y", MS)
    return m.build(y, TensorProto.UINT8, rank=4)


# -- networks that are not quantized throughout ---------------------------------------------------


@bad("n_y", "'x'", "quantizer")
def weights_only() -> onnx.ModelProto:
    m = Model()
    m.weights("w", 8, 4)
    return m.build(m.node("MatMul", "x w", "y"))


@bad("n_y", "'w'", "quantizer")
def activations_only() -> onnx.ModelProto:
    m = Model()
    m.qdq("x", "a")
    m.constant("w", np.random.default_rng(0).normal(size=(8, 4)))
    return m.build(m.node("MatMul", "a w", "y"))


@bad("n_b_q", "65535 thresholds")
def activations_of_16_bits() -> onnx.ModelProto:
    m = Model()
    m.qdq("x", "a")
    m.weights("w", 8, 4)
    m.weights("v", 4, 3)
    m.node("MatMul", "a w", "t")
    m.constant("s", 1e-5)
    m.constant("z", 30000, np.uint16)
    m.node("QuantizeLinear", "t s z", "b_q")
    m.node("DequantizeLinear", "b_q s z", "b")
    return m.build(m.node("MatMul", "b v", "y"))


@bad("'x'", "int64", "float")
def input_of_64_bits() -> onnx.ModelProto:
    m = Model(element=TensorProto.INT64)
    m.node("Cast", "x", "f", to=TensorProto.FLOAT)
    return m.build(m.qdq("f", "y"))
