# SPDX-License-Identifier: Apache-2.0
"""Float networks, quantized by ONNX Runtime's own tools, and what ONNX Runtime computes of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qnnc.compiler.ir.quantizers import Quantizer, quantizer
from qnnc.compiler.ir.quantizers.linear_quant import LinearQuant
from qnnc.compiler.reference import Session, expand
from qnnc.frontends.qdq import from_proto

Array = NDArray[Any]


class Net:
    """A float network under construction; every method returns the name of a tensor."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: object) -> str:
        name = f"c{len(self.constants)}"
        data = np.asarray(array, dtype=np.float32)
        self.constants.append(numpy_helper.from_array(data, name))
        return name

    def op(self, op: str, *inputs: str, **attributes: object) -> str:
        output = f"{op.lower()}_{len(self.nodes)}"
        node = helper.make_node(op, list(inputs), [output], name=f"n_{output}", **attributes)
        self.nodes.append(node)
        return output

    def normal(self, *shape: int, scale: float = 1.0) -> str:
        return self.constant(self.rng.normal(size=shape) * scale)

    def gemm(self, x: str, k: int, m: int) -> str:
        return self.op("Gemm", x, self.normal(k, m, scale=k**-0.5), self.normal(m, scale=0.1))

    def conv(self, x: str, c: int, m: int, size: int = 3, stride: int = 1, group: int = 1) -> str:
        fan = c // group * size * size
        weights = self.normal(m, c // group, size, size, scale=fan**-0.5)
        return self.op(
            "Conv",
            x,
            weights,
            self.normal(m, scale=0.1),
            kernel_shape=[size, size],
            strides=[stride] * 2,
            pads=[size // 2] * 4,
            group=group,
        )

    def model(self, shape: Sequence[int], y: str, classes: int, opset: int) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, classes])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def mlp(opset: int = 17) -> onnx.ModelProto:
    """Three layers with ReLU."""
    net = Net(0)
    x = net.op("Relu", net.gemm("x", 20, 16))
    x = net.op("Relu", net.gemm(x, 16, 12))
    return net.model([1, 20], net.gemm(x, 12, 5), 5, opset)


def resnet(opset: int = 17) -> onnx.ModelProto:
    """Two residual blocks, the second with a projection; max pool, global average pool."""
    net = Net(1)
    start = net.op("Relu", net.conv("x", 3, 8))
    x = net.conv(net.op("Relu", net.conv(start, 8, 8)), 8, 8)
    start = net.op("Relu", net.op("Add", x, start))
    x = net.conv(net.op("Relu", net.conv(start, 8, 16, stride=2)), 16, 16)
    x = net.op("Relu", net.op("Add", x, net.conv(start, 8, 16, 1, 2)))
    x = net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    return net.model([1, 3, 12, 12], net.gemm(x, 16, 10), 10, opset)


def depthwise(opset: int = 17) -> onnx.ModelProto:
    """Depthwise and pointwise layers with ReLU6, Sigmoid, LeakyReLU, a Concat, an average pool, a
    MatMul and a Softmax."""
    net = Net(2)
    six = (net.constant(0), net.constant(6))
    x = net.op("Clip", net.conv("x", 3, 8, stride=2), *six)
    x = net.op("Clip", net.conv(x, 8, 8, group=8), *six)
    x = net.op("Relu", net.conv(x, 8, 16, 1))
    x = net.op("Relu", net.conv(x, 16, 16, stride=2, group=16))
    left, right = net.conv(x, 16, 8, 1), net.conv(x, 16, 8, 1)
    x = net.op("Concat", net.op("Relu", left), net.op("Sigmoid", right), axis=1)
    x = net.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("LeakyRelu", net.conv(x, 16, 8, 1), alpha=0.1)
    x = net.op("MatMul", net.op("Flatten", x), net.normal(32, 6, scale=0.2))
    return net.model([1, 3, 16, 16], net.op("Softmax", x, axis=-1), 6, opset)


NETWORKS: dict[str, Callable[[int], onnx.ModelProto]] = {
    "mlp": mlp,
    "resnet": resnet,
    "depthwise": depthwise,
}


def input_shape(proto: onnx.ModelProto) -> tuple[int, ...]:
    """Shape of the only input."""
    return tuple(d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim)


