# SPDX-License-Identifier: Apache-2.0
"""C++ of a LabelSelect."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.nodes.label_select.node import LabelSelect

HEADER = Header.beside(__name__, "label_select.h")


class Hls(HlsNode):
    """`qnnc::label_select`."""

    node: LabelSelect

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, LabelSelect)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return self.node.folding()

    def kernel(self, folding: Folding) -> Kernel:
        node = self.node
        ports = node.ports(folding)
        lanes = ports.inputs[0].lanes
        name = template(
            "label_select", node.x_type, node.out_type, node.labels, node.k, lanes, node.vectors
        )
        return Kernel(HEADER, name, ports)
