# SPDX-License-Identifier: Apache-2.0
"""VVAU: a depthwise convolution of windows (Vector-Vector-Activation Unit)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes, cost
from qnnc.compiler.dataflow.base import NewNode, Range, Role
from qnnc.compiler.dataflow.channels import Kept
from qnnc.compiler.dataflow.folding import ArithmeticFolding, MemoryFolding, PEFolding
from qnnc.compiler.datatypes import BIPOLAR, carrier, type_of_values, wide_sums
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.ir.facts import as_integers
from qnnc.compiler.resources import Resources
from qnnc.nodes.shared.channel_fold.node import ChannelFold


@dataclass(frozen=True, kw_only=True)
class VVAUFolding(ArithmeticFolding, MemoryFolding, PEFolding):
    """PE channels are worked on per cycle."""


class VVAU(ChannelFold[VVAUFolding]):
    """Inputs x [1, OH, OW, KH * KW * C] from a ConvolutionInputGenerator and W [C, 1, KH, KW] (a
    constant); output [1, OH, OW, C].

    With binaryXnorMode, both operands are 0/1 codes of -1/+1 and the output counts the equal
    pairs. PE channels are worked on at once, one element of the window per cycle.
    """

    op_type = "VVAU"
    short_name = "vvau"
    role = Role.CHANNEL_PRODUCT
    kind = "product"
    folding_type = VVAUFolding

    channels: int = attributes.integer("Channels")
    out: tuple[int, int] = attributes.pair("Dim")
    kernel: tuple[int, int] = attributes.pair("Kernel")
    x_type: BaseDataType = attributes.integer_type("inputDataType")
    w_type: BaseDataType = attributes.integer_type("weightDataType")
    out_type: BaseDataType = attributes.integer_type("outputDataType")
    acc_type: BaseDataType = attributes.integer_type("accDataType", "INT32")
    xnor: bool = attributes.flag("binaryXnorMode", False)

    @classmethod
    def create(
        cls,
        *,
        out_image: tuple[int, int],
        channels: int,
        kernel: tuple[int, int],
        x: BaseDataType,
        weights: BaseDataType,
        out: BaseDataType,
        xnor: bool = False,
    ) -> NewNode:
        """Products with kernels [channels, 1, height, width], unfolded."""
        return cls.new(
            PE=1,
            SIMD=1,
            Dim=list(out_image),
            Channels=channels,
            Kernel=list(kernel),
            inputDataType=x.name,
            weightDataType=weights.name,
            outputDataType=out.name,
            accDataType=out.name,
            noActivation=1,
            binaryXnorMode=int(xnor),
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.window = math.prod(self.kernel)

    def weights(self) -> NDArray[np.int64]:
        """[KH * KW, C]."""
        return as_integers(self.constant_input(1)).reshape(self.channels, self.window).T

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        super().keep_channels(editor, inputs, outputs)
        self.replace_constant(editor, 1, self.constant_input(1)[outputs[0]])

    # --- types ------------------------------------------------------------------------------

    def narrow(self, editor: Editor, inputs: Sequence[Range]) -> bool:
        if not self.xnor:
            self.w_type = type_of_values(self.weights())
        return False

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        if self.xnor:
            return [Range.of(0, self.window)]
        x, weights = inputs[0].along(self.window * self.channels), self.weights()
        low, high = (a.reshape(self.window, self.channels) for a in (x.low, x.high))
        ends = np.stack([low * weights, high * weights])
        # a channel's running sum must fit as well: it starts from the first product
        return [Range.of(ends.min(axis=0).sum(axis=0), ends.max(axis=0).sum(axis=0))]

    def set_types(self, inputs: Sequence[BaseDataType], outputs: Sequence[BaseDataType]) -> None:
        super().set_types(inputs, outputs)
        self.acc_type = outputs[0]

    # --- folding ----------------------------------------------------------------------------

    def foldings(self) -> Iterable[VVAUFolding]:
        widths = self.x_type.bitwidth(), self.w_type.bitwidth()
        dsp = not self.xnor and self.w_type != BIPOLAR and widths[0] * widths[1] >= 12
        dsp = dsp and max(widths) <= 24 and min(widths) <= 17
        for plain in super().foldings():
            for folding in (plain, replace(plain, ram_style="block")):
                yield folding
                if dsp:
                    yield replace(folding, resType="dsp")

    def weight_memory(self, folding: VVAUFolding) -> cost.WeightMemory:
        """Shape of the weight memory."""
        width = folding.PE * self.w_type.bitwidth()
        depth = self.window * self.groups(folding)
        if folding.ram_style == "block":
            return cost.block_weight_memory(width, depth)
        return cost.WeightMemory(width, depth, 1)

    def weight_latency(self, folding: VVAUFolding) -> int:
        """Cycles from a step to its weights (`qnnc_weight_stream`)."""
        return 2 + int(self.weight_memory(folding).group > 1)

    pipeline = 7

    # --- meaning ----------------------------------------------------------------------------

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (1, *self.out, self.window * self.channels)

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (1, *self.out, self.channels)

    def lane_resources(self, folding: VVAUFolding) -> Resources:
        x_bits, w_bits = self.x_type.bitwidth(), self.w_type.bitwidth()
        acc = self.out_type.bitwidth()
        if self.xnor:
            product = Resources(LUT=1, FF=1)
        elif folding.resType == "dsp":
            product = Resources(FF=x_bits, DSP=1)
        elif self.w_type == BIPOLAR and x_bits == 1:
            product = Resources(LUT=2, FF=2)
        elif self.w_type == BIPOLAR:
            product = Resources(LUT=x_bits + 7, FF=x_bits + 1)  # a negation and a choice
        elif self.w_type.bitwidth() <= 2:
            product = Resources(LUT=x_bits + 1, FF=x_bits + 1)
        else:
            product = Resources(LUT=cost.product(x_bits, w_bits), FF=x_bits + w_bits)
        return product + Resources(LUT=acc + 1, FF=x_bits * self.weight_latency(folding))

    def resources(self, folding: VVAUFolding) -> Resources:
        memory = self.weight_memory(folding)
        total = super().resources(folding)
        total += Resources(LUT=cost.counter(memory.rows) + cost.counter(memory.group))
        total += Resources(LUT=cost.multiplexer(memory.width, memory.group))
        if folding.ram_style == "block":
            return total + Resources(BRAM18=memory.BRAM18)
        luts = cost.lut_memory(memory.width, memory.depth)
        return total + Resources(LUT=luts, FF=2 * memory.width)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        x, weights = inputs[0], self.weights()
        wide = not self.xnor and wide_sums(self.x_type, self.out_type, weights)
        dtype = np.float64 if wide else np.float32
        if wide:
            x = b.op("Cast", x, to=ir.DataType.DOUBLE)
        shape = [0, *self.out, self.window, self.channels]
        apart = b.op("Reshape", x, b.constant(shape, np.int64))
        factors = 2 * weights - 1 if self.xnor else weights
        products = b.op("Mul", apart, b.constant(factors, dtype))
        total = b.op("ReduceSum", products, b.constant([3], np.int64), keepdims=0)
        if self.xnor:
            total = b.op("Add", total, b.constant((1 - weights).sum(axis=0), dtype))
        if wide and carrier(self.out_type) == np.float32:
            total = b.op("Cast", total, to=ir.DataType.FLOAT)
        return [total]
