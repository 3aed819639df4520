# SPDX-License-Identifier: Apache-2.0
"""C++ of a StreamingSplit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Kernel, template
from qnnc.backends.hls.primitives import JOIN, part
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import SIMDFolding
from qnnc.nodes.streaming_split.node import StreamingSplit


class Hls(HlsNode[StreamingSplit, SIMDFolding]):
    """`qnnc::split`."""

    def widest(self, arriving: Sequence[Stream]) -> SIMDFolding:
        return SIMDFolding(SIMD=math.gcd(*self.node.channels))

    def kernel(self, folding: SIMDFolding) -> Kernel:
        node = self.node
        parts = [part(node.x_type, channels // folding.SIMD) for channels in node.channels]
        name = template("split", node.x_type, folding.SIMD, node.vectors, *parts)
        return Kernel(JOIN, name, node.ports(folding))
