# SPDX-License-Identifier: Apache-2.0
"""ResNet-8 for CIFAR-10 (MLPerf Tiny's topology) with random weights, quantized to INT8 QDQ by
ONNX Runtime's own tool.

python -m benchmarks.resnet8_int8 out.onnx
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SHAPE = (1, 3, 32, 32)
CALIBRATION = 32


class _Net:
    """A float network under construction; batch norms are taken to be folded in."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=f"n_{output}", **attributes)
        )
        return output

    def conv(self, x: str, c: int, m: int, size: int, stride: int = 1) -> str:
        weights = self.rng.normal(size=(m, c, size, size)) * (2 / (c * size * size)) ** 0.5
        bias = self.rng.normal(size=m) * 0.1
        return self.op(
            "Conv",
            x,
            self.constant(weights),
            self.constant(bias),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 2 + [size // 2] * 2,
        )


def resnet8_float() -> onnx.ModelProto:
    """The float network, [1, 3, 32, 32] to 10 scores."""
    net = _Net()
    x, channels = net.op("Relu", net.conv("x", 3, 16, 3)), 16
    for outputs, stride in ((16, 1), (32, 2), (64, 2)):
        y = net.op("Relu", net.conv(x, channels, outputs, 3, stride))
        y = net.conv(y, outputs, outputs, 3)
        if stride > 1:
            x = net.conv(x, channels, outputs, 1, stride)
        x, channels = net.op("Relu", net.op("Add", x, y)), outputs
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    weights = net.constant(net.rng.normal(size=(64, 10)) / 8)
    y = net.op("Gemm", x, weights, net.constant(net.rng.normal(size=10) * 0.1))
    graph = helper.make_graph(
        net.nodes,
        "resnet8",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, 10])],
        net.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def resnet8_int8() -> onnx.ModelProto:
    """The network as quantize_static makes it: QDQ, signed bytes, weights per channel."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            rng = np.random.default_rng(1)
            self.samples: Iterator[NDArray[Any]] = iter(
                rng.normal(size=(CALIBRATION, *SHAPE)).astype(np.float32)
            )

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            found = next(self.samples, None)
            return None if found is None else {"x": found}

    logging.disable(logging.WARNING)  # it advises a preprocessing that is done here
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        onnx.save(resnet8_float(), path / "float.onnx")
        quantize_static(
            path / "float.onnx",
            path / "int8.onnx",
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(path / "int8.onnx")


def main() -> None:
    """Write the quantized network to a file."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: resnet8_int8.py OUT.onnx")
    onnx.save(resnet8_int8(), sys.argv[1])


if __name__ == "__main__":
    main()
