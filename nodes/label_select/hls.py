# SPDX-License-Identifier: Apache-2.0
"""C++ of a LabelSelect."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.nodes.label_select.node import LabelSelect

HEADER = Header.beside(__name__, "label_select.h")


class Hls(HlsNode[LabelSelect, PEFolding]):
    """`qnnc::label_select`."""

    def widest(self, arriving: Sequence[Stream]) -> PEFolding:
        return self.node.folding()

    def kernel(self, folding: PEFolding) -> Kernel:
        node = self.node
        ports = node.ports(folding)
        lanes = ports.inputs[0].lanes
        name = template(
            "label_select", node.x_type, node.out_type, node.labels, node.k, lanes, node.vectors
        )
        return Kernel(HEADER, name, ports)
