# SPDX-License-Identifier: Apache-2.0
"""C++ of a StreamingConcat."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Kernel, template
from qnnc.backends.hls.primitives import JOIN, part
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.nodes.streaming_concat.node import StreamingConcat


class Hls(HlsNode):
    """`qnnc::concat`."""

    node: StreamingConcat

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, StreamingConcat)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(SIMD=math.gcd(*self.node.channels))

    def kernel(self, folding: Folding) -> Kernel:
        node = self.node
        parts = [
            part(kind, channels // folding.SIMD)
            for kind, channels in zip(node.types, node.channels, strict=True)
        ]
        name = template("concat", node.out_type, folding.SIMD, node.vectors, *parts)
        return Kernel(JOIN, name, node.ports(folding))
