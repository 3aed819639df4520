# SPDX-License-Identifier: Apache-2.0
"""C++ of a DuplicateStreams."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Kernel
from qnnc.backends.hls.primitives import copies
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.nodes.duplicate_streams.node import DuplicateStreams


class Hls(HlsNode):
    """`qnnc::duplicate`."""

    node: DuplicateStreams

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, DuplicateStreams)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(PE=largest_divisor(arriving[0].lanes, self.node.shape[-1]))

    def kernel(self, folding: Folding) -> Kernel:
        return copies(self.node.ports(folding))
