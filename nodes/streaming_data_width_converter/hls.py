# SPDX-License-Identifier: Apache-2.0
"""C++ of a StreamingDataWidthConverter."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Kernel, template
from qnnc.compiler.dataflow import Folding, Ports, Stream
from qnnc.compiler.dataflow.streaming_data_width_converter import StreamingDataWidthConverter


class StreamingDataWidthConverterHls(HlsNode):
    """`qnnc::width_converter`."""

    node: StreamingDataWidthConverter
    transparent = True

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return self.node.folding()

    def kernel(self, folding: Folding) -> Kernel:
        ports = self.node.ports(folding)
        return conversion(ports.inputs[0], ports.outputs[0])


def conversion(x: Stream, y: Stream) -> Kernel:
    """Words of one stream as words of another."""
    between = math.gcd(x.lanes, y.lanes)
    name = template("width_converter", x.datatype, x.lanes, y.lanes, between, x.elements)
    return Kernel("qnnc_stream.h", name, Ports((x,), (y,)))
