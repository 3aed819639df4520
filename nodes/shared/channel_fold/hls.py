# SPDX-License-Identifier: Apache-2.0
"""C++ of Pool, GlobalAccPool and VVAU."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, Table, template
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.nodes.pool.node import Pool
from qnnc.nodes.shared.channel_fold.node import ChannelFold
from qnnc.nodes.vvau.node import VVAU

HEADER = Header.beside(__name__, "channel_fold.h")


class Hls(HlsNode):
    """`qnnc::channel_fold` or `qnnc::vvau`."""

    node: ChannelFold

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, ChannelFold)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(PE=largest_divisor(arriving[0].lanes, self.node.channels))

    def kernel(self, folding: Folding) -> Kernel:
        node = self.node
        results = math.prod(node.out_shape) // node.channels
        shape = (folding.PE, node.groups(folding), node.window)
        if not isinstance(node, VVAU):
            greatest = isinstance(node, Pool) and node.function == "MaxPool"
            operation = "qnnc::greatest_of" if greatest else "qnnc::total_of"
            types = (node.x_type, node.out_type)
            name = template("channel_fold", operation, *types, *shape, results)
            return Kernel(HEADER, name, node.ports(folding))
        name = template(
            "vvau",
            *(node.x_type, node.w_type, node.out_type),
            *shape,
            results,
            node.xnor,
            folding.resType == "dsp",
        )
        words = node.weights().reshape(-1, folding.PE)
        weights = Table("weights", node.w_type, words, folding.ram_style)
        return Kernel(HEADER, name, node.ports(folding), (weights,))
