# SPDX-License-Identifier: Apache-2.0
"""C++ of a StreamingSplit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Kernel, template
from qnnc.backends.hls.primitives import JOIN, part
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.nodes.streaming_split.node import StreamingSplit


class Hls(HlsNode):
    """`qnnc::split`."""

    node: StreamingSplit

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, StreamingSplit)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(SIMD=math.gcd(*self.node.channels))

    def kernel(self, folding: Folding) -> Kernel:
        node = self.node
        parts = [part(node.datatype, channels // folding.SIMD) for channels in node.channels]
        name = template("split", node.datatype, folding.SIMD, node.vectors, *parts)
        return Kernel(JOIN, name, node.ports(folding))
