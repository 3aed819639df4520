# SPDX-License-Identifier: Apache-2.0
"""Quantized CNNs with random weights, as QONNX: sizes to measure and to test with.

python benchmarks/cnn_networks.py cnv-1w1a out.onnx
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import onnx

from benchmarks.qonnx_graph import QonnxGraph


def cnv(weight_bits: int, activation_bits: int, image: int = 32) -> onnx.ModelProto:
    """CNV as Brevitas's BNN-PYNQ examples define it: six 3x3 convolutions without padding, two
    pools, three dense layers; the input is quantized to 8 bits."""
    g = QonnxGraph()
    x = g.quantize(g.input((3, image, image)), 8, 1 / 128, narrow=False)
    for channels, pooled in ((64, 0), (64, 1), (128, 0), (128, 1), (256, 0), (256, 0)):
        x = g.batch_norm(g.conv(x, channels, (3, 3), weight_bits), both_signs=True)
        x = g.activation(x, activation_bits, "Identity")
        if pooled:
            x = g.pool(x, 2)
    x = g.flatten(x)
    for outputs in (512, 512):
        x = g.batch_norm(g.linear(x, outputs, weight_bits), both_signs=True)
        x = g.activation(x, activation_bits, "Identity")
    return g.model(g.linear(x, 10, weight_bits))


def resnet8(bits: int, image: int = 32) -> onnx.ModelProto:
    """ResNet-8 for CIFAR-10 as in MLPerf Tiny, weights and activations of `bits` bits; all
    inputs of an addition go through quantizers of one scale."""
    g = QonnxGraph()
    top = 2**bits - 1
    x = g.quantize(g.input((3, image, image)), 8, 1 / 128)
    x = g.activation(g.batch_norm(g.conv(x, 16, (3, 3), bits, pads=1)), bits, scale=2.0 / top)
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = g.batch_norm(g.conv(x, channels, (3, 3), bits, stride=stride, pads=1))
        y = g.activation(y, bits, scale=2.0 / top)
        y = g.batch_norm(g.conv(y, channels, (3, 3), bits, pads=1))
        y = g.quantize(y, bits, 4.0 / top)
        if stride > 1:
            x = g.batch_norm(g.conv(x, channels, (1, 1), bits, stride=stride))
            x = g.quantize(x, bits, 4.0 / top)
        else:
            x = g.quantize(x, bits + 1, 4.0 / top)
        x = g.activation(g.add(x, y), bits, scale=2.0 / top)
    x = g.flatten(g.global_average(x))
    x = g.quantize(x, 8, 2.0 / 255, signed=False)
    return g.model(g.linear(x, 10, bits, bias=True))


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "cnv-1w1a": lambda: cnv(1, 1),
    "cnv-1w2a": lambda: cnv(1, 2),
    "cnv-2w2a": lambda: cnv(2, 2),
    "resnet8-w4a4": lambda: resnet8(4),
}


def main() -> None:
    """Write a named network to a file."""
    if len(sys.argv) != 3 or sys.argv[1] not in NETWORKS:
        raise SystemExit(f"usage: cnn_networks.py {{{','.join(NETWORKS)}}} OUT.onnx")
    onnx.save(NETWORKS[sys.argv[1]](), sys.argv[2])


if __name__ == "__main__":
    main()
