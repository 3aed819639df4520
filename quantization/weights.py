# SPDX-License-Identifier: Apache-2.0
"""Weights of fewer than 8 bits, by rounding.

Each output channel gets a scale s of its own and codes round(w / s) from -(2^(bits-1) - 1) to
2^(bits-1) - 1. Of 80 scales from 0.2 to 1 times max|w| / (2^(bits-1) - 1) it is the one with the
least squared error, clipped weights included. Nothing is learned: what 8 bits lose is hardly seen,
below 4 a network that was trained in float usually breaks, and one that is trained with its
quantizers (Brevitas) does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Array = NDArray[np.float32]
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
CANDIDATES = 80
LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Weights:
    """A constant that is a layer's weights.

    Attributes:
        tensor: it.
        axis: of its output channels.
        node: the first layer that uses it.
    """

    tensor: onnx.TensorProto
    axis: int
    node: onnx.NodeProto


def layers(graph: onnx.GraphProto) -> Iterator[Weights]:
    """The weights of all layers, each constant once."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    seen: set[str] = set()
    for node in graph.node:
        if node.op_type not in LAYERS or node.domain:
            continue
        tensor = constants.get(node.input[1])
        if tensor is not None and tensor.name not in seen and len(tensor.dims) > 1:
            seen.add(tensor.name)
            yield Weights(tensor, _axis(node, len(tensor.dims)), node)


def _axis(node: onnx.NodeProto, rank: int) -> int:
    """Where ONNX Runtime's quantizer looks for the output channels."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return 0 if transposed else 1
    return 1 if node.op_type == "ConvTranspose" else rank - 1


def best_scales(weights: Array, axis: int, bits: int) -> Array:
    """The scale of each channel [channels] that loses least.

    Args:
        weights: of any shape.
        axis: of the channels.
        bits: of the codes.
    """
    most = 2 ** (bits - 1) - 1
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1).astype(np.float64)
    reach = np.abs(rows).max(axis=1)
    full = np.where(reach > 0, reach, 1.0) / most
    best, least = full.copy(), np.full(len(full), np.inf)
    for share in np.linspace(1, LEAST_SHARE, CANDIDATES):
        scale = full * share
        codes = np.clip(np.rint(rows / scale[:, None]), -most, most)
        error = np.square(codes * scale[:, None] - rows).sum(axis=1)
        better = error < least
        best, least = np.where(better, scale, best), np.where(better, error, least)
    found: Array = best.astype(np.float32)
    return found


def rounded(weights: Array, scales: Array, axis: int, bits: int) -> Array:
    """Weights as codes times scales, in float32."""
    most = 2 ** (bits - 1) - 1
    shape = [1] * weights.ndim
    shape[axis] = -1
    scale = scales.reshape(shape)
    found: Array = np.clip(np.rint(weights / scale), -most, most).astype(np.float32) * scale
    return found


def round_weights(graph: onnx.GraphProto, bits: int) -> dict[str, tuple[int, Array]]:
    """Round the weights of all layers in place; returns the channel axis and the scales of each,
    by name."""
    found: dict[str, tuple[int, Array]] = {}
    for layer in layers(graph):
        array = numpy_helper.to_array(layer.tensor)
        scales = best_scales(array, layer.axis, bits)
        name = layer.tensor.name
        coarse = np.ascontiguousarray(rounded(array, scales, layer.axis, bits))
        layer.tensor.CopyFrom(numpy_helper.from_array(coarse, name))
        found[name] = layer.axis, scales
    return found
