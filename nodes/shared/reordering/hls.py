# SPDX-License-Identifier: Apache-2.0
"""C++ of UpsampleNearestNeighbour and Shuffle."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.nodes.shared.reordering.node import Reordering
from qnnc.nodes.shuffle.node import Shuffle

HEADER = Header.beside(__name__, "reordering.h")


class Hls(HlsNode):
    """`qnnc::reorder`."""

    node: Reordering

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, Reordering)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        node = self.node
        if isinstance(node, Shuffle):
            together = math.gcd(node.together, node.in_shape[-1], node.out_shape[-1])
        else:
            together = arriving[0].shape[-1]
        return Folding(SIMD=largest_divisor(arriving[0].lanes, together))

    def kernel(self, folding: Folding) -> Kernel:
        node = self.node
        ports, block = node.ports(folding), node.block_words(folding)
        x = ports.inputs[0]
        loops = [f"qnnc::loop<{loop.count}, {loop.stride}>" for loop in node.loops(folding)]
        first = node.first_word(folding)
        name = template("reorder", x.datatype, x.lanes, block, x.words // block, first, *loops)
        return Kernel(HEADER, name, ports)
