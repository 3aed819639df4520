# SPDX-License-Identifier: Apache-2.0
"""C++ of a ConvolutionInputGenerator."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.nodes.convolution_input_generator.node import ConvolutionInputGenerator

HEADER = Header.beside(__name__, "convolution_input_generator.h")


class Hls(HlsNode):
    """`qnnc::windows`, with the ring that the node declares. A call ends with its frame: the next
    one's first pixels are not taken before."""

    node: ConvolutionInputGenerator

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, ConvolutionInputGenerator)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(SIMD=largest_divisor(arriving[0].lanes, self.node.channels))

    def kernel(self, folding: Folding) -> Kernel:
        node, window = self.node, self.node.window
        name = template(
            "windows",
            node.datatype,
            folding.SIMD,
            node.channels // folding.SIMD,
            *window.image,
            *window.kernel,
            *window.stride,
            *window.dilation,
            node.capacity(folding),
        )
        return Kernel(HEADER, name, node.ports(folding))
