# SPDX-License-Identifier: Apache-2.0
"""C++ of DuplicateStreams, StreamingConcat and StreamingSplit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qonnx.core.datatype import BaseDataType

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Kernel, template
from qnnc.compiler.dataflow import DataflowNode, Folding, Ports, Stream
from qnnc.compiler.dataflow.duplicate_streams import DuplicateStreams
from qnnc.compiler.dataflow.streaming_concat import StreamingConcat
from qnnc.compiler.dataflow.streaming_split import StreamingSplit


class DuplicateStreamsHls(HlsNode):
    """`qnnc::duplicate`."""

    node: DuplicateStreams

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, DuplicateStreams)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(PE=largest_divisor(arriving[0].lanes, self.node.shape[-1]))

    def kernel(self, folding: Folding) -> Kernel:
        return copies(self.node.ports(folding))


def copies(ports: Ports) -> Kernel:
    """Every word of a stream to several."""
    x = ports.inputs[0]
    return Kernel("qnnc_join.h", template("duplicate", x.datatype, x.lanes, x.words), ports)


class StreamingConcatHls(HlsNode):
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
            _part(kind, channels // folding.SIMD)
            for kind, channels in zip(node.types, node.channels, strict=True)
        ]
        name = template("concat", node.out_type, folding.SIMD, node.vectors, *parts)
        return Kernel("qnnc_join.h", name, node.ports(folding))


class StreamingSplitHls(HlsNode):
    """`qnnc::split`."""

    node: StreamingSplit

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, StreamingSplit)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(SIMD=math.gcd(*self.node.channels))

    def kernel(self, folding: Folding) -> Kernel:
        node = self.node
        parts = [_part(node.datatype, channels // folding.SIMD) for channels in node.channels]
        name = template("split", node.datatype, folding.SIMD, node.vectors, *parts)
        return Kernel("qnnc_join.h", name, node.ports(folding))


def _part(kind: BaseDataType, words: int) -> str:
    return "qnnc::" + template("part", kind, words)
