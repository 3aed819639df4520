# SPDX-License-Identifier: Apache-2.0
"""C++ of a StreamingDataWidthConverter."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Kernel
from qnnc.backends.hls.primitives import conversion
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.nodes.streaming_data_width_converter.node import StreamingDataWidthConverter


class Hls(HlsNode[StreamingDataWidthConverter, Folding]):
    """`qnnc::width_converter`."""

    transparent = True

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return self.node.folding()

    def kernel(self, folding: Folding) -> Kernel:
        ports = self.node.ports(folding)
        return conversion(ports.inputs[0], ports.outputs[0])
