# SPDX-License-Identifier: Apache-2.0
"""Quantized CNNs with random weights, as QONNX: sizes to measure and to test with.

python benchmarks/cnn_networks.py cnv-1w1a out.onnx
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import onnx

from benchmarks.qonnx_graph import QonnxGraph, Tensor


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
    """ResNet-8 for CIFAR-10 as in MLPerf Tiny."""
    return resnet(bits, image, 1)


def resnet(
    bits: int, image: int = 32, blocks: int = 3, channels: Sequence[int] = (16, 32, 64)
) -> onnx.ModelProto:
    """A ResNet for CIFAR-10, weights and activations of `bits` bits; all inputs of an addition go
    through quantizers of one scale.

    Args:
        blocks: of two convolutions, in each stage: 1 makes ResNet-8, 3 ResNet-20.
        channels: of the stages.
    """
    g = QonnxGraph()
    top = 2**bits - 1
    x = g.quantize(g.input((3, image, image)), 8, 1 / 128)
    first = channels[0]
    x = g.activation(g.batch_norm(g.conv(x, first, (3, 3), bits, pads=1)), bits, scale=2.0 / top)
    widths = [
        (n, 1 if stage == 0 or i else 2) for stage, n in enumerate(channels) for i in range(blocks)
    ]
    for width, stride in widths:
        y = g.batch_norm(g.conv(x, width, (3, 3), bits, stride=stride, pads=1))
        y = g.activation(y, bits, scale=2.0 / top)
        y = g.batch_norm(g.conv(y, width, (3, 3), bits, pads=1))
        y = g.quantize(y, bits, 4.0 / top)
        if stride > 1:
            x = g.batch_norm(g.conv(x, width, (1, 1), bits, stride=stride))
            x = g.quantize(x, bits, 4.0 / top)
        else:
            x = g.quantize(x, bits + 1, 4.0 / top)
        x = g.activation(g.add(x, y), bits, scale=2.0 / top)
    x = g.flatten(g.global_average(x))
    x = g.quantize(x, 8, 2.0 / 255, signed=False)
    return g.model(g.linear(x, 10, bits, bias=True))


def mobilenet(
    bits: int = 4,
    image: int = 32,
    blocks: Sequence[tuple[int, int]] = ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1)),
    classes: int = 10,
) -> onnx.ModelProto:
    """A MobileNet-like network: a strided convolution, then pairs of a depthwise 3x3 and a
    pointwise convolution.

    Args:
        blocks: channels and stride of each pair.
    """
    g = QonnxGraph()
    x = g.quantize(g.input((3, image, image)), 8, 1 / 128)
    first = max(1, blocks[0][0] // 2)
    x = _normed(g, g.conv(x, first, (3, 3), 8, stride=2, pads=[0, 0, 1, 1]), bits)
    for channels, stride in blocks:
        x = _separable(g, x, channels, stride, bits)
    return _classified(g, x, classes, bits)


def mobilenet_v1(bits: int = 4, image: int = 128, classes: int = 1000) -> onnx.ModelProto:
    """MobileNetV1 of half the width (Howard et al., 2017, table 1): 1.3 million weights."""
    wide = ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), *[(256, 1)] * 5)
    return mobilenet(bits, image, (*wide, (512, 2), (512, 1)), classes)


def ds_cnn(bits: int = 4, channels: int = 64, blocks: int = 4) -> onnx.ModelProto:
    """DS-CNN for keyword spotting as in MLPerf Tiny: 49 steps of 10 coefficients, a first kernel
    of 10 steps by 4 coefficients, depthwise-separable blocks, 12 words."""
    g = QonnxGraph()
    x = g.quantize(g.input((1, 49, 10)), 8, 1 / 128)
    x = _normed(g, g.conv(x, channels, (10, 4), 8, stride=2, pads=[4, 1, 5, 1]), bits)
    for _ in range(blocks):
        x = _separable(g, x, channels, 1, bits)
    return _classified(g, x, 12, bits)


def super_resolution(
    bits: int = 4, image: int = 16, factor: int = 2, channels: int = 32, *, shuffle: bool = True
) -> onnx.ModelProto:
    """An ESPCN-like network on one colour: three convolutions and a pixel shuffle, or a nearest
    Resize before the last convolution."""
    g = QonnxGraph()
    x = g.quantize(g.input((1, image, image)), 8, 1 / 255, signed=False)
    x = g.activation(g.batch_norm(g.conv(x, channels, (5, 5), 8, pads=2)), bits, "Tanh", 1 / 7)
    x = g.activation(
        g.batch_norm(g.conv(x, channels // 2, (3, 3), bits, pads=1)), bits, "Tanh", 1 / 7
    )
    if not shuffle:
        x = g.upsample(x, factor)
    outputs = factor**2 if shuffle else 1
    y = g.conv(x, outputs, (3, 3), 8, pads=1, bias=True, per_channel=True)
    y = g.activation(y, 8, "Sigmoid", 1 / 255)
    return g.model(g.depth_to_space(y, factor) if shuffle else y)


def unet(bits: int = 4, image: int = 32, channels: Sequence[int] = (8, 16, 32)) -> onnx.ModelProto:
    """A U-Net with two levels or more: what an encoder's level gives is put beside the decoder's
    upsampled tensor of that size.

    Args:
        channels: of the levels, the finest first.
    """
    g = QonnxGraph()
    x = g.quantize(g.input((3, image, image)), 8, 1 / 128)
    skips = []
    for count in channels[:-1]:
        skips.append(_normed(g, g.conv(x, count, (3, 3), bits, pads=1), bits))
        x = g.pool(skips[-1], 2)
    x = _normed(g, g.conv(x, channels[-1], (3, 3), bits, pads=1), bits)
    for count, skip in zip(reversed(channels[:-1]), reversed(skips), strict=True):
        x = g.concat(g.upsample(x, 2), skip)
        x = _normed(g, g.conv(x, count, (3, 3), bits, pads=1), bits)
    return g.model(g.activation(g.conv(x, 2, (1, 1), bits, bias=True), 8, "Sigmoid", 1 / 255))


def cnn_1d(
    bits: int = 4, steps: int = 128, channels: Sequence[int] = (16, 32, 32)
) -> onnx.ModelProto:
    """A one-dimensional network for time series: convolutions of 7, 5, 5… steps, each followed
    by a pool of 2."""
    g = QonnxGraph()
    x = g.quantize(g.input((2, steps)), 8, 1 / 128)
    kernel = 7
    for count in channels:
        x = _normed(g, g.conv(x, count, (kernel,), bits, pads=kernel // 2), bits)
        x, kernel = g.pool(x, 2), 5
    return _classified(g, x, 5, bits)


def _normed(g: QonnxGraph, x: Tensor, bits: int) -> Tensor:
    """BatchNormalization, Relu and a quantizer."""
    return g.activation(g.batch_norm(x), bits, scale=2.0 / (2**bits - 1))


def _separable(g: QonnxGraph, x: Tensor, channels: int, stride: int, bits: int) -> Tensor:
    inputs = x.shape[0]
    x = _normed(g, g.conv(x, inputs, (3, 3), bits, stride=stride, pads=1, group=inputs), bits)
    return _normed(g, g.conv(x, channels, (1, 1), bits, per_channel=True), bits)


def _classified(g: QonnxGraph, x: Tensor, classes: int, bits: int) -> onnx.ModelProto:
    x = g.flatten(g.global_average(x))
    return g.model(g.linear(g.quantize(x, 8, 2.0 / 255, signed=False), classes, bits, bias=True))


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "cnv-1w1a": lambda: cnv(1, 1),
    "cnv-1w2a": lambda: cnv(1, 2),
    "cnv-2w2a": lambda: cnv(2, 2),
    "resnet8-w4a4": lambda: resnet8(4),
    "resnet20-w4a4": lambda: resnet(4),
    "mobilenet": mobilenet,
    "mobilenet-v1-050": mobilenet_v1,
    "mobilenet-v1-050-64": lambda: mobilenet_v1(image=64),
    "mobilenet-v1-050-int8": lambda: mobilenet_v1(8),
    "ds-cnn": ds_cnn,
    "espcn-shuffle": super_resolution,
    "espcn-resize": lambda: super_resolution(shuffle=False),
    "unet": unet,
    "cnn-1d": cnn_1d,
}


def main() -> None:
    """Write a named network to a file."""
    if len(sys.argv) != 3 or sys.argv[1] not in NETWORKS:
        raise SystemExit(f"usage: cnn_networks.py {{{','.join(NETWORKS)}}} OUT.onnx")
    onnx.save(NETWORKS[sys.argv[1]](), sys.argv[2])


if __name__ == "__main__":
    main()
