# SPDX-License-Identifier: Apache-2.0
"""An early refusal of what is too big: what a network must keep on the chip at least.

A bound from below, so that nothing is refused that could fit: weights take no fewer bits than
their information (order-0 entropy), line buffers hold the rows that a window spans, each layer's
control takes the LUTs of the smallest there is, with one product at a time and that in a DSP block,
and all of the budget's block RAM and other LUTs are taken to hold weights and lines. What passes
may still be refused by set-folding, which knows the nodes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import TargetError, quote
from qnnc.compiler.ir.edit import attribute, constant
from qnnc.compiler.ir.facts import sources
from qnnc.compiler.ir.quantizers import Quantizer, quantizer
from qnnc.compiler.resources import Resources

BLOCK_BITS, LUT_BITS = 18 * 1024, 64
"""That a RAMB18E1 and a LUT hold."""
PRODUCT_LUTS, WINDOW_LUTS = 35, 40
"""Of the smallest product's control, and of the smallest line buffer's."""
DENSE = ("MatMul", "Gemm")
PRODUCTS = ("Conv", "ConvTranspose", *DENSE)
WINDOWS = ("Conv", "MaxPool", "AveragePool")
MEGA = 1 << 20


@dataclass(frozen=True)
class Layer:
    """What a layer keeps on the chip.

    Attributes:
        name: of the user's node.
        weights: how many it has.
        weight_bits: that they take at least.
        line_bits: of its line buffer.
        movable: its weights may come from the board's memory.
        luts: that it takes at least, without multipliers and memories.
    """

    name: str
    weights: int
    weight_bits: float
    line_bits: int
    movable: bool
    luts: int = 0


def check_size(
    model: ir.Model,
    budget: Resources,
    board: str,
    *,
    external: bool = False,
    bytes_per_second: float = math.inf,
) -> None:
    """Raise TargetError for a network that no folding brings into the budget.

    Args:
        model: with quantizers, before any lowering.
        budget: what the accelerator may take; nothing is refused where it is infinite.
        board: its name, for the error.
        external: weights may come from memory, but those of depthwise convolutions.
        bytes_per_second: that memory gives.
    """
    if math.isinf(budget.BRAM18 + budget.LUT):
        return
    layers = layers_of(model)
    control = sum(layer.luts for layer in layers)
    block, luts = budget.BRAM18 * BLOCK_BITS, (budget.LUT - control) * LUT_BITS
    kept = [layer for layer in layers if not (external and layer.movable)]
    weights = sum(layer.weight_bits for layer in kept)
    lines = sum(layer.line_bits for layer in layers)
    if luts >= 0 and weights + lines <= block + luts:
        return
    if luts < 0:
        raise TargetError(
            f"the network is too big for {board}: the control of its {len(layers)} layers and line "
            f"buffers takes at least {control:,} LUTs, with one product at a time; the budget is "
            f"{budget.LUT:,.0f}; what may fit: {budget.LUT / control:.0%} of the layers; to see "
            "what it would take: --budget inf --fps F"
        )
    largest = max(kept or layers, key=lambda layer: layer.weight_bits + layer.line_bits)
    message = (
        f"the network is too big for {board}: its weights take at least {_mega(weights)} and its "
        f"line buffers {_mega(lines)}, most of them layer {quote(largest.name)} "
        f"({_mega(largest.weight_bits + largest.line_bits)}); the budget is {_mega(block)} of "
        f"block RAM and {_mega(luts)} of LUTs besides the layers' control"
    )
    helps = _what_fits(layers, kept, lines, block, 0.0 if external else bytes_per_second)
    raise TargetError(f"{message}; {helps}; to see what it would take: --budget inf --fps F")


def _what_fits(
    layers: list[Layer], kept: list[Layer], lines: float, block: float, memory: float
) -> str:
    """What would bring weights and line buffers into block RAM, each with its figure.

    Args:
        memory: bytes per second of weights; 0 where they come from there already.
    """
    count = sum(layer.weights for layer in kept)
    mean = sum(layer.weight_bits for layer in kept) / max(1, count)
    fits = []
    bits = next((b for b in range(math.ceil(mean) - 1, 0, -1) if count * b + lines <= block), 0)
    if bits:
        fits.append(f"weights of {bits} bits ({_mega(count * bits)})")
    others = sum(layer.weight_bits for layer in layers if not layer.movable)
    if memory and others + lines <= block:
        moved = sum(layer.weight_bits for layer in layers) + lines - block
        fits.append(
            f"--external-weights, weights in the board's memory (at least {_mega(moved)} of them, "
            f"for at most {memory * 8 / moved:,.0f} frames/s)"
        )
    if lines > block / 4 and count * mean + lines / 2 <= block:
        fits.append(f"an input of half the width (line buffers of {_mega(lines / 2)})")
    if not fits:
        shares = range(2, 1 << 20)
        share = next((n for n in shares if count * mean / n**2 + lines / n <= block), 0)
        if not share:
            return "nothing fits into so little; give it more with --budget"
        fits.append(
            f"layers of 1/{share} as many channels ({_mega(count * mean / share**2)} of weights)"
        )
    return "what may fit: " + ", or ".join(fits)


def layers_of(model: ir.Model) -> list[Layer]:
    """Layers with quantized weights, and windows of quantized tensors."""
    found = []
    for node in model.graph:
        if node.domain != "" or node.op_type not in (*PRODUCTS, *WINDOWS):
            continue
        weights, bits = _weights(node) if node.op_type in PRODUCTS else (0, 0.0)
        lines = _line_bits(node) if node.op_type in WINDOWS else 0
        if bits or lines:
            name = next(iter(sources(node)), node.name or node.op_type)
            luts = (PRODUCT_LUTS if bits else 0) + (WINDOW_LUTS if lines else 0)
            found.append(Layer(name, weights, bits, lines, _movable(node), luts))
    return found


def _weights(node: ir.Node) -> tuple[int, float]:
    """How many quantized weights a layer has, and the bits of information in their codes."""
    for value in node.inputs[:2]:
        given = _quantized(value)
        array = None if given is None else constant(given.input)
        if given is None or array is None:
            continue
        codes = np.round(np.asarray(array, np.float64) / given.scale)  # float32 may overflow
        _, counts = np.unique(np.clip(codes, given.low, given.high), return_counts=True)
        shares = counts / codes.size
        return codes.size, float(-codes.size * np.sum(shares * np.log2(shares)))
    return 0, 0.0


def _line_bits(node: ir.Node) -> int:
    """Bits of the rows that a window spans, of one channel group as of all."""
    value, kernel = node.inputs[0], attribute(node, "kernel_shape")
    given = _quantized(value)
    if given is None or value is None or value.shape is None or kernel is None:
        return 0
    if len(kernel) != 2 or len(value.shape) != 4 or max(kernel) == 1:
        return 0
    channels, width = int(value.shape[1]), int(value.shape[3])  # type: ignore[arg-type]
    dilation = attribute(node, "dilations") or [1, 1]
    rows = (int(kernel[0]) - 1) * int(dilation[0])
    bits = max(1, int(given.high - given.low).bit_length())
    return (rows * width + int(kernel[1])) * channels * bits


def _quantized(value: ir.Value | None) -> Quantizer | None:
    """The quantizer that a tensor comes from, seen through what only moves it."""
    while value is not None and (producer := value.producer()) is not None:
        found = quantizer(producer)
        if found is not None:
            return found
        if producer.op_type not in ("Transpose", "Reshape", "MaxPool", "Flatten", "Identity"):
            return None
        value = producer.inputs[0]
    return None


def _movable(node: ir.Node) -> bool:
    """All but depthwise convolutions and pools."""
    if node.op_type in DENSE:
        return True
    value, group = node.inputs[0], attribute(node, "group") or 1
    if node.op_type not in PRODUCTS or value is None or value.shape is None:
        return False
    return bool(group == 1 or group != value.shape[1])


def _mega(bits: float) -> str:
    return f"{bits / MEGA:.1f} Mbit"
