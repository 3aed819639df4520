# SPDX-License-Identifier: Apache-2.0
"""C++ of FMPadding and FMPadding_Pixel."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.nodes.fm_padding.node import FMPadding
from qnnc.nodes.fm_padding_pixel.node import FMPadding_Pixel

HEADER = Header.beside(__name__, "border.h")


class Hls(HlsNode):
    """`qnnc::padding` or `qnnc::spread`."""

    node: FMPadding | FMPadding_Pixel

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, FMPadding | FMPadding_Pixel)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(SIMD=largest_divisor(arriving[0].lanes, self.node.channels))

    def kernel(self, folding: Folding) -> Kernel:
        node = self.node
        words = node.channels // folding.SIMD
        image = (node.datatype, folding.SIMD, words, *node.image)
        if isinstance(node, FMPadding):
            name = template("padding", *image, node.top, node.left, *node.out, node.value)
        else:
            name = template("spread", *image, *node.stride)
        return Kernel(HEADER, name, node.ports(folding))
