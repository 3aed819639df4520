# SPDX-License-Identifier: Apache-2.0
"""C++ of a ConvolutionInputGenerator."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import Stream
from qnnc.nodes.convolution_input_generator.node import ConvolutionInputGenerator, WindowFolding

HEADER = Header.beside(__name__, "convolution_input_generator.h")


class Hls(HlsNode[ConvolutionInputGenerator, WindowFolding]):
    """`qnnc::windows`, with the ring that the node declares. A call ends with its frame: the next
    one's first pixels are not taken before."""

    def widest(self, arriving: Sequence[Stream]) -> WindowFolding:
        return WindowFolding(SIMD=largest_divisor(arriving[0].lanes, self.node.channels))

    def kernel(self, folding: WindowFolding) -> Kernel:
        node, window = self.node, self.node.window
        name = template(
            "windows",
            node.x_type,
            folding.SIMD,
            node.channels // folding.SIMD,
            *window.image,
            *window.kernel,
            *window.stride,
            *window.dilation,
            node.capacity(folding),
        )
        return Kernel(HEADER, name, node.ports(folding))
