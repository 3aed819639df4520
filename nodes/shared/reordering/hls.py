# SPDX-License-Identifier: Apache-2.0
"""C++ of UpsampleNearestNeighbour and Shuffle."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import Stream
from qnnc.nodes.shared.reordering.node import Reordering, ReorderingFolding

HEADER = Header.beside(__name__, "reordering.h")


class Hls(HlsNode[Reordering, ReorderingFolding]):
    """`qnnc::reorder`."""

    def widest(self, arriving: Sequence[Stream]) -> ReorderingFolding:
        return ReorderingFolding(SIMD=largest_divisor(arriving[0].lanes, self.node.most_lanes))

    def kernel(self, folding: ReorderingFolding) -> Kernel:
        node = self.node
        ports, block = node.ports(folding), node.block_words(folding)
        x = ports.inputs[0]
        loops = [f"qnnc::loop<{loop.count}, {loop.stride}>" for loop in node.loops(folding)]
        first = node.first_word(folding)
        name = template("reorder", x.datatype, x.lanes, block, x.words // block, first, *loops)
        return Kernel(HEADER, name, ports)
