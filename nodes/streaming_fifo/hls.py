# SPDX-License-Identifier: Apache-2.0
"""C++ of a StreamingFIFO."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Kernel, template
from qnnc.backends.hls.primitives import STREAM
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.nodes.streaming_fifo.node import StreamingFIFO


class Hls(HlsNode[StreamingFIFO, Folding]):
    """`qnnc::fifo`."""

    transparent = True

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return self.node.folding()

    def kernel(self, folding: Folding) -> Kernel:
        ports = self.node.ports(folding)
        x = ports.inputs[0]
        name = template("fifo", x.datatype, x.lanes, x.words, self.node.depth)
        return Kernel(STREAM, name, ports)
