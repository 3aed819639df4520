# SPDX-License-Identifier: Apache-2.0
"""Networks with random weights as ONNX Runtime's own quantizer makes them: a small CNN in the
QOperator format, and MobileNetV2 for 224 x 224 images as QDQ.

python -m benchmarks.quantized_networks qoperator-cnn|mobilenet-v2 OUT.onnx
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

BOTTLENECKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Of MobileNetV2: expansion, channels, repetitions, first stride."""


class FloatNet:
    """A float network under construction; batch norms are taken to be folded in."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        node = helper.make_node(kind, list(inputs), [output], name=f"n_{output}", **attributes)
        self.nodes.append(node)
        return output

    def conv(self, x: str, c: int, m: int, size: int, stride: int = 1, group: int = 1) -> str:
        fan_in = c // group * size * size
        weights = self.rng.normal(size=(m, c // group, size, size)) * (2 / fan_in) ** 0.5
        bias = self.rng.normal(size=m) * 0.1
        return self.op(
            "Conv",
            x,
            self.constant(weights),
            self.constant(bias),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 4,
            group=group,
        )

    def relu6(self, x: str) -> str:
        return self.op("Clip", x, self.constant(np.array(0.0)), self.constant(np.array(6.0)))

    def classified(self, x: str, channels: int, classes: int) -> onnx.ModelProto:
        """The model, ending in an average and a dense layer."""
        x = self.op("Flatten", self.op("GlobalAveragePool", x))
        weights = self.constant(self.rng.normal(size=(channels, classes)) / channels**0.5)
        y = self.op("Gemm", x, weights, self.constant(self.rng.normal(size=classes) * 0.1))
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, classes])],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def small_cnn(image: int = 32) -> onnx.ModelProto:
    """Four convolutions, a pool and a dense layer; 31,000 weights."""
    net = FloatNet((1, 3, image, image))
    x = net.op("Relu", net.conv("x", 3, 16, 3))
    x = net.op(
        "MaxPool", net.op("Relu", net.conv(x, 16, 32, 3)), kernel_shape=[2, 2], strides=[2, 2]
    )
    x = net.op("Relu", net.conv(x, 32, 32, 3, 2))
    x = net.op("Relu", net.conv(x, 32, 48, 3))
    return net.classified(x, 48, 10)


def mobilenet_v2(image: int = 224, classes: int = 1000) -> onnx.ModelProto:
    """MobileNetV2 at its full width: 3.5 million weights, 53 convolutions."""
    net = FloatNet((1, 3, image, image))
    x, channels = net.relu6(net.conv("x", 3, 32, 3, 2)), 32
    for expansion, outputs, count, first_stride in BOTTLENECKS:
        for index in range(count):
            stride, inner, y = first_stride if index == 0 else 1, channels * expansion, x
            if expansion > 1:
                y = net.relu6(net.conv(y, channels, inner, 1))
            y = net.relu6(net.conv(y, inner, inner, 3, stride, group=inner))
            y = net.conv(y, inner, outputs, 1)
            x = net.op("Add", x, y) if stride == 1 and channels == outputs else y
            channels = outputs
    return net.classified(net.relu6(net.conv(x, channels, 1280, 1)), 1280, classes)


def quantized(
    model: onnx.ModelProto, *, qoperator: bool, samples: int, signed: bool = True
) -> onnx.ModelProto:
    """A float network as quantize_static makes it, weights per channel, calibrated with random
    samples."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            rng = np.random.default_rng(1)
            drawn = rng.normal(size=(samples, *shape)).astype(np.float32)
            self.samples: Iterator[NDArray[Any]] = iter(drawn)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            found = next(self.samples, None)
            return None if found is None else {"x": found}

    logging.disable(logging.WARNING)  # it advises a preprocessing that is done here
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        onnx.save(model, path / "float.onnx")
        quantize_static(
            path / "float.onnx",
            path / "quantized.onnx",
            Reader(),
            quant_format=QuantFormat.QOperator if qoperator else QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(path / "quantized.onnx")


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "qoperator-cnn": lambda: quantized(small_cnn(), qoperator=True, samples=16, signed=False),
    "mobilenet-v2": lambda: quantized(mobilenet_v2(), qoperator=False, samples=2),
}


def main() -> None:
    """Write a network to a file."""
    if len(sys.argv) != 3 or sys.argv[1] not in NETWORKS:
        raise SystemExit(f"usage: quantized_networks.py {'|'.join(NETWORKS)} OUT.onnx")
    onnx.save(NETWORKS[sys.argv[1]](), sys.argv[2])


if __name__ == "__main__":
    main()
