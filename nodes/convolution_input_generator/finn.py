# SPDX-License-Identifier: Apache-2.0
"""ConvolutionInputGenerator in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer
from qnnc.nodes.convolution_input_generator.node import ConvolutionInputGenerator


class Finn(ToFinn):
    """Windows. FINN's generator is not ours: it starts each frame with an empty buffer, and takes a
    row or gives one at a time; before a depthwise node it gives all elements of a group of channels
    before the next group's."""

    attributes = (
        "ConvKernelDim IFMChannels IFMDim OFMDim SIMD Stride Dilation inputDataType "
        "outputDataType depthwise ram_style parallel_window is1D"
    )
    style = "rtl"
    node: ConvolutionInputGenerator

    def changed(self, lanes: int | None) -> dict[str, int]:
        return {} if lanes is None else {"depthwise": 1, "SIMD": lanes}

    def cycles(self, lanes: int | None) -> int:
        node = self.node
        window = node.window
        words = node.channels // (lanes or node.folding().SIMD)
        (height, width), (kh, kw), (oh, ow) = window.image, window.kernel, window.out
        (dh, dw), (sh, sw) = window.dilation, window.stride
        if 1 in window.image:
            if width == 1:
                width, kw, ow, sw = height, kh, oh, sh
            given = ow * kw * words
            if lanes is None:
                return given + 2
            given += (words - 1) * kw
            return max(given, width * words + words * (kw - 1) * (sw - 1)) + 2
        row = max(ow * kw * kh * words, sw * width * words)
        first = ((kh - 1) * dh * width + (kw - 1) * dw + 1) * words
        if lanes is None:
            return first + oh * row
        row += ow * (sw - 1) * (words - 1)
        return first + oh * row + (sh - 1) * width * words


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """ConvolutionInputGenerator: kept, so that its consumer becomes a convolution."""
    windows[node.outputs[0]] = Window(
        writer.first(node.inputs[0]),
        node.integer("IFMChannels"),
        node.pair("ConvKernelDim"),
        node.pair("Stride", 1),
        node.pair("Dilation", 1),
    )


READERS: Mapping[str, Reader] = {
    "ConvolutionInputGenerator": read,
    "ConvolutionInputGenerator1D": read,  # of older versions
}
