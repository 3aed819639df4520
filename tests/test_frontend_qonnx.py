# SPDX-License-Identifier: Apache-2.0
"""The QONNX frontend: quantizers as QONNX itself computes them, and what exporters write."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant
from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

from benchmarks.networks import MlpSpec, mlp
from qnnc.compiler.errors import ModelError
from qnnc.compiler.reference import Session, expand
from qnnc.frontends.qonnx import from_proto
from tests.support.build import compile_proto, operators

MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "half_even")
DOMAINS = ("onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general")


def one_node(
    op: str,
    parameters: list[object],
    shape: list[int],
    domain: str = DOMAINS[1],
    opset: int = 13,
    **attributes: object,
) -> onnx.ModelProto:
    names = [f"p{i}" for i in range(len(parameters))]
    constants = [
        numpy_helper.from_array(np.asarray(p, np.float32), n)
        for p, n in zip(parameters, names, strict=True)
    ]
    node = helper.make_node(op, ["x", *names], ["y"], name="q", domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        constants,
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=7)


def run(proto: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return Session(expand(from_proto(proto))).run({"x": x})["y"]


def grid(scale: float) -> np.ndarray:
    """Values on, beside and halfway between the steps of a quantizer, and far outside."""
    steps = np.arange(-40, 41) / 4
    near = np.concatenate([steps, steps + 1e-3, steps - 1e-3, [1e4, -1e4, 0.0, -0.0]])
    return (near * scale).astype(np.float32).reshape(1, -1)


def test_quant_of_every_signedness_width_rounding_and_zero_point() -> None:
    scale = 0.25
    x = grid(scale)
    for mode, signed, narrow, bits, zero in itertools.product(
        MODES, (0, 1), (0, 1), (1, 2, 3, 8), (0.0, 1.0, 0.5)
    ):
        proto = one_node(
            "Quant",
            [scale, zero, bits],
            list(x.shape),
            signed=signed,
            narrow=narrow,
            rounding_mode=mode,
        )
        parameters = (np.float32(p) for p in (scale, zero, bits))
        expected = int_quant(x, *parameters, signed, narrow, mode)
        assert np.array_equal(run(proto, x), expected), (mode, signed, narrow, bits, zero)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
def test_quant_in_every_domain(op: str, domain: str) -> None:
    x = grid(0.5)
    proto = one_node(op, [0.5, 0, 3], list(x.shape), domain, signed=1, narrow=0)
    expected = int_quant(x, np.float32(0.5), np.float32(0), np.float32(3), 1, 0, "ROUND")
    assert np.array_equal(run(proto, x), expected)


def test_quant_defaults_are_signed_narrow_and_round() -> None:
    x = grid(0.5)
    proto = one_node("Quant", [0.5, 0, 4], list(x.shape))
    expected = int_quant(x, np.float32(0.5), np.float32(0), np.float32(4), 1, 1, "ROUND")
    assert np.array_equal(run(proto, x), expected)


def test_bipolar_quant() -> None:
    x = grid(1.0)
    for scale in (1.0, 0.3):
        proto = one_node("BipolarQuant", [scale], list(x.shape))
        assert np.array_equal(run(proto, x), binary_quant(x, np.float32(scale)))


@pytest.mark.parametrize("mode", MODES)
def test_trunc(mode: str) -> None:
    scale = np.float32(0.125)
    x = (np.arange(-100, 100) * scale).astype(np.float32).reshape(1, -1)
    first = one_node("Trunc", [scale, 0, 8, 4], list(x.shape), rounding_mode=mode)
    assert np.array_equal(run(first, x), trunc_v1(x, scale, np.float32(0), 8.0, 4.0, mode))
    for signed, narrow in itertools.product((0, 1), (0, 1)):
        second = one_node(
            "Trunc",
            [scale, 0, 8, 4 * scale, 4],
            list(x.shape),
            rounding_mode=mode,
            signed=signed,
            narrow=narrow,
        )
        expected = trunc_v2(
            x, scale, np.float32(0), np.float32(8), narrow, signed, 4 * scale, np.float32(4), mode
        )
        assert np.array_equal(run(second, x), expected)


@pytest.mark.parametrize(("bits", "allowed"), [(6, True), (4, False)])
def test_a_trunc_whose_input_has_more_bits_than_it_says_is_refused(
    bits: int, allowed: bool
) -> None:
    """Codes of a zero point of 11 reach -19, which are six bits."""
    zero, scale = 11, 0.125
    proto = one_node("Quant", [scale, zero, 4], [1, 8], signed=1, narrow=0)
    proto.graph.node[0].output[0] = "coded"
    operands = {"s": scale, "z": 0, "in": bits, "out": bits - 1}
    for name, value in operands.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
    trunc = helper.make_node(
        "Trunc", ["coded", *operands], ["y"], name="cut", domain=DOMAINS[1], rounding_mode="FLOOR"
    )
    proto.graph.node.append(trunc)
    if allowed:
        assert compile_proto(proto)[1].mismatches == 0
    else:
        with pytest.raises(ModelError, match=r"'cut'.* -10 to -2, .* allow -8 to 8"):
            compile_proto(proto)


def reshaped_mlp(opset: int, flatten: str, gemm: bool) -> onnx.ModelProto:
    """An MLP as exporters write it at an opset: images, a flatten, dropout, identity."""
    proto = mlp(MlpSpec((36, 8, 5), 2, 2, "relu", 3, seed=opset))
    graph = proto.graph
    proto.opset_import[0].version = opset
    graph.input[0].CopyFrom(helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 6, 6]))
    front = []
    if flatten == "dynamic":  # x.view(x.shape[0], -1) as torch wrote it for years
        unsqueeze = {"axes": [0]} if opset < 13 else {}
        extra = [] if opset < 13 else ["axes"]
        front = [
            helper.make_node("Shape", ["image"], ["shape"]),
            helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
            helper.make_node("Unsqueeze", ["batch", *extra], ["batch1"], **unsqueeze),
            helper.make_node("Concat", ["batch1", "minus"], ["target"], axis=0),
            helper.make_node("Reshape", ["image", "target"], ["x"]),
        ]
        for name, value in (("zero", 0), ("minus", [-1]), ("axes", [0])):
            graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    elif flatten == "reshape":
        front = [helper.make_node("Reshape", ["image", "target"], ["x"])]
        target = np.array([1, 36], np.int64)
        graph.initializer.append(numpy_helper.from_array(target, "target"))
    else:
        front = [helper.make_node("Flatten", ["image"], ["x"], axis=1)]
    nodes = [*front, *graph.node]
    if gemm:
        nodes = [as_gemm(graph, node) for node in nodes]
    product = next(node for node in nodes if node.op_type in ("MatMul", "Gemm"))
    product.input[0] = "dropped"
    at = nodes.index(product)
    nodes[at:at] = [
        helper.make_node("Identity", ["x_q"], ["same"]),
        helper.make_node("Dropout", ["same"], ["dropped"]),
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:  # initializers were graph inputs before IR version 4
        if node.op_type == "BatchNormalization" and opset < 14:
            node.attribute.append(helper.make_attribute("momentum", 0.9))
    proto.ir_version = 3 if opset < 10 else 7
    graph.input.extend(
        helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in graph.initializer
    )
    return proto


def as_gemm(graph: onnx.GraphProto, node: onnx.NodeProto) -> onnx.NodeProto:
    if node.op_type != "MatMul":
        return node
    units = 8 if node.output[0] == "y0" else 5
    bias = f"{node.output[0]}_bias"
    graph.initializer.append(
        numpy_helper.from_array(np.linspace(-1, 1, units).astype(np.float32), bias)
    )
    return helper.make_node(
        "Gemm", [*node.input, bias], list(node.output), name=node.name, alpha=0.5, beta=2.0
    )


@pytest.mark.parametrize("opset", range(9, 22))
@pytest.mark.parametrize("flatten", ["dynamic", "reshape", "flatten"])
def test_what_exporters_write(opset: int, flatten: str) -> None:
    proto = reshaped_mlp(opset, flatten, gemm=opset % 2 == 0)
    model, outcome, _ = compile_proto(proto)
    assert outcome.mismatches == 0
    assert operators(model).count("MVAU") == 2
    assert "Thresholding" in operators(model)


def test_transposed_gemm_weights() -> None:
    proto = mlp(MlpSpec((12, 6, 4), 3, 2, "relu", 3))
    for node in proto.graph.node:
        if node.op_type == "MatMul":
            quant = next(n for n in proto.graph.node if n.output[0] == node.input[1])
            weights = next(t for t in proto.graph.initializer if t.name == quant.input[0])
            array = numpy_helper.to_array(weights).T.copy()
            weights.CopyFrom(numpy_helper.from_array(array, weights.name))
            node.op_type = "Gemm"
            node.attribute.append(helper.make_attribute("transB", 1))
    _, outcome, _ = compile_proto(proto)
    assert outcome.mismatches == 0
    assert outcome.tensors >= 4


def test_parameters_in_constant_nodes() -> None:
    proto = mlp(MlpSpec((12, 6, 4), 3, 2, "relu", 3))
    constants = list(proto.graph.initializer)
    nodes = list(proto.graph.node)
    del proto.graph.initializer[:], proto.graph.node[:]
    proto.graph.node.extend(helper.make_node("Constant", [], [t.name], value=t) for t in constants)
    proto.graph.node.extend(nodes)
    model, outcome, _ = compile_proto(proto)
    assert outcome.mismatches == 0
    assert operators(model).count("MVAU") == 2


def test_model_functions_are_inlined() -> None:
    proto = mlp(MlpSpec((8, 4), 2, 2, "relu", 2, batch_norm=False))
    function = helper.make_function(
        "mine",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 13)],
    )
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("mine", 1))
    last = proto.graph.output[0].name
    proto.graph.node.append(helper.make_node("Twice", [last], ["doubled"], domain="mine"))
    proto.graph.output[0].name = "doubled"
    _, outcome, _ = compile_proto(proto)
    assert outcome.mismatches == 0


def test_unknown_domain_names_the_node() -> None:
    proto = one_node("Quant", [1, 0, 4], [1, 4], domain="some.where")
    with pytest.raises(ModelError, match=r"'q'.*'some\.where'"):
        from_proto(proto)


def qkeras(widths: list[int], seed: int) -> onnx.ModelProto:
    """An MLP as QKeras' converter writes it: TensorFlow's names, a free batch, powers of two as
    scales, quantized biases, a Softmax at the end."""
    rng = np.random.default_rng(seed)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, array: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def quantized(x: str, name: str, bits: int, whole: int, signed: int) -> str:
        parameters = [
            constant(f"{name}_scale:0", 2.0 ** (whole + signed - bits)),
            constant(f"{name}_zero:0", 0),
            constant(f"{name}_bits:0", bits),
        ]
        nodes.append(
            helper.make_node(
                "Quant",
                [x, *parameters],
                [f"{name}:0"],
                name=name,
                domain="finn.custom_op.general",
                signed=signed,
                narrow=0,
                rounding_mode="ROUND",
            )
        )
        return f"{name}:0"

    x = quantized("input_1:0", "model/input/Quant", 8, 1, 1)
    layers = len(widths) - 1
    for i, (k, m) in enumerate(itertools.pairwise(widths)):
        scope = f"model/q_dense_{i}"
        kernel = constant(f"{scope}/kernel:0", rng.normal(size=(k, m)) * 0.4)
        bias = constant(f"{scope}/bias:0", rng.normal(size=m) * 0.3)
        nodes.append(
            helper.make_node(
                "MatMul",
                [x, quantized(kernel, f"{scope}/kernel/Quant", 6, 0, 1)],
                [f"{scope}/MatMul:0"],
                name=f"{scope}/MatMul",
            )
        )
        nodes.append(
            helper.make_node(
                "Add",
                [f"{scope}/MatMul:0", quantized(bias, f"{scope}/bias/Quant", 6, 0, 1)],
                [f"{scope}/BiasAdd:0"],
                name=f"{scope}/BiasAdd",
            )
        )
        x = f"{scope}/BiasAdd:0"
        if i < layers - 1:
            nodes.append(helper.make_node("Relu", [x], [f"{scope}/Relu:0"], name=f"{scope}/Relu"))
            x = quantized(f"{scope}/Relu:0", f"{scope}/Relu/Quant", 6, 1, 0)
    nodes.append(helper.make_node("Softmax", [x], ["softmax"], name="model/softmax/Softmax"))
    graph = helper.make_graph(
        nodes,
        "tf2onnx",
        [
            helper.make_tensor_value_info("input_1:0", TensorProto.FLOAT, ["unk__1", widths[0]]),
            *(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in constants),
        ],
        [helper.make_tensor_value_info("softmax", TensorProto.FLOAT, ["unk__2", widths[-1]])],
        constants,
    )
    opsets = [helper.make_opsetid("", 11), helper.make_opsetid("finn.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=6, producer_name="tf2onnx")


@pytest.mark.parametrize("top_k", [0, 1])
def test_qkeras(top_k: int) -> None:
    model, outcome, runs = compile_proto(qkeras([16, 24, 12, 5], 0), top_k=top_k)
    assert outcome.mismatches == 0 and outcome.tensors >= 6
    assert operators(model).count("MVAU") == 3
    assert ("Softmax" in operators(model)) == (top_k == 0)  # the order of classes needs none
    assert ("LabelSelect" in operators(model)) == (top_k == 1)
    constants = {str(v.name) for v in model.graph.initializers.values()}
    biases = {name for name in constants if "bias" in name.lower()}
    assert not [name for name in biases if "q_dense_2" not in name]  # in the thresholds now
    assert not [reason for run in runs for reason in run.reasons if "bias" in reason.text]