def static_quantized(
    proto: onnx.ModelProto, folder: Path, qoperator: bool = False, **options: Any
) -> onnx.ModelProto:
    """What `onnxruntime.quantization.quantize_static` makes of a float network; options are its
    own, extra_options among them."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.samples = iter(samples(proto, 16, seed=5))

        def get_next(self) -> dict[str, Array] | None:
            return next(self.samples, None)

    onnx.save(proto, folder / "float.onnx")
    kind = QuantFormat.QOperator if qoperator else QuantFormat.QDQ
    logging.disable(logging.WARNING)  # "consider pre-processing"
    try:
        quantize_static(
            folder / "float.onnx", folder / "q.onnx", Reader(), quant_format=kind, **options
        )
    finally:
        logging.disable(logging.NOTSET)
    return onnx.load(folder / "q.onnx")


def samples(proto: onnx.ModelProto, count: int, seed: int = 1) -> Iterator[dict[str, Array]]:
    """Random inputs."""
    rng, shape = np.random.default_rng(seed), input_shape(proto)
    for _ in range(count):
        yield {"x": (rng.normal(size=shape) * 1.3 + 0.2).astype(np.float32)}


def run_original(
    proto: onnx.ModelProto, feeds: Mapping[str, Array], also: Sequence[str] = ()
) -> dict[str, Array]:
    """ONNX Runtime on the model as it is, without graph optimisations; outputs and other tensors
    by name."""
    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    known = {value.name for value in whole.graph.output}
    whole.graph.output.extend(onnx.ValueInfoProto(name=n) for n in also if n not in known)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(
        whole.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def imported(proto: onnx.ModelProto) -> ir.Model:
    """The canonical IR; the model given stays as it is."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    return from_proto(copy)


def assert_equals_original(proto: onnx.ModelProto, feeds: Sequence[Mapping[str, Array]]) -> int:
    """The imported graph's expansion gives, for every integer tensor that the model has too and
    for its outputs, what ONNX Runtime gives; returns how many tensors were compared."""
    model = imported(proto)
    of_original = {name for node in proto.graph.node for name in node.output}
    watched: dict[str, Quantizer] = {}
    for node in model.graph:
        found = quantizer(node)
        name = str(node.outputs[0].name)
        if found is not None and name in of_original and not found.input.is_initializer():
            watched[name] = found
    values = [found.node.outputs[0] for found in watched.values()]
    session = Session(expand(model, outputs=dict.fromkeys([*model.graph.outputs, *values])))
    for sample in feeds:
        floats = {n: a.astype(np.float32) for n, a in sample.items()}
        mine, theirs = session.run(floats), run_original(proto, sample, list(watched))
        for name, expected in theirs.items():
            found = watched.get(name)
            if isinstance(found, LinearQuant) and found.gives_codes and name in watched:
                expected = expected.astype(np.int64) - int(found.zero_point.reshape(-1)[0])
            assert np.array_equal(mine[name], expected), (
                f"{name}: {np.sum(mine[name] != expected)} of {expected.size} differ"
            )
    return len(watched)


def one_operator(
    op: str,
    inputs: Mapping[str, tuple[int, Sequence[int]]],
    operands: Sequence[str | Array],
    *,
    outputs: Sequence[int] = (),
    domain: str = "",
    version: int = 21,
    **attributes: object,
) -> onnx.ModelProto:
    """A model of one node.

    Args:
        inputs: element type and shape of each model input.
        operands: names of inputs, or arrays that become constants; "" leaves one out.
        outputs: element type of each output, by default one of the first input's type.
    """
    constants, names = [], []
    for index, operand in enumerate(operands):
        if isinstance(operand, str):
            names.append(operand)
        else:
            names.append(f"p{index}")
            constants.append(numpy_helper.from_array(np.asarray(operand), f"p{index}"))
    types = list(outputs) or [next(iter(inputs.values()))[0]]
    results = [f"y{i}" if i else "y" for i in range(len(types))]
    node = helper.make_node(op, names, results, name="node", domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(n, t, list(s)) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, t, None) for n, t in zip(results, types, strict=True)],
        constants,
    )
    opsets = [helper.make_opsetid("", version), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    zeros = {
        n: np.zeros(s, dtype=helper.tensor_dtype_to_np_dtype(t)) for n, (t, s) in inputs.items()
    }
    found = run_original(proto, zeros)
    del proto.graph.output[:]
    proto.graph.output.extend(
        helper.make_tensor_value_info(n, t, found[n].shape)
        for n, t in zip(results, types, strict=True)
    )
    return proto


def all_bytes(signed: bool) -> Array:
    """All 8-bit integers."""
    return np.arange(-128, 128).astype(np.int8) if signed else np.arange(256).astype(np.uint8)
